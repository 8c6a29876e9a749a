package mnttab

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// What an event is about: one of these, or a handle.
const (
	eventDevice = ^uint64(iota)
	eventKick
	eventWatches
	eventInit
	eventInitGone
)

// calmNs is how long changes of mounts are not looked at after a look: a zone that mounts in
// a loop costs the host a look each time, not one a change.
const calmNs = int64(20e6)

// pollers are what the loop waits in. Mount tables have a poller of their own, which is left
// out for a while after each look at it.
type pollers struct {
	loop, tables *sys.FD // epoll
	kick         *sys.FD // eventfd: look at what other goroutines ask for
	calmUntil    int64   // monotonic; 0: tables is waited for
}

func (p *pollers) open(dev *sys.FD) error {
	for _, fd := range []**sys.FD{&p.loop, &p.tables} {
		n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return &sys.Error{Op: "epoll_create", Errno: err}
		}
		*fd = sys.Own(n)
	}
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return &sys.Error{Op: "eventfd", Errno: err}
	}
	p.kick = sys.Own(n)
	if err := poll(p.loop, unix.EPOLL_CTL_ADD, dev, unix.EPOLLIN, eventDevice); err != nil {
		return err
	}
	if err := poll(p.loop, unix.EPOLL_CTL_ADD, p.kick, unix.EPOLLIN, eventKick); err != nil {
		return err
	}
	return poll(p.loop, unix.EPOLL_CTL_ADD, p.tables, unix.EPOLLIN|unix.EPOLLONESHOT, eventWatches)
}

func (p *pollers) close() {
	p.kick.Close()
	p.tables.Close()
	p.loop.Close()
}

// follow waits for changes of a mount table. It ends when fd is closed.
func (p *pollers) follow(fd *sys.FD, what uint64) error {
	return poll(p.tables, unix.EPOLL_CTL_ADD, fd, unix.EPOLLPRI|unix.EPOLLET, what)
}

func poll(poller *sys.FD, op int, fd *sys.FD, events uint32, what uint64) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(what)), Pad: int32(uint32(what >> 32))}
	if err := unix.EpollCtl(poller.Int(), op, fd.Int(), &ev); err != nil {
		return &sys.Error{Op: "epoll_ctl", Errno: err}
	}
	return nil
}

// wait gives the events of a poller, after at most so many milliseconds.
func wait(poller *sys.FD, ms int, events []unix.EpollEvent) ([]unix.EpollEvent, error) {
	n, err := unix.EpollWait(poller.Int(), events, ms)
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, &sys.Error{Op: "epoll_wait", Errno: err}
	}
	return events[:n], nil
}

func about(ev *unix.EpollEvent) uint64 {
	return uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
}

// patience is how long to wait for anything, in milliseconds, -1 for ever; and does what was
// due meanwhile.
func (s *Server) patience() (int, error) {
	now, until := sys.Monotonic(), int64(0)
	if s.recent.fd.Valid() {
		if until = s.recent.until; until <= now {
			s.dropRecent()
			until = 0
		}
	}
	if calm := s.pollers.calmUntil; calm != 0 {
		if calm <= now {
			s.pollers.calmUntil = 0
			err := poll(s.pollers.loop, unix.EPOLL_CTL_MOD, s.pollers.tables, unix.EPOLLIN|unix.EPOLLONESHOT, eventWatches)
			if err != nil {
				return 0, err
			}
		} else if until == 0 || calm < until {
			until = calm
		}
	}
	if until == 0 {
		return -1, nil
	}
	return int((until-now)/1e6) + 1, nil
}

// lookAround does what is not a request. Without patience it only looks.
func (s *Server) lookAround(patient bool) error {
	ms, err := s.patience()
	if err != nil {
		return err
	}
	if !patient {
		ms = 0
	}
	var room [4]unix.EpollEvent
	events, err := wait(s.pollers.loop, ms, room[:])
	for i := range events {
		switch about(&events[i]) {
		case eventKick:
			s.kicked()
		case eventWatches:
			err = s.lookAtTables()
		}
	}
	return err
}

// lookAtTables deals with all mount tables that changed.
func (s *Server) lookAtTables() error {
	s.pollers.calmUntil = sys.Monotonic() + calmNs
	var room [64]unix.EpollEvent
	events, err := wait(s.pollers.tables, 0, room[:])
	for i := range events {
		switch what := about(&events[i]); what {
		case eventInit:
			s.lookAtInit()
		case eventInitGone:
			s.watchPid.CompareAndSwap(s.init.pid, 0)
			s.init.close()
		default:
			if h := s.handles.byFH[what]; h != nil && err == nil {
				h.dirty = true
				err = s.session.WakePoll(what)
			}
		}
	}
	return err
}

// watched is the process that Watch told of.
type watched struct {
	pid   int32
	of    reader
	info  *sys.FD
	pidfd *sys.FD
}

func (w *watched) close() {
	w.info.Close()
	w.pidfd.Close()
	*w = watched{}
}

// kicked deals with what other goroutines asked for.
func (s *Server) kicked() {
	var b [8]byte
	_, _ = unix.Read(s.pollers.kick.Int(), b[:])
	if pid := s.watchPid.Load(); pid != s.init.pid {
		s.watchInit(pid)
	}
}

// watchInit begins to follow a process. When it cannot be, times are those of the first
// reader, which is all that is lost.
func (s *Server) watchInit(pid int32) {
	s.init.close()
	s.init.pid = pid
	n, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return
	}
	s.init.pidfd = sys.Own(n)
	if s.init.of, err = identify(int(pid)); err == nil {
		s.init.info, err = openMountinfo(pid)
	}
	if err == nil {
		err = s.pollers.follow(s.init.info, eventInit)
	}
	if err == nil {
		err = poll(s.pollers.tables, unix.EPOLL_CTL_ADD, s.init.pidfd, unix.EPOLLIN|unix.EPOLLONESHOT, eventInitGone)
	}
	if err != nil {
		s.init.info.Close()
		return
	}
	s.lookAtInit()
}

// lookAtInit renders the table of the zone's init, for the sake of the times.
func (s *Server) lookAtInit() {
	_, _ = s.take(s.init.info, s.init.of)
}
