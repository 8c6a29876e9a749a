package fuse

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a mounted file system of the tests, which lies nowhere: its files are reached through
// the descriptor of the mount.
type rig struct {
	t          testing.TB
	dev, mount *sys.FD
	mem        *Memory
	connection uint32
}

func newRig(t testing.TB) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Fuse)
	dev, mount, err := Mount(Options{Source: "test", Subtype: "test", RootMode: unix.S_IFDIR | 0o555})
	must(t, err)
	mem, err := NewMemory(tokenExtra)
	must(t, err)
	r := &rig{t: t, dev: dev, mount: mount, mem: mem}
	r.connection, err = Connection(mount)
	must(t, err)
	mem.SetConnection(r.connection)
	watchdog := abortBeforeDeadline(t, r.connection)
	t.Cleanup(func() { watchdog.Stop(); r.end() })
	return r
}

// abortBeforeDeadline ends the connection shortly before the test binary gives up: a thread that
// waits for a server that never comes would outlive it, and with it this very connection.
func abortBeforeDeadline(t testing.TB, connection uint32) *time.Timer {
	left := time.Hour
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, known := limited.Deadline(); known {
			left = max(time.Until(at)-5*time.Second, time.Second)
		}
	}
	return time.AfterFunc(left, func() { _ = Abort(connection) })
}

// end aborts the connection first: whoever still waits would wait for ever.
func (r *rig) end() {
	if err := Abort(r.connection); err != nil {
		r.t.Errorf("abort: %v", err)
	}
	r.mount.Close()
	r.dev.Close()
	r.mem.Close()
}

// serve runs a server within this process until the test ends.
func (r *rig) serve() *tokenFS {
	r.t.Helper()
	s, err := New(r.dev, r.mem)
	must(r.t, err)
	f := newTokenFS(s, r.mem)
	stop, stopEnd, err := os.Pipe()
	must(r.t, err)
	done := make(chan error, 1)
	go func() { done <- f.serve(int(stop.Fd())) }()
	r.t.Cleanup(func() {
		stopEnd.Close()
		if err := <-done; err != nil && err != ErrGone {
			r.t.Errorf("server: %v", err)
		}
		stop.Close()
		s.Close()
	})
	return f
}

// dup gives a file for a child.
func dupFile(t testing.TB, fd int) *os.File {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	return os.NewFile(uintptr(n), "inherited")
}

// child starts the test binary in a role.
func (r *rig) child(what string, env []string, fds ...int) *exec.Cmd {
	r.t.Helper()
	exe, err := os.Executable()
	must(r.t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), role+"="+what), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range fds {
		f := dupFile(r.t, fd)
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	must(r.t, cmd.Start())
	return cmd
}

func (r *rig) server(env ...string) *exec.Cmd {
	r.t.Helper()
	return r.child("server", env, r.dev.Int(), r.mem.FD())
}

// kill ends a child and waits for it.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// open opens a file of the file system, as a descriptor that the runtime's poller leaves alone.
func (r *rig) open(name string, flags int) *sys.FD {
	r.t.Helper()
	var n int
	err := sys.Retry(func() (e error) { n, e = unix.Openat(r.mount.Int(), name, flags|unix.O_CLOEXEC, 0); return })
	if err != nil {
		r.t.Fatalf("open %s: %v", name, err)
	}
	fd := sys.Own(n)
	r.t.Cleanup(func() { fd.Close() })
	return fd
}

func read(fd *sys.FD, size int) (string, error) {
	b := make([]byte, size)
	n, err := unix.Read(fd.Int(), b)
	return string(b[:max(n, 0)]), err
}

func write(fd *sys.FD, text string) error {
	return sys.Retry(func() error { _, err := unix.Write(fd.Int(), []byte(text)); return err })
}

// begun waits for a result on c, which must not come yet.
func still[T any](t testing.TB, c <-chan T, what string) {
	t.Helper()
	select {
	case v := <-c:
		t.Fatalf("%s: %v", what, v)
	case <-time.After(20 * time.Millisecond):
	}
}

// within waits for a result on c.
func within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(testenv.Deadline(time.Minute)):
		t.Fatalf("waited in vain for %s", what)
	}
	panic("not reached")
}

// readRetried reads as a program does whose runtime is sent signals.
func readRetried(fd *sys.FD) (text string, err error) {
	err = sys.Retry(func() error { text, err = read(fd, 64); return err })
	return text, err
}
