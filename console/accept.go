package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// candidate is a connection that has identified itself.
type candidate struct {
	conn  conn
	ident wire.Ident
	pid   int    // as the kernel knows it
	input []byte // what came after the line
}

// handshakes are the connections that have not identified themselves, oldest first.
type handshakes struct {
	mu    sync.Mutex // guards both below
	open  []*handshake
	ended bool
}

type handshake struct {
	conn    conn
	crowded bool // closed by a newer one; written under the lock
}

// add takes a new connection in. It closes the oldest one when there are too many, and the
// new one, saying so, when all is over.
func (h *handshakes) add(hs *handshake) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		hs.conn.close()
		return false
	}
	if len(h.open) >= handshakesMax {
		h.open[0].crowded = true
		h.open[0].conn.close()
		h.open = h.open[1:]
	}
	h.open = append(h.open, hs)
	return true
}

// remove takes a connection out; crowded: it was closed meanwhile.
func (h *handshakes) remove(hs *handshake) (crowded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.open {
		if h.open[i] == hs {
			h.open = append(h.open[:i], h.open[i+1:]...)
			break
		}
	}
	return hs.crowded
}

func (h *handshakes) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for _, hs := range h.open {
		hs.conn.close()
	}
}

// shake starts the handshake of a new connection on a goroutine of its own.
func (s *Server) shake(fd *sys.FD) {
	hs := &handshake{conn: newConn(fd)}
	if !s.handshakes.add(hs) {
		return
	}
	s.group.start(func() {
		c, err := s.identify(hs.conn)
		if s.handshakes.remove(hs) {
			err = ErrCrowded
		}
		if err == nil {
			err = s.ask(func(l *loop) { l.welcome(c) })
		}
		if err != nil {
			hs.conn.close()
			s.refuse(c.pid, err)
		}
	})
}

// identify checks who is there, before it listens to what they say.
func (s *Server) identify(cn conn) (c candidate, err error) {
	c.conn = cn
	raw, err := cn.file.SyscallConn()
	if err != nil {
		return c, err
	}
	// Inside Control the number stays valid, although a newer connection may close the file.
	cerr := raw.Control(func(fd uintptr) {
		peer, perr := sys.PeerOf(int(fd))
		peer.Pidfd.Close()
		if c.pid = peer.Pid; perr != nil {
			err = perr
			return
		}
		err = s.cfg.Authorize(int(fd))
	})
	if err = errors.Join(err, cerr); err != nil {
		return c, err
	}
	line, rest, err := readLine(cn.file)
	if err != nil {
		return c, err
	}
	if c.ident, err = wire.ParseIdent(line); err != nil {
		return c, err
	}
	if c.ident.Pid != c.pid {
		return c, fmt.Errorf("%w %d", ErrPid, c.ident.Pid)
	}
	c.input = rest
	return c, nil
}

// readLine reads up to the first newline within handshakeTime. rest is what came after it.
func readLine(f *os.File) (line, rest []byte, err error) {
	if err := f.SetReadDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, nil, err
	}
	buf := make([]byte, 0, wire.IdentMax)
	for len(buf) < cap(buf) {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if i := bytes.IndexByte(buf, '\n'); i >= 0 {
			return buf[:i+1], buf[i+1:], nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil, ErrSilent
		case errors.Is(err, io.EOF) && len(buf) > 0:
			return nil, nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, nil, err
		}
	}
	return nil, nil, ErrLineTooLong
}

func (s *Server) refuse(pid int, err error) {
	s.mu.Lock()
	over := s.ending
	s.mu.Unlock()
	if over {
		return
	}
	ok, silent := s.refusals.Allow(time.Now())
	if !ok {
		return
	}
	log := s.cfg.Log.WithField("op", "console").WithField("pid", pid).WithError(err)
	if silent > 0 {
		log = log.WithField("unlogged", silent)
	}
	log.Warn("console connection refused")
}
