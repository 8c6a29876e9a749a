package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// asked is an inbox with a call that waits, and a function that gives its end.
func asked(t *testing.T, ticks <-chan time.Time) (b *inbox, did *bool, end func() error) {
	t.Helper()
	b, err := newInbox()
	check(t, err)
	t.Cleanup(b.release)
	did = new(bool)
	c := &call{do: func() { *did = true }, done: make(chan struct{})}
	b.calls = append(b.calls, c)
	result := make(chan error, 1)
	go func() { result <- b.await(c, ticks) }()
	return b, did, func() error {
		t.Helper()
		select {
		case err := <-result:
			return err
		case <-time.After(testenv.Deadline(20 * time.Second)):
			t.Fatal("the call has no end")
			return nil
		}
	}
}

// A loop that stands still with its whole process has its time when that goes on: of all the time that is over
// by then one tick is heard. One that stands still alone is given up, and the call is not made later.
func TestCallsAreWaitedForInTurns(t *testing.T) {
	ticks := make(chan time.Time)
	b, did, end := asked(t, ticks)
	for range callLooks - 1 {
		ticks <- time.Time{}
	}
	b.serve(1)
	if err := end(); err != nil || !*did {
		t.Errorf("served in time: %v, called: %v", err, *did)
	}
	b, did, end = asked(t, ticks)
	for range callLooks {
		ticks <- time.Time{}
	}
	if err := end(); !errors.Is(err, ErrSlow) {
		t.Errorf("never served: %v", err)
	}
	if b.serve(1); *did {
		t.Error("a call that was given up was made")
	}
	b, _, end = asked(t, ticks)
	b.close(ErrStopped)
	if err := end(); !errors.Is(err, ErrStopped) {
		t.Errorf("closed: %v", err)
	}
}

// A process that is stopped for longer than a call may take, and goes on, has made the call.
func TestCallOfAStoppedProcess(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=stalled")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var word string
	_, err = fmt.Fscanln(out, &word)
	check(t, err)
	check(t, cmd.Process.Signal(unix.SIGSTOP))
	time.Sleep(callLimit + time.Second) // this is how long it stands still
	_, err = in.Write([]byte("\n"))
	check(t, err)
	check(t, cmd.Process.Signal(unix.SIGCONT))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the call: %v", err)
	}
}

// stalledMain is a supervisor that makes a call, and whose loop serves it when it has read a line.
func stalledMain([]string) error {
	b, err := newInbox()
	if err != nil {
		return err
	}
	defer b.release()
	go func() {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(b.wake.Int()), Events: unix.POLLIN}}, -1)
		fmt.Println("asked")
		var line [1]byte
		for {
			if _, err := unix.Read(0, line[:]); err != unix.EINTR {
				break
			}
		}
		b.serve(1)
	}()
	return b.run(func() {})
}
