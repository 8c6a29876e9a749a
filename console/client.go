package console

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// client is a connection that was let in. It belongs to the loop.
type client struct {
	conn
	pid     int
	ident   wire.Ident
	reader  bool        // it watches: what it sends goes nowhere
	pos     uint64      // of the next byte to send
	text    []byte      // to send before it: a text of the original's form, or the rest of a frame
	owed    int         // how many bytes at the end of text are the console's, from before pos
	frames  wire.Frames // of what it sends
	events  uint32      // what the poller was asked for
	noInput bool        // it has ended its input; it may still watch

	// What a client with frames is to be told before the next byte.
	missed   uint64 // bytes
	taken    bool   // it is no longer the writer
	takenBy  int
	tellSize bool

	// blocked: its socket took no more. windowAt and windowPos are when and where its time to
	// make progress began.
	blocked   bool
	windowAt  int64
	windowPos uint64

	// holds: bytes from pos on are kept for it, and who writes to the console may have to wait.
	// slow: it has made the zone wait in vain once; until it has caught up it only holds
	// while its socket takes more. A reader never holds.
	holds, slow bool
	lost        uint64 // in this connection

	dropAt  uint64 // with dropped: where its output ends
	dropped bool   // it is to be disconnected at dropAt
	left    []*farewell
	cutAt   int64 // when it is cut off
}

// farewell is who waits for clients to leave.
type farewell struct {
	clients int
	err     error
	done    chan<- error
}

func (f *farewell) gone(err error) {
	if f.err == nil {
		f.err = err
	}
	if f.clients--; f.clients == 0 {
		f.done <- f.err
	}
}

func (c *client) counts() bool { return c.ident.From != wire.Original }

// framed: what is said beside the output is in frames.
func (c *client) framed() bool { return c.ident.Framed() }

// kept is the position from which on the ring must keep what the client has not got.
func (c *client) kept() uint64 { return c.pos - uint64(min(c.owed, len(c.text))) }

// wants is what the poller should report for it.
func (c *client) wants(inputFull bool) uint32 {
	var e uint32
	if !c.noInput && (c.reader || !inputFull) {
		e |= unix.EPOLLIN
	}
	if c.blocked {
		e |= unix.EPOLLOUT
	}
	return e
}

// tell ends the waiting of who asked for the client to be dropped.
func (c *client) tell(err error) {
	for _, f := range c.left {
		f.gone(err)
	}
	c.left = nil
}

// words puts what the client is to be told in front of the next byte.
func (c *client) words(size wire.Window) {
	if !c.framed() || len(c.text) > 0 {
		return
	}
	if c.missed > 0 {
		c.text = append(c.text, wire.LostFrame(c.missed)...)
	}
	if c.taken {
		c.text = append(c.text, wire.TakenFrame(c.takenBy)...)
	}
	if c.tellSize && size.Known() {
		c.text = append(c.text, wire.SizeFrame(size)...)
	}
	c.missed, c.taken, c.tellSize = 0, false, false
}

// wordy: there is something to be sent but output.
func (c *client) wordy() bool {
	return len(c.text) > 0 || c.framed() && (c.missed > 0 || c.taken || c.tellSize)
}

// sendText sends what is to be sent before the next byte of the ring.
func (c *client) sendText() error {
	for len(c.text) > 0 {
		n, err := send(c.fd, c.text)
		c.text = c.text[n:]
		if err != nil {
			return err
		}
	}
	c.text, c.owed = nil, 0
	return nil
}

// sendOutput sends bytes of the ring, and moves on by what needs not be read from there again.
// The rest of a frame that the socket did not take is kept: its head is out, and the ring may
// have something else at that place by then.
func (c *client) sendOutput(p []byte) (n int, err error) {
	if !c.framed() {
		n, err = send(c.fd, p)
		c.pos += uint64(n)
		return n, err
	}
	head := wire.Head(wire.Data, len(p))
	n, err = send2(c.fd, head[:], p)
	switch {
	case n == 0:
		return 0, err
	case n < len(head)+len(p):
		c.text = append(append([]byte(nil), head[min(n, len(head)):]...), p[max(0, n-len(head)):]...)
		c.owed = min(len(c.text), len(p))
		err = unix.EAGAIN
	}
	c.pos += uint64(len(p))
	return len(p), err
}
