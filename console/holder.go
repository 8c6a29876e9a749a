package console

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

const noHold = ring.NoHold

// place is the holder's place kept for a client that comes back: one of a supervisor that
// died, or one that was disconnected to be told what it missed. Others wait until it is taken
// or given up.
type place struct {
	until   int64 // monotonic; 0: not kept
	pid     int   // whose it is, 0 when that is not known
	slow    bool  // the client is one that stalled
	waiting []candidate
}

// inherit keeps the place of a dead predecessor's client, and the bytes it has not got. The
// end of that time is in the ring, so that supervisors that die one after the other do not
// keep it for ever.
func (l *loop) inherit() {
	kept := l.ring.Attached() != 0
	l.holds.inherit(kept, l.logger != nil && l.logger.limits.Load().Bytes != 0)
	if !kept {
		return
	}
	now := sys.Monotonic()
	until := l.ring.HoldUntil()
	if until <= 0 || until > now+int64(reconnectGrace) {
		until = now + int64(reconnectGrace)
	}
	l.keepPlace(until, l.ring.Holder(), false)
}

func (l *loop) keepPlace(until int64, pid int, slow bool) {
	l.place = place{until: until, pid: pid, slow: slow}
	l.ring.SetHoldUntil(until)
	l.ring.SetHolder(pid)
	l.ring.SetAttached(1)
}

// giveUpPlace lets the next one in: nobody came back.
func (l *loop) giveUpPlace() {
	waiting := l.freePlace()
	l.ring.SetAttached(0)
	l.holds.setWriter(noHold)
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
	case l.damage != nil, hungUp(c.conn.fd): // who has gone already takes nothing from anybody
		c.conn.close()
	case c.ident.Role == wire.Reader:
		l.attachReader(c, 0)
	case c.ident.Role == wire.Taker:
		if h := l.holder; h != nil {
			l.demote(h, c.pid)
		}
		l.attach(c)
	case l.holder != nil && l.returns(c):
		l.attachReader(c, l.holder.pid)
	case l.holder != nil:
		l.reject(c)
	case l.place.until == 0 || l.returns(c) && (l.place.pid == 0 || l.place.pid == c.pid):
		l.attach(c)
	case c.ident.Framed() && l.returns(c): // another took the console before the supervisor died
		l.attachReader(c, l.place.pid)
	default:
		if len(l.place.waiting) >= handshakesMax {
			l.place.waiting[0].conn.close()
			l.s.refuse(l.place.waiting[0].pid, ErrCrowded)
			l.place.waiting = l.place.waiting[1:]
		}
		l.place.waiting = append(l.place.waiting, c)
	}
}

// returns: it had the console before its supervisor died.
func (l *loop) returns(c candidate) bool {
	if l.holder != nil && !c.ident.Framed() {
		return false
	}
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
	held := l.holds.writerAt()
	pos, err := l.start(c.ident, true)
	if err != nil {
		c.conn.close()
		l.damaged(err)
		return
	}
	h.pos = pos
	l.s.attached.Store(max(1, l.s.attached.Load())) // before the client can know
	if h.counts() {
		l.ring.SetHolder(h.pid)
		l.ring.SetAttached(1) // before it can know too: what it is told holds whoever dies now
	} else {
		l.ring.SetAttached(0)
	}
	if !l.enter(h, 0) { // it has gone already; a place that is kept stays kept
		if l.place.until == 0 {
			l.ring.SetAttached(0)
			l.holds.setWriter(noHold)
		} else {
			l.holds.setWriter(held)
			l.ring.SetHolder(l.place.pid)
			l.ring.SetAttached(1)
		}
		return
	}
	l.holder = h
	waiting := l.freePlace()
	l.s.holderAsks.Store(c.ident.DropWithZone)
	l.log.WithField("pid", h.pid).Info("console client attached")
	l.takeInput(h, c.input)
	for _, w := range waiting {
		l.welcome(w)
	}
}
