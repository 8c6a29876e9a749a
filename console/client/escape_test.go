package client

import (
	"bytes"
	"errors"
	"testing"
)

var testSpecial = special{eof: 4, kill: 0x15, eol: 0x1e, susp: 0x1a, intr: 3}

// model is the rule of zlogin(8) in other words than the table: by looking back at what came.
func model(in []byte, char byte, off bool, sp special) (out []byte, last byte, ended bool) {
	endsLine := func(c byte) bool {
		for _, x := range []byte{'\r', '\n', sp.kill, sp.eol, sp.susp, sp.intr} {
			if c == x && x != 0 {
				return true
			}
		}
		return false
	}
	begin := true
	for i := 0; i < len(in); i++ {
		if begin && !off && in[i] == char {
			if i++; i == len(in) {
				return out, 0, false
			}
			if in[i] == '.' || sp.eof != 0 && in[i] == sp.eof {
				return out, in[i], true
			}
		}
		out = append(out, in[i])
		begin = endsLine(in[i])
	}
	return out, 0, false
}

// check feeds in, cut at each position whose bit is set, and compares with the model.
func check(t *testing.T, in []byte, cuts uint, char byte, off bool, sp special) {
	t.Helper()
	e := newEscape(char, off, sp)
	var got []byte
	var last byte
	var ended bool
	for from := 0; from < len(in) && !ended; {
		to := from + 1
		for to < len(in) && cuts&(1<<(to-1)) == 0 {
			to++
		}
		got, last, ended = e.feed(got, in[from:to])
		from = to
	}
	want, wantLast, wantEnded := model(in, char, off, sp)
	if !bytes.Equal(got, want) || last != wantLast || ended != wantEnded {
		t.Fatalf("%q cut %b with %q off=%v: %q %q %v, want %q %q %v", in, cuts, char, off, got, last, ended, want, wantLast, wantEnded)
	}
}

// Every input of up to four characters of the kinds there are, cut in every way.
func TestEscapeExhaustively(t *testing.T) {
	alphabet := []byte{'~', '.', 'a', '\r', '\n', testSpecial.eof, testSpecial.kill, testSpecial.intr, 0}
	longest := 4
	if testing.Short() {
		longest = 3
	}
	var walk func(in []byte)
	walk = func(in []byte) {
		for cuts := range uint(1) << max(0, len(in)-1) {
			check(t, in, cuts, '~', false, testSpecial)
		}
		if len(in) < longest {
			for _, c := range alphabet {
				walk(append(in[:len(in):len(in)], c))
			}
		}
	}
	walk(nil)
}

// Escape characters that have another meaning as well.
func TestEscapeCharactersOfTwoKinds(t *testing.T) {
	alphabet := []byte{'.', '\r', 4, 3, 'a', 0}
	for _, char := range alphabet {
		for _, sp := range []special{testSpecial, {}} {
			for i := range 6 * 6 * 6 * 6 {
				in := []byte{alphabet[i%6], alphabet[i/6%6], alphabet[i/36%6], alphabet[i/216]}
				check(t, in, uint(i)%8, char, false, sp)
				check(t, in, uint(i)%8, char, true, sp)
			}
		}
	}
}

func TestEscapeExamples(t *testing.T) {
	for in, want := range map[string]string{
		"~~.":        "~.",
		"~?":         "?",
		"a~.":        "a~.",
		"~\r~~x":     "\r~x",
		"ls\r~#":     "ls\r#",
		"x\x03~~":    "x\x03~",
		"~":          "",
		"~~~":        "~~",
		"\x15~.gone": "\x15",
		"\x1a~.":     "\x1a",
		"\x1e~\x04":  "\x1e",
	} {
		e := newEscape('~', false, testSpecial)
		got, _, _ := e.feed(nil, []byte(in))
		if string(got) != want {
			t.Errorf("%q sends %q, want %q", in, got, want)
		}
	}
}

func TestEscapeEcho(t *testing.T) {
	e := newEscape('~', false, testSpecial)
	for c, want := range map[byte]string{'.': "~.", 4: "~^D", 0x7f: "~^?"} {
		if got := e.echo(c); got != want {
			t.Errorf("%q", got)
		}
	}
	e = newEscape(0x1d, false, testSpecial)
	if got := e.echo('.'); got != "^]." {
		t.Errorf("%q", got)
	}
}

func TestParseEscape(t *testing.T) {
	for arg, want := range map[string]byte{
		"~": '~', "%": '%', "^": '^', `\`: '\\', "^]": 0x1d, "^a": 1, "^A": 1, "^_": 0x1f, "^?": 0x7f,
		`\1`: 1, `\035`: 0x1d, `\176`: '~', `\377`: 0xff, `\7`: 7,
	} {
		if got, err := ParseEscape(arg); err != nil || got != want {
			t.Errorf("%q: %q, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"", "ab", "^ab", "^é", "^!", "^`", "^@", `\0`, `\400`, `\8`, `\0000`, `\x1`, "\\ 1", "abc"} {
		if c, err := ParseEscape(arg); !errors.Is(err, ErrEscape) {
			t.Errorf("%q: %q, %v", arg, c, err)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte("ls\r~.x"), uint(3), byte('~'), false)
	f.Add([]byte("~~\x03~\x04"), uint(9), byte('~'), false)
	f.Add([]byte("..\r.."), uint(0), byte('.'), false)
	f.Fuzz(func(t *testing.T, in []byte, cuts uint, char byte, off bool) {
		check(t, in[:min(len(in), 60)], cuts, char, off, testSpecial)
	})
}
