package mnttab

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// What an event is about: one of these, or a handle.
const (
	eventDevice = ^uint64(iota)
	eventKick
	eventInit
	eventInitGone
)

// calmNs is how long changes of mounts are not acted upon after others were: a zone that mounts
// in a loop costs the host a look at its table each time, not one a change.
const calmNs = int64(20e6)

// poller is what the loop waits in. A mount table tells of a change to who looks first, so
// its descriptor is in no other poller.
type poller struct {
	epoll *sys.FD
	kick  *sys.FD // eventfd: look at what other goroutines ask for
}

func (p *poller) open(dev *sys.FD) error {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return &sys.Error{Op: "epoll_create", Errno: err}
	}
	p.epoll = sys.Own(n)
	if n, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return &sys.Error{Op: "eventfd", Errno: err}
	}
	p.kick = sys.Own(n)
	if err := p.add(dev, unix.EPOLLIN, eventDevice); err != nil {
		return err
	}
	return p.add(p.kick, unix.EPOLLIN, eventKick)
}

func (p *poller) close() {
	p.kick.Close()
	p.epoll.Close()
}

// add waits for events of fd, until it is closed.
func (p *poller) add(fd *sys.FD, events uint32, what uint64) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(what)), Pad: int32(uint32(what >> 32))}
	if err := unix.EpollCtl(p.epoll.Int(), unix.EPOLL_CTL_ADD, fd.Int(), &ev); err != nil {
		return &sys.Error{Op: "epoll_ctl", Errno: err}
	}
	return nil
}

// addTable waits for changes of a mount table.
func (p *poller) addTable(fd *sys.FD, what uint64) error {
	return p.add(fd, unix.EPOLLPRI|unix.EPOLLET, what)
}

// wait gives what there are events about, after at most so many milliseconds.
func (p *poller) wait(ms int, about []uint64) ([]uint64, error) {
	var events [64]unix.EpollEvent
	n, err := unix.EpollWait(p.epoll.Int(), events[:], ms)
	if err == unix.EINTR {
		return about[:0], nil
	}
	if err != nil {
		return nil, &sys.Error{Op: "epoll_wait", Errno: err}
	}
	about = about[:0]
	for _, ev := range events[:n] {
		about = append(about, uint64(uint32(ev.Fd))|uint64(uint32(ev.Pad))<<32)
	}
	return about, nil
}

// changes are tables that changed and were not looked at yet.
type changes struct {
	handles []uint64
	init    bool
	calm    int64 // monotonic: when they are
}

func (c *changes) any() bool { return c.init || len(c.handles) > 0 }

// patience is how long to wait for anything, in milliseconds, -1 for ever.
func (s *Server) patience(now int64) int {
	until := int64(0)
	if s.recent.fd.Valid() {
		until = s.recent.until
	}
	if s.changed.any() && (until == 0 || s.changed.calm < until) {
		until = s.changed.calm
	}
	switch {
	case until == 0:
		return -1
	case until <= now:
		return 0
	}
	return int((until-now)/1e6) + 1
}

// lookAround does what is not a request. Without patience it only looks.
func (s *Server) lookAround(patient bool) error {
	ms := 0
	if patient {
		ms = s.patience(sys.Monotonic())
	}
	about, err := s.poller.wait(ms, s.about)
	if err != nil {
		return err
	}
	s.about = about
	for _, what := range about {
		switch what {
		case eventDevice:
		case eventKick:
			s.kicked()
		case eventInit:
			s.changed.init = true
		case eventInitGone:
			s.watchPid.CompareAndSwap(s.init.pid, 0)
			s.init.close()
		default:
			if h := s.handles.byFH[what]; h != nil && !h.told {
				h.told = true
				s.changed.handles = append(s.changed.handles, what)
			}
		}
	}
	return s.due(sys.Monotonic())
}

// due does what its time has come for.
func (s *Server) due(now int64) error {
	if s.recent.fd.Valid() && s.recent.until <= now {
		s.dropRecent()
	}
	if !s.changed.any() || now < s.changed.calm {
		return nil
	}
	if s.changed.init && s.init.info.Valid() {
		s.lookAtInit()
	}
	s.changed.init = false
	var err error
	for _, fh := range s.changed.handles {
		h := s.handles.byFH[fh]
		if h == nil {
			continue
		}
		h.told, h.dirty = false, true
		if err == nil {
			err = s.session.WakePoll(fh)
		}
	}
	s.changed.handles = s.changed.handles[:0]
	s.changed.calm = sys.Monotonic() + calmNs
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
	_, _ = unix.Read(s.poller.kick.Int(), b[:])
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
		err = s.poller.addTable(s.init.info, eventInit)
	}
	if err == nil {
		err = s.poller.add(s.init.pidfd, unix.EPOLLIN|unix.EPOLLONESHOT, eventInitGone)
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
