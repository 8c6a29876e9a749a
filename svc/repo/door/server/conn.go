package server

import (
	"errors"
	"os"
	"time"

	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// word is an error with which a connection ends.
type word struct {
	text string
	is   error
}

func (w *word) Error() string { return w.text }
func (w *word) Unwrap() error { return w.is }

// The words.
var (
	whyFull = &word{"the repository's door is busy: too many connections", door.ErrBusy}
	whyRoom = &word{"the connection rested longest, and others need its place", door.ErrBusy}
	whyEnd  = &word{"the repository's server ends", repo.ErrClosed}
)

// conn is one connection. Its goroutine owns it.
type conn struct {
	s      *Server
	uid    uint32
	f      *os.File
	frames door.Frames
	out    []byte // the answer, kept for the next one

	have     auth.Set // once resolved
	resolved bool

	why error // guarded by roster.mu
}

func newConn(s *Server, uid uint32, f *os.File) *conn {
	c := &conn{s: s, uid: uid, f: f, why: whyEnd}
	c.frames = door.Frames{R: f, Begun: c.begun}
	return c
}

// begun gives a request that has begun its time.
func (c *conn) begun() {
	if !c.s.roster.work(c) {
		return
	}
	_ = c.f.SetReadDeadline(time.Now().Add(c.s.patience.request))
	if c.s.stopped() { // looked at afterwards: the end sets a deadline that is nearer
		_ = c.f.SetReadDeadline(time.Now().Add(c.s.patience.word))
	}
}

// requestMax is the longest request that the user may send.
func (c *conn) requestMax() int {
	if c.uid == 0 {
		return door.RequestBytesMax
	}
	return door.StrangerBytesMax
}

// serve answers requests until the connection ends.
func (c *conn) serve() {
	c.out = door.AppendEpoch(door.Begin(c.out, door.Hello, c.s.cfg.Repo.Generation()), c.s.epoch)
	if c.send() != nil {
		return
	}
	for {
		_ = c.f.SetReadDeadline(time.Time{})
		if !c.s.roster.rest(c) {
			c.bye(c.s.roster.word(c))
			return
		}
		p, err := c.frames.Next(c.requestMax())
		if err == nil && !c.s.roster.work(c) || errors.Is(err, os.ErrDeadlineExceeded) && !c.s.roster.work(c) {
			c.bye(c.s.roster.word(c))
			return
		}
		if errors.Is(err, wire.ErrTooLong) || errors.Is(err, wire.ErrEmpty) {
			c.refuse(&word{door.ErrProtocol.Error() + ": " + err.Error(), door.ErrProtocol})
			return
		}
		if err != nil || !c.request(p) {
			return
		}
		if cap(c.out) > keptBytesMax {
			c.out = nil
		}
	}
}

// request does one request, and says whether the connection goes on. Who may call a verb is looked
// at before the rest is.
func (c *conn) request(p []byte) bool {
	verb, err := door.Head(p)
	if err == nil {
		switch callers := door.CallersOf(verb); {
		case callers == door.Nobody:
			err = door.ErrProtocol
		case callers == door.Root && c.uid != 0:
			c.fail(0, &door.DeniedError{})
			return c.send() == nil
		}
	}
	if err != nil {
		c.refuse(err)
		return false
	}
	if verb == door.VerbApply {
		frame, err := c.batch(p)
		if err != nil {
			c.refuse(err)
			return false
		}
		return c.write(frame) == nil
	}
	r, err := c.parse(p)
	if err != nil {
		c.refuse(err)
		return false
	}
	switch verb {
	case door.VerbWatch:
		c.watch(r)
		return false
	case door.VerbBackup, door.VerbVerify:
		c.keep(r)
	default:
		c.read(r)
	}
	return c.sendCounted() == nil
}

func (c *conn) parse(p []byte) (*door.Request, error) {
	defer c.s.turn(c.uid)()
	return door.ParseRequest(p, c.uid == 0)
}

// batch takes a batch apart and does it. Its memory is bounded for others than root, and free when
// the answer is sent.
func (c *conn) batch(p []byte) (frame []byte, err error) {
	if c.uid != 0 {
		defer enter(c.s.batches)()
	}
	r, err := c.parse(p)
	if err != nil {
		return nil, err
	}
	return c.apply(r), nil
}

// keep does root's verbs.
func (c *conn) keep(r *door.Request) {
	repository := c.s.cfg.Repo
	if r.Verb == door.VerbVerify {
		if err := repository.Verify(); err != nil {
			c.fail(repository.Generation(), err)
			return
		}
		c.out = door.Begin(c.out, door.Done, repository.Generation())
		return
	}
	path, made, err := repository.Backup(r.Name)
	if err != nil {
		c.fail(repository.Generation(), err)
		return
	}
	c.out = door.AppendBackup(door.Begin(c.out, door.Done, repository.Generation()), path, made)
}

// fail makes the answer an error.
func (c *conn) fail(generation uint64, err error) {
	c.out = door.AppendFailure(door.Begin(c.out, door.Failed, generation), err)
}

// refuse says what is wrong with a message; the connection ends then.
func (c *conn) refuse(err error) {
	c.fail(0, err)
	_ = c.f.SetWriteDeadline(time.Now().Add(c.s.patience.word))
	_, _ = c.f.Write(door.Finish(c.out))
}

// bye says why the connection ends.
func (c *conn) bye(why error) {
	frame := door.AppendFailure(door.Begin(nil, door.Bye, 0), why)
	_ = c.f.SetWriteDeadline(time.Now().Add(c.s.patience.word))
	_, _ = c.f.Write(door.Finish(frame))
}

// sendCounted sends the answer, when the user has not too much on its way already.
func (c *conn) sendCounted() error {
	n := len(c.out)
	if n <= keptBytesMax {
		return c.send()
	}
	if !c.s.roster.reserve(c, n) {
		c.fail(0, door.ErrBusy)
		return c.send()
	}
	defer c.s.roster.release(c, n)
	return c.send()
}

func (c *conn) send() error { return c.write(door.Finish(c.out)) }

func (c *conn) write(frame []byte) error {
	_ = c.f.SetWriteDeadline(time.Now().Add(c.s.patience.reply))
	if c.s.stopped() { // likewise
		_ = c.f.SetWriteDeadline(time.Now().Add(c.s.patience.word))
	}
	_, err := c.f.Write(frame)
	return err
}

// authorizations are the user's, as they were when this connection first needed them.
func (c *conn) authorizations() auth.Set {
	if c.resolved || c.s.cfg.Authorizations == nil {
		return c.have
	}
	c.resolved = true
	have, err := c.s.cfg.Authorizations(c.uid)
	if err != nil {
		c.s.log("a user has no authorizations: " + err.Error())
		return c.have
	}
	c.have = have
	return have
}
