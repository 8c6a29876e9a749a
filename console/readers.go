package console

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// attachReader lets a watcher in. takenBy: it was the writer before its supervisor died, and
// this is who is now, 0 when it came to watch.
func (l *loop) attachReader(c candidate, takenBy int) {
	if len(l.readers) >= readersMax {
		for _, r := range slices.Clone(l.readers) {
			if hungUp(r.fd) {
				l.gone(r, nil)
			}
		}
	}
	if len(l.readers) >= readersMax {
		_, _ = send(c.conn.fd, []byte(wire.Answer{Full: readersMax}.Line()))
		c.conn.close()
		l.s.refuse(c.pid, ErrReaders)
		return
	}
	pos, err := l.start(c.ident, false)
	if err != nil {
		c.conn.close()
		l.damaged(err)
		return
	}
	r := &client{conn: c.conn, pid: c.pid, ident: c.ident, reader: true, pos: pos, events: unix.EPOLLIN, tellSize: true}
	l.s.attached.Store(max(1, l.s.attached.Load())) // before the client can know
	if !l.enter(r, takenBy) {
		return
	}
	l.readers = append(l.readers, r)
	l.takeInput(r, c.input)
	l.log.WithField("pid", r.pid).Info("console reader attached")
}

// enter welcomes a client: from the answer on it is one of the loop's. False: it has gone already.
func (l *loop) enter(c *client, holderPid int) bool {
	a := wire.Answer{HasPositions: c.counts(), Point: wire.Point{Epoch: l.ring.Epoch(), Pos: c.pos}}
	if c.framed() {
		a.Version, a.Reader, a.HolderPid = min(c.ident.Version, wire.Version), c.reader, holderPid
	}
	_, err := send(c.fd, []byte(a.Line()))
	if err == nil {
		err = l.poll.add(c.fd, c.events)
	}
	if err != nil {
		c.close()
		return false
	}
	l.clients[c.fd] = c
	l.needBuffer()
	return true
}

// demote makes a reader of the writer: the process pid has the console now. One of the first
// version of ours, which counts raw bytes, cannot be told; it finds its connection closed,
// comes back and is told that the console is in use.
func (l *loop) demote(h *client, pid int) {
	l.log.WithField("pid", h.pid).WithField("by", pid).Info("console taken over")
	l.holder = nil
	l.s.holderAsks.Store(false)
	l.ring.SetAttached(0)
	l.holds.setWriter(noHold)
	if h.counts() && !h.framed() {
		l.detach(h)
		h.close()
		h.tell(nil)
		return
	}
	h.reader, h.holds, h.slow, h.windowAt = true, false, false, 0
	h.taken, h.takenBy, h.tellSize = true, pid, true
	if !h.framed() {
		h.text = append(h.text, wire.TakenText(pid)...)
	}
	l.readers = append(l.readers, h)
	if len(l.readers) > readersMax { // it is told, and then there is no place
		l.drop(h, h.pos, nil)
	}
}

// resize sets the size of the console's terminal, on the writer's word, and tells the readers.
// Processes in the zone get SIGWINCH if it is another.
func (l *loop) resize(w wire.Window) {
	if !w.Known() {
		return
	}
	l.size = w
	l.input.resize(w)
	for _, r := range l.readers {
		r.tellSize = true
	}
}

// setInput replaces the terminal. It has the writer's size from the beginning.
func (l *loop) setInput(in *input) {
	if l.holder != nil && l.size.Known() {
		in.resize(l.size)
		return
	}
	if w := in.size(); w.Known() {
		l.size = w
	}
}

// takeInput takes what a client sent.
func (l *loop) takeInput(c *client, p []byte) {
	if !c.framed() {
		if c == l.holder {
			l.input.put(p)
		}
		return
	}
	for len(p) > 0 {
		var f wire.Frame
		var err error
		if f, p, err = c.frames.Next(p); err != nil {
			l.log.WithField("pid", c.pid).WithError(err).Warn("console client cut off")
			c.noInput = true
			l.cut(c)
			return
		}
		switch {
		case c != l.holder: // what was on its way when another took the console, or nonsense
		case f.Kind == wire.Data:
			l.input.put(f.Data)
		case f.Kind == wire.Size:
			l.resize(f.Window)
		}
	}
}
