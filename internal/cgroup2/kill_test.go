package cgroup2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// child is a process that was born in a cgroup.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	pid int
}

func born(t testing.TB, dir string, who *syscall.Credential, argv ...string) *child {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	c := &child{t: t, cmd: exec.Command(argv[0], argv[1:]...)}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd, Credential: who, Setpgid: true}
	check(t, c.cmd.Start())
	c.pid = c.cmd.Process.Pid
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	return c
}

// exit waits for the end and gives the code, -1 for a signal.
func (c *child) exit() int {
	c.t.Helper()
	done := make(chan struct{})
	go func() { _ = c.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(testenv.Deadline(20 * time.Second)):
		_ = c.cmd.Process.Kill()
		<-done
		c.t.Error("a process did not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(20*time.Second))
	t.Cleanup(cancel)
	return ctx
}

// bomb forks without end; each of what it makes lives long enough to be in the way.
const bomb = `while :; do sleep 0.05 & done`

func TestKill(t *testing.T) {
	for name, c := range map[string]struct {
		makes func(t *testing.T, dir string)
	}{
		"an idle process": {func(t *testing.T, dir string) { born(t, dir, nil, "/bin/sleep", "1000") }},
		"nobody":          {func(*testing.T, string) {}},
		"a fork bomb": {func(t *testing.T, dir string) {
			for range 4 {
				born(t, dir, nil, "/bin/sh", "-c", bomb)
			}
			testenv.Eventually(t, func() bool { p, _ := Procs(dir); return len(p) > 30 }, "the bomb to go off")
		}},
		"processes that ignore signals": {func(t *testing.T, dir string) {
			born(t, dir, nil, "/bin/sh", "-c", "trap '' TERM INT HUP QUIT; while :; do sleep 0.1; done")
		}},
		"a stopped process": {func(t *testing.T, dir string) {
			p := born(t, dir, nil, "/bin/sleep", "1000")
			check(t, p.cmd.Process.Signal(unix.SIGSTOP))
			testenv.Eventually(t, func() bool {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
				return strings.Contains(string(b), ") T ")
			}, "the process to stop")
		}},
		"frozen": {func(t *testing.T, dir string) {
			check(t, Make(dir+"/a/b"))
			born(t, dir+"/a/b", nil, "/bin/sleep", "1000")
			born(t, dir, nil, "/bin/sh", "-c", bomb)
			freeze(t, dir+"/a")
			freeze(t, dir)
		}},
		"threaded": {func(t *testing.T, dir string) {
			check(t, Make(dir+"/t"))
			check(t, os.WriteFile(dir+"/t/cgroup.type", []byte("threaded"), 0))
			p := born(t, dir, nil, "/bin/sleep", "1000")
			check(t, Enter(dir+"/t", p.pid))
			if pids, err := Procs(dir); err != nil || !slices.Contains(pids, p.pid) {
				t.Errorf("a process in a threaded directory is not seen: %v %v", pids, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testenv.Cgroup(t) + "/zone"
			check(t, Make(dir))
			c.makes(t, dir)
			began := time.Now()
			check(t, Kill(dir))
			check(t, AwaitEmpty(within(t), dir))
			check(t, Remove(dir))
			t.Logf("killed, waited for and removed in %v", time.Since(began))
			if _, err := os.Stat(dir); err == nil {
				t.Error("the directory is left")
			}
		})
	}
}

func freeze(t *testing.T, dir string) {
	t.Helper()
	check(t, os.WriteFile(dir+"/cgroup.freeze", []byte("1"), 0))
	testenv.Eventually(t, func() bool {
		b, _ := os.ReadFile(dir + "/cgroup.events")
		return strings.Contains(string(b), "frozen 1")
	}, "the directory to freeze")
}

func TestPopulated(t *testing.T) {
	dir := testenv.Cgroup(t)
	check(t, Make(dir+"/a/b"))
	is := func(want bool) {
		t.Helper()
		if got, err := Populated(dir); err != nil || got != want {
			t.Errorf("populated: %v, %v", got, err)
		}
	}
	is(false)
	p := born(t, dir+"/a/b", nil, "/bin/sleep", "1000")
	is(true)
	check(t, p.cmd.Process.Kill())
	// A zombie does not count: it holds nothing up.
	testenv.Eventually(t, func() bool { got, _ := Populated(dir); return !got }, "an unreaped process to count no more")
	check(t, Remove(dir+"/a"))
	is(false)
	if got, err := Populated(dir + "/nothing"); got || err != nil {
		t.Errorf("a directory that there is not: %v, %v", got, err)
	}
}

func TestAwaitEmptySaysWhoIsLeft(t *testing.T) {
	dir := testenv.Cgroup(t)
	for range describeMax + 2 {
		testenv.AwaitProgram(t, born(t, dir, nil, "/bin/sleep", "1000").pid, "sleep")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := AwaitEmpty(ctx, dir)
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), `("sleep" in `) || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("%v", err)
	}
	check(t, Kill(dir))
	check(t, AwaitEmpty(within(t), dir))
}

func TestNothingThere(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	mount, err := Mount()
	check(t, err)
	dir := mount + "/zones-test-nothing" + testenv.Tag()
	check(t, Kill(dir))
	check(t, AwaitEmpty(within(t), dir))
	check(t, Remove(dir))
	if pids, err := Procs(dir); len(pids) != 0 || err != nil {
		t.Errorf("%v %v", pids, err)
	}
}

// The probe says what a process that is born into a killed directory sees.
func TestKillSeqBug(t *testing.T) {
	dir := testenv.Cgroup(t)
	testenv.Need(t, testenv.CgroupKill)
	has, err := KillSeqBug()
	check(t, err)
	check(t, Kill(dir))
	p := born(t, dir, nil, "/bin/sh", "-c", "exit 5")
	if code := p.exit(); has != (code == -1) || !has && code != 5 {
		t.Errorf("the probe says %v; the process ended with %d", has, code)
	}
	t.Logf("births after a kill die: %v", has)
}
