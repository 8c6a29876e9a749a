package main

import (
	"bytes"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/linuxzones/zones/internal/printable"
)

// forPerson is where output goes. On the host all of it is some zone's word: at a terminal
// whatever could be more than text there is shown as question marks. What goes elsewhere is as it is.
func forPerson(f *os.File) io.Writer {
	if inZone() || !term.IsTerminal(int(f.Fd())) {
		return f
	}
	return &visible{to: f}
}

// visible makes lines of text printable, ends of lines and tabs aside. A character may come in
// pieces: the first of them wait for the rest, and are never shown if the output ends with them.
type visible struct {
	to   io.Writer
	held []byte
}

func (v *visible) Write(p []byte) (int, error) {
	b := append(v.held, p...)
	whole := len(b)
	for i := max(0, len(b)-utf8.UTFMax+1); i < len(b); i++ {
		if !utf8.FullRune(b[i:]) {
			whole = i
			break
		}
	}
	v.held = bytes.Clone(b[whole:])
	out := make([]byte, 0, whole)
	for b = b[:whole]; len(b) > 0; {
		end := bytes.IndexAny(b, "\n\t")
		if end < 0 {
			out = append(out, printable.Text(string(b))...)
			break
		}
		out = append(append(out, printable.Text(string(b[:end]))...), b[end])
		b = b[end+1:]
	}
	if _, err := v.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
