package server

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/ctfs"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// Server serves the contracts of one zone. Between Open and Serve its methods may be called,
// and wait for Serve.
type Server struct {
	cfg Config
	ids *ids
	*journal
	kernel *kernel.Zone
	inbox  *inbox

	// The file system; session is nil when all its mounts are gone.
	device  *sys.FD
	memory  *fuse.Memory
	session *fuse.Session
	mount   *sys.FD // of a fresh file system, until it is asked for
	fs      *ctfs.FS
	serving *fuse.Request // the one that an Op belongs to
	asker   *ctfs.Caller  // whose it is, when that was asked
	first   *fuse.Request // one that a predecessor had taken, until the loop begins

	waits    waits
	window   *window
	birthing bool                  // nextBirth is at work
	moved    map[contract.ID]error // moves that failed, until their request is told
	again    bool                  // the next turn must not wait
	retries  map[contract.ID]*retry
	readers  map[uint64]*Reader // the supervisor's, by handle
	reports  []kernel.Report
	untold   []kernel.Report // those of reports that could not be written down yet
	untoldAt int64           // when that is tried again
	lists    map[contract.ID]memberList
	deaf     map[contract.ID]bool          // births of which something may have been missed
	cleared  map[contract.ID]kernel.Caller // births that were taken back, of which no member was told yet
	epoll    *sys.FD
	resumed  bool
	stopped  bool
	closed   bool
	ended    chan struct{}    // closed when Serve has returned
	told     map[string]int64 // when each kind of trouble was logged last
}

// Open begins to serve a zone's contracts, or goes on where a killed predecessor stopped.
// Nothing is answered before Serve, but what is in doubt.
func Open(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, waits: newWaits(), retries: map[contract.ID]*retry{}, moved: map[contract.ID]error{}, readers: map[uint64]*Reader{},
		reports: make([]kernel.Report, reportsPerTurn), lists: map[contract.ID]memberList{}, deaf: map[contract.ID]bool{}, cleared: map[contract.ID]kernel.Caller{}, ended: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		s.release()
		return nil, fmt.Errorf("open the contracts of zone %s: %w", cfg.Zone, err)
	}
	return s, nil
}

// open opens the parts in the order of a resume: windows of births are closed before anything
// else is looked at, but for the position that the collector is to go on from.
func (s *Server) open() (err error) {
	if s.inbox, err = newInbox(); err != nil {
		return err
	}
	s.resumed = true
	for _, name := range SlotNames {
		s.resumed = s.resumed && s.cfg.Held[name].Valid()
	}
	if s.resumed {
		s.journal, err = openJournal(s.cfg.Held[slotJournal].Int())
	} else {
		s.journal, err = newJournal(table.Config{
			Zone: s.cfg.Zone, ZoneID: s.cfg.ZoneID, ContractsMax: s.cfg.ContractsMax,
			UIDBase: s.cfg.UIDBase, UIDCount: s.cfg.UIDCount,
		})
	}
	if err != nil {
		return err
	}
	s.kernel, err = kernel.Open(kernel.Config{
		Root: s.cfg.Root, RootUID: s.cfg.UIDBase, CgroupNS: s.cfg.CgroupNS, Pools: s.cfg.Pools,
		Off: s.cfg.SourcesOff, Collector: s.cfg.Collector, Later: s.cfg.Later, Kept: s.kept.at,
		Lost: func(id contract.ID) uint64 { return s.kept.counted[id] },
	})
	if err != nil {
		return err
	}
	s.cfg.Collector = nil // the kernel's from here on
	if s.ids, err = openIDs(s.cfg.IDs); err != nil {
		return err
	}
	if err = s.ids.claim(sortedKeys(s.kept.held), s.kept.endEV); err != nil {
		return err
	}
	if err = s.openSession(); err != nil {
		return err
	}
	s.fs = ctfs.New(ctfs.Config{
		UIDBase: s.cfg.UIDBase, UIDCount: s.cfg.UIDCount,
		Epoch: s.kept.epoch + 1, Since: time.Unix(0, s.kept.since), Arena: s.memory.Extra(),
		Trim: func(from int) { _ = s.memory.ReleaseExtra(from) }, // memory that is kept for nothing is no harm
	}, (*host)(s))
	if err = s.settleDoubt(); err != nil {
		return err
	}
	if err = s.note(&record{kind: recEpoch}); err != nil {
		return err
	}
	if err = s.openLoop(); err != nil {
		return err
	}
	return s.reconcile()
}

// openSession takes up the file system, or makes one.
func (s *Server) openSession() (err error) {
	if s.resumed {
		if s.device, err = s.cfg.Held[slotDevice].Dup(); err != nil {
			return err
		}
		if s.memory, err = fuse.OpenMemory(s.cfg.Held[slotMemory].Int()); err != nil {
			return err
		}
	} else if err = s.newSession(); err != nil {
		return err
	}
	s.session, err = fuse.New(s.device, s.memory)
	if errors.Is(err, fuse.ErrGone) {
		s.cfg.Log.Warnf("the file system of contracts is mounted nowhere any more")
		return nil
	}
	return err
}

func (s *Server) newSession() (err error) {
	if s.memory, err = fuse.NewMemory(ctfs.ArenaBytes); err != nil {
		return err
	}
	s.device, s.mount, err = fuse.Mount(fuse.Options{Source: "ctfs", Subtype: "ctfs", RootMode: unix.S_IFDIR | 0o555})
	if err != nil {
		return err
	}
	if number, err := fuse.Connection(s.mount); err == nil {
		s.memory.SetConnection(number)
	}
	for _, name := range SlotNames {
		fd := map[string]int{slotJournal: s.log.FD(), slotMemory: s.memory.FD(), slotDevice: s.device.Int()}[name]
		if err := s.cfg.Keeper.Put(name, fd); err != nil {
			return fmt.Errorf("hand %s to the keeper: %w", name, err)
		}
	}
	return nil
}

// Resumed says whether a predecessor's contracts were taken over.
func (s *Server) Resumed() bool { return s.resumed }

// Mount gives the file system of a fresh server, attached nowhere, once; it is the caller's
// then. While nobody has attached it, its descriptor keeps it alive. Nil: there is none.
func (s *Server) Mount() *sys.FD {
	m := s.mount
	s.mount = nil
	return m
}

// Close ends the server and leaves all for a successor: clients wait for it. Serve must have
// returned.
func (s *Server) Close() error {
	s.inbox.close(ErrStopped)
	s.closed = true
	s.release()
	return nil
}

// release lets go of what this process has.
func (s *Server) release() {
	if s.session != nil {
		_ = s.session.Close()
	}
	if s.memory != nil {
		_ = s.memory.Close()
	}
	s.device.Close()
	s.mount.Close()
	s.epoll.Close()
	if s.kernel != nil {
		_ = s.kernel.Close()
	}
	if s.cfg.Collector != nil {
		_ = s.cfg.Collector.Close()
	}
	if s.journal != nil {
		_ = s.log.Close()
	}
	if s.ids != nil {
		s.ids.close()
	}
	if s.inbox != nil {
		s.inbox.release()
	}
}
