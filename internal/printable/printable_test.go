package printable_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain, é 日本 ~":            "plain, é 日本 ~",
		"\x1b[2J\x07\x00\x7f":      "?[2J???",
		"a\r\n\tb":                 "a???b",
		"\u009b31m\u0085":          "?31m?",
		"\xff\xc3 \xe2\x80":        "?? ??",
		"\ufffd":                   "?",
		"\u202egpj.exe\u2066":      "?gpj.exe?",
		"\u2028\u2029\u200f\u061c": "????",
		"no\u00a0break":            "no\u00a0break",
	} {
		if got := printable.Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc..."},
		{"aéé", 4, "aé..."}, // not half a character
		{"aéé", 5, "aéé"},
		{"日", 2, "..."},
		{"日", 0, "..."},
		{"", 0, ""},
		{"\x80\x80\x80\x80", 2, "..."},
	} {
		if got := printable.Cut(c.in, c.limit); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

// Whatever comes in, what comes out is text of one line.
func FuzzCut(f *testing.F) {
	f.Add("\x1b]0;x\a\u202e\xff", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, len(s)+1))
		out := printable.Cut(s, limit)
		if !utf8.ValidString(out) || len(out) > limit+len("...") && !strings.Contains(out, "?") {
			t.Errorf("%q", out)
		}
		for _, r := range out {
			if r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x202e || r == 0x2028 {
				t.Errorf("%q has %q", out, r)
			}
		}
	})
}
