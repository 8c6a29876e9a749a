package fuse

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reply sends the struct out as the body of the answer to r.
func reply[T any](s *Session, r *Request, out *T) error {
	n := copy(s.outBody(), unsafe.Slice((*byte)(unsafe.Pointer(out)), unsafe.Sizeof(*out)))
	return s.finish(r, n, 0)
}

// finish sends the answer whose body of n bytes is in out, and frees the request's slot. That
// nobody waits for the answer any more is no error.
func (s *Session) finish(r *Request, n int, errno int32) error {
	if !r.open {
		return ErrAnswered
	}
	if fh, ok := r.released(); ok {
		s.polls.drop(fh)
	}
	crash("answer")
	err := s.send(n, errno, r.Unique())
	crash("answered")
	s.free(r)
	if err == unix.ENOENT {
		return nil
	}
	return s.sendError(err)
}

// free makes the request's slot free.
func (s *Session) free(r *Request) {
	r.open = false
	if r.slot == readingSlot {
		s.mem.freeReading()
	} else {
		s.parked.free(r)
	}
	crash("free")
}

// Done ends a request that has no answer: OpForget, OpBatchForget, OpInterrupt.
func (s *Session) Done(r *Request) {
	if r.open {
		s.free(r)
	}
}

// ReplyError answers with an errno; 0 is success without a body, as for OpRelease.
func (s *Session) ReplyError(r *Request, errno unix.Errno) error {
	return s.finish(r, 0, -int32(errno))
}

// ReplyOK answers that it was done: OpRelease, OpReleasedir, OpAccess.
func (s *Session) ReplyOK(r *Request) error { return s.finish(r, 0, 0) }

// ReplyData answers OpRead, OpReaddir or OpReadlink with bytes. ErrTooLarge: more than were
// asked for; the request still waits.
func (s *Session) ReplyData(r *Request, data []byte) error {
	most := ReadMax
	switch r.Op() {
	case OpRead, OpReaddir:
		most = min(most, int(r.Read().Size))
	case OpReadlink:
		most = pageBytes - 1
	}
	if len(data) > most {
		return ErrTooLarge
	}
	return s.finish(r, copy(s.outBody(), data), 0)
}

// ReplyEntry answers OpLookup.
func (s *Session) ReplyEntry(r *Request, out *EntryOut) error { return reply(s, r, out) }

// ReplyAttr answers OpGetattr and OpSetattr.
func (s *Session) ReplyAttr(r *Request, out *AttrOut) error { return reply(s, r, out) }

// ReplyOpen answers OpOpen and OpOpendir with a handle, which comes back in every request on
// this open file, and flags (OpenDirectIO, ...). Handles of files that are open at the same
// time differ.
func (s *Session) ReplyOpen(r *Request, fh uint64, flags uint32) error {
	return reply(s, r, &openOut{fh: fh, flags: flags | openNoFlush})
}

// ReplyWrite answers OpWrite with the number of bytes taken.
func (s *Session) ReplyWrite(r *Request, n int) error {
	return reply(s, r, &writeOut{size: uint32(n)})
}

// ReplyStatfs answers OpStatfs.
func (s *Session) ReplyStatfs(r *Request, out *StatfsOut) error { return reply(s, r, out) }

// ReplyPoll answers OpPoll with the events that hold. When somebody waits, WakePoll of the
// same handle wakes it. ErrPollsFull: PollsMax handles are being polled; the request still
// waits.
func (s *Session) ReplyPoll(r *Request, revents uint32) error {
	if !r.open {
		return ErrAnswered
	}
	if p := r.Poll(); p.Flags&PollSchedule != 0 {
		if err := s.polls.arm(p.FH, p.KH); err != nil {
			return err
		}
		crash("armed")
	}
	return reply(s, r, &pollOut{revents: revents})
}

// ReplyPollAlways answers OpPoll of a file for which the same events hold at all times: nobody
// is ever to be woken, and no place among PollsMax is taken.
func (s *Session) ReplyPollAlways(r *Request, revents uint32) error {
	return reply(s, r, &pollOut{revents: revents})
}

// ReplyIoctl answers OpIoctl with what ioctl(2) returns and the bytes that it gives out.
// ErrTooLarge: more than the command's number says; the request still waits.
func (s *Session) ReplyIoctl(r *Request, result int32, data []byte) error {
	in, _ := r.Ioctl()
	if len(data) > int(in.OutSize) || len(data) > ReadMax {
		return ErrTooLarge
	}
	out := s.outBody()
	*(*ioctlOut)(unsafe.Pointer(&out[0])) = ioctlOut{result: result}
	head := int(unsafe.Sizeof(ioctlOut{}))
	return s.finish(r, head+copy(out[head:], data), 0)
}

// Dirents builds the answer to one OpReaddir. Nothing else may be answered meanwhile.
type Dirents struct {
	s    *Session
	r    *Request
	n    int
	most int
}

// Dirents begins the answer to r.
func (s *Session) Dirents(r *Request) Dirents {
	return Dirents{s: s, r: r, most: min(ReadMax, int(r.Read().Size))}
}

// Add adds an entry; off is the Offset of the OpReaddir that goes on after it, kind a DT_*.
// False: there is no room for it, and the answer is complete.
func (d *Dirents) Add(ino, off uint64, kind uint32, name string) bool {
	head := int(unsafe.Sizeof(direntHeader{}))
	bytes := (head + len(name) + 7) &^ 7
	if d.n+bytes > d.most {
		return false
	}
	p := d.s.outBody()[d.n:][:bytes]
	*(*direntHeader)(unsafe.Pointer(&p[0])) = direntHeader{ino: ino, off: off, nameLen: uint32(len(name)), kind: kind}
	clear(p[head+copy(p[head:], name):])
	d.n += bytes
	return true
}

// Reply sends the entries; none is the end of the directory.
func (d *Dirents) Reply() error { return d.s.finish(d.r, d.n, 0) }
