package server

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/ctfs"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/quota"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// A birth goes: activate (a number, a nascent contract, its directories, its window), clone3 by
// the client, the kernel's word of the fork (the window closes, and the contract is its
// maker's), born (the client confirms, or has its gate moved). The steps before the fork are
// undone by clear and by the end of the template, of which the maker's death is one. They are not
// when the window's time is over: who came in may have ended since, and be named all the same, as
// late as a machine that stood still lets its maker.

// window is the one that is open.
type window struct {
	ct    contract.ID
	until int64 // of CLOCK_MONOTONIC
}

// never is a moment that does not come.
const never = math.MaxInt64

// Activates says whether a request has made the contract that its template waits with.
func (h *host) Activates(r *fuse.Request, fh uint64) bool {
	b := (*Server)(h).kept.births[fh]
	return b != nil && b.unique == r.Unique()
}

// Activate makes a contract of a template's terms and opens its birth. One window is open at a
// time, and who came first is served first. Who comes in by a move needs none.
func (h *host) Activate(r *fuse.Request, fh uint64, way ctfs.Way, within contract.Within) (unix.Errno, bool) {
	s := (*Server)(h)
	if h.Activates(r, fh) {
		b := s.kept.births[fh]
		if b.placed || b.forked {
			return 0, false
		}
		return s.place(fh, b, way, within), false // a predecessor came as far as this
	}
	if _, nascent, _ := s.table.Template(fh); nascent != 0 {
		return unix.EBUSY, false // its turn would not come before its own birth is over
	}
	busy := s.window != nil || len(s.waits.births) > 0 && s.waits.births[0].r.Unique() != r.Unique()
	if busy && way == ctfs.ByClone {
		return 0, true
	}
	who, errno := h.Caller(r)
	if errno != 0 {
		return errno, false
	}
	if !within.Empty() && !who.Cred.Privileged {
		return unix.EPERM, false
	}
	id, err := s.takeCT(s.ids)
	if err != nil {
		s.trouble("take a contract's number", err)
		return unix.EAGAIN, false
	}
	op := &table.Op{
		Kind: table.Activate, FH: fh, CT: id, Proc: who.Proc, Cred: who.Cred, ProcCT: who.CT, Comm: s.kernel.Comm(who.Proc),
	}
	res := h.Do(op)
	if res.Errno == unix.EAGAIN && s.removeAll() {
		res = h.Do(op)
	}
	if res.Errno != 0 {
		return res.Errno, false
	}
	return s.place(fh, s.kept.births[fh], way, within), false
}

// place makes a birth's directories and opens its window, if it is to have one. What the contract
// counts in besides is not written down: a successor is asked with the same request, and finds the
// rest in the kernel.
func (s *Server) place(fh uint64, b *birth, way ctfs.Way, within contract.Within) unix.Errno {
	_, err := s.kernel.MakeWithin(b.ct, within, b.by.CT)
	if _, there := s.kernel.Dir(b.ct); errors.Is(err, kernel.ErrUsed) && there && s.resumed {
		err = nil // a predecessor's work
	}
	crash("made")
	if err == nil {
		err = s.watch(b.ct) // or the first member is born and nobody is told
	}
	switch {
	case err != nil:
	case way == ctfs.ByMove:
		err = s.note(&record{kind: recPlaced, fh: fh, birth: birth{mode: kernel.Move, until: never}})
	default:
		err = s.openWindow(fh, b)
	}
	if err == nil {
		return 0
	}
	s.trouble("open a birth", err)
	s.do0(&table.Op{Kind: table.Cancel, FH: fh})
	return errnoOf(err, unix.EAGAIN)
}

// openWindow opens a birth's window and writes down what the client is to know.
func (s *Server) openWindow(fh uint64, b *birth) error {
	w, err := s.kernel.OpenWindow(b.ct, b.by)
	if err != nil {
		return err
	}
	crash("window")
	until := int64(never)
	if w.Mode == kernel.Clone {
		until = sys.Monotonic() + int64(windowLimit)
		s.window = &window{ct: b.ct, until: until}
	} else if _, err := s.kernel.CloseWindow(); err != nil { // nothing is open, but it is counted
		return err
	}
	return s.note(&record{kind: recPlaced, fh: fh, birth: birth{mode: w.Mode, path: w.Path, until: until}})
}

// closeWindow closes what is open. What can not be closed is tried again at once, by the loop.
func (s *Server) closeWindow() {
	intruders, err := s.kernel.CloseWindow()
	if err != nil {
		s.trouble("close a birth's window", err)
		if s.window != nil {
			s.window.until = sys.Monotonic() + int64(retryFirst)
		}
		return
	}
	if intruders > 0 {
		s.cfg.Log.Warnf("%d processes came into a contract from outside while it was open for a birth, and were killed", intruders)
	}
	if s.window == nil {
		return
	}
	s.window = nil
	s.nextBirth()
}

// closeWindowOf closes the window if it is this contract's.
func (s *Server) closeWindowOf(ct contract.ID) {
	if s.window != nil && s.window.ct == ct {
		s.closeWindow()
	}
}

// nextBirth serves activations that wait, until one has opened a window.
func (s *Server) nextBirth() {
	for s.window == nil && len(s.waits.births) > 0 && !s.birthing {
		s.birthing = true // an answer may end a birth and come here again
		served := s.retryWait(s.waits.births[0])
		s.birthing = false
		if !served {
			return
		}
	}
}

// Born takes the first member of a template's birth. The kernel may have told of a member
// already: usually this one, whose maker then only confirms it. It may also be a stranger's, who
// has used the window; then who is named comes in besides.
func (h *host) Born(r *fuse.Request, fh uint64, pid int32) (unix.Errno, bool) {
	s := (*Server)(h)
	b := s.kept.births[fh]
	if b == nil {
		return h.Do(&table.Op{Kind: table.Born, FH: fh}).Errno, false
	}
	who, errno := h.Caller(r)
	if errno != 0 {
		return errno, false
	}
	caller := kernel.Caller{Proc: who.Proc, UID: who.Cred.UID, CT: who.CT, InZone: !who.Host}
	p, member, err := s.kernel.Find(b.ct, caller, pid)
	if err != nil && b.forked { // it has ended and was waited for
		return s.confirm(r, fh), false
	}
	if err != nil {
		return errnoOf(err, unix.ESRCH), false
	}
	s.closeWindowOf(b.ct)
	if !member {
		return s.moveIn(b.ct, caller, p)
	}
	delete(s.moved, b.ct)
	if b.forked {
		return s.confirm(r, fh), false
	}
	res := h.Do(&table.Op{Kind: table.Born, FH: fh, Proc: who.Proc, Cred: who.Cred, ProcCT: who.CT, Fact: table.Fact{Member: p}})
	if res.Errno == 0 {
		s.tellDeaf(b.ct)
		if err := s.kernel.Born(b.ct, p); err != nil {
			s.trouble("watch a first member", err)
		}
	}
	return res.Errno, false
}

// moveIn has a gate moved into its contract. What becomes of it is told later, and the request
// served again.
func (s *Server) moveIn(ct contract.ID, caller kernel.Caller, p table.Proc) (unix.Errno, bool) {
	if err, moved := s.moved[ct]; moved {
		delete(s.moved, ct)
		return errnoOf(err, unix.ESRCH), false
	}
	s.kernel.Move(ct, caller, p)
	return 0, true
}

// confirm ends a birth that the kernel has told of.
func (s *Server) confirm(r *fuse.Request, fh uint64) unix.Errno {
	if err := s.note(&record{kind: recConfirmed, unique: r.Unique(), fh: fh}); err != nil {
		s.trouble("confirm a birth", err)
		return unix.ENOSPC
	}
	return 0
}

// moveDone goes on with a birth whose gate was moved, or was not.
func (s *Server) moveDone(ct contract.ID, err error) {
	fh, b := s.kept.birthOf(ct)
	if b == nil {
		return
	}
	if err != nil {
		s.moved[ct] = err
	}
	for _, x := range s.waits.moves {
		if x.fh == fh {
			s.retryWait(x)
			return
		}
	}
}

// Clear takes back what a template waits for. A first member that the maker does not confirm
// was not what it wanted (it could not execute its command): the contract is abandoned. It has
// ended by now, and yet may be told of only after this request; a successor that has to take that
// word takes it for a birth.
func (h *host) Clear(r *fuse.Request, fh uint64) unix.Errno {
	s := (*Server)(h)
	b := s.kept.births[fh]
	if b != nil {
		s.cleared[b.ct] = b.by
		if b.forked {
			s.disown(b.ct)
		}
		s.closeWindowOf(b.ct)
	}
	return h.Do(&table.Op{Kind: table.Cancel, FH: fh}).Errno
}

// disown abandons a contract whose birth was taken back, once it is its maker's.
func (s *Server) disown(ct contract.ID) {
	by, cleared := s.cleared[ct]
	if !cleared {
		return
	}
	if (*host)(s).Do(&table.Op{Kind: table.Abandon, CT: ct, Proc: by.Proc, ProcCT: by.CT}).Errno == 0 {
		delete(s.cleared, ct)
	}
}

// errnoOf is what a client is told of the kernel's side's errors.
func errnoOf(err error, other unix.Errno) unix.Errno {
	for _, e := range []struct {
		err   error
		errno unix.Errno
	}{
		{kernel.ErrNotChild, unix.ESRCH},
		{kernel.ErrGone, unix.ESRCH},
		{kernel.ErrPlace, unix.EPERM},
		{kernel.ErrLimit, unix.EAGAIN},
		{kernel.ErrUsed, unix.EBUSY},
		{kernel.ErrNone, unix.ESRCH},
		{kernel.ErrPool, unix.ENOENT},
		{kernel.ErrProjects, unix.EDQUOT},
		{quota.ErrController, unix.EOPNOTSUPP},
		{quota.ErrInUse, unix.EOVERFLOW},
		{quota.ErrProcessors, unix.ERANGE},
	} {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	return other
}

var _ ctfs.Host = (*host)(nil)
