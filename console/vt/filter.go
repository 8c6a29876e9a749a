package vt

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Filter lets through what only paints: text, colours, movements of the cursor. What makes a
// terminal answer, or do anything beyond its screen (status reports, titles, clipboard, keys,
// mouse, pictures, printers), is left out. So a watcher's terminal types nothing by itself.
type Filter struct {
	p Parser
}

// broken stands for what is no character.
const broken = "\ufffd"

// Append appends what may pass of in to out. A sequence that is not complete waits for its end.
func (f *Filter) Append(out, in []byte) []byte {
	f.p.Feed(in, func(t Token) {
		switch t.Kind {
		case Text:
			out = append(out, t.Bytes...)
		case Control:
			if t.Len == 1 && strings.IndexByte("\a\b\t\n\v\f\r\x0e\x0f", t.Bytes[0]) >= 0 {
				out = append(out, t.Bytes...)
			}
		case Escape:
			if paintsEscape(t.Bytes) {
				out = append(out, t.Bytes...)
			}
		case CSI:
			if paints(t.Bytes) {
				out = append(out, t.Bytes...)
			}
		case Broken:
			if t.Bytes[0] >= 0x80 {
				out = append(out, broken...)
			}
		}
	})
	return out
}

// paintsEscape: cursor saved, restored and moved by a line, tabulator, reset, character sets.
func paintsEscape(seq []byte) bool {
	switch {
	case len(seq) == 2:
		return strings.IndexByte("78DEMHc=>", seq[1]) >= 0
	case len(seq) == 3 && strings.IndexByte("()*+", seq[1]) >= 0:
		return strings.IndexByte("0AB12", seq[2]) >= 0
	}
	return false
}

// modes are those of ?h and ?l that change the screen and not what the terminal sends.
var modes = map[string]bool{
	"3": true, "5": true, "6": true, "7": true, "12": true, "25": true, "47": true,
	"1047": true, "1048": true, "1049": true, "2026": true,
}

// digitsMax is a number in a sequence: beyond it a terminal would be busy for long.
const digitsMax = 4

func paints(seq []byte) bool {
	if len(seq) < 3 {
		return false
	}
	body, final := seq[2:len(seq)-1], seq[len(seq)-1]
	private := bytes.HasPrefix(body, []byte("?"))
	if private {
		body = body[1:]
	}
	digits := 0
	for _, c := range body {
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits > digitsMax {
				return false
			}
		case c == ';' || c == ':' && final == 'm':
			digits = 0
		default:
			return false // another prefix, an intermediate or a control character
		}
	}
	switch {
	case private && (final == 'h' || final == 'l'):
		for _, mode := range strings.Split(string(body), ";") {
			if !modes[mode] {
				return false
			}
		}
		return true
	case private:
		return final == 'J' || final == 'K'
	case final == 'h' || final == 'l':
		return string(body) == "4"
	}
	return strings.IndexByte("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu", final) >= 0
}

// Plain makes text of lines out of what was written to a terminal: sequences are gone, a
// carriage return ends a line, other control characters, what is no UTF-8, and what turns
// the direction of writing, is a question mark. Tabulators stay.
type Plain struct {
	p    Parser
	cr   bool
	risk func(rune) bool
}

// NewPlain makes one. risky says which characters of Unicode are not to be shown.
func NewPlain(risky func(rune) bool) *Plain {
	return &Plain{p: Parser{LineEnds: true}, risk: risky}
}

// Append appends what can be shown of in to out.
func (f *Plain) Append(out, in []byte) []byte {
	f.p.Feed(in, func(t Token) { out = f.token(out, t) })
	return out
}

// End appends what is left at the end of all.
func (f *Plain) End(out []byte) []byte {
	f.p.End(func(t Token) { out = f.token(out, t) })
	if f.cr {
		f.cr = false
		out = append(out, '\n')
	}
	return out
}

func (f *Plain) token(out []byte, t Token) []byte {
	c := t.Bytes[0]
	if f.cr && !(t.Kind == Control && (c == '\r' || c == '\n')) && t.Kind != CSI && t.Kind != Escape {
		f.cr = false
		out = append(out, '\n')
	}
	switch t.Kind {
	case Text:
		if r, _ := utf8.DecodeRune(t.Bytes); t.Len > 1 && f.risk(r) {
			return append(out, '?')
		}
		return append(out, t.Bytes...)
	case Control:
		switch c {
		case '\n':
			f.cr = false
			return append(out, '\n')
		case '\t':
			return append(out, '\t')
		case '\r':
			f.cr = true
		case bel, 0x0e, 0x0f:
		default:
			return append(out, '?')
		}
	case Broken:
		if c >= 0x80 {
			return append(out, '?')
		}
	}
	return out
}
