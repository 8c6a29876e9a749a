package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// forPerson is where output goes. On the host all of it is some zone's word: at a terminal its
// control characters are shown as question marks. What goes elsewhere is as it is.
func forPerson(f *os.File) io.Writer {
	if inZone() || !term.IsTerminal(int(f.Fd())) {
		return f
	}
	return &visible{to: f}
}

// visible replaces control characters: those of ASCII, but for the ends of lines and tabs, and
// those that UTF-8 has beyond (U+0080 to U+009F).
type visible struct {
	to   io.Writer
	lead bool // the last byte was the first of two that may be such a one
}

func (v *visible) Write(p []byte) (int, error) {
	b := make([]byte, 0, len(p))
	for _, c := range p {
		switch {
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f, v.lead && 0x80 <= c && c < 0xa0:
			c = '?'
		}
		v.lead = c == 0xc2
		b = append(b, c)
	}
	if _, err := v.to.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}
