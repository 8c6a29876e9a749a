package fuse

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Session is one connection to the kernel, as long as this process lives.
type Session struct {
	// TakeForgets makes Next give OpForget and OpBatchForget too. Set it before Next.
	TakeForgets bool

	dev     int // of the caller's descriptor
	mem     *Memory
	current Request // the one in the reading slot
	resumed bool    // current was taken by a predecessor and not given to the caller yet
	out     []byte  // replies, locked as they are touched

	parked parkedSlots
	polls  pollTable
}

// outBytes is the longest message to the kernel.
const outBytes = (outHeaderBytes + ReadMax + pageBytes) / pageBytes * pageBytes

// New goes on with the connection of dev where mem says that it stands: a new one, or one
// whose server was killed. Both stay the caller's, and must stay open longer than the session.
// Who polls a file and waits is woken, since what would have woken it may have been missed.
func New(dev *sys.FD, mem *Memory) (*Session, error) {
	if err := unix.SetNonblock(dev.Int(), true); err != nil {
		return nil, sysError("set nonblock", "/dev/fuse", err)
	}
	out, err := mapPrivate(outBytes)
	if err != nil {
		return nil, err
	}
	lockAsTouched(out)
	s := &Session{dev: dev.Int(), mem: mem, out: out}
	if err := s.resume(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// FD is the descriptor of /dev/fuse: readable when Next has something to give.
func (s *Session) FD() int { return s.dev }

// Params are what was negotiated, zero before the first Next.
func (s *Session) Params() Params { return s.mem.Params() }

// Close ends the use of the session. The connection lives on in its descriptor and memory.
func (s *Session) Close() error {
	if s.out == nil {
		return nil
	}
	err := unix.Munmap(s.out)
	s.out = nil
	return err
}

// resume finds what a predecessor had taken.
func (s *Session) resume() error {
	if err := s.resumeParked(); err != nil {
		return err
	}
	if err := s.resumePolls(); err != nil {
		return err
	}
	return s.resumeReading()
}

// resumeReading looks at the reading slot. An interrupt in it is dropped: asking whether its
// target is wanted has made the kernel send it again.
func (s *Session) resumeReading() error {
	h := s.mem.readingHeader()
	length := int(atomic.LoadUint32(&h.length))
	if length == 0 {
		return nil
	}
	switch {
	case s.parked.find(h.unique) != nil, h.opcode == OpInterrupt, h.unique == 0:
		s.mem.freeReading()
		return nil
	case h.opcode == OpForget || h.opcode == OpBatchForget: // nobody waits for it
	default:
		wanted, err := s.wanted(h.unique)
		if err != nil {
			return err
		}
		if !wanted {
			s.mem.freeReading()
			return nil
		}
	}
	if length < inHeaderBytes || length > slotBytes {
		err := s.refuse(h.unique)
		s.mem.freeReading()
		return err
	}
	s.current = Request{raw: s.mem.reading()[:length:length], slot: readingSlot, open: true}
	s.resumed = true
	return nil
}

// wanted asks the kernel whether a request that it handed out still waits for its answer, and
// makes it tell again what interrupted it. It is an answer to the interrupt of that request,
// whether there was one or not: 0 and EINVAL tell the one from the other, ENOENT that there
// is no such request (fs/fuse/dev.c, fuse_dev_do_write).
func (s *Session) wanted(unique uint64) (bool, error) {
	err := s.send(0, -int32(unix.EAGAIN), unique|interruptBit)
	switch err {
	case nil, unix.EINVAL:
		return true, nil
	case unix.ENOENT:
		return false, nil
	}
	return false, s.sendError(err)
}

// refuse answers EIO to a request of which nothing is known but its number.
func (s *Session) refuse(unique uint64) error {
	err := s.send(0, -int32(unix.EIO), unique)
	if err == unix.ENOENT {
		return nil
	}
	return s.sendError(err)
}

// Next gives the next request, EAGAIN when there is none, ErrGone when there will be none any
// more. The request is valid until it was answered or parked, which must happen before the
// next Next (ErrBusy). What needs no file system is answered here.
func (s *Session) Next() (*Request, error) {
	if s.resumed {
		s.resumed = false
	} else if err := s.take(); err != nil {
		return nil, err
	}
	for {
		give, err := s.consider(&s.current)
		if give || err != nil {
			return &s.current, err
		}
		if err := s.take(); err != nil {
			return nil, err
		}
	}
}

// Waiting gives the request of that number if a predecessor had taken or parked it and it was
// not answered yet, nil otherwise. Next does not give it again. So a caller that knows the
// outcome of its last change asks for that one first, before it changes anything else.
func (s *Session) Waiting(unique uint64) *Request {
	if p := s.parked.find(unique); p != nil {
		return p
	}
	r := &s.current
	if !s.resumed || r.Unique() != unique || r.check() != formGood || !r.Op().waits() {
		return nil
	}
	s.resumed = false
	return r
}

// take reads one request into the reading slot.
func (s *Session) take() error {
	if s.current.open {
		return ErrBusy
	}
	slot := s.mem.reading()
	for {
		s.mem.freeReading()
		n, err := unix.Read(s.dev, slot)
		switch err {
		case nil:
			crash("read")
			h := s.mem.readingHeader()
			if n < inHeaderBytes || int(h.length) != n || h.unique == 0 {
				return ErrProtocol
			}
			s.current = Request{raw: slot[:n:n], slot: readingSlot, open: true}
			return nil
		case unix.EINTR, unix.ENOENT: // ENOENT: aborted while it was copied
		case unix.ENODEV, unix.ECONNABORTED:
			return ErrGone
		case unix.EAGAIN:
			return unix.EAGAIN
		default:
			return sysError("read", "/dev/fuse", err)
		}
	}
}

// consider answers what needs no file system, and says whether to give r to the caller.
func (s *Session) consider(r *Request) (give bool, err error) {
	switch r.check() {
	case formUnknown:
		if changes[r.Op()] {
			return false, s.ReplyError(r, unix.EPERM)
		}
		return false, s.ReplyError(r, unix.ENOSYS)
	case formBad:
		return false, s.ReplyError(r, unix.EIO)
	}
	switch r.Op() {
	case OpInit:
		return false, s.negotiate(r)
	case OpDestroy:
		return false, s.ReplyError(r, 0)
	case OpForget, OpBatchForget:
		if !s.TakeForgets {
			s.Done(r)
		}
		return s.TakeForgets, nil
	case OpInterrupt:
		// What is not parked was answered meanwhile: a request is read before its interrupt,
		// and one at a time.
		if r.target = s.parked.find(body[interruptIn](r).unique); r.target == nil {
			s.Done(r)
		}
		return r.target != nil, nil
	}
	return true, nil
}

// negotiate answers the kernel's first request.
func (s *Session) negotiate(r *Request) error {
	in := body[initIn](r)
	if in.major != protocolMajor || in.minor < protocolMinorMin {
		if err := s.ReplyError(r, unix.EPROTO); err != nil {
			return err
		}
		return ErrProtocol
	}
	p := Params{Major: in.major, Minor: in.minor, Flags: in.flags & capabilitiesWanted, MaxWrite: WriteMax}
	// Before the answer, so that no predecessor has answered what is not known here.
	s.mem.head.params = p
	s.mem.head.negotiated.Store(1)
	out := initOut{
		major:    protocolMajor,
		minor:    min(in.minor, protocolMinor),
		flags:    p.Flags,
		maxWrite: p.MaxWrite,
		// The defaults of the kernel; what runs in the background here is RELEASE.
		maxBackground:       12,
		congestionThreshold: 9,
		timeGranularity:     1,
		maxPages:            ReadMax / pageBytes,
	}
	return reply(s, r, &out)
}

// send writes a message with n bytes of body, which lie in out behind the header.
func (s *Session) send(n int, errno int32, unique uint64) error {
	*(*outHeader)(unsafe.Pointer(&s.out[0])) = outHeader{length: uint32(outHeaderBytes + n), errno: errno, unique: unique}
	return sys.Retry(func() error {
		_, err := unix.Write(s.dev, s.out[:outHeaderBytes+n])
		return err
	})
}

// sendError gives the error of a send its meaning.
func (s *Session) sendError(err error) error {
	switch err {
	case nil:
		return nil
	case unix.ENODEV, unix.ECONNABORTED:
		return ErrGone
	}
	return sysError("write", "/dev/fuse", err)
}

// outBody is the room for a message's body.
func (s *Session) outBody() []byte { return s.out[outHeaderBytes:] }

// crash is where a test has its process killed, by the name of what was just done.
var crash = func(string) {}
