package prompt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// chunks is an input that comes in pieces.
type chunks []string

func (c *chunks) Read(p []byte) (int, error) {
	if len(*c) == 0 {
		return 0, io.EOF
	}
	n := copy(p, (*c)[0])
	*c = (*c)[1:]
	return n, nil
}

func TestKeys(t *testing.T) {
	for _, tc := range []struct {
		in   chunks
		want string // ! marks where a ^C was handed out
	}{
		{chunks{"abc"}, "abc"},
		{chunks{"abc\x03def\r"}, "abc|!" + giveUp + "|def\r"},
		{chunks{"x\rabc", "\x03\x03"}, "x\rabc|!" + giveUp + "|!" + giveUp},
		{chunks{"\x03"}, "!" + giveUp},
		{chunks{strings.Repeat("y", 250)}, strings.Repeat("y", 250)},
	} {
		k := &keys{in: &tc.in}
		var got []string
		var b [300]byte
		for {
			k.interrupted = false
			n, err := k.Read(b[:])
			if err != nil {
				break
			}
			s := string(b[:n])
			if k.interrupted {
				s = "!" + s
			}
			got = append(got, s)
		}
		if j := strings.Join(got, "|"); j != tc.want || !k.hungUp {
			t.Errorf("got %q, want %q", j, tc.want)
		}
	}
	if _, err := (&keys{}).Read(make([]byte, 2)); !errors.Is(err, io.ErrShortBuffer) {
		t.Error(err)
	}
}

func TestHistory(t *testing.T) {
	h := &history{}
	for _, l := range []string{"a", "a", "", "  ", "b", "a"} {
		h.Add(l)
	}
	h.paused = true
	h.Add("secret")
	if h.Len() != 0 {
		t.Error("answers can recall commands")
	}
	h.paused = false
	if h.Len() != 3 || h.At(0) != "a" || h.At(1) != "b" || h.At(2) != "a" {
		t.Error(h.lines)
	}
	for i := range historyMax + 10 {
		h.Add(fmt.Sprint(i))
	}
	if h.Len() != historyMax || h.At(0) != fmt.Sprint(historyMax+9) {
		t.Error(h.Len(), h.At(0))
	}
}

func TestColumns(t *testing.T) {
	if got := columns([]string{"aa", "b", "ccc"}, 10); got != "aa   b\nccc\n" {
		t.Errorf("%q", got)
	}
	if got := columns([]string{"long long word", "b"}, 3); got != "long long word\nb\n" {
		t.Errorf("%q", got)
	}
	many := make([]string, listMax+5)
	for i := range many {
		many[i] = "w"
	}
	if got := columns(many, 80); !strings.HasSuffix(got, "... and 5 more\n") {
		t.Errorf("%q", got)
	}
	if got := commonPrefix([]string{"zonename=", "zonepath="}); got != "zone" {
		t.Error(got)
	}
	if got := commonPrefix([]string{"a", "b"}); got != "" {
		t.Error(got)
	}
}

// onTerminal gives a Terminal, what types on it, and what it shows.
func onTerminal(t *testing.T) (term *Terminal, keyboard *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	term = New(slave, slave, func(line string) (string, []string) {
		if strings.HasPrefix("complete", line) {
			return "", []string{"complete "}
		}
		if strings.HasPrefix("painted", line) { // others' words, of which one can be shown
			return "", []string{"paint\x1b]0;evil\a", "painted ", "paint\u009b7m", "paint\u202e", "paint\xff"}
		}
		return line, nil
	})
	t.Cleanup(func() {
		_ = term.Close()
		_ = slave.Close()
		_ = master.Close()
	})
	return term, master
}

func TestLines(t *testing.T) {
	term, keyboard := onTerminal(t)
	type result struct {
		line string
		err  error
	}
	for _, tc := range []struct {
		keys string
		want result
		ask  bool
	}{
		{"plain\r", result{"plain", nil}, false},
		{"comp\tit\r", result{"complete it", nil}, false},
		{"pa\tblue\r", result{"painted blue", nil}, false},
		{"nothing\t here\r", result{"nothing here", nil}, false},
		{"\x1b[A\r", result{"nothing here", nil}, false},
		{"half\x03", result{"", ErrInterrupted}, false},
		{"\r", result{"", nil}, false},
		{"comp\r", result{"comp", nil}, true},
		{"\x1b[A!\r", result{"!", nil}, true},
		{"äöü\x7f\r", result{"äö", nil}, false},
		{"\x04", result{"", io.EOF}, false},
	} {
		before, _ := unix.IoctlGetTermios(int(term.in.Fd()), unix.TCGETS)
		got := make(chan result, 1)
		go func() {
			read := term.ReadLine
			if tc.ask {
				read = term.Ask
			}
			line, err := read("> ")
			got <- result{line, err}
		}()
		// The keys come when the line is being read, as from a person.
		if _, err := readUntil(keyboard, "> "); err != nil {
			t.Fatal(err)
		}
		if _, err := keyboard.WriteString(tc.keys); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-got:
			if r.line != tc.want.line || !errors.Is(r.err, tc.want.err) {
				t.Errorf("%q: %q, %v", tc.keys, r.line, r.err)
			}
		case <-time.After(testenv.Deadline(time.Minute)):
			t.Fatalf("%q is never read", tc.keys)
		}
		after, _ := unix.IoctlGetTermios(int(term.in.Fd()), unix.TCGETS)
		if *after != *before {
			t.Errorf("%q: the terminal is not as it was", tc.keys)
		}
	}
}

// readUntil reads what a terminal shows.
func readUntil(f *os.File, text string) (string, error) {
	var all bytes.Buffer
	var b [1]byte
	for !strings.HasSuffix(all.String(), text) {
		if _, err := f.Read(b[:]); err != nil {
			return all.String(), err
		}
		all.Write(b[:])
	}
	return all.String(), nil
}

func TestPlain(t *testing.T) {
	in, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_, _ = in.WriteString("one\r\ntwo\nlast")
	_, _ = in.Seek(0, 0)
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := NewPlain(in, out)
	for _, want := range []string{"one", "two", "last"} {
		if got, err := p.Ask("? "); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := p.ReadLine("> "); err != io.EOF {
		t.Error(err)
	}
	if shown, _ := os.ReadFile(out.Name()); string(shown) != "? ? ? > " {
		t.Errorf("%q", shown)
	}
	if p.Close() != nil {
		t.Error("Close")
	}
}

// FuzzKeys: whatever is typed, what comes out is what went in, with each ^C replaced.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("ab\x03c"))
	f.Fuzz(func(t *testing.T, in []byte) {
		k := &keys{in: bytes.NewReader(in)}
		var out []byte
		var b [64]byte
		for {
			n, err := k.Read(b[:])
			if err != nil {
				break
			}
			out = append(out, b[:n]...)
		}
		if want := bytes.ReplaceAll(in, []byte{keyInterrupt}, []byte(giveUp)); !bytes.Equal(out, want) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
