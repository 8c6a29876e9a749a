package main

import (
	"bytes"
	"testing"
)

var shown = map[string]string{
	"":                            "",
	"plain, é 日本 ~\n\ttwo\n":      "plain, é 日本 ~\n\ttwo\n",
	"\x1b]0;evil\a\x1b[2J\r\x7f":  "?]0;evil??[2J??",
	"\u009b31m\u0085\n":           "?31m?\n",
	"\x9b31m\x90\n":               "?31m?\n", // of 8 bits: a terminal that is not UTF-8's obeys
	"\u202egpj.exe\u2066\u2028\n": "?gpj.exe??\n",
	"\xe2\x80x\xff\xc3\n":         "??x??\n",
	"日\x1b本\xf0\x9f\x98\n\xf0\x9f\x98\x80": "日?本???\n😀",
}

// TestVisible: whatever comes, in whatever pieces, what is shown is text, ends of lines and tabs.
func TestVisible(t *testing.T) {
	for in, want := range shown {
		for size := 1; size <= len(in)+1; size++ {
			var out bytes.Buffer
			v := &visible{to: &out}
			for rest := []byte(in); len(rest) > 0; {
				n := min(size, len(rest))
				if wrote, err := v.Write(rest[:n]); wrote != n || err != nil {
					t.Fatalf("%d of %d bytes were written, %v", wrote, n, err)
				}
				rest = rest[n:]
			}
			if out.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, out.String(), want)
			}
		}
	}
}

// FuzzVisible: no byte of a program gets to a terminal as more than text, and none is lost but an
// unfinished character at the end.
func FuzzVisible(f *testing.F) {
	for in := range shown {
		f.Add([]byte(in), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		var whole, pieces bytes.Buffer
		_, _ = (&visible{to: &whole}).Write(in)
		v := &visible{to: &pieces}
		at = max(0, min(at, len(in)))
		_, _ = v.Write(in[:at])
		_, _ = v.Write(in[at:])
		if !bytes.Equal(whole.Bytes(), pieces.Bytes()) {
			t.Errorf("%q, whole %q, in two pieces %q", in, &whole, &pieces)
		}
		for _, r := range pieces.String() {
			if r < ' ' && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || r == 0xfffd {
				t.Errorf("%q shows %q", in, r)
			}
		}
	})
}
