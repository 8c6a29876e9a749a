package server

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
)

// New makes a contract that the supervisor owns, as the original's zsched does what the global
// zone makes, and gives the directory in which its members are to be born. A supervisor that is
// killed before it noted the number finds the contract among Statuses: holder 0, creator as asked.
func (s *Server) New(n NewContract) (kernel.Dir, error) {
	var d kernel.Dir
	var failure error
	err := s.inbox.run(func() { d, failure = s.newContract(n) })
	if err != nil {
		return kernel.Dir{}, err
	}
	return d, failure
}

func (s *Server) newContract(n NewContract) (kernel.Dir, error) {
	id, err := s.takeCT(s.ids)
	if err != nil {
		return kernel.Dir{}, err
	}
	if n.Dir != "" {
		if err := s.note(&record{kind: recTaken, ct: id, path: n.Dir}); err != nil {
			return kernel.Dir{}, err
		}
	}
	res, err := s.do(0, 0, &table.Op{
		Kind: table.Make, CT: id, Terms: n.Terms, Cred: table.Cred{UID: s.cfg.UIDBase, Privileged: true}, Comm: n.Creator,
	})
	if err == nil && res.Errno != 0 {
		err = res.Errno
	}
	if err != nil {
		return kernel.Dir{}, err
	}
	crash("made")
	var d kernel.Dir
	if n.Dir != "" {
		d, err = s.kernel.Take(id, n.Dir)
	} else {
		d, err = s.kernel.Make(id)
	}
	if err != nil {
		s.do0(&table.Op{Kind: table.Abandon, CT: id})
		s.forgetEmpty(id)
	}
	s.work()
	return d, err
}

// forgetEmpty tells the table that a contract which has no directory has no member.
func (s *Server) forgetEmpty(id contract.ID) {
	if ev, err := s.takeEV(s.ids); err == nil {
		s.do0(&table.Op{Kind: table.Happened, CT: id, EV: ev, Fact: table.Fact{Event: contract.Empty}})
	}
}

// Abandon ends the supervisor's ownership: a contract without members is dead, others are
// orphans until they are empty. ErrNoContract: there is none, or it is not the supervisor's.
func (s *Server) Abandon(id contract.ID) error {
	var failure error
	err := s.inbox.run(func() {
		if populated, err := s.kernel.Populated(id); err == nil && !populated && s.kept.unborn[id] {
			s.forgetEmpty(id)
		}
		res, err := s.do(0, 0, &table.Op{Kind: table.Abandon, CT: id})
		switch {
		case err != nil:
			failure = err
		case res.Errno == unix.ESRCH || res.Errno == unix.EINVAL:
			failure = ErrNoContract
		case res.Errno != 0:
			failure = res.Errno
		}
		s.work()
	})
	if err != nil {
		return err
	}
	return failure
}

// Delegate gives the directory in which a contract's members are born to a user of the zone,
// as kernel.Zone.Delegate.
func (s *Server) Delegate(id contract.ID, uid, gid uint32) error {
	var failure error
	if err := s.inbox.run(func() { failure = s.kernel.Delegate(id, uid, gid) }); err != nil {
		return err
	}
	return failure
}

// Statuses are those of all contracts, in order, with the host's numbers.
func (s *Server) Statuses() ([]contract.Status, error) {
	var all []contract.Status
	err := s.inbox.run(func() {
		for _, id := range s.table.IDs() {
			if st, ok := s.status(id, true); ok {
				all = append(all, st)
			}
		}
	})
	return all, err
}

// SetContractsMax changes how many contracts there may be.
func (s *Server) SetContractsMax(n uint32) error {
	return s.inbox.run(func() { s.do0(&table.Op{Kind: table.Limit, Max: n}) })
}

// Attach decides the sources of events of a server that was opened with Later: the collector,
// or without one the next best. The Server closes the collector once this has succeeded.
func (s *Server) Attach(c kernel.Collector) error {
	var failure error
	err := s.inbox.run(func() {
		if failure = s.kernel.Attach(c); failure != nil {
			return
		}
		for _, d := range s.kernel.List() {
			_ = s.watch(d.CT)
		}
	})
	if err != nil {
		return err
	}
	return failure
}

// Sources are the live sources of events.
func (s *Server) Sources() (kernel.Source, error) {
	var live kernel.Source
	err := s.inbox.run(func() { live = s.kernel.Sources() })
	return live, err
}

// Stop ends the file system for good, as at the halt of its zone: whoever waits for it is told
// ENODEV, whoever comes later ENOTCONN, and the keeper holds nothing of it any more. The
// contracts' directories are the caller's to remove, with the zone's. Serve returns.
func (s *Server) Stop() error {
	err := s.inbox.run(s.stop)
	if !errors.Is(err, ErrStopped) {
		return err
	}
	// The loop has ended of itself, and clients wait for nobody.
	<-s.ended
	if s.stopped || s.closed {
		return err
	}
	s.stop()
	return nil
}

func (s *Server) stop() {
	s.closeWindow()
	if s.session != nil {
		for _, p := range s.session.Parked() {
			_ = s.session.ReplyError(p, unix.ENODEV)
		}
		s.waits = newWaits()
	}
	// The device first: without it there is nothing to resume.
	for i := len(SlotNames) - 1; i >= 0; i-- {
		if err := s.cfg.Keeper.Drop(SlotNames[i]); err != nil {
			s.trouble("have the keeper let go of the file system", err)
		}
	}
	for _, b := range sortedKeys(s.kept.held) {
		s.ids.release(b)
	}
	s.stopped = true
}
