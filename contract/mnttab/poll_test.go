package mnttab

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestPoll: a change of the reader's own table wakes it, one of another's does not.
func TestPoll(t *testing.T) {
	r := newRig(t)
	r.serve()
	s, other := r.shell(), r.shell()
	for _, x := range []*shell{s, other} {
		x.do("d=" + x.dir + "; mkdir $d/x; mount -t tmpfs x $d/x")
	}
	for _, line := range []string{"umount $d/x", "mount -t tmpfs x $d/x", "mount -o remount,ro $d/x", "mkdir $d/y; mount --bind $d/x $d/y", "mount --move $d/y $d/x"} {
		p := s.waiter()
		other.do("umount $d/x; mount -t tmpfs x $d/x")
		p.still()
		s.do(line)
		if got := p.result(); !strings.HasPrefix(got, "c3") {
			t.Errorf("%s: revents %q", line, got)
		}
	}
}

// TestPollTwice: who has read the new table hears of the next change too, on the same open file.
func TestPollTwice(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell()
	s.do("d=" + s.dir + "; mkdir $d/x")
	p := s.waiter()
	s.do("mount -t tmpfs x $d/x")
	first := p.result()
	p.waits("waiting\n" + strings.TrimSuffix(first, "waiting\n"))
	p.still()
	s.do("umount $d/x")
	testenv.Eventually(t, func() bool { return strings.Count(p.said(), "c3 ") == 2 }, "the second change to be told")
}

// TestPollManyReaders: one change wakes all.
func TestPollManyReaders(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell()
	s.do("mkdir " + s.path("x"))
	var all []*waiter
	for range 20 {
		all = append(all, s.waiter())
	}
	s.do("mount -t tmpfs x " + s.path("x"))
	for _, p := range all {
		if got := p.result(); !strings.HasPrefix(got, "c3") {
			t.Errorf("revents %q", got)
		}
	}
}

// TestWatchesMax: there is an end to how many may wait. The server is another process:
// epoll_ctl asks it, and the runtime is not told that the call may block.
func TestWatchesMax(t *testing.T) {
	r := newRig(t)
	server := r.server()
	defer func() { kill(server) }()
	inNamespace(t, func() { r.tooManyWatches() })
}

// tooManyWatches polls one file more than may be. To be added to an epoll is to ask and to wait.
func (r *rig) tooManyWatches() {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer unix.Close(ep)
	for i := range WatchesMax + 1 {
		fd := r.openTable()
		defer unix.Close(fd)
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			r.t.Error(err)
			return
		}
	}
	events := make([]unix.EpollEvent, 8)
	n, err := unix.EpollWait(ep, events, 0)
	if n != 1 || err != nil || events[0].Fd != WatchesMax || events[0].Events != unix.EPOLLERR {
		r.t.Errorf("beyond the limit: %+v %v", events[:max(n, 0)], err)
	}
}

// TestRereadStopsPoll: a reader that reads again from the beginning has the new table, and
// waits again.
func TestRereadStopsPoll(t *testing.T) {
	r := newRig(t)
	r.serve()
	dir := t.TempDir()
	inNamespace(t, func() {
		fd := r.openTable()
		defer unix.Close(fd)
		b := make([]byte, 1<<20)
		differs := func() bool {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
			if _, err := unix.Poll(fds, 0); err != nil {
				t.Error(err)
			}
			return fds[0].Revents != 0
		}
		for i := range 3 {
			n, _ := unix.Pread(fd, b, 0)
			if n <= 0 || differs() {
				t.Errorf("round %d: a change that is none", i)
			}
			if err := unix.Mount("x", dir, "tmpfs", 0, ""); err != nil {
				t.Error(err)
			}
			if !differs() || !differs() {
				t.Errorf("round %d: the mount is not told", i)
			}
			m, err := unix.Pread(fd, b, 0)
			if m <= n || !strings.Contains(string(b[:max(m, 0)]), dir) {
				t.Errorf("round %d: %d bytes after %d, %v", i, m, n, err)
			}
		}
	})
}
