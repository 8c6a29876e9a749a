package startd

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestOutput: what an import says is in the log, and what is wrong on the console too.
func TestOutput(t *testing.T) {
	z := newZone(t)
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	z.imports(`echo "out of $1"; echo "wrong of $1" >&2; printf 'no newline' >&2; exit 95`)
	z.boot()
	log, console := z.log(), z.read("console")
	for _, want := range []string{"out of -e", "wrong of -e", "no newline"} {
		if !strings.Contains(log, " "+want+"\n") {
			t.Errorf("%q is not in the log", want)
		}
		if strings.Contains(console, "svc.startd: "+want+"\n") == strings.HasPrefix(want, "out") {
			t.Errorf("%q is wrong with the console:\n%s", want, console)
		}
	}
	if n := strings.Count(console, "\n"); n != 2 {
		t.Errorf("%d lines on the console", n)
	}
}

// TestLines: what a program writes becomes lines that are bounded in length and number.
func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		writes []string
		want   []string
	}{
		"nothing":        {nil, nil},
		"empty":          {[]string{"", "\n\n\n"}, nil},
		"one":            {[]string{"a\n"}, []string{"a"}},
		"unended":        {[]string{"a"}, []string{"a"}},
		"in pieces":      {[]string{"a", "b\nc", "", "d\n", "e"}, []string{"ab", "cd", "e"}},
		"exactly long":   {[]string{strings.Repeat("x", lineBytesMax) + "\ny\n"}, []string{strings.Repeat("x", lineBytesMax), "y"}},
		"too long":       {[]string{strings.Repeat("x", 2*lineBytesMax+1)}, []string{strings.Repeat("x", lineBytesMax), strings.Repeat("x", lineBytesMax), "x"}},
		"as many":        {[]string{"1\n2\n3\n4"}, []string{"1", "2", "3", "4; what more there is, is not logged"}},
		"more":           {[]string{"1\n2\n", "3\n4\n5\n", strings.Repeat("6\n", 10000)}, []string{"1", "2", "3", "4; what more there is, is not logged"}},
		"a long last":    {[]string{"1\n2\n3\n" + strings.Repeat("x", 3*lineBytesMax)}, []string{"1", "2", "3", strings.Repeat("x", lineBytesMax) + "; what more there is, is not logged"}},
		"carriage":       {[]string{"a\r\nb\r\n"}, []string{"a\r", "b\r"}},
		"\\0 and others": {[]string{"\x00\x1b[31m\xff\n"}, []string{"\x00\x1b[31m\xff"}},
	} {
		var got []string
		l := &lines{say: func(s string) { got = append(got, s) }, left: 4}
		for _, w := range c.writes {
			if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		l.end()
		l.end()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %d lines: %.300q", name, len(got), got)
		}
		if cap(l.rest) > 2*lineBytesMax {
			t.Errorf("%s: %d bytes are kept", name, cap(l.rest))
		}
	}
}

// TestMuchOutput: megabytes of anything are read to their end, and what is logged is bounded.
func TestMuchOutput(t *testing.T) {
	for name, script := range map[string]string{
		"a long line": "head -c 8000000 /dev/zero | tr '\\0' x",
		"many lines":  "yes 'a line that is not short' | head -n 200000; yes wrong | head -n 200000 >&2",
		"junk":        "head -c 4000000 /dev/urandom; head -c 4000000 /dev/urandom >&2",
		"no bytes":    "head -c 4000000 /dev/zero; head -c 4000000 /dev/zero >&2",
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t)
			must(t, os.WriteFile(z.path("console"), nil, 0o644))
			z.imports(script + "; echo whole >>calls")
			z.boot()
			if got := z.calls(); got != "import -e;whole;" {
				t.Errorf("imports: %s", got)
			}
			for _, file := range []string{"log/svc.startd.log", "log/svc.startd.log.0", "console"} {
				b := []byte(z.read(file))
				if i := bytes.IndexFunc(b, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x9b }); i >= 0 {
					t.Errorf("%s: %q is not for terminals", file, b[i])
				}
				if file != "console" && len(b) > logBytesMax+2*textBytesMax {
					t.Errorf("%s: %d bytes", file, len(b))
				}
				if n := bytes.Count(b, []byte("\n")); n > 4*linesMax+20 {
					t.Errorf("%s: %d lines", file, n)
				}
			}
			if !strings.Contains(z.log()+z.read("log/svc.startd.log.0"), "what more there is, is not logged") {
				t.Error("it is not said that there is more")
			}
		})
	}
}

// TestConsoleThatNobodyReads: a terminal that is full holds up the boot for a moment, not for a
// moment a line; later it is written again.
func TestConsoleThatNobodyReads(t *testing.T) {
	master, slave, err := pty.Open()
	must(t, err)
	defer master.Close()
	defer slave.Close()
	z := newZone(t)
	z.cfg.Console = slave.Name()
	z.imports(`i=0; while [ $i -lt 800 ]; do echo "wrong: $i ..............................................................." >&2; i=$((i+1)); done; exit 95`)
	defer func(was time.Duration) { consoleRest = was }(consoleRest)
	consoleRest = time.Minute
	z.boot()
	if n := strings.Count(z.log(), " wrong: "); n != 800 {
		t.Errorf("%d lines in the log", n)
	}
	b := make([]byte, 4096)
	n, err := master.Read(b)
	if err != nil || !strings.HasPrefix(string(b[:n]), "svc.startd: wrong: 0 ") {
		t.Errorf("%q, %v", b[:n], err)
	}
	l := newLog(&z.cfg)
	l.dead = time.Now().Add(time.Hour)
	l.alert("not said")
	l.dead = time.Time{}
	var all strings.Builder
	read := make(chan error, 1)
	go func() { // somebody reads again
		for !strings.Contains(all.String(), "the end") {
			n, err := master.Read(b)
			if err != nil {
				read <- err
				return
			}
			all.Write(b[:n])
		}
		read <- nil
	}()
	// Room comes when what was in the terminal has been taken.
	_, err = slave.WriteString("somebody reads\n")
	must(t, err)
	l.alert("said again")
	_, err = slave.WriteString("the end\n")
	must(t, err)
	must(t, <-read)
	if !strings.Contains(all.String(), "said again") {
		t.Error("a console that is read again is not written")
	}
	if strings.Contains(all.String(), "not said") {
		t.Error("a console that rests is written")
	}
}

// TestConsoles: what cannot be one is done without.
func TestConsoles(t *testing.T) {
	z := newZone(t)
	must(t, os.Mkdir(z.path("directory"), 0o755))
	for _, path := range []string{"", z.path("none"), z.path("directory"), "/dev/null", "/dev/full"} {
		z.cfg.Console = path
		newLog(&z.cfg).alert("to " + path)
		z.logged("to " + path)
	}
	if _, err := os.Lstat(z.path("none")); !os.IsNotExist(err) {
		t.Errorf("a console was made: %v", err)
	}
}

// TestPrintable: what a person must do is whole, and what others say harms no terminal, in the
// log and on the console.
func TestPrintable(t *testing.T) {
	z := newZone(t)
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	z.cfg.Console = z.path("console")
	l := newLog(&z.cfg)
	path := strings.Repeat("/a/long/path", 50)
	l.alert(path + " \x1b]0;b\a\r\n\u009b\u202e")
	l.alert(strings.Repeat("x", textBytesMax) + "rest")
	for name, text := range map[string]string{"log": z.log(), "console": z.read("console")} {
		if !strings.Contains(text, path+" ?]0;b????") || strings.ContainsAny(text, "\x1b\a\r\u009b\u202e") {
			t.Errorf("%s: %q", name, text)
		}
		if strings.Count(text, "\n") != 2 || !strings.HasSuffix(text, "xx...\n") || strings.Contains(text, "rest") {
			t.Errorf("%s: %d lines, which end with %q", name, strings.Count(text, "\n"), text[len(text)-20:])
		}
	}
}
