package ends

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/orphans"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func watcher(t testing.TB, list *orphans.View) *Watcher {
	t.Helper()
	w, err := New(list)
	must(t, err)
	t.Cleanup(w.Close)
	return w
}

// child starts a process of ours that the runtime does not wait for.
func child(t testing.TB, script string) (pid, pidfd int) {
	t.Helper()
	pidfd = -1
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{PidFD: &pidfd}})
	must(t, err)
	return pid, pidfd
}

// stranger starts a process that is another's: its parent has ended.
func stranger(t testing.TB, script string) (pid, pidfd int) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script+" >/dev/null 2>&1 & echo $!")
	out, err := cmd.Output()
	must(t, err)
	pid, err = strconv.Atoi(strings.TrimSpace(string(out)))
	must(t, err)
	pidfd, err = unix.PidfdOpen(pid, 0)
	must(t, err)
	return pid, pidfd
}

// next waits for an end.
func (w *Watcher) next(t testing.TB) End {
	t.Helper()
	limit := time.After(testenv.Deadline(20 * time.Second))
	for {
		if e, ok := w.Next(); ok {
			return e
		}
		select {
		case <-w.Ready():
		case <-limit:
			t.Fatal("no end is told")
		}
	}
}

// TestChildren: of each way to end the status is told, and nothing is left to be reaped.
func TestChildren(t *testing.T) {
	w := watcher(t, nil)
	want := map[int]unix.WaitStatus{}
	for script, status := range map[string]unix.WaitStatus{
		"exit 0": 0, "exit 95": 95 << 8, "exit 255": 255 << 8, "kill -9 $$": 9, "kill -15 $$": 15,
		"sleep 0.05; exit 3": 3 << 8, "sleep 0.1; kill -1 $$": 1,
	} {
		pid, fd := child(t, script)
		want[pid] = status
		must(t, w.Add(pid, fd, 0))
	}
	for range len(want) {
		e := w.next(t)
		if status, ours := want[e.Pid]; !ours || e.Status != status || !e.Known {
			t.Errorf("%+v, want status %#x", e, status)
		}
		delete(want, e.Pid)
		if err := unix.Kill(e.Pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%d is still there: %v", e.Pid, err)
		}
	}
}

// TestManyAtOnce: none is forgotten, also when nobody listens for a while.
func TestManyAtOnce(t *testing.T) {
	w := watcher(t, nil)
	count := testenv.Rounds(400, 100)
	want := map[int]int{}
	gate, hold, err := os.Pipe()
	must(t, err)
	for i := range count {
		pidfd := -1
		pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "read -r x; exit " + strconv.Itoa(i%200)},
			&syscall.ProcAttr{Files: []uintptr{gate.Fd(), 1, 2}, Sys: &syscall.SysProcAttr{PidFD: &pidfd}})
		must(t, err)
		want[pid] = i % 200
		must(t, w.Add(pid, pidfd, 0))
	}
	gate.Close()
	hold.Close()
	for range count {
		e := w.next(t)
		if code, ok := want[e.Pid]; !ok || e.Status.ExitStatus() != code {
			t.Fatalf("%+v, want %d", e, code)
		}
		delete(want, e.Pid)
	}
	if e, ok := w.Next(); ok {
		t.Errorf("one more: %+v", e)
	}
}

// TestStrangers: the status is init's word, which comes a moment later.
func TestStrangers(t *testing.T) {
	list, fd, err := orphans.New()
	must(t, err)
	defer unix.Close(fd)
	v, err := orphans.Open(fd)
	must(t, err)
	defer v.Close()
	was := statusLimit
	t.Cleanup(func() { statusLimit = was })
	statusLimit = time.Minute // this init has all the time it needs
	w := watcher(t, v)
	since := orphans.Now()
	pid, pidfd := stranger(t, "exec sleep 1000")
	list.Put(pid, 7<<8, since-1) // another of that number, before
	must(t, w.Add(pid, pidfd, since))
	must(t, unix.Kill(pid, unix.SIGKILL))
	select {
	case <-w.Ready():
		t.Fatal("told before init has reaped it")
	case <-time.After(30 * time.Millisecond):
	}
	list.Put(pid, unix.WaitStatus(unix.SIGKILL), orphans.Now())
	if e := w.next(t); e != (End{Pid: pid, Status: unix.WaitStatus(unix.SIGKILL), Known: true}) {
		t.Errorf("%+v", e)
	}
	list.Put(4711, 3<<8, orphans.Now())
	w.Gone(4711, since)
	if e := w.next(t); e != (End{Pid: 4711, Status: 3 << 8, Known: true}) {
		t.Errorf("%+v", e)
	}
	w.Close()
	statusLimit = 50 * time.Millisecond
	w = watcher(t, v)
	w.Gone(4712, since)
	if e := w.next(t); e != (End{Pid: 4712}) {
		t.Errorf("%+v", e)
	}
}

// TestNobodyKnows: a status that nobody tells is not waited for for ever.
func TestNobodyKnows(t *testing.T) {
	was := statusLimit
	statusLimit = 50 * time.Millisecond
	defer func() { statusLimit = was }()
	_, fd, err := orphans.New()
	must(t, err)
	defer unix.Close(fd)
	v, err := orphans.Open(fd)
	must(t, err)
	defer v.Close()
	for _, list := range []*orphans.View{nil, v} {
		w, err := New(list)
		must(t, err)
		pid, pidfd := stranger(t, "exec sleep 1000")
		must(t, w.Add(pid, pidfd, orphans.Now()))
		must(t, unix.Kill(pid, unix.SIGKILL))
		if e := w.next(t); e != (End{Pid: pid}) {
			t.Errorf("%+v", e)
		}
		w.Close()
	}
}

// TestClose: what is waited for is let go and lives on.
func TestClose(t *testing.T) {
	w := watcher(t, nil)
	cmd := exec.Command("/bin/sh", "-c", "echo up; read -r x; exit 4")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "up" {
		t.Fatal("it does not start")
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	must(t, err)
	must(t, w.Add(cmd.Process.Pid, fd, 0))
	w.Close()
	w.Close()
	fd, err = unix.PidfdOpen(cmd.Process.Pid, 0)
	must(t, err)
	if err := w.Add(cmd.Process.Pid, fd, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	in.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("%v", err)
	}
	if w := watcher(t, nil); w.Add(1, -1, 0) == nil {
		t.Error("no descriptor was taken")
	}
}
