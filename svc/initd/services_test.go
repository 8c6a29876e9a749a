package initd

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
)

// exited is a wait status.
func exited(code int) unix.WaitStatus { return unix.WaitStatus(code << 8) }

// withStartd is a zone that has svc.startd. told gives each signal that init sends it; the argument
// down is how it was started last.
// SIGKILL it obeys.
func withStartd(t *testing.T, test func(z *fakeZone, told chan unix.Signal, status chan int)) {
	t.Helper()
	var told chan unix.Signal
	inZone(t, func(z *fakeZone) {
		told = make(chan unix.Signal, 16)
		z.startd = true
		z.d.limit = 50 * time.Second
		z.d.k.signal = func(pid int, sig unix.Signal) error {
			if pid != z.d.startd.pid {
				t.Errorf("%v to %d", sig, pid)
			}
			if sig == unix.SIGKILL {
				z.end(pid, unix.WaitStatus(sig))
			}
			select {
			case told <- sig:
			default: // it is told again and again
			}
			return nil
		}
	}, func(z *fakeZone, status chan int) {
		test(z, told, status)
		for z.d.leaving != nil && len(status) == 0 { // whatever the test left under way
			time.Sleep(time.Second)
		}
	})
}

// TestServicesStopFirst: nobody is killed before svc.startd has said that services are down.
func TestServicesStopFirst(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		z.add("soft")
		z.d.ending <- request.Reboot.Signal()
		for range 3 { // the first ones it may not have heard
			if sig := <-told; sig != request.StartdSignal {
				t.Errorf("told %v", sig)
			}
		}
		time.Sleep(30 * time.Second)
		if len(z.signals) != 0 || len(status) != 0 {
			t.Errorf("signals %v while services stop", z.signals)
		}
		z.end(z.d.startd.pid, exited(0))
		if got := <-status; got != exitReboot || !slices.Equal(z.booted, []inside.Action{inside.Reboot}) {
			t.Errorf("status %d, %v", got, z.booted)
		}
		if z.starts() != 2 {
			t.Errorf("started %q", z.started)
		}
	})
}

// TestStartdDiesMeanwhile: the next one is started with the word that says what to do, and its end
// is waited for, whatever status an early death has.
func TestStartdDiesMeanwhile(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		z.d.ending <- request.Halt.Signal()
		<-told
		for i, end := range []unix.WaitStatus{unix.WaitStatus(unix.SIGKILL), exited(1), unix.WaitStatus(request.StartdSignal)} {
			z.end(z.d.startd.pid, end)
			for synctest.Wait(); len(told) > 0; { // told to the one that has ended
				<-told
			}
			time.Sleep(2 * startdMax)
			synctest.Wait()
			if z.starts() != i+3 || !slices.Contains(z.d.startd.program.argv, request.StartdDown) || len(status) != 0 {
				t.Fatalf("%d: started %q as %q", i, z.started, z.d.startd.program.argv)
			}
		}
		if len(told) != 0 {
			t.Errorf("told %v though it was started so", <-told)
		}
		z.end(z.d.startd.pid, exited(0))
		if <-status != 0 || !slices.Equal(z.booted, []inside.Action{inside.Halt}) {
			t.Errorf("%v", z.booted)
		}
	})
}

// TestStartdFailsToStop: services that nobody can stop are ended as others are.
func TestStartdFailsToStop(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		z.d.ending <- request.Halt.Signal()
		<-told
		for range downFailures {
			z.end(z.d.startd.pid, exited(1))
			time.Sleep(2 * startdMax)
			synctest.Wait()
		}
		if <-status != 0 || !strings.Contains(z.said(), "does not stop the services") {
			t.Errorf("%q", z.said())
		}
	})
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		z.d.ending <- request.Halt.Signal()
		<-told
		z.mu.Lock()
		z.startErr = errors.New("no room")
		z.mu.Unlock()
		z.end(z.d.startd.pid, exited(1))
		if <-status != 0 || strings.Count(z.said(), "no room") != downFailures-1 {
			t.Errorf("%q", z.said())
		}
	})
}

// TestServicesTakeTooLong: the limit is the zone's; an impatient request is not made to wait.
func TestServicesTakeTooLong(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		begin := time.Now()
		z.d.ending <- request.Halt.Signal()
		<-status
		if d := time.Since(begin); d < z.d.limit || d > z.d.limit+2*lookEvery || !strings.Contains(z.said(), "not stopped within 50s") {
			t.Errorf("took %v: %q", d, z.said())
		}
		if !slices.Equal(z.signals[:2], []unix.Signal{unix.SIGTERM, unix.SIGCONT}) {
			t.Errorf("%v", z.signals)
		}
	})
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		z.add("soft")
		begin := time.Now()
		z.d.ending <- request.Halt.Signal()
		<-told
		z.d.ending <- request.Reboot.Signal()
		synctest.Wait()
		z.d.ending <- request.HaltNow.Signal()
		<-status
		if d := time.Since(begin); d > 2*lookEvery || !slices.Equal(z.signals, []unix.Signal{unix.SIGKILL}) {
			t.Errorf("took %v: %v", d, z.signals)
		}
	})
	withStartd(t, func(z *fakeZone, _ chan unix.Signal, status chan int) {
		begin := time.Now()
		z.d.ending <- request.RebootNow.Signal()
		<-status
		if d := time.Since(begin); d > 2*lookEvery {
			t.Errorf("at once took %v", d)
		}
	})
}

// TestStartdIsJustStarted: one that is being started when the zone is to go down is told as soon as
// it is there; one that waits for its next start is started at once.
func TestStartdIsJustStarted(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		for range 8 { // now it waits for a while
			z.end(z.d.startd.pid, exited(1))
			time.Sleep(startdMax)
			synctest.Wait()
		}
		z.end(z.d.startd.pid, exited(1))
		synctest.Wait()
		n := z.starts()
		z.d.ending <- request.Halt.Signal()
		synctest.Wait()
		if z.starts() != n+1 || len(told) != 0 {
			t.Errorf("%d starts more, told %d", z.starts()-n, len(told))
		}
		z.end(z.d.startd.pid, exited(0))
		<-status
	})
	withStartd(t, func(z *fakeZone, told chan unix.Signal, status chan int) {
		start, go_ := z.d.k.start, make(chan struct{})
		z.d.k.start = func(p program) started { <-go_; return start(p) }
		z.end(z.d.startd.pid, unix.WaitStatus(unix.SIGKILL))
		time.Sleep(startdMax)
		synctest.Wait()
		z.d.ending <- request.Halt.Signal()
		synctest.Wait()
		close(go_)
		if sig := <-told; sig != request.StartdSignal {
			t.Errorf("told %v", sig)
		}
		z.end(z.d.startd.pid, exited(0))
		<-status
	})
}

// TestRunLevels: what asks for a milestone goes on to svc.startd as it came.
func TestRunLevels(t *testing.T) {
	withStartd(t, func(z *fakeZone, told chan unix.Signal, _ chan int) {
		for _, r := range []request.Request{request.Single, request.Multi, request.Server} {
			z.d.other <- r.Signal()
			if sig := <-told; sig != r.Signal() {
				t.Errorf("%v: told %v", r, sig)
			}
		}
	})
}

func TestLimit(t *testing.T) {
	usual := [2]time.Duration{50 * time.Second, graceLimit}
	for value, want := range map[string][2]time.Duration{
		"": usual, "60": usual, "300": {290 * time.Second, graceLimit}, "8": {4 * time.Second, 2 * time.Second},
		"0": usual, "-1": usual, "much": usual, "99999999999": usual,
	} {
		t.Setenv(limitName, value)
		if services, grace := takeLimit(); services != want[0] || grace != want[1] {
			t.Errorf("%q: %v and %v, want %v", value, services, grace, want)
		}
		if _, there := os.LookupEnv(limitName); there {
			t.Error("services would see it")
		}
	}
}
