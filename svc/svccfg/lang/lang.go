package lang

import (
	"errors"
	"strings"
)

// Limits of one command. Real ones have some hundred bytes; a list of values may be long.
const (
	CommandBytesMax = 1 << 20
	WordsMax        = 16384
)

// What is wrong with a text. Where is the error's place.
var (
	ErrSyntax   = errors.New("Syntax error")
	ErrTooLong  = errors.New("command is longer than 1 MiB")
	ErrTooMany  = errors.New("command has more than 16384 words")
	ErrUnquoted = errors.New("quote is not closed")
	ErrOpenList = errors.New("parenthesis is not closed")
	ErrNUL      = errors.New("zero byte in a command")
)

// Error is one of the above with the line in which the command began.
type Error struct {
	Line int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Kind says what a token is.
type Kind uint8

// The kinds.
const (
	Word   Kind = iota
	String      // a word in quotes
	Equals
	Open
	Close
	Redirect
)

// Token is one word or sign of a command.
type Token struct {
	Kind Kind
	Text string // of words and strings, without quotes
}

// Command is one command: its name is the text of the first token.
type Command struct {
	Line   int // in which it began, from 1 on
	Tokens []Token
}

// Name is the command's first word; empty when it begins with something else.
func (c *Command) Name() string {
	if len(c.Tokens) == 0 || c.Tokens[0].Kind != Word {
		return ""
	}
	return c.Tokens[0].Text
}

// Parser takes text by pieces and gives commands.
type Parser struct {
	text string
	line int // of the first byte of text
}

// NewParser begins at line 1.
func NewParser() *Parser { return &Parser{line: 1} }

// Feed adds text.
func (p *Parser) Feed(text string) { p.text += text }

// More says that what was fed is the beginning of a command that goes on: a quote or parenthesis
// is open, or the line's end was taken back.
func (p *Parser) More() bool {
	s := scan{text: p.text, final: true}
	s.skip()
	return s.at < len(p.text)
}

// Next gives the next command that is complete; nil when there is none. At the end of the input
// (final) a command ends without a line's end. After an error the line in which it was found is
// passed over, so that a person can go on.
func (p *Parser) Next(final bool) (*Command, error) {
	s := scan{text: p.text, final: final}
	s.skip()
	begin := p.line + strings.Count(p.text[:s.at], "\n")
	p.advance(s.at)
	if p.text == "" {
		return nil, nil
	}
	s = scan{text: p.text, final: final}
	tokens, err := s.command()
	switch {
	case err == errMore && len(p.text) > CommandBytesMax:
		err = ErrTooLong
	case err == errMore:
		return nil, nil
	}
	if err != nil {
		p.passLine(s.at)
		return nil, &Error{begin, err}
	}
	p.advance(s.at)
	return &Command{Line: begin, Tokens: tokens}, nil
}

func (p *Parser) advance(n int) {
	p.line += strings.Count(p.text[:n], "\n")
	p.text = p.text[n:]
}

// passLine passes over what lies before the end of the line in which at is.
func (p *Parser) passLine(at int) {
	at = min(at, len(p.text))
	if i := strings.IndexByte(p.text[at:], '\n'); i >= 0 {
		p.advance(at + i + 1)
		return
	}
	p.advance(len(p.text))
}

// errMore: the command is not complete.
var errMore = errors.New("more is needed")

// scan goes along a text.
type scan struct {
	text  string
	at    int
	final bool
}

// skip passes over blanks, empty lines and comments.
func (s *scan) skip() {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '\n' || blank(c):
			s.at++
		case c == '#':
			if !s.comment() {
				return
			}
		default:
			return
		}
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// comment passes over one, if all of it is there.
func (s *scan) comment() bool {
	if i := strings.IndexByte(s.text[s.at:], '\n'); i >= 0 {
		s.at += i
		return true
	}
	if s.final {
		s.at = len(s.text)
	}
	return s.final
}

// command reads up to the end of a line outside of parentheses.
func (s *scan) command() (tokens []Token, err error) {
	open := false
	for {
		switch {
		case s.at > CommandBytesMax:
			return nil, ErrTooLong
		case len(tokens) > WordsMax:
			return nil, ErrTooMany
		case s.at == len(s.text):
			switch {
			case !s.final:
				return nil, errMore
			case open:
				return nil, ErrOpenList
			}
			return tokens, nil
		}
		switch c := s.text[s.at]; {
		case c == '\n':
			s.at++
			if !open {
				return tokens, nil
			}
		case blank(c):
			s.at++
		case c == '#':
			if !s.comment() {
				return nil, errMore
			}
		case strings.HasPrefix(s.text[s.at:], "\\\n"):
			s.at += 2
		case c == '=' || c == '>' || c == '(' || c == ')':
			s.at++
			if c == '(' && open || c == ')' && !open {
				return nil, ErrSyntax
			}
			open = c == '(' || open && c != ')'
			tokens = append(tokens, Token{Kind: signs[c], Text: string(c)})
		default:
			t, err := s.word()
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, t)
		}
	}
}

var signs = map[byte]Kind{'=': Equals, '>': Redirect, '(': Open, ')': Close}

// word reads a word or what is in quotes.
func (s *scan) word() (Token, error) {
	if s.text[s.at] == '"' {
		return s.quoted()
	}
	from := s.at
	for s.at < len(s.text) {
		c := s.text[s.at]
		if c == 0 {
			return Token{}, ErrNUL
		}
		if c == '\n' || blank(c) || strings.IndexByte("=>()\"", c) >= 0 || strings.HasPrefix(s.text[s.at:], "\\\n") {
			break
		}
		s.at++
	}
	if s.at == len(s.text) && !s.final {
		return Token{}, errMore
	}
	return Token{Word, s.text[from:s.at]}, nil
}

func (s *scan) quoted() (Token, error) {
	var b []byte
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == 0:
			return Token{}, ErrNUL
		case c == '"':
			s.at = i + 1
			return Token{String, string(b)}, nil
		case c == '\\' && i+1 < len(s.text):
			i++
			b = append(b, s.text[i])
		case c == '\\': // its character is to come
		default:
			b = append(b, c)
		}
	}
	if s.final {
		return Token{}, ErrUnquoted
	}
	return Token{}, errMore
}
