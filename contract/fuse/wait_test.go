package fuse

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// waiting waits until n requests are parked.
func (r *rig) waiting(n int) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		count := 0
		for i := range int(r.mem.head.parkedHigh.Load()) {
			if r.mem.parked(i).unique.Load() != 0 {
				count++
			}
		}
		return count == n
	}, fmt.Sprint(n, " requests to wait"))
}

func TestNonBlocking(t *testing.T) {
	r := newRig(t)
	r.serve()
	fd := r.open("tokens", unix.O_RDWR|unix.O_NONBLOCK)
	if _, err := read(fd, 64); err != unix.EAGAIN {
		t.Errorf("nothing there: %v", err)
	}
	must(t, write(fd, "1"))
	if got, err := read(fd, 64); got != "1" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	// The flag counts as it is at the read.
	must(t, unix.SetNonblock(fd.Int(), false))
	got := make(chan string, 1)
	go func() { text, err := readRetried(fd); got <- fmt.Sprintf("%s %v", text, err) }()
	r.waiting(1)
	still(t, got, "a reader got something")
	must(t, write(fd, "1"))
	if text := within(t, got, "a token"); text != "2 <nil>" {
		t.Error(text)
	}
}

// TestKilledReader: a reader that waits dies at once of SIGKILL, and its request is gone.
func TestKilledReader(t *testing.T) {
	r := newRig(t)
	r.serve()
	c := r.client("take")
	r.waiting(1)
	c.stop(t)
	r.waiting(0)
}

// TestSignalledReader: a handled signal ends the wait with EINTR, as in any read(2). The
// shell's trap runs when cat was interrupted: cat dies of its own signal and its request goes.
func TestSignalledReader(t *testing.T) {
	r := newRig(t)
	r.serve()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		cat := exec.Command("cat", "/dev/fd/3/tokens")
		mount := dupFile(t, r.mount.Int())
		cat.ExtraFiles = append(cat.ExtraFiles, mount)
		must(t, cat.Start())
		mount.Close()
		r.waiting(1)
		must(t, cat.Process.Signal(sig))
		err := cat.Wait()
		if status := cat.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != sig {
			t.Errorf("%v: %v", sig, err)
		}
		r.waiting(0)
	}
}

// TestInterruptWhileDead: the signal comes while no server runs; the next one hears of it,
// even if its predecessor had read the interrupt and was killed then.
func TestInterruptWhileDead(t *testing.T) {
	r := newRig(t)
	for _, point := range []string{"", "read", "answer", "answered", "free"} {
		server := r.server()
		c := r.client("take")
		r.waiting(1)
		kill(server)
		_ = c.cmd.Process.Kill()
		if point != "" {
			server := r.server("FUSE_TEST_POINT="+point, "FUSE_TEST_PASSES=1")
			if !endsByItself(t, server) {
				t.Fatalf("%s was not passed", point)
			}
		}
		server = r.server()
		within(t, c.ended, "the end of a killed reader")
		<-c.numbers
		r.waiting(0)
		kill(server)
	}
}

// TestFlushWithoutServer: a process with an open file ends while no server runs.
func TestFlushWithoutServer(t *testing.T) {
	r := newRig(t)
	server := r.server()
	sleep := exec.Command("sleep", "1000")
	file := dupFile(t, r.open("quiet", unix.O_RDONLY).Int())
	sleep.ExtraFiles = append(sleep.ExtraFiles, file)
	must(t, sleep.Start())
	file.Close()
	kill(server)
	ended := make(chan error, 1)
	go func() { ended <- sleep.Wait() }()
	must(t, sleep.Process.Kill())
	within(t, ended, "the end of a process with an open file")
}

// TestAbort: without a server, a reader whose request was taken sits there and is not killed;
// an abort lets it go, by the number that the memory keeps.
func TestAbort(t *testing.T) {
	r := newRig(t)
	server := r.server()
	c := r.client("take")
	r.waiting(1)
	kill(server)
	_ = c.cmd.Process.Kill()
	still(t, c.ended, "a reader without a server ended")
	number, known := r.mem.Connection()
	if !known {
		t.Fatal("the connection's number is not known")
	}
	must(t, Abort(number))
	within(t, c.ended, "the end of the reader")
	<-c.numbers
	s, err := New(r.dev, r.mem)
	if err == nil {
		defer s.Close()
		_, err = s.Next()
	}
	if err != ErrGone {
		t.Errorf("after an abort: %v", err)
	}
	if err := Abort(1 << 19); err == nil {
		t.Error("what is not there was aborted")
	}
}

// TestUnmounted: the last mount goes, and the server hears of it.
func TestUnmounted(t *testing.T) {
	dev, mount, err := Mount(Options{Source: "test", Subtype: "test", RootMode: unix.S_IFREG | 0o444})
	must(t, err)
	defer dev.Close()
	mem, err := NewMemory(0)
	must(t, err)
	defer mem.Close()
	s, err := New(dev, mem)
	must(t, err)
	defer s.Close()
	if _, err := s.Next(); err != unix.EAGAIN {
		t.Errorf("nobody asked: %v", err)
	}
	mount.Close()
	if _, err := s.Next(); err != ErrGone {
		t.Errorf("unmounted: %v", err)
	}
}

// pollFor polls with the given patience and gives what holds.
func pollFor(t testing.TB, fd int, events int16, ms int) int16 {
	t.Helper()
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		_, err := unix.Poll(fds, ms)
		if err != unix.EINTR {
			must(t, err)
			return fds[0].Revents
		}
	}
}

func TestPoll(t *testing.T) {
	r := newRig(t)
	server := r.server()
	fd := r.open("tokens", unix.O_RDWR|unix.O_NONBLOCK)
	if got := pollFor(t, fd.Int(), unix.POLLIN|unix.POLLOUT, 0); got != unix.POLLOUT {
		t.Errorf("empty: %#x", got)
	}
	got := make(chan int16, 1)
	wait := func() { got <- pollFor(t, fd.Int(), unix.POLLIN, -1) }
	go wait()
	still(t, got, "poll came back")
	// A server that is replaced wakes everybody; who is woken for nothing waits on.
	kill(server)
	server = r.server()
	still(t, got, "poll came back")
	must(t, write(fd, "1"))
	if ev := within(t, got, "poll"); ev != unix.POLLIN {
		t.Errorf("%#x", ev)
	}
	if _, err := read(fd, 64); err != nil {
		t.Error(err)
	}
	go wait()
	still(t, got, "poll came back")
	// Killed between taking the token in and waking anybody: the next one wakes.
	kill(server)
	server = r.server("FUSE_TEST_POINT=committed", "FUSE_TEST_PASSES=1")
	written := make(chan error, 1)
	go func() { written <- write(fd, "1") }()
	if !endsByItself(t, server) {
		t.Fatal("the write was not committed")
	}
	server = r.server()
	defer kill(server)
	if err := within(t, written, "the write"); err != nil {
		t.Error(err)
	}
	if ev := within(t, got, "poll"); ev != unix.POLLIN {
		t.Errorf("%#x", ev)
	}
}

// TestEpollEdge: each token wakes an edge-triggered watcher once. The server is another
// process: epoll_ctl asks it, and the runtime is not told that the call may block.
func TestEpollEdge(t *testing.T) {
	r := newRig(t)
	server := r.server()
	defer func() { kill(server) }()
	fd := r.open("tokens", unix.O_RDWR|unix.O_NONBLOCK)
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(t, err)
	defer unix.Close(ep)
	must(t, unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd.Int(), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}))
	events := make([]unix.EpollEvent, 4)
	wait := func(ms int) int {
		for {
			n, err := unix.EpollWait(ep, events, ms)
			if err != unix.EINTR {
				must(t, err)
				return n
			}
		}
	}
	for i := range 100 {
		must(t, write(fd, "1"))
		if n := wait(int(testenv.Deadline(60_000_000_000).Milliseconds())); n != 1 {
			t.Fatalf("token %d: %d events", i, n)
		}
		if n := wait(0); n != 0 {
			t.Fatalf("token %d: told twice", i)
		}
		if _, err := read(fd, 64); err != nil {
			t.Fatal(err)
		}
	}
}
