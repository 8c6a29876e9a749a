package console

import (
	"errors"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// errEnd ends the loop: Shutdown was called.
var errEnd = errors.New("end")

// loop is the goroutine that owns everything about the clients. Others hand it functions.
type loop struct {
	s     *Server
	log   *logrus.Entry
	ring  *ring.Reader
	poll  *poller
	input input

	holder  *client
	leaving []*client // told to go, not yet gone
	place   place

	buf      []byte // output on its way, there while there is a holder
	inbuf    [inputChunk]byte
	acceptAt int64 // no connection is accepted until then, 0: accepting
	damage   error // the ring cannot be read any more
}

func newLoop(s *Server) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &loop{s: s, log: s.cfg.Log.WithField("op", "console"), ring: s.cfg.Ring, poll: p, input: input{poll: p}}
	for _, fd := range []int{s.cfg.Listener.Int(), s.cfg.DataEvent.Int(), s.wake.Int()} {
		if err := p.add(fd, unix.EPOLLIN); err != nil {
			p.close()
			return nil, err
		}
	}
	if err := unix.SetNonblock(s.cfg.Listener.Int(), true); err != nil {
		p.close()
		return nil, err
	}
	l.inherit()
	l.count()
	return l, nil
}

func (l *loop) run() {
	err := l.turns()
	if !errors.Is(err, errEnd) {
		l.log.WithError(err).Error("console loop ended")
	}
	for _, f := range l.s.fail() {
		f(l)
	}
	l.end(errors.Is(err, errEnd))
}

// turns moves output, then looks for events, waiting only when no output can be moved.
func (l *loop) turns() error {
	for {
		var events []unix.EpollEvent
		var err error
		more := l.pump()
		l.interest()
		l.count()
		if more {
			l.poll.look()
			events, err = l.poll.ready, l.poll.err
		} else {
			events, err = l.poll.wait(l.deadline())
		}
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := l.handle(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
		l.timers(sys.Monotonic())
	}
}

func (l *loop) handle(fd int, events uint32) error {
	switch fd {
	case l.s.cfg.DataEvent.Int():
		ring.Clear(fd)
	case l.s.cfg.Listener.Int():
		l.accept()
	case l.s.wake.Int():
		ring.Clear(fd)
		requests, end := l.s.take()
		for _, f := range requests {
			f(l)
		}
		if end {
			return errEnd
		}
	case l.input.master.Int():
		l.input.flush()
	default:
		l.clientEvent(fd, events)
	}
	return nil
}

// accept takes every waiting connection. It never waits for one of them.
func (l *loop) accept() {
	for range handshakesMax {
		fd, err := sys.Accept(l.s.cfg.Listener.Int())
		switch {
		case err == nil:
			l.s.shake(fd)
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.ECONNABORTED):
		default:
			l.log.WithError(err).Warn("console connections wait")
			l.acceptAt = sys.Monotonic() + int64(acceptPause)
			_ = l.poll.change(l.s.cfg.Listener.Int(), 0)
			return
		}
	}
}

// deadline is when timers must be called next, 0: not by itself.
func (l *loop) deadline() int64 {
	var at int64
	sooner := func(t int64) {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	sooner(l.place.until)
	sooner(l.input.retryAt)
	sooner(l.acceptAt)
	if c := l.holder; c != nil {
		sooner(c.cutAt)
		sooner(c.patienceEnds())
	}
	for _, c := range l.leaving {
		sooner(c.cutAt)
	}
	return at
}

func (l *loop) timers(now int64) {
	over := func(t int64) bool { return t != 0 && t <= now }
	if over(l.place.until) {
		l.giveUpPlace()
	}
	if over(l.input.retryAt) {
		l.input.flush()
	}
	if over(l.acceptAt) {
		l.acceptAt = 0
		_ = l.poll.change(l.s.cfg.Listener.Int(), unix.EPOLLIN)
	}
	if c := l.holder; c != nil && over(c.patienceEnds()) {
		l.losePatience(now)
	}
	if c := l.holder; c != nil && over(c.cutAt) {
		l.cut(c)
	}
	for i := len(l.leaving) - 1; i >= 0; i-- {
		if over(l.leaving[i].cutAt) {
			l.gone(l.leaving[i], ErrNotTold)
		}
	}
}

// interest tells the poller what is wanted of the holder now.
func (l *loop) interest() {
	c := l.holder
	if c == nil {
		return
	}
	if e := c.wants(l.input.full()); e != c.events {
		if err := l.poll.change(c.fd, e); err != nil {
			l.log.WithError(err).Error("console client cut off")
			l.cut(c)
			return
		}
		c.events = e
	}
}

// end closes every connection. When a successor will follow it finds in the ring who was there.
func (l *loop) end(successor bool) {
	if !successor {
		l.ring.SetAttached(0)
		l.setCursor(ring.NoHold)
	}
	for _, c := range append(l.leaving, l.holder) {
		if c != nil {
			c.close()
			c.tell(ErrShutdown)
		}
	}
	for _, c := range l.place.waiting {
		c.conn.close()
	}
	l.holder, l.leaving, l.place = nil, nil, place{}
	l.input.close()
	l.poll.close()
	l.s.attached.Store(0)
}
