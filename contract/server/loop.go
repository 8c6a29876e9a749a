package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/sys"
)

// openLoop makes the set of descriptors that a turn waits for.
func (s *Server) openLoop() error {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return &sys.Error{Op: "epoll_create", Errno: err}
	}
	s.epoll = sys.Own(n)
	fds := []int{s.inbox.wake.Int(), s.kernel.FD()}
	if s.session != nil {
		fds = append(fds, s.session.FD())
	}
	for _, fd := range fds {
		err := unix.EpollCtl(n, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		if err != nil {
			return &sys.Error{Op: "epoll_ctl", Errno: err}
		}
	}
	return nil
}

// Serve runs the loop until the context ends, Stop is called, or something fails that no next
// turn can mend. It returns nil for the first two.
func (s *Server) Serve(ctx context.Context) error {
	defer close(s.ended)
	stop := context.AfterFunc(ctx, func() {
		s.inbox.mu.Lock()
		defer s.inbox.mu.Unlock()
		s.inbox.ring()
	})
	defer stop()
	err := s.takeUp()
	for err == nil && ctx.Err() == nil && !s.stopped {
		err = s.turn()
	}
	why := ErrStopped
	if err != nil {
		why = fmt.Errorf("%w: %w", ErrStopped, err)
		s.cfg.Log.Errorf("the contracts are not served any more: %v", err)
	}
	s.inbox.close(why)
	s.endReaders(why)
	return err
}

// turn waits for something to do and does a bounded amount of it, for each side in its turn:
// what happened comes before who asks what happened.
func (s *Server) turn() error {
	var ready [4]unix.EpollEvent
	n, err := unix.EpollWait(s.epoll.Int(), ready[:], s.patience())
	if err != nil && err != unix.EINTR {
		return &sys.Error{Op: "epoll_wait", Errno: err}
	}
	// The runtime takes a goroutine that has waited in the kernel for one that has computed as long,
	// and would interrupt it with a signal; this begins its time anew.
	runtime.Gosched()
	requests := false
	for _, e := range ready[:max(n, 0)] {
		switch int(e.Fd) {
		case s.kernel.FD():
			err = s.takeReports()
		case s.inbox.wake.Int():
			s.inbox.serve(callsPerTurn)
		default:
			requests = true
		}
		if err != nil && err != unix.EINTR {
			return err
		}
	}
	s.onTime(sys.Monotonic())
	s.work()
	if requests && s.session != nil && !s.stopped {
		if err := s.takeRequests(); err != nil {
			return err
		}
		s.work()
	}
	return nil
}

// listen has a turn look at what the kernel's side has to tell, or not.
func (s *Server) listen(on bool) {
	e := unix.EpollEvent{Fd: int32(s.kernel.FD())}
	if on {
		e.Events = unix.EPOLLIN
	}
	if err := unix.EpollCtl(s.epoll.Int(), unix.EPOLL_CTL_MOD, s.kernel.FD(), &e); err != nil {
		s.trouble("listen to what happens", err)
	}
}

// patience is how many milliseconds a turn may wait: until the next moment at which something
// is due, -1 for ever.
func (s *Server) patience() int {
	due := s.nextDue()
	if s.again {
		return 0
	}
	if due == never {
		return -1
	}
	left := time.Duration(due - sys.Monotonic())
	if left <= 0 {
		return 0
	}
	return int((left + time.Millisecond - 1) / time.Millisecond)
}

// takeRequests serves clients.
func (s *Server) takeRequests() error {
	for range requestsPerTurn {
		r, err := s.session.Next()
		switch {
		case err == unix.EAGAIN:
			return nil
		case errors.Is(err, fuse.ErrGone):
			s.unmounted()
			return nil
		case err != nil:
			return err
		}
		s.request(r)
		if s.session == nil {
			return nil
		}
	}
	return nil
}

// unmounted goes on without a file system: nobody can see it any more.
func (s *Server) unmounted() {
	s.cfg.Log.Infof("the file system of contracts is mounted nowhere any more")
	_ = unix.EpollCtl(s.epoll.Int(), unix.EPOLL_CTL_DEL, s.session.FD(), nil)
	s.waits = newWaits()
	_ = s.session.Close()
	s.session = nil
	s.closeHandles()
}

// closeHandles closes what clients had open when their file system went.
func (s *Server) closeHandles() {
	for _, fh := range sortedKeys(s.kept.handles) {
		if !s.kept.handles[fh].host {
			(*host)(s).Close(fh)
		}
	}
}
