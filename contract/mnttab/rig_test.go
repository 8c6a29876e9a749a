package mnttab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Descriptors of the server process.
const (
	fdDev = 3 + iota
	fdMem
)

// serverMain serves until it is killed, or kills itself at its n-th passing of a point.
func serverMain() int {
	point := os.Getenv("MNTTAB_TEST_POINT")
	passes, _ := strconv.Atoi(os.Getenv("MNTTAB_TEST_PASSES"))
	crash = func(here string) {
		if here != point {
			return
		}
		if passes--; passes == 0 {
			self, _ := unix.PidfdOpen(os.Getpid(), 0)
			_ = unix.PidfdSendSignal(self, unix.SIGKILL, nil, 0)
			select {}
		}
	}
	s, err := Open(Config{Zone: "web", UID: 100000, GID: 100000, Dev: sys.Own(fdDev), Mem: sys.Own(fdMem)})
	if err == nil {
		err = s.Run(context.Background())
	}
	if err == ErrGone {
		return 0
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	return 1
}

// rig is a table that is mounted nowhere but in the namespaces of the test.
type rig struct {
	t               testing.TB
	dev, mount, mem *sys.FD
	clock           clock
}

// clock is a time that a test sets.
type clock struct{ at time.Time }

func newRig(t testing.TB) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Fuse)
	r := &rig{t: t}
	var err error
	r.dev, r.mount, r.mem, err = Mount()
	must(t, err)
	watchdog := time.AfterFunc(r.patience(), r.abort)
	t.Cleanup(func() { watchdog.Stop(); r.end() })
	return r
}

// patience ends shortly before the test binary gives up: a thread that waits for a server that
// never comes would outlive it, and with it the connection.
func (r *rig) patience() time.Duration {
	if limited, ok := r.t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, known := limited.Deadline(); known {
			return max(time.Until(at)-5*time.Second, time.Second)
		}
	}
	return time.Hour
}

func (r *rig) abort() {
	number, err := fuse.Connection(r.mount)
	if err == nil {
		err = fuse.Abort(number)
	}
	if err != nil {
		r.t.Errorf("abort: %v", err)
	}
}

// end aborts the connection first: whoever still waits would wait for ever.
func (r *rig) end() {
	r.abort()
	r.mount.Close()
	r.dev.Close()
	r.mem.Close()
}

// serve runs a server within this process until the test ends or stop is called.
func (r *rig) serve() (s *Server, stop func()) {
	r.t.Helper()
	now := time.Now
	if !r.clock.at.IsZero() {
		now = func() time.Time { return r.clock.at }
	}
	s, err := Open(Config{Zone: "web", UID: 100000, GID: 100000, Dev: r.dev, Mem: r.mem, Now: now})
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && err != ErrGone {
			r.t.Errorf("server: %v", err)
		}
		must(r.t, s.Close())
	}
	r.t.Cleanup(stop)
	return s, stop
}

// server runs one in another process.
func (r *rig) server(env ...string) *exec.Cmd {
	r.t.Helper()
	exe, err := os.Executable()
	must(r.t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), role+"=server"), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range []*sys.FD{r.dev, r.mem} {
		f := dupFile(r.t, fd.Int())
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	must(r.t, cmd.Start())
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func dupFile(t testing.TB, fd int) *os.File {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	return os.NewFile(uintptr(n), "inherited")
}

// shell is a shell in a mount namespace of its own, where it does what it is told. The table's
// mount is its descriptor 3.
type shell struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	dir string // a directory of its own, a tmpfs in its namespace
}

func (r *rig) shell(clone ...uintptr) *shell {
	r.t.Helper()
	s := &shell{t: r.t, cmd: exec.Command("sh"), dir: r.t.TempDir()}
	// Unshareflags makes the new namespace's mounts private.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	for _, flag := range clone {
		s.cmd.SysProcAttr.Cloneflags |= flag
	}
	mount := dupFile(r.t, r.mount.Int())
	defer mount.Close()
	s.cmd.ExtraFiles = []*os.File{mount}
	s.cmd.Stderr = os.Stderr
	var err error
	s.in, err = s.cmd.StdinPipe()
	must(r.t, err)
	out, err := s.cmd.StdoutPipe()
	must(r.t, err)
	s.out = bufio.NewReader(out)
	must(r.t, s.cmd.Start())
	r.t.Cleanup(s.end)
	// Mounts of other tests go when the directories below them do, here too.
	s.do(`awk '$5 ~ "^/(var/)?tmp/" {print $5}' /proc/self/mountinfo | while read m; do umount -l "$m" || true; done`)
	s.do("mount -t tmpfs base '" + s.dir + "'")
	return s
}

func (s *shell) end() {
	if s.cmd.ProcessState == nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // with what runs in its background
		_ = s.cmd.Wait()
	}
}

// do runs a line and gives what it printed.
func (s *shell) do(line string) string {
	s.t.Helper()
	const mark = "-- done "
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%s%%s\\n' $?\n", line, mark); err != nil {
		s.t.Fatal(err)
	}
	var text strings.Builder
	for {
		l, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("%s: %v after %q", line, err, text.String())
		}
		if status, found := strings.CutPrefix(l, mark); found {
			if status != "0\n" {
				s.t.Errorf("%s: exit %s%s", line, status, text.String())
			}
			return strings.TrimSuffix(text.String(), "\n")
		}
		text.WriteString(l)
	}
}

// table reads the table and gives its lines' fields.
func (s *shell) table() [][]string {
	s.t.Helper()
	return fields(s.t, s.do("cat /dev/fd/3"))
}

// fields splits a table as getmntent(3) would.
func fields(t testing.TB, text string) (lines [][]string) {
	t.Helper()
	for l := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		if len(f) != 5 || !strings.HasSuffix(l, "\n") {
			t.Fatalf("%d fields: %.200q", len(f), l)
		}
		lines = append(lines, f)
	}
	return lines
}

// at finds the line of a mount point.
func at(lines [][]string, point string) []string {
	for _, l := range lines {
		if l[1] == point {
			return l
		}
	}
	return nil
}

// start runs a line in the shell's background, with its output in a file of the shell's.
func (s *shell) start(line, output string) {
	s.t.Helper()
	s.do("{ " + line + "; } >" + s.path(output) + " 2>&1 &")
}

func (s *shell) path(name string) string { return filepath.Join(s.dir, name) }

// inNamespace runs f on a thread that has a mount namespace, a root and a working directory of
// its own, and waits for it. The thread is not used again.
func inNamespace(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = leaveOthersMounts()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	must(t, <-done)
}

// leaveOthersMounts takes mounts of other tests out of the thread's namespace: they go when the
// directories below them do, here too.
func leaveOthersMounts() error {
	info, err := os.ReadFile("/proc/thread-self/mountinfo")
	for l := range strings.Lines(string(info)) {
		point := strings.Fields(l)[4]
		if strings.HasPrefix(point, "/tmp/") || strings.HasPrefix(point, "/var/tmp/") {
			_ = unix.Unmount(point, unix.MNT_DETACH)
		}
	}
	return err
}

// openTable opens the table as the calling thread.
func (r *rig) openTable() int {
	r.t.Helper()
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Open("/proc/self/fd/"+strconv.Itoa(r.mount.Int()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return e
	})
	if err != nil {
		r.t.Errorf("open the table: %v", err)
	}
	return n
}

// readAll reads on to the end, in pieces.
func readAll(fd, piece int) (string, error) {
	var text []byte
	b := make([]byte, piece)
	for {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return string(text), err
		}
		text = append(text, b[:n]...)
	}
}

// readTable reads the table as the calling thread.
func (r *rig) readTable() string {
	r.t.Helper()
	fd := r.openTable()
	defer unix.Close(fd)
	text, err := readAll(fd, 100_000)
	if err != nil {
		r.t.Errorf("read the table: %v", err)
	}
	return text
}
