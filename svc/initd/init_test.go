package initd

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
	"github.com/linuxzones/zones/svc/session"
)

// fakeZone is a kernel and its processes.
type fakeZone struct {
	mu       sync.Mutex
	d        *daemon
	console  *screen
	proveErr error
	bootErr  error

	procs    map[int]string // pid to what it is: "shell", "soft", "hard", "immortal"
	dead     []int          // to be waited for
	statuses map[int]unix.WaitStatus
	nextPID  int
	startErr error
	startd   bool
	started  []string
	signals  []unix.Signal
	hungUp   bool
	booted   []inside.Action
}

func (z *fakeZone) KillAll(sig unix.Signal) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if sig != 0 && !slices.Contains(z.signals, sig) {
		z.signals = append(z.signals, sig)
	}
	for pid, kind := range z.procs {
		if sig == unix.SIGTERM && kind == "soft" || sig == unix.SIGKILL && kind != "immortal" {
			z.endLocked(pid, unix.WaitStatus(sig))
		}
	}
	if len(z.procs) == 0 && len(z.dead) == 0 {
		return unix.ESRCH
	}
	return nil
}

func (z *fakeZone) HangUpTerminals() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.hungUp = true
	for pid, kind := range z.procs {
		if kind == "shell" {
			z.endLocked(pid, unix.WaitStatus(unix.SIGHUP))
		}
	}
}

func (z *fakeZone) Reboot(a inside.Action) error {
	z.booted = append(z.booted, a)
	return z.bootErr
}

func (z *fakeZone) endLocked(pid int, status unix.WaitStatus) {
	delete(z.procs, pid)
	z.dead = append(z.dead, pid)
	z.statuses[pid] = status
	select {
	case z.d.child <- unix.SIGCHLD:
	default:
	}
}

func (z *fakeZone) end(pid int, status unix.WaitStatus) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.endLocked(pid, status)
}

func (z *fakeZone) add(kind string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.nextPID++
	z.procs[z.nextPID] = kind
	return z.nextPID
}

func (z *fakeZone) wait() (int, unix.WaitStatus) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.dead) == 0 {
		return 0, 0
	}
	pid := z.dead[0]
	z.dead = z.dead[1:]
	return pid, z.statuses[pid]
}

func (z *fakeZone) start(p program) started {
	z.mu.Lock()
	z.started = append(z.started, p.name)
	err := z.startErr
	z.mu.Unlock()
	if err != nil {
		return started{err: err}
	}
	pid := z.add("shell")
	return started{pid: pid, pidfd: pid}
}

func (z *fakeZone) gone(pid int) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.procs[pid] == "" && !slices.Contains(z.dead, pid)
}

func (z *fakeZone) starts() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.started)
}

func (z *fakeZone) said() string {
	synctest.Wait()
	return z.console.String()
}

// inZone runs a test with a fake zone whose loop runs; status is what the loop returned.
func inZone(t *testing.T, change func(*fakeZone), test func(z *fakeZone, status chan int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		z := &fakeZone{procs: map[int]string{}, statuses: map[int]unix.WaitStatus{}, nextPID: 1, bootErr: unix.EPERM, console: &screen{}}
		z.d = &daemon{
			grace:  graceLimit,
			scribe: newScribe(z.console.write),
			child:  make(chan os.Signal, 1), ending: make(chan os.Signal, 1), other: make(chan os.Signal, 4),
			reapCut: make(chan struct{}, 1),
		}
		z.d.k = &kernel{
			prove: func() (proof, error) { return z, z.proveErr },
			wait:  z.wait, start: z.start, gone: z.gone, close: func(int) {},
			executable: func(string) bool { return z.startd },
		}
		if change != nil {
			change(z)
		}
		status := make(chan int, 1)
		z.d.group.Go(z.d.scribe.run)
		z.d.group.Go(func() { status <- z.d.run() })
		synctest.Wait()
		test(z, status)
		z.mu.Lock()
		z.proveErr = nil
		z.mu.Unlock()
		if len(status) == 0 && len(z.booted) == 0 {
			z.d.ending <- request.HaltNow.Signal()
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		close(z.d.scribe.queue)
		z.d.group.Wait()
	})
}

func TestShellIsKept(t *testing.T) {
	inZone(t, nil, func(z *fakeZone, _ chan int) {
		begin := time.Now()
		z.end(2, 0)
		synctest.Wait()
		if n := z.starts(); n != 1 {
			t.Errorf("%d starts at once after a short life", n)
		}
		time.Sleep(delayMin)
		synctest.Wait()
		if n := z.starts(); n != 2 {
			t.Errorf("%d starts after %v", n, time.Since(begin))
		}
		time.Sleep(livedLong)
		z.end(3, 0)
		synctest.Wait()
		if n := z.starts(); n != 3 {
			t.Errorf("%d starts: no new one at once after a long life", n)
		}
	})
}

// Others' ends, thousands of them, are no reason to start anything.
func TestOrphansAreReaped(t *testing.T) {
	inZone(t, nil, func(z *fakeZone, _ chan int) {
		for range 10_000 {
			z.add("soft")
		}
		z.mu.Lock()
		for pid := range z.procs {
			if pid != 2 {
				z.endLocked(pid, 0)
			}
		}
		z.mu.Unlock()
		synctest.Wait()
		if len(z.dead) != 0 || z.starts() != 1 {
			t.Errorf("%d left, %d starts", len(z.dead), z.starts())
		}
	})
}

func TestStartFails(t *testing.T) {
	inZone(t, func(z *fakeZone) { z.startErr = unix.EAGAIN }, func(z *fakeZone, _ chan int) {
		time.Sleep(10 * time.Second) // 1 + 2 + 4
		synctest.Wait()
		if n := z.starts(); n != 4 {
			t.Errorf("%d starts", n)
		}
		if got := z.said(); !strings.Contains(got, "cannot start the console's shell: resource temporarily unavailable") {
			t.Errorf("%q", got)
		}
		z.mu.Lock()
		z.startErr = nil
		z.mu.Unlock()
		z.d.other <- unix.SIGHUP // look again now
		synctest.Wait()
		if n := z.starts(); n != 5 {
			t.Errorf("%d starts after q", n)
		}
		z.d.other <- unix.SIGHUP // it runs
		synctest.Wait()
		if n := z.starts(); n != 5 {
			t.Errorf("%d starts: a second shell", n)
		}
	})
}

// The child has ended, and was reaped with the others, before its start is known.
func TestStartedAndGone(t *testing.T) {
	inZone(t, func(z *fakeZone) {
		z.d.k.start = func(p program) started {
			s := z.start(p)
			if z.starts() == 1 {
				z.end(s.pid, 0)
				time.Sleep(time.Millisecond)
			}
			return s
		}
	}, func(z *fakeZone, _ chan int) {
		time.Sleep(delayMin + time.Second)
		synctest.Wait()
		if n := z.starts(); n != 2 || z.d.shell.pid == 0 {
			t.Errorf("%d starts, pid %d", n, z.d.shell.pid)
		}
	})
}

func TestNoShell(t *testing.T) {
	inZone(t, nil, func(z *fakeZone, _ chan int) {
		for n := 2; n < 5; n++ {
			z.end(n, unix.WaitStatus(session.ExitNotFound<<8))
			time.Sleep(delayMax)
			synctest.Wait()
			if z.starts() != n {
				t.Errorf("%d starts, want %d", z.starts(), n)
			}
		}
		if got := z.said(); strings.Count(got, "no shell") != 1 {
			t.Errorf("%q", got)
		}
	})
}

// svc.startd and the shell are kept each for itself.
func TestStartdIsKept(t *testing.T) {
	inZone(t, func(z *fakeZone) { z.startd = true }, func(z *fakeZone, _ chan int) {
		synctest.Wait()
		shell := z.d.shell.pid
		z.end(z.d.startd.pid, unix.WaitStatus(unix.SIGKILL))
		if got := z.said(); !strings.Contains(got, "svc.startd ended (signal 9), it is started again") {
			t.Errorf("%q", got)
		}
		time.Sleep(delayMin)
		synctest.Wait()
		slices.Sort(z.started)
		if !slices.Equal(z.started, []string{"svc.startd", "svc.startd", "the console's shell"}) || z.d.shell.pid != shell {
			t.Errorf("%q", z.started)
		}
		z.end(z.d.shell.pid, 0)
		time.Sleep(delayMin)
		synctest.Wait()
		if n := z.starts(); n != 4 || z.d.startd.pid == 0 || z.d.shell.pid == 0 {
			t.Errorf("%q", z.started)
		}
	})
}

// TestStartdFails: init says what to do when svc.startd fails in a row, and does not fill the console.
func TestStartdFails(t *testing.T) {
	inZone(t, func(z *fakeZone) { z.startd = true }, func(z *fakeZone, _ chan int) {
		for range 2*tellEvery + 1 {
			time.Sleep(startdMax)
			synctest.Wait()
			z.end(z.d.startd.pid, exited(1))
			synctest.Wait()
		}
		said := z.said()
		if n := strings.Count(said, "svc.startd ended (status 1)"); n != tellFailures+2 {
			t.Errorf("said %d times: %q", n, said)
		}
		if strings.Count(said, "has failed 3 times in a row") != 1 {
			t.Errorf("%q", said)
		}
		time.Sleep(2 * livedLong) // this one works
		synctest.Wait()
		z.end(z.d.startd.pid, exited(1))
		time.Sleep(startdMax)
		synctest.Wait()
		z.end(z.d.startd.pid, exited(1))
		if n := strings.Count(z.said(), "svc.startd ended (status 1)"); n != tellFailures+4 {
			t.Errorf("then said %d times: %q", n, said)
		}
	})
}

func TestGoingDown(t *testing.T) {
	for name, c := range map[string]struct {
		request request.Request
		procs   []string
		want    time.Duration // at least; the looks add a little
		signals []unix.Signal
		action  inside.Action
		status  int
	}{
		"nobody but the shell":  {request.Halt, nil, 0, []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGKILL}, inside.Halt, 0},
		"who ends when asked":   {request.Reboot, []string{"soft"}, 0, []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGKILL}, inside.Reboot, exitReboot},
		"who does not":          {request.Poweroff, []string{"soft", "hard"}, graceLimit, []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGKILL}, inside.Poweroff, 0},
		"who cannot be killed":  {request.Halt, []string{"immortal"}, graceLimit + killLimit, []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGKILL}, inside.Halt, 0},
		"at once":               {request.RebootNow, []string{"hard"}, 0, []unix.Signal{unix.SIGKILL}, inside.Reboot, exitReboot},
		"at once, not killable": {request.HaltNow, []string{"immortal"}, killLimit, []unix.Signal{unix.SIGKILL}, inside.Halt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inZone(t, nil, func(z *fakeZone, status chan int) {
				for _, kind := range c.procs {
					z.add(kind)
				}
				begin := time.Now()
				z.d.ending <- c.request.Signal()
				got := <-status
				if d := time.Since(begin); d < c.want || d > c.want+2*lookEvery {
					t.Errorf("took %v, want %v", d, c.want)
				}
				if got != c.status || !slices.Equal(z.booted, []inside.Action{c.action}) || !slices.Equal(z.signals, c.signals) {
					t.Errorf("status %d, reboots %v, signals %v", got, z.booted, z.signals)
				}
				if z.hungUp == c.request.AtOnce() {
					t.Errorf("terminals hung up: %v", z.hungUp)
				}
				if said := z.said(); !strings.Contains(said, "going down: "+c.request.String()) || !strings.Contains(said, "is refused (operation not permitted)") {
					t.Errorf("%q", said)
				}
				if z.starts() != 1 {
					t.Errorf("%d starts", z.starts())
				}
			})
		})
	}
}

func TestSecondRequestIsTold(t *testing.T) {
	inZone(t, nil, func(z *fakeZone, status chan int) {
		z.add("hard")
		begin := time.Now()
		z.d.ending <- request.Halt.Signal()
		synctest.Wait()
		z.d.ending <- request.Reboot.Signal()
		synctest.Wait()
		z.d.other <- request.Reexamine.Signal()
		if got := z.said(); strings.Count(got, "already going down") != 2 {
			t.Errorf("%q", got)
		}
		time.Sleep(time.Second)
		z.d.ending <- request.RebootNow.Signal() // this one is impatient, and not a reboot any more
		if <-status != 0 || time.Since(begin) > time.Second+2*lookEvery || !slices.Equal(z.booted, []inside.Action{inside.Halt}) {
			t.Errorf("%v after %v", z.booted, time.Since(begin))
		}
	})
}

// In the wrong place nobody is signalled, nothing is rebooted, and pid 1 does not exit.
func TestNotInAZone(t *testing.T) {
	inZone(t, func(z *fakeZone) { z.proveErr = inside.ErrGlobal }, func(z *fakeZone, status chan int) {
		for _, sig := range request.Ending() {
			z.d.ending <- sig
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		if len(status) != 0 || len(z.booted) != 0 || len(z.signals) != 0 || z.hungUp {
			t.Errorf("exit %d, reboots %v, signals %v", len(status), z.booted, z.signals)
		}
		if got := z.said(); !strings.Contains(got, "refused: "+inside.ErrGlobal.Error()) {
			t.Errorf("%q", got)
		}
	})
}

func TestOtherRequests(t *testing.T) {
	inZone(t, nil, func(z *fakeZone, _ chan int) {
		z.d.other <- request.Single.Signal()
		if got := z.said(); !strings.Contains(got, "single-user") {
			t.Errorf("%q", got)
		}
	})
}

func TestDescribe(t *testing.T) {
	for status, want := range map[unix.WaitStatus]string{9: "signal 9", 3 << 8: "status 3", 0: "status 0"} {
		if got := describe(status); got != want {
			t.Errorf("%#x: %s", int(status), got)
		}
	}
}
