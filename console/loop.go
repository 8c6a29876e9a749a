package console

import (
	"errors"
	"slices"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
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

	clients map[int]*client // by descriptor: all that follow
	holder  *client         // the writer
	readers []*client
	leaving []*client // told to go, not yet gone
	place   place
	holds   *holds
	size    wire.Window // of the console's terminal, as far as anybody said
	logger  *logger     // nil: there is none

	buf      []byte // output on its way, there while there are clients
	chunk    []byte // what is in it, from chunkAt on
	chunkAt  uint64
	inbuf    [inputChunk]byte
	acceptAt int64 // no connection is accepted until then, 0: accepting
	damage   error // the ring cannot be read any more
}

func newLoop(s *Server) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &loop{s: s, log: s.cfg.Log.WithField("op", "console"), ring: s.cfg.Ring, poll: p, input: input{poll: p}, clients: map[int]*client{}}
	l.holds = newHolds(s.cfg.Ring, s.cfg.RoomEvent.Int())
	if l.logger = s.logger; l.logger != nil {
		l.logger.holds = l.holds
	}
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
		l.watchLog()
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
	sooner(l.logDeadline())
	if c := l.holder; c != nil {
		sooner(c.patienceEnds())
	}
	for _, c := range l.clients {
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
	for _, c := range l.clients {
		if over(c.cutAt) {
			l.giveUpOn(c)
		}
	}
}

// giveUpOn cuts off a client that did not leave in time.
func (l *loop) giveUpOn(c *client) {
	if slices.Contains(l.leaving, c) {
		l.gone(c, ErrNotTold)
		return
	}
	l.cut(c)
}

// interest tells the poller what is wanted of each client now.
func (l *loop) interest() {
	full := l.input.full()
	for _, c := range l.clients {
		if c != l.holder && !c.reader {
			continue
		}
		if e := c.wants(full); e != c.events {
			if err := l.poll.change(c.fd, e); err != nil {
				l.log.WithError(err).Error("console client cut off")
				l.cut(c)
				continue
			}
			c.events = e
		}
	}
}

// end closes every connection. When a successor will follow it finds in the ring who was there.
func (l *loop) end(successor bool) {
	if !successor {
		l.ring.SetAttached(0)
		l.holds.setWriter(noHold)
		l.holds.setLog(noHold, sys.Monotonic())
	}
	for _, c := range l.clients {
		c.close()
		c.tell(ErrShutdown)
	}
	for _, c := range l.place.waiting {
		c.conn.close()
	}
	l.clients, l.holder, l.readers, l.leaving, l.place = nil, nil, nil, nil, place{}
	l.input.close()
	l.poll.close()
	l.s.attached.Store(0)
}
