package console

import (
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// pump sends every client what it has not got, a piece each in turn, so that the slowest of
// them keeps nobody waiting and a piece is copied from the ring once for all. more: some could
// take more, but others have their turn first. Otherwise there is nothing, or the sockets are
// full.
func (l *loop) pump() (more bool) {
	l.tellLog(l.ring.Head())
	for range chunksPerTurn {
		moved := false
		if c := l.holder; c != nil && !c.blocked {
			moved = l.pumpOne(c)
		}
		for i := 0; i < len(l.readers); {
			c := l.readers[i]
			if !c.blocked && l.pumpOne(c) {
				moved = true
			}
			if i < len(l.readers) && l.readers[i] == c {
				i++
			}
		}
		if !moved {
			return l.behind()
		}
	}
	return true
}

// behind is asked when nobody took anything: whether there is something after all. If not, the
// keeper is asked to say when there is.
func (l *loop) behind() bool {
	head, awake := l.ring.Head(), l.logger != nil
	for _, c := range l.clients {
		if c.blocked || c != l.holder && !c.reader {
			continue
		}
		awake = true
		if c.pos != head || c.wordy() {
			return true
		}
	}
	l.tellLog(head)
	if !awake || l.damage != nil {
		l.ring.Awake()
		return false
	}
	return !l.ring.Sleep(head)
}

// pumpOne sends one piece. more: there may be another.
func (l *loop) pumpOne(c *client) (more bool) {
	if c == l.holder {
		l.hold(c)
	}
	done, err := l.pumpChunk(c)
	switch {
	case err == unix.EAGAIN:
		l.block(c)
		return false
	case err != nil: // its end of the connection is gone
		l.cut(c)
		return false
	}
	return !done
}

// pumpChunk sends one piece. done: nothing is left to send, or the client is not one any more.
func (l *loop) pumpChunk(c *client) (done bool, err error) {
	c.words(l.size)
	if err := c.sendText(); err != nil {
		return false, err
	}
	if c.dropped && c.pos >= c.dropAt {
		l.leave(c)
		return true, nil
	}
	p, lost, err := l.read(c.pos)
	if err != nil {
		l.damaged(err)
		return true, nil
	}
	if lost > 0 {
		return l.lose(c, lost), nil
	}
	if c.dropped {
		p = p[:min(uint64(len(p)), c.dropAt-c.pos)]
	}
	if len(p) == 0 {
		l.caughtUp(c)
		return true, nil
	}
	n, err := c.sendOutput(p)
	if n > 0 && c == l.holder {
		l.holds.setWriter(c.kept())
	}
	return false, err
}

// needBuffer: the buffer is there while there are clients.
func (l *loop) needBuffer() {
	if l.buf == nil {
		l.buf = make([]byte, chunkBytes)
	}
}

// read gives bytes of the ring from pos on, or how many from there on are gone. Many clients
// read the same bytes one after the other; they are copied once.
func (l *loop) read(pos uint64) (p []byte, lost uint64, err error) {
	if l.chunk != nil && l.chunkAt <= pos && pos < l.chunkAt+uint64(len(l.chunk)) {
		return l.chunk[pos-l.chunkAt:], 0, nil
	}
	l.needBuffer()
	l.chunk = nil
	n, lost, err := l.ring.ReadAt(pos, l.buf)
	if err != nil || lost > 0 {
		return nil, lost, err
	}
	l.chunk, l.chunkAt = l.buf[:n], pos
	return l.chunk, 0, nil
}

// hold makes the zone's writers wait for what c has not got.
func (l *loop) hold(c *client) {
	if !c.holds {
		c.holds = true
		l.holds.setWriter(c.kept())
	}
}

func (l *loop) release(c *client) {
	c.holds = false
	l.holds.setWriter(noHold)
}

// block notes that c's socket is full, and when its time to make progress began. Nobody waits
// for a reader.
func (l *loop) block(c *client) {
	c.blocked = true
	if c != l.holder {
		return
	}
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
	for range chunksPerTurn {
		if l.holder != c || !l.pumpOne(c) {
			break
		}
	}
	if l.holder != c || !c.blocked || c.windowAt == 0 || c.windowAt+int64(patience) > now {
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
// A client with frames is told in one. One of the first version, which counts positions in raw
// bytes, is disconnected with its place kept: it comes back at once, learns from the answer's
// position how much is missing, and says so itself; a text between the bytes would make it
// miscount. The original's client has no positions, so it is told by such a text.
func (l *loop) lose(c *client, n uint64) (gone bool) {
	c.lost += n
	switch {
	case c.framed():
		c.missed += n
		c.pos += n
	case !c.counts() || c.dropped: // who is to leave does not come back, so its count is of no use
		c.pos += n
		c.text = []byte(wire.LostText(n))
	default:
		l.sendAway(c, n)
		return true
	}
	if c == l.holder {
		l.holds.setWriter(c.pos)
	}
	return false
}

func (l *loop) sendAway(c *client, n uint64) {
	slow := c.slow
	l.log.WithFields(logrus.Fields{"pid": c.pid, "lostBytes": n}).Info("console client missed output")
	l.keepPlace(sys.Monotonic()+int64(reconnectGrace), c.pid, slow)
	l.takeLastInput(c)
	l.detach(c)
	c.close()
	c.tell(nil)
	if oldest, _, err := l.ring.Range(); err == nil && !slow {
		l.holds.setWriter(oldest)
	}
}

// damaged gives the ring up: whoever wrote into its header, nobody is sent garbage.
func (l *loop) damaged(err error) {
	l.damage = err
	l.log.WithError(err).Error("console is not readable")
	for _, c := range l.clients {
		l.cut(c)
	}
}
