package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// role makes a process started from the test binary the client.
const role = "CLIENT_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "client" {
		os.Exit(clientMain())
	}
	testenv.Main(m)
}

// clientMain runs the client. Arguments: the socket's directory, and options.
func clientMain() int {
	dials := 0
	o := Options{Zone: "web", Dial: func() (*sys.FD, error) {
		dials++
		if os.Getenv("PANIC") != "" && dials > 1 {
			panic("in Dial")
		}
		dir, err := sys.OpenDir(os.Args[1])
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return sys.DialUnix(dir, "console")
	}}
	for _, arg := range os.Args[2:] {
		switch arg {
		case "quiet":
			o.Quiet = true
		case "history":
			o.History = true
		case "drop":
			o.DropWithZone = true
		case "noescape":
			o.NoEscape = true
		case "watch":
			o.Role = wire.Reader
		case "force":
			o.Role = wire.Taker
		}
	}
	return Run(context.Background(), o)
}

// server is a supervisor whose lines the test says.
type server struct {
	t        *testing.T
	dir      string
	listener *sys.FD
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.listen()
	t.Cleanup(func() { s.listener.Close() })
	return s
}

func (s *server) listen() {
	s.t.Helper()
	dir, err := sys.OpenDir(s.dir)
	must(s.t, err)
	defer dir.Close()
	s.listener, err = sys.ListenUnix(dir, "console", 0o600, 8)
	must(s.t, err)
}

// accept takes the next connection and its first line.
func (s *server) accept() (*peer, wire.Ident) {
	s.t.Helper()
	waitReadable(s.t, s.listener.Int(), "connection")
	fd, err := sys.Accept(s.listener.Int())
	must(s.t, err)
	s.t.Cleanup(func() { fd.Close() })
	p := &peer{t: s.t, fd: fd}
	id, err := wire.ParseIdent([]byte(p.until("\n")))
	must(s.t, err)
	return p, id
}

// peer is a connection, from the supervisor's side.
type peer struct {
	t  *testing.T
	fd *sys.FD
}

func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	must(p.t, sys.WriteAll(p.fd.Int(), fmt.Appendf(nil, format, args...)))
}

// welcome answers that the next byte is at pos.
func (p *peer) welcome(pos uint64) {
	p.t.Helper()
	p.say("%s", wire.Answer{HasPositions: true, Point: wire.Point{Epoch: 1, Pos: pos}}.Line())
}

// until reads up to end.
func (p *peer) until(end string) string {
	p.t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), end) {
		waitReadable(p.t, p.fd.Int(), fmt.Sprintf("%q after %q", end, got))
		var c [1]byte
		n, err := read(p.fd.Int(), c[:])
		if n == 0 {
			p.t.Fatalf("got %q and %v, want %q", got, err, end)
		}
		got = append(got, c[0])
	}
	return string(got)
}

// die closes the connection as a killed supervisor does.
func (p *peer) die() { p.fd.Close() }

func waitReadable(t *testing.T, fd int, what string) {
	t.Helper()
	pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(testenv.Deadline(time.Minute)); ; {
		n, err := unix.Poll(pfd, 1000)
		if n > 0 {
			return
		}
		if err != nil && err != unix.EINTR || time.Now().After(end) {
			t.Fatalf("no %s in time (%v)", what, err)
		}
	}
}

// user is a client process and who uses it: over a terminal, or over pipes.
type user struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     *os.File // what they type
	tty    *os.File // nil: pipes
	before unix.Termios

	mu          sync.Mutex // guards the two below
	out, errout bytes.Buffer
	reading     sync.WaitGroup
}

func command(t *testing.T, s *server, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, append([]string{s.dir}, args...)...)
	cmd.Env = append(os.Environ(), role+"=client")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// onTerminal starts a client on a terminal of its own, as a login shell's child.
func onTerminal(t *testing.T, s *server, env string, args ...string) *user {
	t.Helper()
	blocking, slave, err := pty.Open()
	must(t, err)
	defer slave.Close()
	// A descriptor that Close closes although somebody reads it.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	blocking.Close()
	must(t, unix.SetNonblock(fd, true))
	master := os.NewFile(uintptr(fd), "terminal")
	u := &user{t: t, in: master, tty: master}
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	must(t, err)
	u.before = *before
	u.cmd = command(t, s, args...)
	u.cmd.Env = append(u.cmd.Env, env)
	u.cmd.Stdin, u.cmd.Stdout = slave, slave
	u.cmd.SysProcAttr.Setsid, u.cmd.SysProcAttr.Setctty = true, true
	u.start(master)
	return u
}

// onPipes starts a client as in a script.
func onPipes(t *testing.T, s *server, args ...string) *user {
	t.Helper()
	u := &user{t: t, cmd: command(t, s, args...)}
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	or, ow, err := os.Pipe()
	must(t, err)
	defer ow.Close()
	u.cmd.Stdin, u.cmd.Stdout, u.in = r, ow, w
	u.start(or)
	return u
}

func (u *user) start(out *os.File) {
	er, ew, err := os.Pipe()
	must(u.t, err)
	u.cmd.Stderr = ew
	must(u.t, u.cmd.Start())
	ew.Close()
	u.collect(out, &u.out)
	u.collect(er, &u.errout)
	u.t.Cleanup(func() {
		_ = u.cmd.Process.Kill()
		_ = u.cmd.Wait()
		u.in.Close()
		out.Close()
		er.Close()
		u.reading.Wait()
	})
}

// collect reads f into b, until it ends.
func (u *user) collect(f *os.File, b *bytes.Buffer) {
	u.reading.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			u.mu.Lock()
			b.Write(buf[:n])
			u.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
}

func (u *user) types(s string) {
	u.t.Helper()
	_, err := u.in.WriteString(s)
	must(u.t, err)
}

// sees waits until the output ends in want.
func (u *user) sees(want string) {
	u.t.Helper()
	waitFor(u.t, func() (bool, string) {
		u.mu.Lock()
		defer u.mu.Unlock()
		return strings.HasSuffix(u.out.String(), want), fmt.Sprintf("%q to end in %q", u.out.String(), want)
	})
}

func (u *user) output() (out, errout string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.out.String(), u.errout.String()
}

// exits waits for the end. Everything written before it can be seen then.
func (u *user) exits(want int) {
	u.t.Helper()
	done := make(chan error, 1)
	u.reading.Go(func() { done <- u.cmd.Wait() })
	select {
	case <-done:
	case <-time.After(testenv.Deadline(time.Minute)):
		u.t.Fatal("the client does not end")
	}
	if got := u.cmd.ProcessState.ExitCode(); got != want {
		_, errout := u.output()
		u.t.Fatalf("exit %d, want %d; stderr %q", got, want, errout)
	}
}

// complains waits until exactly this was said on standard error.
func (u *user) complains(want string) {
	u.t.Helper()
	waitFor(u.t, func() (bool, string) {
		_, errout := u.output()
		return errout == want, fmt.Sprintf("%q, have %q", want, errout)
	})
}

func (u *user) termios() unix.Termios {
	u.t.Helper()
	raw, err := u.tty.SyscallConn()
	must(u.t, err)
	var m *unix.Termios
	var ierr error
	must(u.t, raw.Control(func(fd uintptr) { m, ierr = unix.IoctlGetTermios(int(fd), unix.TCGETS) }))
	must(u.t, ierr)
	return *m
}

func (u *user) isRaw() bool { return u.termios().Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 }

func (u *user) becomesRaw() {
	u.t.Helper()
	waitFor(u.t, func() (bool, string) { return u.isRaw(), "a raw terminal" })
}

// restored says that the terminal is as it was.
func (u *user) restored() {
	u.t.Helper()
	if got := u.termios(); got != u.before {
		u.t.Errorf("terminal left as %+v, was %+v", got, u.before)
	}
}

func waitFor(t *testing.T, cond func() (bool, string)) {
	t.Helper()
	for end := time.Now().Add(testenv.Deadline(time.Minute)); ; time.Sleep(time.Millisecond) {
		ok, what := cond()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}
