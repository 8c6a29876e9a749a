package lang

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenKind is a kind of token; punctuation is its own character.
type tokenKind rune

const (
	tokEnd     tokenKind = 0
	tokWord    tokenKind = 'w'
	tokNewline tokenKind = '\n'
)

// token is a token with where it stands.
type token struct {
	kind tokenKind
	text string
	// quoted words are never options, verbs or comments.
	quoted bool
	line   int
}

// String shows a token in an error message.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokNewline:
		return "the end of the line"
	case tokWord:
		return fmt.Sprintf("'%.40s'", t.text)
	}
	return fmt.Sprintf("'%c'", rune(t.kind))
}

const punctuation = "=[](),;"

// lexer cuts text into tokens. Brackets change what ends a word, so it follows them.
type lexer struct {
	text string
	pos  int
	line int
	// depth counts open brackets: inside, a comma is punctuation.
	depth int
	// start: a command may begin here, so a # begins a comment.
	start bool
}

func newLexer(text string) *lexer { return &lexer{text: text, line: 1, start: true} }

// next gives the next token.
func (l *lexer) next() (token, error) {
	l.blanks()
	t := token{line: l.line}
	if l.pos >= len(l.text) {
		return t, nil
	}
	c := l.text[l.pos]
	switch {
	case c == '\n':
		l.pos++
		l.line++
		l.depth, l.start = 0, true
		t.kind = tokNewline
		return t, nil
	case c == '"':
		return l.quoted(t)
	case strings.IndexByte(punctuation, c) >= 0 && (c != ',' || l.depth > 0):
		l.punctuation(c)
		t.kind = tokenKind(c)
		return t, nil
	}
	l.start = false
	begin := l.pos
	for l.pos < len(l.text) && !l.endsWord(l.text[l.pos]) {
		l.pos++
	}
	t.kind, t.text = tokWord, l.text[begin:l.pos]
	return t, checkWord(t)
}

// blanks passes over blanks and comments.
func (l *lexer) blanks() {
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case c == ' ' || c == '\t' || c == '\r' && (l.pos+1 == len(l.text) || l.text[l.pos+1] == '\n'):
			l.pos++
		case c == '#' && l.start:
			for l.pos < len(l.text) && l.text[l.pos] != '\n' {
				l.pos++
			}
		default:
			return
		}
	}
}

func (l *lexer) punctuation(c byte) {
	l.pos++
	l.start = false
	switch c {
	case '[', '(':
		l.depth++
	case ']', ')':
		l.depth = max(0, l.depth-1)
	case ';':
		l.depth, l.start = 0, true
	}
}

func (l *lexer) endsWord(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '"', ';', '=', '[', ']', '(', ')':
		return true
	case '\r':
		return l.pos+1 == len(l.text) || l.text[l.pos+1] == '\n'
	case ',':
		return l.depth > 0
	}
	return false
}

// quoted reads a word in double quotes. The original lets the end of the line close
// them; here that is an error, because what follows was meant to be inside.
func (l *lexer) quoted(t token) (token, error) {
	l.start = false
	l.pos++
	var b strings.Builder
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		l.pos++
		switch c {
		case '"':
			t.kind, t.text, t.quoted = tokWord, b.String(), true
			return t, checkWord(t)
		case '\n':
			l.pos--
			return t, &SyntaxError{t.line, "the closing quote is missing"}
		case '\\':
			if l.pos < len(l.text) && (l.text[l.pos] == '"' || l.text[l.pos] == '\\') {
				c = l.text[l.pos]
				l.pos++
			}
		}
		b.WriteByte(c)
	}
	return t, &SyntaxError{t.line, "the closing quote is missing"}
}

func checkWord(t token) error {
	if !utf8.ValidString(t.text) {
		return &SyntaxError{t.line, fmt.Sprintf("%.40q is not UTF-8 text", t.text)}
	}
	if strings.ContainsRune(t.text, 0) {
		return &SyntaxError{t.line, "a zero byte is not allowed"}
	}
	return nil
}

// Quote writes a word so that it is read back as it is, with quotes only when needed.
// What cannot be written, a line break, does not occur in configurations.
func Quote(s string) string {
	if s != "" && s[0] != '-' && s[0] != '#' && !strings.ContainsAny(s, " \t\r\n\"\\;=[](),") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
