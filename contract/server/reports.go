package server

import (
	"errors"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// takeReports takes what the kernel's side has to tell. What could not be written down is tried
// again before anything else is taken: facts are in the order in which they happened.
func (s *Server) takeReports() error {
	late := len(s.untold) > 0
	if !late {
		n, err := s.kernel.Next(s.reports)
		if err != nil {
			return err
		}
		s.untold = s.reports[:n]
	}
	var at kernel.Position
	for len(s.untold) > 0 {
		r := &s.untold[0]
		if !s.report(r) {
			s.untoldAt = sys.Monotonic() + int64(retryFirst)
			break
		}
		at = max(at, r.At)
		*r = kernel.Report{}
		s.untold = s.untold[1:]
	}
	s.kernel.Keep(at)
	if left := len(s.untold) > 0; left != late {
		s.listen(!left)
	}
	return nil
}

// report takes one thing told; false when it could not be written down.
func (s *Server) report(r *kernel.Report) bool {
	var err error
	switch r.What {
	case kernel.Happened:
		err = s.happened(r)
	case kernel.Gone:
		_, err = s.do(0, 0, &table.Op{Kind: table.OwnerExit, Proc: r.Proc, Now: r.Time})
	case kernel.Killed:
		if r.Err != nil && !errors.Is(r.Err, kernel.ErrClosed) {
			s.trouble("kill a contract's members", r.Err)
			s.later(r.CT).kills = append(s.later(r.CT).kills, r.Kill)
			return true
		}
		_, err = s.do(0, 0, &table.Op{Kind: table.Killed, CT: r.CT, EV: contract.EventID(r.Kill.Seq)})
	case kernel.Moved:
		s.moveDone(r.CT, r.Err)
	}
	if err != nil {
		s.trouble("write down what happened", err)
	}
	return err == nil
}

// happened takes a fact of a member.
func (s *Server) happened(r *kernel.Report) error {
	ev, err := s.takeEV(s.ids)
	if err != nil {
		return err
	}
	if r.Fact.Event == contract.Empty {
		delete(s.lists, r.CT)
		if err := s.endResidents(r); err != nil {
			return err
		}
	}
	if r.Counted > 0 {
		return s.lose(r.Counted, &table.Op{Kind: table.Happened, Now: r.Time, CT: r.CT, EV: ev, Fact: r.Fact})
	}
	first := s.kept.unborn[r.CT]
	_, err = s.do(0, r.At, &table.Op{Kind: table.Happened, Now: r.Time, CT: r.CT, EV: ev, Fact: s.shorten(r.Fact)})
	if err == nil && r.Fact.Event != contract.Empty && r.Fact.Event != contract.Lost {
		s.tellDeaf(r.CT)
	}
	if err == nil && r.Fact.Event == contract.Fork {
		s.closeWindowOf(r.CT)
		if first {
			_ = s.watch(r.CT) // its terms may want less
		}
	}
	if err == nil {
		s.disown(r.CT)
	}
	return err
}

// endResidents lets the owners that lived in a contract end before it is told to be empty, as
// they did: the word of their own deaths takes another way, and may come later. What they owned
// is the contract's to inherit, and whoever hears that it is empty has it move on (ctrun -t, an
// init that starts its restarter again).
func (s *Server) endResidents(r *kernel.Report) error {
	for _, p := range s.table.Residents(r.CT) {
		if !s.kernel.EndedIn(r.CT, p) {
			continue
		}
		if _, err := s.do(0, 0, &table.Op{Kind: table.OwnerExit, Now: r.Time, Proc: p}); err != nil {
			return err
		}
		crash("resident")
	}
	return nil
}
