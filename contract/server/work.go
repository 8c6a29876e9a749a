package server

import (
	"errors"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// work does what the table wants done. What is done may make more of it.
func (s *Server) work() {
	s.again = false
	for range workRounds {
		w := s.table.Work()
		if len(w.Kill)+len(w.Gone)+len(w.Wake)+len(w.Interest)+len(w.Unwatch)+len(w.Watch) == 0 {
			return
		}
		s.workOff(&w)
	}
	s.again = true
}

func (s *Server) workOff(w *table.Work) {
	for _, id := range w.Interest {
		_ = s.watch(id)
	}
	for _, p := range w.Unwatch {
		s.kernel.ForgetOwner(p)
	}
	for _, p := range w.Watch {
		if err := s.kernel.WatchOwner(p); err != nil {
			s.trouble("watch an owner", err)
		}
	}
	for _, k := range w.Kill {
		s.kernel.Kill(k)
	}
	for _, id := range w.Gone {
		s.removeSoon(id)
	}
	for _, fh := range w.Wake {
		s.wake(fh)
	}
}

// watch has the kernel tell what the table wants to know of a contract. One without a
// directory has nothing to tell.
func (s *Server) watch(id contract.ID) error {
	wants := s.table.Wants(id)
	if s.kept.unborn[id] && wants != 0 {
		wants |= contract.Fork // so that it is known, also after a restart, whether it had a member
	}
	if _, ok := s.kernel.Dir(id); !ok || wants == 0 {
		return nil
	}
	err := s.kernel.Watch(id, wants, s.table.Critical(id))
	if err != nil {
		s.trouble("watch a contract", err)
	}
	return err
}

// removeSoon has the directories of a contract that is no more removed when there is nothing else to
// do: who has waited for its end is served before.
func (s *Server) removeSoon(id contract.ID) {
	if len(s.retries) >= removesMax {
		s.remove(id)
		return
	}
	r := s.retries[id]
	if r == nil {
		r = &retry{wait: retryFirst}
		s.retries[id] = r
	}
	if r.remove = true; r.at == 0 {
		r.at = sys.Monotonic() + int64(removeAfter)
	}
}

// removeAll does all removals now, because there is no room for contracts, and says whether that made
// some.
func (s *Server) removeAll() bool {
	before := s.table.Len()
	for _, id := range sortedKeys(s.retries) {
		if r := s.retries[id]; r.remove {
			r.remove = false
			if len(r.kills) == 0 {
				r.at = 0
			}
			s.remove(id)
		}
	}
	return s.table.Len() < before
}

// remove takes away the directories of a contract that is no more. One whose birth was given up, and
// then told after all, lives.
func (s *Server) remove(id contract.ID) {
	if st, _, _, _, known := s.table.Status(id); known && st.State != contract.Dead {
		return
	}
	err := s.kernel.Remove(id)
	if err == nil {
		crash("removed")
		s.do0(&table.Op{Kind: table.Removed, CT: id})
		delete(s.retries, id)
		delete(s.lists, id)
		delete(s.deaf, id)
		delete(s.cleared, id)
		return
	}
	r := s.later(id)
	r.remove = true
	if !errors.Is(err, kernel.ErrBusy) {
		s.trouble("remove a contract's directory", err)
		return
	}
	if r.tries > unseenAfter || r.tries > 1 && !s.tellsBirths() {
		s.unseen(id)
	}
}

// tellsBirths says whether a source of events tells of births.
func (s *Server) tellsBirths() bool {
	return s.kernel.Sources()&(kernel.SourceBPF|kernel.SourceConnector) != 0
}

// unseenAfter is how many tries, some seconds, the word of a birth may be late.
const unseenAfter = 7

// unseen is for a contract of which nobody was told to be born, and in which somebody lives
// all the same: the source of events tells no births, or lost this one. It has a member then.
func (s *Server) unseen(id contract.ID) {
	p, ok := s.member(id)
	if !ok {
		return
	}
	ev, err := s.takeEV(s.ids)
	if err != nil {
		s.trouble("take an event's number", err)
		return
	}
	s.do0(&table.Op{Kind: table.Happened, CT: id, EV: ev, Fact: table.Fact{Event: contract.Fork, Member: p}})
}

// member is one that a contract has now, the first where nobody else was born yet.
func (s *Server) member(id contract.ID) (p table.Proc, ok bool) {
	pids, _, err := s.kernel.Members(id, 1)
	if err != nil || len(pids) == 0 {
		return p, false
	}
	c, err := s.kernel.ProcOf(pids[0])
	return c.Proc, err == nil
}

// wake tells readers of a handle that there may be something.
func (s *Server) wake(fh uint64) {
	if r := s.readers[fh]; r != nil {
		r.ready()
		return
	}
	if s.session == nil {
		return
	}
	s.wakeReaders(fh)
	if err := s.session.WakePoll(fh); err != nil {
		s.trouble("wake a poll", err)
	}
}

// retry is what could not be done for a contract, and when it is tried again.
type retry struct {
	remove bool
	kills  []table.Kill
	at     int64
	wait   time.Duration
	tries  int
}

// later is a contract's retry, set for the next time.
func (s *Server) later(id contract.ID) *retry {
	r := s.retries[id]
	if r == nil {
		r = &retry{wait: retryFirst}
		s.retries[id] = r
	}
	if r.at == 0 {
		r.at = sys.Monotonic() + int64(r.wait)
		r.wait = min(2*r.wait, retryMax)
		r.tries++
	}
	return r
}

// retryDue tries again what is due.
func (s *Server) retryDue(now int64) {
	for _, id := range sortedKeys(s.retries) {
		r := s.retries[id]
		if r.at > now {
			continue
		}
		kills, remove := r.kills, r.remove
		r.kills, r.remove, r.at = nil, false, 0
		for _, k := range kills {
			s.kernel.Kill(k)
		}
		if remove {
			s.remove(id)
		}
		if r.at == 0 && len(kills) == 0 {
			delete(s.retries, id)
		}
	}
}

// onTime does what is due at a moment of CLOCK_MONOTONIC.
func (s *Server) onTime(now int64) {
	if s.window != nil && s.window.until <= now {
		s.closeWindow()
	}
	s.retryDue(now)
	if len(s.untold) > 0 && s.untoldAt <= now {
		_ = s.takeReports() // of what is taken already nothing can fail
	}
}

// nextDue is the moment at which something is due.
func (s *Server) nextDue() int64 {
	due := int64(never)
	if s.window != nil {
		due = s.window.until
	}
	if len(s.untold) > 0 {
		due = min(due, s.untoldAt)
	}
	for _, r := range s.retries {
		if r.at != 0 {
			due = min(due, r.at)
		}
	}
	return due
}

// troubleEvery is how often one kind of trouble is logged at most.
const troubleEvery = 10 * time.Second

// trouble logs what could not be done, sparingly: a zone can provoke some of it.
func (s *Server) trouble(what string, err error) {
	now := sys.Monotonic()
	if s.told == nil {
		s.told = map[string]int64{}
	}
	if last, known := s.told[what]; known && now-last < int64(troubleEvery) {
		return
	}
	s.told[what] = now
	s.cfg.Log.Warnf("contracts: %s: %v", what, err)
}
