package server

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// settleDoubt answers the request whose Op is the last in the journal, if it was not answered.
// It comes before anything is written down: a successor, or a snapshot, knows the outcome of
// the last Op alone, and a supervisor may be killed again while it takes over.
func (s *Server) settleDoubt() error {
	if !s.resumed || s.session == nil || s.doubt.unique == 0 {
		return nil
	}
	var r *fuse.Request
	for _, p := range s.session.Parked() {
		if p.Unique() == s.doubt.unique {
			r = p
		}
	}
	if r == nil {
		// If a request was taken it is the first that Next gives; any other is served in its turn.
		first, err := s.session.Next()
		if errors.Is(err, fuse.ErrGone) || err == unix.EAGAIN {
			return nil // the loop will find out
		}
		if err != nil {
			return err
		}
		s.first = first
		if first.Unique() != s.doubt.unique {
			return nil
		}
		r = first
	}
	a, known := s.outcome(r)
	if !known {
		return nil
	}
	if r == s.first {
		s.first = nil
	}
	s.answer(r, a)
	return nil
}

// reconcile makes what is kept and what the kernel has agree, after a predecessor's death: what
// it had begun is finished or undone, and what happened meanwhile is found.
func (s *Server) reconcile() error {
	if !s.resumed {
		return nil
	}
	for _, fh := range sortedKeys(s.kept.handles) {
		if s.kept.handles[fh].host {
			s.do0(&table.Op{Kind: table.Close, FH: fh})
		}
	}
	for _, id := range sortedKeys(s.kept.taken) {
		if _, err := s.kernel.Take(id, s.kept.taken[id]); err != nil {
			s.trouble("take up a login's contract", err)
		}
	}
	if s.session == nil {
		s.closeHandles()
	}
	known := map[contract.ID]bool{}
	for _, id := range s.table.IDs() {
		known[id] = true
	}
	for _, id := range s.table.Populated() {
		known[id] = true
	}
	for _, b := range s.kept.births {
		known[b.ct] = true
		// What became of it while nobody listened is not known, and can not be told before the
		// contract is somebody's.
		s.deaf[b.ct] = !b.forked && s.kernel.Sources()&kernel.SourceBPF == 0
	}
	s.work() // the first Work has all that is not confirmed
	for id := range known {
		_ = s.watch(id)
	}
	for _, p := range s.table.Owners() {
		if err := s.kernel.WatchOwner(p); err != nil {
			s.trouble("watch an owner", err)
		}
	}
	s.removeStrays(known)
	if err := s.kernel.Resync(s.populated()); err != nil {
		s.trouble("compare contracts with the kernel", err)
	}
	return nil
}

// tellDeaf tells of a contract that was somebody's only after a restart that its source of
// events heard nothing meanwhile.
func (s *Server) tellDeaf(id contract.ID) {
	if !s.deaf[id] {
		return
	}
	delete(s.deaf, id)
	ev, err := s.takeEV(s.ids)
	if err != nil {
		s.trouble("take an event's number", err)
		return
	}
	s.do0(&table.Op{Kind: table.Happened, CT: id, EV: ev, Fact: table.Fact{Event: contract.Lost}})
}

// populated are the contracts that have members as far as is known. One that was made for a
// process which was not started yet has none, and is not empty for that.
func (s *Server) populated() []contract.ID {
	var ids []contract.ID
	for _, id := range s.table.Populated() {
		if s.kept.unborn[id] {
			if lives, err := s.kernel.Populated(id); err != nil || !lives {
				continue
			}
		}
		ids = append(ids, id)
	}
	return ids
}

// removeStrays takes away directories that no contract has. None should be there: it is
// written down that there is a contract before its directory is made, and that there is none
// after its directory was removed.
func (s *Server) removeStrays(known map[contract.ID]bool) {
	for _, d := range s.kernel.List() {
		if known[d.CT] || s.table.Wants(d.CT) != 0 || s.retries[d.CT] != nil {
			continue
		}
		if err := s.kernel.Remove(d.CT); err != nil {
			s.cfg.Log.Warnf("directory %s is no contract's and stays: %v", d.Path, err)
		}
	}
}

// takeUp goes on with what clients had asked a predecessor for: first the request that it had
// taken, since it may be in doubt, then those that wait. Births that it had begun for nobody
// who still asks are given up.
func (s *Server) takeUp() error {
	if s.session == nil || !s.resumed {
		return nil
	}
	for _, p := range s.session.Parked() {
		s.await(p)
	}
	s.reopenWindows()
	// If a request was taken it is the first that Next gives; any other does no harm here.
	r, err := s.first, error(nil)
	if r == nil {
		r, err = s.session.Next()
	}
	s.first = nil
	switch {
	case err == nil:
		s.request(r)
	case errors.Is(err, fuse.ErrGone):
		s.unmounted()
		return nil
	case err != unix.EAGAIN:
		return err
	}
	for _, p := range s.session.Parked() {
		if x := s.waits.byUnique[p.Unique()]; x != nil {
			s.retryWait(x)
		}
	}
	s.doubt = doubt{}
	for _, fh := range sortedKeys(s.kept.births) {
		b := s.kept.births[fh]
		if !b.placed && !b.forked {
			s.do0(&table.Op{Kind: table.Cancel, FH: fh})
		}
	}
	s.work()
	return nil
}

// reopenWindows opens the window again that the predecessor's death has closed early. Windows
// follow one another, so that only the last that was opened can have been open, and none was
// while a birth waited for its own: that one's maker still asks, and finds no other's window in
// its way.
func (s *Server) reopenWindows() {
	var last *birth
	for _, fh := range sortedKeys(s.kept.births) {
		b := s.kept.births[fh]
		switch {
		case b.forked:
		case !b.placed:
			return
		case b.mode == kernel.Clone && (last == nil || b.until > last.until):
			last = b
		}
	}
	if last == nil || last.until <= sys.Monotonic() {
		return
	}
	if _, err := s.kernel.OpenWindow(last.ct, last.by); err == nil {
		s.window = &window{ct: last.ct, until: last.until}
	}
}
