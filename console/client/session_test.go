package client

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// A script's session, to the letter.
func TestPipes(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "drop")
	p, id := s.accept()
	if !id.DropWithZone || id.From != wire.Screen || id.Pid != u.cmd.Process.Pid {
		t.Errorf("%+v", id)
	}
	p.welcome(0)
	u.types("init 0\n")
	if got := p.until("\n"); got != "init 0\n" {
		t.Errorf("sent %q", got)
	}
	u.in.Close() // the input's end is not the session's
	p.say("bye%s", wire.Halted.Text("", true))
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
	u.sees("[Connection to zone 'web' console closed]\n")
	want := "[Connected to zone 'web' console]\nbye\r\n[NOTICE: Zone halted.  Disconnecting...]\r\n\n[Connection to zone 'web' console closed]\n"
	if out, errout := u.output(); out != want || errout != "" {
		t.Errorf("out %q, err %q", out, errout)
	}
}

func TestQuiet(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.say("OK\n") // a supervisor that knows no positions
	p.say("output")
	u.sees("output")
	u.types("~.")
	u.exits(0)
	u.sees("~.")
	if out, _ := u.output(); out != "output~." {
		t.Errorf("out %q", out)
	}
}

func TestEscapeAtTheEndOfAScript(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	u.types("one\ntwo\n~.")
	p, _ := s.accept()
	p.welcome(0)
	if got := p.until("two\n"); got != "one\ntwo\n" {
		t.Errorf("sent %q", got)
	}
	u.exits(0)
}

func TestNoEscape(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet", "noescape")
	p, _ := s.accept()
	p.welcome(0)
	u.types("~.\n")
	if got := p.until("\n"); got != "~.\n" {
		t.Errorf("sent %q", got)
	}
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
}

func TestHistoryIsAskedForOnce(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet", "history")
	p, id := s.accept()
	if id.From != wire.History {
		t.Errorf("%+v", id)
	}
	p.welcome(100)
	p.say("0123456789")
	u.sees("0123456789")
	p.die()
	p, id = s.accept()
	if want := (wire.Point{Epoch: 1, Pos: 110}); id.From != wire.Position || id.Point != want {
		t.Errorf("comes back with %+v, want %v", id, want)
	}
	p.die() // before it answered: once more
	p, id = s.accept()
	if id.Point.Pos != 110 {
		t.Errorf("comes back with %+v", id)
	}
	p.welcome(110)
	p.say("!")
	u.sees("0123456789!")
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
}

// A supervisor that dies with input unread resets the connection; what it had sent before is
// still taken.
func TestOutputBeforeTheDeathIsTaken(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.welcome(0)
	u.types("unread\n")
	waitReadable(t, p.fd.Int(), "input")
	p.say("%s", strings.Repeat("x", 50_000))
	p.die()
	p, id := s.accept()
	if id.Point.Pos != 50_000 {
		t.Fatalf("comes back at %d", id.Point.Pos)
	}
	p.welcome(50_000)
	u.types("typed meanwhile\n")
	if got := p.until("\n"); got != "typed meanwhile\n" {
		t.Errorf("sent %q", got)
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		text   string
	}{
		"nothing":      {wire.Answer{HasPositions: true, Point: wire.Point{Epoch: 1, Pos: 3}}.Line(), ""},
		"some":         {wire.Answer{HasPositions: true, Point: wire.Point{Epoch: 1, Pos: 503}}.Line(), wire.LostText(500)},
		"another ring": {wire.Answer{HasPositions: true, Point: wire.Point{Epoch: 2, Pos: 3}}.Line(), wire.RestartedText()},
		"no positions": {"OK\n", wire.RestartedText()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			u := onPipes(t, s, "quiet")
			p, _ := s.accept()
			p.welcome(0)
			p.say("abc")
			u.sees("abc")
			p.die()
			p, _ = s.accept()
			p.say("%sdef", c.answer)
			u.sees("def")
			if out, _ := u.output(); out != "abc"+c.text+"def" {
				t.Errorf("out %q", out)
			}
		})
	}
}

// Keys typed while no supervisor is there are sent to the next; escapes work at once.
func TestTypingWhileNobodyIsThere(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.welcome(0)
	p.say("x")
	u.sees("x")
	p.die()
	u.types("who is there\n")
	waitReadable(t, s.listener.Int(), "connection")
	start := time.Now()
	u.types("~.")
	u.exits(0)
	if d := time.Since(start); d > connectTime/2 { // it goes on looking for longer
		t.Errorf("the escape took %v", d)
	}
}

// No supervisor listens for a while: the client tries again.
func TestListenerComesBack(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.welcome(0)
	p.say("x")
	u.sees("x")
	s.listener.Close()
	p.die()
	time.Sleep(300 * time.Millisecond)
	s.listen()
	p, id := s.accept()
	if id.Point.Pos != 1 {
		t.Errorf("%+v", id)
	}
	p.welcome(1)
	p.say("y")
	u.sees("xy")
}

func TestCannotConnect(t *testing.T) {
	s := newServer(t)
	must(t, os.Remove(s.dir+"/console"))
	u := onPipes(t, s)
	u.exits(1)
	u.complains("zlogin: zone 'web': console: connect console: no such file or directory\n")
}

func TestRefusedWithoutAnswer(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s)
	for range refusalsMax {
		p, _ := s.accept()
		p.die()
	}
	u.exits(1)
	u.complains("zlogin: zone 'web': " + errRefused.Error() + "\n")
}

// The reader of the output goes away, as head(1) does.
func TestOutputGone(t *testing.T) {
	s := newServer(t)
	r, w, err := os.Pipe()
	must(t, err)
	cmd := command(t, s, "quiet")
	cmd.Stdout = w
	in, err := cmd.StdinPipe()
	must(t, err)
	defer in.Close()
	must(t, cmd.Start())
	w.Close()
	p, _ := s.accept()
	p.welcome(0)
	r.Close()
	p.say("nobody reads this")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 128+int(unix.SIGPIPE) {
		t.Errorf("%v", err)
	}
}

// Output into a file is whole.
func TestOutputToFile(t *testing.T) {
	s := newServer(t)
	f, err := os.Create(t.TempDir() + "/out")
	must(t, err)
	defer f.Close()
	cmd := command(t, s, "quiet")
	cmd.Stdout = f
	must(t, cmd.Start()) // input from /dev/null
	p, _ := s.accept()
	p.welcome(0)
	text := strings.Repeat("0123456789abcdef", 64<<10)
	must(t, unix.SetNonblock(p.fd.Int(), false))
	p.say("%s", text)
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	must(t, cmd.Wait())
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != text {
		t.Errorf("%d bytes in the file, %v", len(got), err)
	}
}

// Sessions leave neither descriptors nor goroutines behind, however they end.
func TestNothingIsLeft(t *testing.T) {
	s := newServer(t)
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	must(t, err)
	defer null.Close()
	dir, err := sys.OpenDir(s.dir)
	must(t, err)
	defer dir.Close()
	open := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(d)
	}
	var fds, goroutines int
	for i := range 60 {
		if i == 10 { // what the runtime allocates once is there
			fds, goroutines = open(), runtime.NumGoroutine()
		}
		ctx, cancel := context.WithCancel(t.Context())
		exit := make(chan int, 1)
		go func() {
			exit <- Run(ctx, Options{
				Zone: "web", Dial: func() (*sys.FD, error) { return sys.DialUnix(dir, "console") },
				Stdin: null, Stdout: null, Stderr: null,
			})
		}()
		p, _ := s.accept()
		want := 0
		switch i % 3 {
		case 0:
			p.welcome(0)
			must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
		case 1:
			p.welcome(0)
			cancel()
			want = 1
		case 2:
			p.say("5\n")
			want = 1
		}
		if got := <-exit; got != want {
			t.Fatalf("session %d: exit %d", i, got)
		}
		cancel()
		p.fd.Close()
	}
	waitFor(t, func() (bool, string) {
		return open() <= fds && runtime.NumGoroutine() <= goroutines, "descriptors and goroutines as before"
	})
}
