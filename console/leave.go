package console

import (
	"slices"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

func (l *loop) clientEvent(fd int, events uint32) {
	c := l.clients[fd]
	if c == nil {
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.blocked = false
	}
	if events&unix.EPOLLIN != 0 && !c.noInput && (c != l.holder || !l.input.full()) {
		n, err := read(c.fd, l.inbuf[:])
		switch {
		case n > 0:
			l.takeInput(c, l.inbuf[:n])
		case n == 0 && err == nil:
			c.noInput = true
		}
		if l.clients[fd] != c { // it was cut off for what it sent
			return
		}
	}
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && hungUp(c.fd) {
		l.gone(c, nil)
		return
	}
	if slices.Contains(l.leaving, c) && c.noInput {
		_ = l.poll.change(c.fd, 0)
	}
}

// takeLastInput keeps what a writer sent before it went: it is not lost with the connection. One that
// still sends is not listened to for ever: its socket has held inputMax at most.
func (l *loop) takeLastInput(c *client) {
	if c != l.holder {
		return
	}
	for taken := 0; !c.noInput && l.input.room() >= len(l.inbuf) && taken < inputMax; {
		n, err := read(c.fd, l.inbuf[:])
		if n == 0 || err != nil {
			return
		}
		taken += n
		l.takeInput(c, l.inbuf[:n])
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
	if l.clients[c.fd] != c {
		return // cut off for what it sent
	}
	l.vacate(c)
	l.detach(c)
	err := unix.Shutdown(c.fd, unix.SHUT_WR)
	if err == nil && len(l.leaving) < leavingMax {
		c.cutAt = sys.Monotonic() + int64(leaveTime)
		c.events = unix.EPOLLIN
		if c.noInput {
			c.events = 0
		}
		if err = l.poll.add(c.fd, c.events); err == nil {
			l.clients[c.fd] = c
			l.leaving = append(l.leaving, c)
			l.log.WithField("pid", c.pid).Info("console client disconnected")
			return
		}
	}
	c.close()
	c.tell(err)
}

// dropClients disconnects those whom a notice drops, when they have got everything before pos.
// left is told when they have gone.
func (l *loop) dropClients(kind wire.Notice, pos uint64, left chan<- error) {
	f := &farewell{done: left, clients: 1}
	for _, c := range l.clients {
		if kind.Drops(c.ident.DropWithZone) && !slices.Contains(l.leaving, c) {
			f.clients++
			l.drop(c, pos, f)
		}
	}
	f.gone(nil)
}

func (l *loop) drop(c *client, pos uint64, f *farewell) {
	if f != nil {
		c.left = append(c.left, f)
	}
	c.dropped, c.dropAt = true, pos
	c.cutAt = sys.Monotonic() + int64(leaveTime)
}

// cut ends a connection from this side.
func (l *loop) cut(c *client) {
	var err error
	if c.dropped {
		err = ErrNotTold
	}
	l.gone(c, err)
}

// gone ends a connection whose client has gone, or has to.
func (l *loop) gone(c *client, err error) {
	l.takeLastInput(c)
	if l.clients[c.fd] != c {
		return
	}
	if !slices.Contains(l.leaving, c) {
		l.log.WithFields(logrus.Fields{"pid": c.pid, "lostBytes": c.lost}).Info("console client left")
	}
	l.vacate(c)
	l.detach(c)
	c.close()
	c.tell(err)
}

// vacate gives up what a writer holds.
func (l *loop) vacate(c *client) {
	if c == l.holder {
		l.holds.setWriter(noHold)
		l.ring.SetAttached(0)
	}
}

// detach takes c out of the loop's tables.
func (l *loop) detach(c *client) {
	l.poll.remove(c.fd)
	delete(l.clients, c.fd)
	same := func(x *client) bool { return x == c }
	l.leaving = slices.DeleteFunc(l.leaving, same)
	l.readers = slices.DeleteFunc(l.readers, same)
	if c == l.holder {
		l.holder = nil
		l.s.holderAsks.Store(false)
	}
}

// count publishes how many there are. The last one's going is told once.
func (l *loop) count() {
	n := int32(len(l.leaving) + len(l.readers))
	if l.holder != nil || l.place.until != 0 {
		n++
	}
	if l.holder == nil && len(l.readers) == 0 {
		l.buf, l.chunk = nil, nil
	}
	if was := l.s.attached.Swap(n); was > 0 && n == 0 && l.s.cfg.OnIdle != nil {
		l.s.cfg.OnIdle()
	}
}
