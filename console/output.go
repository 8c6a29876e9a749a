package console

import (
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// pump sends the holder what it has not got. more: it could take more, but others have
// their turn first. Otherwise there is nothing, or the socket is full, or there is no holder.
func (l *loop) pump() (more bool) {
	c := l.holder
	if c == nil || c.blocked {
		return false
	}
	l.hold(c)
	for range chunksPerTurn {
		done, err := l.pumpChunk(c)
		switch {
		case err == unix.EAGAIN:
			l.block(c)
			return false
		case err != nil: // its end of the connection is gone
			l.cut(c)
			return false
		case done:
			return false
		}
	}
	return true
}

// pumpChunk sends one piece. done: nothing is left to send, or the client is no longer the holder.
func (l *loop) pumpChunk(c *client) (done bool, err error) {
	if err := c.sendText(); err != nil {
		return false, err
	}
	buf := l.buf
	if c.dropped {
		if c.pos >= c.dropAt {
			l.leave(c)
			return true, nil
		}
		buf = buf[:min(uint64(len(buf)), c.dropAt-c.pos)]
	}
	n, lost, err := l.ring.ReadAt(c.pos, buf)
	if err != nil {
		l.damaged(err)
		return true, nil
	}
	if lost > 0 {
		return l.lose(c, lost), nil
	}
	if n == 0 {
		l.caughtUp(c)
		return l.ring.Sleep(c.pos), nil
	}
	n, err = send(c.fd, buf[:n])
	if n > 0 {
		c.pos += uint64(n)
		l.setCursor(c.pos)
	}
	return false, err
}

// hold makes the zone's writers wait for what c has not got.
func (l *loop) hold(c *client) {
	if !c.holds {
		c.holds = true
		l.setCursor(c.pos)
	}
}

func (l *loop) release(c *client) {
	c.holds = false
	l.setCursor(ring.NoHold)
}

func (l *loop) setCursor(pos uint64) {
	if l.ring.SetCursor(pos) {
		ring.Kick(l.s.cfg.RoomEvent.Int())
	}
}

// block notes that c's socket is full, and when its time to make progress began.
func (l *loop) block(c *client) {
	l.ring.Awake()
	c.blocked = true
	if c.slow {
		l.release(c)
		return
	}
	if c.windowAt == 0 || c.pos-c.windowPos >= progressBytes {
		c.windowAt, c.windowPos = sys.Monotonic(), c.pos
	}
}

func (l *loop) caughtUp(c *client) {
	c.windowAt = 0
	if c.slow {
		c.slow = false
		l.log.WithFields(logrus.Fields{"pid": c.pid, "lostBytes": c.lost}).Info("console client has caught up")
	}
}

// patienceEnds is when c must have made progress, 0 when nobody waits for it.
func (c *client) patienceEnds() int64 {
	if !c.blocked || !c.holds || c.windowAt == 0 {
		return 0
	}
	return c.windowAt + int64(patience)
}

// losePatience is called when the time is over. The socket is tried once more, since it is
// reported to have room only when most of it is empty. A client in whose way nobody is, since
// the ring has room, gets as much time again.
func (l *loop) losePatience(now int64) {
	c := l.holder
	c.blocked = false
	if l.pump(); l.holder != c || !c.blocked || c.windowAt == 0 || c.windowAt+int64(patience) > now {
		return
	}
	if !l.ring.WriterWaits() && l.ring.Head()-c.pos < ring.Size-ring.AppendMax {
		c.windowAt, c.windowPos = now, c.pos
		return
	}
	c.slow = true
	l.release(c)
	l.log.WithField("pid", c.pid).Warn("console client stalls; output goes on without it")
}

// lose deals with output that c has missed. gone: it is no longer the holder.
//
// A client that counts positions is disconnected, with its place kept: it comes back at once,
// learns from the answer's position how much is missing, and says so itself. A text between the
// bytes would make it miscount. The original's client has no positions, so it is told that way.
func (l *loop) lose(c *client, n uint64) (gone bool) {
	c.lost += n
	if !c.counts() || c.dropped { // who is to leave does not come back, so its count is of no use
		c.pos += n
		c.text = []byte(wire.LostText(n))
		l.setCursor(c.pos)
		return false
	}
	slow := c.slow
	l.log.WithFields(logrus.Fields{"pid": c.pid, "lostBytes": n}).Info("console client missed output")
	l.keepPlace(sys.Monotonic()+int64(reconnectGrace), slow)
	l.takeLastInput(c)
	l.detach(c)
	c.close()
	c.tell(nil)
	if oldest, _, err := l.ring.Range(); err == nil && !slow {
		l.setCursor(oldest)
	}
	return true
}

// damaged gives the ring up: whoever wrote into its header, nobody is sent garbage.
func (l *loop) damaged(err error) {
	l.damage = err
	l.log.WithError(err).Error("console is not readable")
	l.cut(l.holder)
}
