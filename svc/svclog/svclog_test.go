package svclog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ssh = repo.Entity{Service: "network/ssh", Instance: "default"}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logs(t testing.TB) Logs {
	dir := t.TempDir()
	return Logs{Dir: filepath.Join(dir, "var/svc/log"), Early: filepath.Join(dir, "volatile")}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func TestLine(t *testing.T) {
	l := logs(t)
	at := time.Date(2026, 11, 3, 7, 5, 9, 0, time.Local)
	must(t, l.Line(ssh, at, `Executing start method ("/lib/svc/method/sshd start").`))
	must(t, l.Line(ssh, at.Add(24*time.Hour*10), "a\x1b[2Jb\nc"))
	want := "[ Nov  3 07:05:09 Executing start method (\"/lib/svc/method/sshd start\"). ]\n[ Nov 13 07:05:09 a?[2Jb?c ]\n"
	path := filepath.Join(l.Dir, "network-ssh:default.log")
	if got := read(t, path); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o644 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if long := Format(at, strings.Repeat("x", 2*textBytesMax)); len(long) > textBytesMax+64 {
		t.Errorf("a line of %d bytes", len(long))
	}
}

// TestEarly: while the right place cannot be had, lines go to the volatile one, and then no more.
func TestEarly(t *testing.T) {
	l := logs(t)
	must(t, os.MkdirAll(filepath.Dir(filepath.Dir(l.Dir)), 0o755))
	must(t, os.WriteFile(filepath.Dir(l.Dir), nil, 0o644)) // a file where a directory should be
	f, early, err := l.Open(ssh)
	must(t, err)
	f.Close()
	if !early || f.Name() != filepath.Join(l.Early, "network-ssh:default.log") {
		t.Errorf("%s, early %t", f.Name(), early)
	}
	must(t, l.Line(ssh, time.Now(), "early"))
	must(t, os.Remove(filepath.Dir(l.Dir)))
	must(t, l.Line(ssh, time.Now(), "late"))
	if got := read(t, filepath.Join(l.Dir, Name(ssh))); !strings.Contains(got, "late") || strings.Contains(got, "early") {
		t.Errorf("%q", got)
	}
	l.Early = ""
	must(t, os.RemoveAll(l.Dir))
	must(t, os.WriteFile(l.Dir, nil, 0o644))
	if err := l.Line(ssh, time.Now(), "nowhere"); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("%v", err)
	}
}

// TestTraps: what a service's user may have put into the log's place is not written to, nor waited
// for.
func TestTraps(t *testing.T) {
	l := logs(t)
	must(t, os.MkdirAll(l.Dir, 0o755))
	path, victim := filepath.Join(l.Dir, Name(ssh)), filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("as it was"), 0o600))
	for what, trap := range map[string]func() error{
		"a link":      func() error { return os.Symlink(victim, path) },
		"a link away": func() error { return os.Symlink("/nowhere/at/all", path) },
		"a hard link": func() error { return os.Link(victim, path) },
		"a pipe":      func() error { return unix.Mkfifo(path, 0o644) },
		"a directory": func() error { return os.Mkdir(path, 0o755) },
	} {
		must(t, trap())
		if err := l.Line(ssh, time.Now(), "x"); !errors.Is(err, ErrNotALog) {
			t.Errorf("%s: %v", what, err)
		}
		l.Look(ssh)
		must(t, os.RemoveAll(path))
	}
	if got := read(t, victim); got != "as it was" {
		t.Errorf("%q", got)
	}
}

// whole is all that there is of a log, the oldest first.
func whole(t testing.TB, path string) string {
	t.Helper()
	var b bytes.Buffer
	for n := Kept - 1; n >= 0; n-- {
		if text, err := os.ReadFile(path + "." + strconv.Itoa(n)); err == nil {
			b.Write(text)
		}
	}
	b.WriteString(read(t, path))
	return b.String()
}

// collapses says whether this machine's file system can take away a beginning.
func collapses(t testing.TB, dir string) bool {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "try"))
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(1<<20))
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == nil
}

// TestWritersGoOn: several processes write lines into their open descriptors while the log is put
// aside again and again: all lines are there, in each one's order.
func TestWritersGoOn(t *testing.T) {
	l := logs(t)
	must(t, os.MkdirAll(l.Dir, 0o755))
	if !collapses(t, l.Dir) {
		l.Dir = filepath.Join(testenv.Root(t), ".cache", "svclog-test")
		must(t, os.MkdirAll(l.Dir, 0o755))
		defer os.RemoveAll(l.Dir)
		if !collapses(t, l.Dir) {
			t.Log("no file system here can take away a file's beginning: only what is written at the moment may be lost")
		}
	}
	path := filepath.Join(l.Dir, Name(ssh))
	exact := collapses(t, l.Dir)
	const writers, lines = 3, 20000
	var group sync.WaitGroup
	for w := range writers {
		f, _, err := l.Open(ssh)
		must(t, err)
		group.Go(func() {
			defer f.Close()
			for i := range lines {
				// Nobody writes for ever between two looks; the others go on while one waits.
				for st, err := f.Stat(); i%128 == 0 && err == nil && st.Size() > 3*BytesMax/2; st, err = f.Stat() {
					time.Sleep(100 * time.Microsecond)
				}
				if _, err := fmt.Fprintf(f, "%d %d %s\n", w, i, strings.Repeat("x", 80)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-time.After(time.Millisecond):
		}
		l.Look(ssh)
	}
	next, asides := [writers]int{}, 0
	for n := range Kept {
		if _, err := os.Stat(path + "." + strconv.Itoa(n)); err == nil {
			asides++
		}
	}
	for s := bufio.NewScanner(strings.NewReader(whole(t, path))); s.Scan(); {
		var w, i int
		if _, err := fmt.Sscanf(s.Text(), "%d %d ", &w, &i); err != nil || w >= writers {
			t.Fatalf("%q", s.Text())
		}
		if exact && i != next[w] || i < next[w] {
			t.Fatalf("writer %d: line %d, want %d", w, i, next[w])
		}
		next[w] = i + 1
	}
	t.Logf("put aside %d times; the last lines are %v", asides, next)
	if asides < 3 || exact && next != [writers]int{lines, lines, lines} {
		t.Errorf("%d times, %v", asides, next)
	}
}

// TestWithoutCollapse: where a beginning cannot be taken away, what was there before is in the copy.
func TestWithoutCollapse(t *testing.T) {
	was := collapse
	collapse = 1 << 31 // no such mode
	defer func() { collapse = was }()
	l := logs(t)
	f, _, err := l.Open(ssh)
	must(t, err)
	defer f.Close()
	path := f.Name()
	var want strings.Builder
	for i := range 3 {
		line := strings.Repeat(string(rune('a'+i)), BytesMax+100+i) + "\n"
		want.WriteString(line)
		_, err := io.WriteString(f, line)
		must(t, err)
		l.Look(ssh)
		if got := read(t, path); got != "" {
			t.Errorf("%d bytes are left", len(got))
		}
	}
	_, err = io.WriteString(f, "and on\n")
	must(t, err)
	want.WriteString("and on\n")
	if whole(t, path) != want.String() {
		t.Error("something is missing")
	}
}

// TestKept: the last one goes; nothing else of the directory does.
func TestKept(t *testing.T) {
	l := logs(t)
	must(t, os.MkdirAll(l.Dir, 0o755))
	path := filepath.Join(l.Dir, Name(ssh))
	must(t, os.WriteFile(filepath.Join(l.Dir, "other.log"), []byte("other"), 0o644))
	for i := range Kept + 3 {
		must(t, os.WriteFile(path, bytes.Repeat([]byte{byte('a' + i)}, BytesMax+1), 0o644))
		must(t, l.Line(ssh, time.Now(), "next"))
	}
	for n := range Kept {
		text := read(t, path+"."+strconv.Itoa(n))
		if want := byte('a' + Kept + 2 - n); text[0] != want && text[len(text)/2] != want {
			t.Errorf(".%d begins with %q", n, text[:1])
		}
	}
	entries, err := os.ReadDir(l.Dir)
	must(t, err)
	if len(entries) != Kept+2 {
		t.Errorf("%d files", len(entries))
	}
}
