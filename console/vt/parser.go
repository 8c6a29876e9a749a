package vt

import "unicode/utf8"

// Kind says what a token is.
type Kind int

const (
	Text    Kind = iota // one whole character of UTF-8
	Control             // a control character of ASCII, or of U+0080 to U+009F, that begins nothing
	Escape              // ESC and what follows it, but for the two below
	CSI                 // a control sequence: CSI, parameters, a final byte
	String              // a command string (OSC, DCS, SOS, PM, APC) with its end
	Broken              // bytes that are not UTF-8, or a sequence that was cut off
)

// Token is a piece of output.
type Token struct {
	Kind Kind
	// Bytes are the token's, as far as they were kept: of a String its beginning only. They are
	// good until the next token.
	Bytes []byte
	// Len is how many bytes it took.
	Len int
}

const (
	esc = 0x1b
	bel = 0x07
	can = 0x18
	sub = 0x1a

	// sequenceMax is more than any control sequence has. What is longer is none.
	sequenceMax = 256
	// StringMax is the longest command string that is waited for. A picture may be longer, and
	// then shows as text; a string that never ends would hide everything after it.
	StringMax = 64 << 10
)

type state uint8

const (
	ground state = iota
	within       // of a character
	escaped
	control // of a control sequence
	str
	strEscaped // an ESC within a string
)

// Parser takes output apart. The zero value is ready.
type Parser struct {
	// LineEnds: a newline ends a command string. No real string has one but pictures, and who
	// only wants text had better see the line after one that has no end.
	LineEnds bool

	state state
	want  int // bytes of a character that are to come
	n     int // bytes of the token
	prev  byte
	kept  [sequenceMax]byte
}

// Ground says whether what was fed ended where a token ends.
func (p *Parser) Ground() bool { return p.state == ground }

// Feed takes bytes and gives the tokens that end in them.
func (p *Parser) Feed(b []byte, emit func(Token)) {
	for i := 0; i < len(b); {
		if p.state == ground {
			if c := b[i]; c >= ' ' && c < 0x7f {
				p.kept[0] = c
				emit(Token{Text, p.kept[:1], 1})
				i++
				continue
			}
		}
		if p.step(b[i], emit) {
			i++
		}
	}
}

// End gives what is unfinished.
func (p *Parser) End(emit func(Token)) {
	if p.state != ground {
		p.give(Broken, emit)
	}
}

func (p *Parser) keep(c byte) {
	if p.n < len(p.kept) {
		p.kept[p.n] = c
	}
	p.n++
	p.prev = c
}

func (p *Parser) give(k Kind, emit func(Token)) {
	t := Token{Kind: k, Bytes: p.kept[:min(p.n, len(p.kept))], Len: p.n}
	p.state, p.n, p.want, p.prev = ground, 0, 0, 0
	emit(t)
}

// step takes one byte. False: what was begun ended without it, and it is to be taken again.
func (p *Parser) step(c byte, emit func(Token)) bool {
	switch p.state {
	case ground:
		return p.begin(c, emit)
	case within:
		return p.character(c, emit)
	case escaped:
		return p.escape(c, emit)
	case control:
		return p.sequence(c, emit)
	}
	return p.text(c, emit)
}

func (p *Parser) begin(c byte, emit func(Token)) bool {
	p.keep(c)
	switch {
	case c == esc:
		p.state = escaped
	case c < ' ' || c == 0x7f:
		p.give(Control, emit)
	case c < 0x80:
		p.give(Text, emit)
	case 0xc2 <= c && c <= 0xdf:
		p.state, p.want = within, 1
	case 0xe0 <= c && c <= 0xef:
		p.state, p.want = within, 2
	case 0xf0 <= c && c <= 0xf4:
		p.state, p.want = within, 3
	default:
		p.give(Broken, emit)
	}
	return true
}

func (p *Parser) character(c byte, emit func(Token)) bool {
	if c&0xc0 != 0x80 {
		p.give(Broken, emit)
		return false
	}
	p.keep(c)
	if p.want--; p.want > 0 {
		return true
	}
	r, size := utf8.DecodeRune(p.kept[:p.n])
	switch {
	case size != p.n: // too long a form, or half of a pair
		p.give(Broken, emit)
	case r == 0x9b:
		p.state = control
	case r == 0x90 || r == 0x98 || r == 0x9d || r == 0x9e || r == 0x9f:
		p.state = str
	case r < 0xa0:
		p.give(Control, emit)
	default:
		p.give(Text, emit)
	}
	return true
}

// escape is after ESC and perhaps intermediate characters.
func (p *Parser) escape(c byte, emit func(Token)) bool {
	switch {
	case c == esc || p.n >= sequenceMax || c >= 0x80:
		p.give(Broken, emit)
		return false
	case c == can || c == sub:
		p.keep(c)
		p.give(Broken, emit)
	case c < ' ' || c == 0x7f: // obeyed within the sequence, which goes on
		p.keep(c)
	case p.prev == esc && c == '[':
		p.keep(c)
		p.state = control
	case p.prev == esc && (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_'):
		p.keep(c)
		p.state = str
	case c < '0': // an intermediate character
		p.keep(c)
	default:
		p.keep(c)
		p.give(Escape, emit)
	}
	return true
}

// sequence is within a control sequence.
func (p *Parser) sequence(c byte, emit func(Token)) bool {
	switch {
	case c == esc || p.n >= sequenceMax || c >= 0x80:
		p.give(Broken, emit)
		return false
	case c == can || c == sub:
		p.keep(c)
		p.give(Broken, emit)
	case '@' <= c && c <= '~':
		p.keep(c)
		p.give(CSI, emit)
	default:
		p.keep(c)
	}
	return true
}

// text is within a command string.
func (p *Parser) text(c byte, emit func(Token)) bool {
	st := p.prev == 0xc2 && c == 0x9c // U+009C in UTF-8
	switch {
	case p.state == strEscaped && c != '\\': // the ESC ends the string and begins a sequence
		p.n--
		p.give(Broken, emit)
		p.keep(esc)
		p.state = escaped
		return false
	case p.LineEnds && c == '\n', p.n >= StringMax:
		p.give(Broken, emit)
		return false
	case c == bel, c == can, c == sub, st, p.state == strEscaped:
		p.keep(c)
		p.give(String, emit)
	case c == esc:
		p.keep(c)
		p.state = strEscaped
	default:
		p.keep(c)
	}
	return true
}
