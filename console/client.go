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
	pos     uint64 // of the next byte to send
	text    []byte // to send before it; never for a client that counts positions
	events  uint32 // what the poller was asked for
	noInput bool   // it has ended its input; it may still watch

	// blocked: its socket took no more. windowAt and windowPos are when and where its time to
	// make progress began.
	blocked   bool
	windowAt  int64
	windowPos uint64

	// holds: bytes from pos on are kept for it, and who writes to the console may have to wait.
	// slow: it has made the zone wait in vain once; until it has caught up it only holds
	// while its socket takes more.
	holds, slow bool
	lost        uint64 // in this connection

	dropAt  uint64 // with leaving: where its output ends
	dropped bool   // it is to be disconnected at dropAt
	left    []chan<- error
	cutAt   int64 // when it is cut off
}

func (c *client) counts() bool { return c.ident.From != wire.Original }

// wants is what the poller should report for it.
func (c *client) wants(inputFull bool) uint32 {
	var e uint32
	if !c.noInput && !inputFull {
		e |= unix.EPOLLIN
	}
	if c.blocked {
		e |= unix.EPOLLOUT
	}
	return e
}

// tell ends the waiting of who asked for the client to be dropped.
func (c *client) tell(err error) {
	for _, ch := range c.left {
		ch <- err
	}
	c.left = nil
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
	c.text = nil
	return nil
}
