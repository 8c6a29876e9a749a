package client

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// frames welcomes a client with frames.
func (p *peer) frames(pos uint64, reader bool, pid int) {
	p.t.Helper()
	a := wire.Answer{HasPositions: true, Point: wire.Point{Epoch: 1, Pos: pos}, Version: 2, Reader: reader, HolderPid: pid}
	p.say("%s", a.Line())
}

func (p *peer) data(s string) {
	p.t.Helper()
	h := wire.Head(wire.Data, len(s))
	p.say("%s%s", h[:], s)
}

// hears reads one frame.
func (p *peer) hears() (kind byte, payload string) {
	p.t.Helper()
	head := p.reads(wire.FrameHead)
	return head[0], p.reads(int(head[2])<<8 | int(head[3]))
}

func (p *peer) reads(n int) string {
	p.t.Helper()
	got := make([]byte, 0, n)
	for len(got) < n {
		waitReadable(p.t, p.fd.Int(), fmt.Sprintf("%d bytes after %q", n, got))
		k, err := read(p.fd.Int(), got[len(got):n])
		if k == 0 {
			p.t.Fatalf("got %q and %v", got, err)
		}
		got = got[:len(got)+k]
	}
	return string(got)
}

// A watcher sends nothing, whatever is typed or the zone writes; its escape works.
func TestWatch(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "", "watch")
	p, id := s.accept()
	if id.Role != wire.Reader || id.From != wire.Screen || !id.Framed() {
		t.Errorf("%+v", id)
	}
	p.frames(0, true, 0)
	u.becomesRaw()
	u.types("reboot\r\x03x")
	p.data("login: ")
	u.sees("[Connected to zone 'web' console for watching]\r\nlogin: ")
	pfd := []unix.PollFd{{Fd: int32(p.fd.Int()), Events: unix.POLLIN}}
	if n, _ := unix.Poll(pfd, 100); n != 0 {
		t.Fatalf("a watcher sent %q", p.until("x"))
	}
	u.types("\r~.")
	u.exits(0)
	u.sees("~." + closed)
	u.restored()
}

// What the zone writes to make a terminal type does not reach a watcher's; a pipe gets every byte.
func TestWatchersTerminalIsSafe(t *testing.T) {
	const evil = "a\x1b]0;\r~.\rreboot\r\x07b\x1b[21t\x1b[6n\x1b[c\x05\x1b[5n\x1bP$qm\x1b\\\x1b]52;c;?\x07\x1b[31mred\xc2\x9b6n\x9b6n"
	s := newServer(t)
	u := onTerminal(t, s, "", "watch", "quiet")
	p, _ := s.accept()
	p.frames(0, true, 0)
	u.becomesRaw()
	for i := range len(evil) { // in the smallest pieces
		p.data(evil[i : i+1])
	}
	u.sees("ab\x1b[31mred\ufffd6n")
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)

	u = onPipes(t, s, "watch", "quiet")
	p, _ = s.accept()
	p.frames(0, true, 0)
	p.data(evil)
	u.sees(evil)
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
}

// What a terminal has typed by itself, or a watcher ahead, is nobody's when the session ends.
func TestWatcherLeavesNoInput(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "", "watch", "quiet")
	p, _ := s.accept()
	p.frames(0, true, 0)
	u.becomesRaw()
	raw, err := u.tty.SyscallConn()
	must(t, err)
	var number int
	must(t, raw.Control(func(fd uintptr) { number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN) }))
	must(t, err)
	slave, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(slave)
	must(t, u.cmd.Process.Signal(os.Signal(unix.SIGSTOP)))
	u.types("\r~.\rreboot\r")
	must(t, u.cmd.Process.Signal(os.Signal(unix.SIGCONT)))
	u.exits(0)
	b := make([]byte, 100)
	if n, err := read(slave, b); err != unix.EAGAIN {
		t.Errorf("left to be read: %q, %v", b[:n], err)
	}
	u.restored()
}

// The writer's keys go in frames, its window's size before them and whenever it changes.
func TestWriterInFrames(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "")
	u.resize(33, 101)
	p, id := s.accept()
	if id.Role != wire.Writer || id.Version != wire.Version {
		t.Errorf("%+v", id)
	}
	p.frames(0, false, 0)
	u.becomesRaw()
	if k, w := p.hears(); k != 'W' || w != "\x00\x65\x00\x21" {
		t.Errorf("first %c %q", k, w)
	}
	u.types("ls\r")
	got := ""
	for len(got) < 3 {
		k, s := p.hears()
		if got += s; k == 'W' && s == "\x00\x65\x00\x21" { // the signal of the first may come late
			got = strings.TrimSuffix(got, s)
		} else if k != 'D' {
			t.Fatalf("frame %c %q", k, s)
		}
	}
	if got != "ls\r" {
		t.Errorf("typed %q", got)
	}
	u.resize(50, 132)
	must(t, u.cmd.Process.Signal(os.Signal(unix.SIGWINCH)))
	k, w := p.hears()
	for k == 'W' && w == "\x00\x65\x00\x21" { // the signal of the first may come late
		k, w = p.hears()
	}
	if k != 'W' || w != "\x00\x84\x00\x32" {
		t.Errorf("then %c %q", k, w)
	}
	p.die()
	p, id = s.accept()
	if id.Role != wire.Writer || id.From != wire.Position {
		t.Errorf("comes back as %+v", id)
	}
	p.frames(0, false, 0)
	if k, _ := p.hears(); k != 'W' {
		t.Errorf("the next supervisor hears %c first", k)
	}
	u.types("\r~.")
	u.exits(0)
}

// typed reads frames of input until n bytes came.
func (p *peer) typed(n int) (got string) {
	for len(got) < n {
		k, s := p.hears()
		if k != 'D' {
			p.t.Fatalf("frame %c %q", k, s)
		}
		got += s
	}
	return got
}

func (u *user) resize(rows, cols uint16) {
	u.t.Helper()
	raw, err := u.tty.SyscallConn()
	must(u.t, err)
	must(u.t, raw.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	}))
	must(u.t, err)
}

// A writer that is taken over is told by whom, watches on, and comes back as a reader.
func TestTakenOver(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.frames(0, false, 0)
	p.data("abc")
	p.say("%s", wire.TakenFrame(4711))
	u.sees("abc" + wire.TakenText(4711))
	u.types("shutdown\n")
	p.data("def")
	u.sees("def")
	p.die()
	p, id := s.accept()
	if id.Role != wire.Reader || id.Point.Pos != 6 {
		t.Errorf("comes back as %+v", id)
	}
	p.frames(6, true, 0)
	p.data("ghi")
	p.say("%s", wire.LostFrame(100))
	p.data("jkl")
	want := "abc" + wire.TakenText(4711) + "defghi" + wire.LostText(100) + "jkl"
	u.sees("jkl")
	if out, _ := u.output(); out != want {
		t.Errorf("seen %q, want %q", out, want)
	}
	p.die()
	p, id = s.accept()
	if id.Point.Pos != 112 {
		t.Errorf("comes back at %d", id.Point.Pos)
	}
	p.frames(112, true, 0)
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
}

// One whose console was taken while no supervisor could say so learns it from the next.
func TestTakenOverBetweenSupervisors(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.frames(0, false, 0)
	p.data("abc")
	u.sees("abc")
	p.die()
	p, id := s.accept()
	if id.Role != wire.Writer {
		t.Errorf("%+v", id)
	}
	p.frames(3, true, 4711)
	u.sees("abc" + wire.TakenText(4711))
}

func TestTooManyReaders(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "", "watch")
	p, _ := s.accept()
	p.say("FULL 64\n")
	u.exits(1)
	u.complains("zlogin: zone 'web': console: 64 processes watch it already, which is the most; end one with ~. and try again\n")
}

// A supervisor of the first version hangs up on words it does not know: a writer speaks its
// form then, a watcher is told.
func TestOlderSupervisor(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	for i := range 2 {
		p, id := s.accept()
		if !id.Framed() {
			t.Fatalf("attempt %d: %+v", i, id)
		}
		p.die()
	}
	p, id := s.accept()
	if id.Framed() || id.From != wire.Live {
		t.Fatalf("then %+v", id)
	}
	p.welcome(7)
	u.types("raw\n")
	if got := p.until("\n"); got != "raw\n" {
		t.Errorf("sent %q", got)
	}
	p.say("out")
	u.sees("out")
	p.die() // it is replaced by one of today
	p, id = s.accept()
	if !id.Framed() || id.Point.Pos != 10 {
		t.Errorf("comes back as %+v", id)
	}
	p.frames(10, false, 0)
	p.data("more")
	u.sees("outmore")
	for _, role := range []string{"watch", "force"} {
		w := onPipes(t, s, role)
		for range refusalsMax {
			p, id := s.accept()
			if !id.Framed() {
				t.Errorf("%s asks to be the writer: %+v", role, id)
			}
			p.die()
		}
		w.exits(1)
		w.complains("zlogin: zone 'web': " + errOlder.Error() + "\n")
	}
}

// Frames that are none end the session with a word, not with garbage on the terminal.
func TestGarbageFromTheSupervisor(t *testing.T) {
	s := newServer(t)
	u := onPipes(t, s, "quiet")
	p, _ := s.accept()
	p.frames(0, false, 0)
	p.say("raw output")
	u.exits(1)
	u.complains("zlogin: zone 'web': " + wire.ErrFrame.Error() + ": kind 114\n")
	if out, _ := u.output(); out != "" {
		t.Errorf("on the terminal: %q", out)
	}
}
