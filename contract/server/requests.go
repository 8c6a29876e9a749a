package server

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/ctfs"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/table"
)

// request serves one request of the kernel, or has it wait.
func (s *Server) request(r *fuse.Request) {
	if r.Op() == fuse.OpInterrupt {
		s.interrupt(r)
		return
	}
	a := s.serve(r)
	if a.What == ctfs.Wait {
		a = s.wait(r)
	}
	s.answer(r, a)
}

// serve says what to answer.
func (s *Server) serve(r *fuse.Request) ctfs.Answer {
	s.serving = r
	defer func() { s.serving, s.asker = nil, nil }()
	if a, known := s.outcome(r); known {
		return a
	}
	return s.fs.Serve(r)
}

// outcome is the answer to a request that the dead predecessor has taken, and whose Op is in
// the journal: it must not happen again. Commands of births are of several steps and find out
// themselves how far they were.
func (s *Server) outcome(r *fuse.Request) (a ctfs.Answer, known bool) {
	d := s.doubt
	if d.unique == 0 || d.unique != r.Unique() {
		return a, false
	}
	s.doubt = doubt{}
	if d.op == nil {
		return s.fs.Confirmed(r), true
	}
	switch d.op.Kind {
	case table.Set:
		if s.fs.IsActivate(r) {
			return a, false
		}
	case table.Activate, table.Cancel, table.Close, table.Abandon:
		if r.Op() == fuse.OpRelease || s.fs.IsTemplate(r) {
			return a, false
		}
	}
	return s.fs.Outcome(r, d.op, d.res), true
}

// answer tells the kernel. What can not be told was answered already or is told as EIO.
func (s *Server) answer(r *fuse.Request, a ctfs.Answer) {
	var err error
	switch a.What {
	case ctfs.Wait, ctfs.Parked:
		return
	case ctfs.Silence:
		s.session.Done(r)
	case ctfs.Fail:
		err = s.session.ReplyError(r, a.Errno)
	case ctfs.Entry:
		err = s.session.ReplyEntry(r, &a.Entry)
	case ctfs.Attr:
		err = s.session.ReplyAttr(r, &a.Attr)
	case ctfs.Open:
		err = s.session.ReplyOpen(r, a.FH, a.Flags)
	case ctfs.Data:
		err = s.session.ReplyData(r, a.Data)
	case ctfs.Names:
		d := s.session.Dirents(r)
		a.Names(d.Add)
		err = d.Reply()
	case ctfs.Written:
		err = s.session.ReplyWrite(r, int(a.Size))
	case ctfs.Statfs:
		err = s.session.ReplyStatfs(r, &a.Statfs)
	case ctfs.Polled:
		err = s.session.ReplyPoll(r, a.Events)
	case ctfs.PolledAlways:
		err = s.session.ReplyPollAlways(r, a.Events)
	case ctfs.Ioctl:
		err = s.session.ReplyIoctl(r, 0, nil)
	}
	crash("answered")
	s.answered(r, err)
}

// answered makes the best of an answer that could not be given.
func (s *Server) answered(r *fuse.Request, err error) {
	if err == nil || errors.Is(err, fuse.ErrGone) { // the next request says so too
		return
	}
	errno := unix.EIO
	if errors.Is(err, fuse.ErrPollsFull) {
		errno = unix.ENOMEM
	} else {
		s.cfg.Log.Warnf("a request of the file system of contracts was not answered: %v", err)
	}
	if r.Open() {
		_ = s.session.ReplyError(r, errno)
	}
}

// interrupt ends a wait.
func (s *Server) interrupt(r *fuse.Request) {
	if t := r.Target(); t != nil && t.Open() {
		s.waits.drop(t.Unique())
		_ = s.session.ReplyError(t, unix.EINTR)
	}
	s.session.Done(r)
	s.nextBirth()
}
