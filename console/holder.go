package console

import (
	"slices"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// place is the holder's place kept for a client that comes back: one of a supervisor that
// died, or one that was disconnected to be told what it missed. Others wait until it is taken
// or given up.
type place struct {
	until   int64 // monotonic; 0: not kept
	slow    bool  // the client is one that stalled
	waiting []candidate
}

// inherit keeps the place of a dead predecessor's client, and the bytes it has not got. The
// end of that time is in the ring, so that supervisors that die one after the other do not
// keep it for ever.
func (l *loop) inherit() {
	if l.ring.Attached() == 0 {
		l.setCursor(ring.NoHold)
		return
	}
	now := sys.Monotonic()
	until := l.ring.HoldUntil()
	if until <= 0 || until > now+int64(reconnectGrace) {
		until = now + int64(reconnectGrace)
	}
	l.keepPlace(until, false)
}

func (l *loop) keepPlace(until int64, slow bool) {
	l.place = place{until: until, slow: slow}
	l.ring.SetHoldUntil(until)
	l.ring.SetAttached(1)
}

// giveUpPlace lets the next one in: nobody came back.
func (l *loop) giveUpPlace() {
	waiting := l.freePlace()
	l.ring.SetAttached(0)
	l.setCursor(ring.NoHold)
	l.log.Info("console client did not come back")
	for _, c := range waiting {
		l.welcome(c)
	}
}

func (l *loop) freePlace() (waiting []candidate) {
	waiting = l.place.waiting
	l.place = place{}
	l.ring.SetHoldUntil(0)
	return waiting
}

// welcome decides on who has identified itself.
func (l *loop) welcome(c candidate) {
	if h := l.holder; h != nil && hungUp(h.fd) {
		l.gone(h, nil)
	}
	switch {
	case l.damage != nil:
		c.conn.close()
	case l.holder != nil:
		l.reject(c)
	case l.place.until != 0 && !l.comesBack(c):
		if len(l.place.waiting) >= handshakesMax {
			l.place.waiting[0].conn.close()
			l.s.refuse(l.place.waiting[0].pid, ErrCrowded)
			l.place.waiting = l.place.waiting[1:]
		}
		l.place.waiting = append(l.place.waiting, c)
	default:
		l.attach(c)
	}
}

func (l *loop) comesBack(c candidate) bool {
	return c.ident.From == wire.Position && c.ident.Point.Epoch == l.ring.Epoch()
}

func (l *loop) reject(c candidate) {
	_, _ = send(c.conn.fd, []byte(wire.Answer{HolderPid: l.holder.pid}.Line()))
	c.conn.close()
	l.s.refuse(c.pid, ErrInUse)
}

// attach makes c the holder.
func (l *loop) attach(c candidate) {
	h := &client{conn: c.conn, pid: c.pid, ident: c.ident, slow: l.place.slow, events: unix.EPOLLIN, holds: true}
	pos, err := l.start(c.ident)
	if err != nil {
		c.conn.close()
		l.damaged(err)
		return
	}
	h.pos = pos
	l.s.attached.Store(max(1, l.s.attached.Load())) // before the client can know
	answer := wire.Answer{HasPositions: h.counts(), Point: wire.Point{Epoch: l.ring.Epoch(), Pos: pos}}
	if _, err = send(h.fd, []byte(answer.Line())); err == nil {
		err = l.poll.add(h.fd, h.events)
	}
	if err != nil { // it has gone already; a place that is kept stays kept
		h.close()
		if l.place.until == 0 {
			l.setCursor(ring.NoHold)
		}
		return
	}
	if l.buf == nil {
		l.buf = make([]byte, chunkBytes)
	}
	l.holder = h
	waiting := l.freePlace()
	if h.counts() {
		l.ring.SetAttached(1)
	} else {
		l.ring.SetAttached(0)
	}
	l.s.holderAsks.Store(c.ident.DropWithZone)
	l.input.put(c.input)
	l.log.WithField("pid", h.pid).Info("console client attached")
	for _, w := range waiting {
		l.reject(w)
	}
}

// start is where a client's output begins, and holds the writers there.
func (l *loop) start(id wire.Ident) (uint64, error) {
	oldest, head, err := l.ring.Range()
	if err != nil {
		return 0, err
	}
	pos := head
	switch {
	case id.From == wire.History:
		pos = oldest
	case id.From == wire.Position && id.Point.Epoch != l.ring.Epoch():
		pos = oldest // all of the new epoch came after what it has
	case id.From == wire.Position:
		pos = max(oldest, min(id.Point.Pos, head))
	}
	// From here on nothing at pos or after it goes; what went before it was seen is counted.
	l.setCursor(pos)
	if oldest, _, err = l.ring.Range(); err == nil && oldest > pos {
		pos = oldest
		l.setCursor(pos)
	}
	return pos, err
}

func (l *loop) clientEvent(fd int, events uint32) {
	c := l.holder
	if c == nil || c.fd != fd {
		c = nil
		for _, x := range l.leaving {
			if x.fd == fd {
				c = x
			}
		}
	}
	if c == nil {
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.blocked = false
	}
	if events&unix.EPOLLIN != 0 && !c.noInput && !l.input.full() {
		n, err := read(c.fd, l.inbuf[:])
		switch {
		case n > 0 && c == l.holder:
			l.input.put(l.inbuf[:n])
		case n == 0 && err == nil:
			c.noInput = true
		}
	}
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && hungUp(c.fd) {
		l.gone(c, nil)
		return
	}
	if c != l.holder && c.noInput {
		_ = l.poll.change(c.fd, 0)
	}
}

// takeLastInput keeps what a client sent before it went: it is not lost with the connection.
func (l *loop) takeLastInput(c *client) {
	for !c.noInput && l.input.room() >= len(l.inbuf) {
		n, err := read(c.fd, l.inbuf[:])
		if n == 0 || err != nil {
			return
		}
		l.input.put(l.inbuf[:n])
	}
	if !c.noInput {
		l.log.WithField("pid", c.pid).Warn("console input of a client that left is too long; its end is discarded")
	}
}

// leave begins the end of a client that a notice disconnects: it has got everything. It sees
// the end of the output on a connection that is still open the other way, which tells this end
// from the death of a supervisor.
func (l *loop) leave(c *client) {
	l.takeLastInput(c)
	l.detach(c)
	l.setCursor(ring.NoHold)
	l.ring.SetAttached(0)
	err := unix.Shutdown(c.fd, unix.SHUT_WR)
	if err == nil && len(l.leaving) < leavingMax {
		c.cutAt = sys.Monotonic() + int64(leaveTime)
		c.events = unix.EPOLLIN
		if c.noInput {
			c.events = 0
		}
		if err = l.poll.add(c.fd, c.events); err == nil {
			l.leaving = append(l.leaving, c)
			l.log.WithField("pid", c.pid).Info("console client disconnected")
			return
		}
	}
	c.close()
	c.tell(err)
}

// dropHolder disconnects the holder when it has got everything before pos. left is told when
// it has gone.
func (l *loop) dropHolder(pos uint64, left chan<- error) {
	c := l.holder
	if c == nil {
		left <- nil
		return
	}
	c.left = append(c.left, left)
	c.dropped, c.dropAt = true, pos
	c.cutAt = sys.Monotonic() + int64(leaveTime)
}

// cut ends a connection from this side.
func (l *loop) cut(c *client) {
	if c == nil {
		return
	}
	var err error
	if c.dropped {
		err = ErrNotTold
	}
	l.gone(c, err)
}

// gone ends a connection whose client has gone, or has to.
func (l *loop) gone(c *client, err error) {
	if c == l.holder {
		l.takeLastInput(c)
		l.setCursor(ring.NoHold)
		l.ring.SetAttached(0)
		l.log.WithFields(logrus.Fields{"pid": c.pid, "lostBytes": c.lost}).Info("console client left")
	}
	l.detach(c)
	c.close()
	c.tell(err)
}

// detach takes c out of the loop's tables.
func (l *loop) detach(c *client) {
	l.poll.remove(c.fd)
	l.leaving = slices.DeleteFunc(l.leaving, func(x *client) bool { return x == c })
	if c == l.holder {
		l.holder, l.buf = nil, nil
		l.s.holderAsks.Store(false)
		l.ring.Awake()
	}
}

// count publishes how many there are. The last one's going is told once.
func (l *loop) count() {
	n := int32(len(l.leaving))
	if l.holder != nil || l.place.until != 0 {
		n++
	}
	if was := l.s.attached.Swap(n); was > 0 && n == 0 && l.s.cfg.OnIdle != nil {
		l.s.cfg.OnIdle()
	}
}
