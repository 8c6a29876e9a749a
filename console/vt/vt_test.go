package vt

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// tokens are the kinds and bytes of what is fed, in pieces of size n.
func tokens(p *Parser, s string, n int) (out []string, length int) {
	names := [...]string{"T", "C", "E", "S", "X", "B"}
	emit := func(t Token) {
		out = append(out, names[t.Kind]+string(t.Bytes))
		length += t.Len
	}
	for b := []byte(s); len(b) > 0; {
		k := min(n, len(b))
		p.Feed(b[:k], emit)
		b = b[k:]
	}
	p.End(emit)
	return out, length
}

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\n":                     "Ta|C\r|C\n",
		"é日😀":                       "Té|T日|T😀",
		"\xc3a\xe6\x97b\xff":        "B\xc3|Ta|B\xe6\x97|Tb|B\xff",
		"\xed\xa0\x80":              "B\xed\xa0\x80", // half of a pair
		"\xc0\x80":                  "B\xc0|B\x80",
		"\x1b[31mx\x1b[m":           "S\x1b[31m|Tx|S\x1b[m",
		"\x1b[3\n1m":                "S\x1b[3\n1m",
		"\x1b[3\x181m":              "B\x1b[3\x18|T1|Tm",
		"\x1b[\x1b[Hx":              "B\x1b[|S\x1b[H|Tx",
		"\x1b[1é":                   "B\x1b[1|Té",
		"\x1b(B\x1b#8\x1b7":         "E\x1b(B|E\x1b#8|E\x1b7",
		"\x1b]0;t\x07x":             "X\x1b]0;t\x07|Tx",
		"\x1b]0;t\x1b\\x":           "X\x1b]0;t\x1b\\|Tx",
		"\x1b]0;\u009cx":            "X\x1b]0;\u009c|Tx",
		"\x1b]0;t\x1b[31mx":         "B\x1b]0;t|S\x1b[31m|Tx",
		"\x1bPq\n\x1b\\x":           "Xq",
		"\u009b31m":                 "S\u009b31m",
		"\u009d0;t\u009cx":          "X\u009d0;t\u009c|Tx",
		"\u0085":                    "C\u0085",
		"\x1b":                      "B\x1b",
		"\x1b\x1b[A":                "B\x1b|S\x1b[A",
		"\x1b_secret\x1b\x1b\x1b[K": "B\x1b_secret|B\x1b|B\x1b|S\x1b[K",
	} {
		if in == "\x1bPq\n\x1b\\x" {
			want = "X\x1bPq\n\x1b\\|Tx"
		}
		for _, n := range []int{1, 2, 3, len(in)} {
			got, length := tokens(&Parser{}, in, n)
			if strings.Join(got, "|") != want || length != len(in) {
				t.Errorf("%q by %d: %q, %d bytes; want %q, %d", in, n, strings.Join(got, "|"), length, want, len(in))
			}
		}
	}
}

// A string or sequence without an end hides only so much.
func TestEndless(t *testing.T) {
	for _, begin := range []string{"\x1b]0;", "\x1bP", "\x1b_", "\u009f", "\x1b[", "\x1b("} {
		fill := "1"
		if begin == "\x1b(" {
			fill = "("
		}
		s := begin + strings.Repeat(fill, StringMax+10) + "text"
		got, length := tokens(&Parser{}, s, 4096)
		if length != len(s) || got[len(got)-1] != "Tt" {
			t.Errorf("%q: %d tokens, %d bytes", begin, len(got), length)
		}
	}
	got, _ := tokens(&Parser{LineEnds: true}, "\x1b]0;evil\nseen", 3)
	if strings.Join(got, "") != "B\x1b]0;evilC\nTsTeTeTn" {
		t.Errorf("%q", got)
	}
}

func TestScreen(t *testing.T) {
	many := ""
	for i := range 100 {
		many += "line " + string(rune('0'+i%10)) + "\r\n"
	}
	for name, c := range map[string]struct {
		all   string
		lines int
		bytes int // allowed
		clean bool
		want  string // what is shown
		none  bool
	}{
		"all of little":           {"a\r\nb", 24, 1000, true, "a\r\nb", false},
		"two lines":               {many + "login: ", 2, 1000, false, "line 9\r\nlogin: ", false},
		"bytes end it":            {many, 50, 20, false, "line 8\r\nline 9\r\n", false},
		"one long line":           {strings.Repeat("x", 500), 24, 100, true, strings.Repeat("x", 100), false},
		"not within a character":  {strings.Repeat("日", 100), 24, 100, true, strings.Repeat("日", 33), false},
		"not within a sequence":   {strings.Repeat("x", 50) + "\x1b[1;31mred", 24, 5, true, "red", false},
		"not within a string":     {"a\n\x1b]0;x\ny\nz\x07b\n", 2, 1000, true, "\x1b]0;x\ny\nz\x07b\n", false},
		"a string to the end":     {"a\nb\n\x1b]0;" + strings.Repeat("x\n", 50), 3, 20, true, "\x1b]0;" + strings.Repeat("x\n", 50), false},
		"from where it is clear":  {"old\n\x1b[H\x1b[2Jnew\n", 24, 1000, true, "\x1b[H\x1b[2Jnew\n", false},
		"reset":                   {"old\n\x1bcnew", 24, 1000, true, "\x1bcnew", false},
		"cleared long ago":        {"\x1b[2J" + many, 2, 1000, true, "line 9\r\n", false},
		"unknown beginning":       {"31mred\nx", 24, 1000, false, "x", false},
		"nothing":                 {"", 24, 1000, true, "", false},
		"nothing but a beginning": {"\x1b]0;abc", 24, 1000, false, "", true},
	} {
		limit := max(0, len(c.all)-c.bytes)
		const base = 1000
		s := NewScreen(c.lines, base, base+uint64(limit), c.clean)
		for b := []byte(c.all); len(b) > 0; b = b[min(7, len(b)):] {
			s.Feed(b[:min(7, len(b))])
		}
		at, ok := s.Start()
		if ok == c.none {
			t.Errorf("%s: found %v", name, ok)
			continue
		}
		if ok && c.all[at-base:] != c.want {
			t.Errorf("%s: %q, want %q", name, c.all[at-base:], c.want)
		}
	}
}

// What makes a terminal answer, or do more than paint.
var attacks = []string{
	"\x05",                           // ENQ: answerback
	"\x1b[5n", "\x1b[6n", "\x1b[?6n", // status, cursor
	"\x1b[c", "\x1b[>c", "\x1b[=c", "\x1bZ", "\x1b[>q", // who are you
	"\x1b[21t", "\x1b[18t", "\x1b[14t", // report the title, the size
	"\x1b]0;\r~.\rid\r\x07",                   // a title to be reported
	"\x1b]52;c;aWQK\x07", "\x1b]52;c;?\x1b\\", // clipboard
	"\x1b]10;?\x07", "\x1b]4;1;?\x07", "\x1b]1337;ReportCellSize\x07",
	"\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\", "\x1bPq#0;2;0;0;0\x1b\\", "\x1bP0;1|17/id\r\x1b\\",
	"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", "\x1b^x\x1b\\", "\x1bXx\x1b\\",
	"\x1b[?1000h", "\x1b[?1004h", "\x1b[?2004h", "\x1b[?1h", "\x1b[?1049;1000h", "\x1b[20h", "\x1b[2h",
	"\x1b[>4;2m", "\x1b[?u", "\x1b[>1u", "\x1b[1x", "\x1b[1$y", "\x1b[?1$p", "\x1b[1;2*y",
	"\x1b[5i", "\x1b[?5i", "\x1b[99999999b", "\x1b[!p", "\x1b[0\x07c",
	"\u009b6n", "\u009d52;c;aWQK\u009c", "\u0090$qm\u009c", "\x9b6n", "\x9d52;c;aWQK\x9c", "\x90$qm\x9c", "\x85", "\u0085",
	"\x00", "\x11", "\x13", "\x7f",
}

func TestFilterStopsAttacks(t *testing.T) {
	for _, a := range attacks {
		var f Filter
		var out []byte
		for _, c := range []byte("<" + a + ">") {
			out = f.Append(out, []byte{c})
		}
		// Of bare 8-bit bytes a mark is left, and their text.
		rest := strings.ReplaceAll(string(out), broken, "")
		if bytes.ContainsAny(out, "\x1b\x05\x00\x11\x13\x7f") || strings.ContainsFunc(rest, func(r rune) bool { return 0x7f <= r && r < 0xa0 }) {
			t.Errorf("%q passes as %q", a, out)
		}
		if !bytes.HasPrefix(out, []byte("<")) || !bytes.HasSuffix(out, []byte(">")) {
			t.Errorf("%q swallows text: %q", a, out)
		}
		if a[0] < 0x80 && string(out) != "<>" {
			t.Errorf("%q leaves %q", a, out)
		}
	}
}

func TestFilterPaints(t *testing.T) {
	for _, s := range []string{
		"plain é 日\r\n\ttext\b\a", "\x1b[1;31mred\x1b[0m", "\x1b[38:2::1:2:3m", "\x1b[H\x1b[2J\x1b[10;20H\x1b[K\x1b[?25l\x1b[?1049h",
		"\x1b7\x1b8\x1bM\x1bc\x1b(0lqk\x1b(B\x0e\x0f", "\x1b[2;24r\x1b[4h\x1b[3P\x1b[?7;25h",
	} {
		var f Filter
		if got := string(f.Append(nil, []byte(s))); got != s {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func plain(s string, n int) string {
	f := NewPlain(func(r rune) bool { return r == 0x202e })
	var out []byte
	for b := []byte(s); len(b) > 0; b = b[min(n, len(b)):] {
		out = f.Append(out, b[:min(n, len(b))])
	}
	return string(f.End(out))
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\n\tc":              "a\nb\n\tc",
		"10%\r20%\r\n":             "10%\n20%\n",
		"a\r\r\nb\r":               "a\nb\n",
		"\x1b[31mred\x1b[0m é 日":   "red é 日",
		"a\r\x1b[K\nb":             "a\nb",
		"\x1b]0;evil\nnext":        "\nnext",
		"\u202eab\x00\b\x7f":       "?ab???",
		"\xff\x9b31m\u009b31mx":    "??31mx",
		"\x1b]0;t\x07\x1bPq\x1b\\": "",
		"bell\a":                   "bell",
		"cut \x1b[3":               "cut ",
		"cut \xe6\x97":             "cut ?",
	} {
		for _, n := range []int{1, 3, 100} {
			if got := plain(in, n); got != want {
				t.Errorf("%q by %d: %q, want %q", in, n, got, want)
			}
		}
	}
	for _, a := range attacks {
		if got := plain(a, 2); strings.ContainsFunc(got, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0 }) {
			t.Errorf("%q shows as %q", a, got)
		}
	}
}

// Whatever comes in any pieces: every byte is in one token, and neither filter lets through what
// it must not.
func FuzzParser(f *testing.F) {
	for _, a := range attacks {
		f.Add([]byte("x"+a+"y"), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = max(1, min(n, 100))
		one, l1 := tokens(&Parser{}, string(b), n)
		two, l2 := tokens(&Parser{}, string(b), len(b)+1)
		if l1 != len(b) || l2 != len(b) || strings.Join(one, "\x00") != strings.Join(two, "\x00") {
			t.Fatalf("%q: %d and %d bytes in tokens", b, l1, l2)
		}
		var out []byte
		var fl Filter
		for r := b; len(r) > 0; r = r[min(n, len(r)):] {
			out = fl.Append(out, r[:min(n, len(r))])
		}
		if !utf8.Valid(out) {
			t.Fatalf("%q: %q is no UTF-8", b, out)
		}
		var p Parser
		p.Feed(out, func(tok Token) {
			switch {
			case tok.Kind == String, tok.Kind == CSI && !paints(tok.Bytes), tok.Kind == Escape && !paintsEscape(tok.Bytes), tok.Kind == Broken:
				t.Fatalf("%q: %q passes", b, tok.Bytes)
			}
		})
		for _, r := range plain(string(b), n) {
			if r < ' ' && r != '\n' && r != '\t' || 0x7f <= r && r < 0xa0 || r == 0x202e {
				t.Fatalf("%q shows %q", b, r)
			}
		}
		s := NewScreen(24, 0, uint64(len(b)/2), true)
		s.Feed(b)
		if at, ok := s.Start(); ok && at > uint64(len(b)) {
			t.Fatalf("%q: from %d", b, at)
		}
	})
}
