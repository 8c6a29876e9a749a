package server

import (
	"errors"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
)

// takeReports takes what the kernel's side has to tell.
func (s *Server) takeReports() error {
	n, err := s.kernel.Next(s.reports)
	if err != nil {
		return err
	}
	var at kernel.Position
	for i := range s.reports[:n] {
		r := &s.reports[i]
		if !s.report(r) {
			// It could not be written down, which is told already. A fact with a position is told
			// again to whoever reads the ring next; of the others a resync finds the outcome.
			continue
		}
		at = max(at, r.At)
		*r = kernel.Report{}
	}
	s.kernel.Keep(at)
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
	first := s.kept.unborn[r.CT]
	_, err = s.do(0, r.At, &table.Op{Kind: table.Happened, Now: r.Time, CT: r.CT, EV: ev, Fact: r.Fact})
	if err == nil && r.Fact.Event == contract.Fork {
		s.closeWindowOf(r.CT)
		if first {
			_ = s.watch(r.CT) // its terms may want less
		}
	}
	return err
}
