package zoned

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/server"
	"github.com/linuxzones/zones/internal/sys"
)

// initTerms are those of the zone's init: what the original's kernel starts has the system's
// template, which kills who is left and tells nobody (contract_init, process.c).
var initTerms = contract.Terms{Fatal: contract.Hwerr, Params: contract.NoOrphan}

// loginTerms are those of what is started in the zone for somebody outside, as zlogin and
// zoneadmd of the original ask for (init_template): no events, and nobody's when it has begun.
var loginTerms = contract.Terms{Fatal: contract.Hwerr, Params: contract.PgrpOnly | contract.Regent, FMRI: contract.InheritFMRI}

// Makers that contracts show.
const (
	creatorInit  = "zsched"
	creatorLogin = "zlogin"
)

// contracts is the server of the zone's contracts and the goroutine that it runs in.
type contracts struct {
	*server.Server
	stop context.CancelFunc
	done chan struct{} // closed when Serve has returned
}

// contractSlots have the keeper hold the server's descriptors.
type contractSlots struct{ z *Zone }

func (s contractSlots) Put(name string, fd int) error {
	err := s.z.keeper.Put(name, fd)
	s.z.journal.crashpoint("kept " + name)
	return err
}

// Drop lets go of what was a predecessor's as well: the last descriptor of a device ends its
// file system.
func (s contractSlots) Drop(name string) error {
	s.z.slots.put(name, nil)
	return s.z.dropSlot(name)
}

// contractsConfig is what a server is opened with for the incarnation.
func (z *Zone) contractsConfig(inc *incarnation) server.Config {
	held := map[string]*sys.FD{}
	for _, name := range server.SlotNames {
		if fd := z.slots.fd(name); fd.Valid() {
			held[name] = fd
		}
	}
	return server.Config{
		Zone: z.name, ZoneID: inc.id, UIDBase: inc.idBase, UIDCount: idCount, ContractsMax: z.contractsMax(),
		Pools: z.pools(),
		Root:  z.cgroupDir(inc.cgroup), IDs: server.IDsFile(z.lay.Run),
		Keeper: contractSlots{z}, Held: held, Log: z.log.WithField("room", "contracts"),
	}
}

// idCount is how many users a zone has: vplat's IDCount, which the resident program does not
// link.
const idCount = 1 << 16

// attrMaxContracts is the configuration's word on how many contracts the zone may have, the
// original's project.max-contracts. Its value is checked where the plan is made.
const attrMaxContracts = "max-contracts"

// contractsMax is its value, 0 without one: the original's default.
func (z *Zone) contractsMax() uint32 {
	zone, err := z.store.LoadSnapshot(z.name)
	if err != nil {
		return 0
	}
	for _, a := range zone.Attrs {
		if a.Name != attrMaxContracts {
			continue
		}
		if n, err := strconv.ParseUint(a.Value, 10, 31); err == nil {
			return uint32(n)
		}
	}
	return 0
}

// pools are the zone's sets of processors, as they were when it was made ready. They were checked
// where the plan was made.
func (z *Zone) pools() map[string]string {
	zone, err := z.store.LoadSnapshot(z.name)
	if err != nil {
		return nil
	}
	pools, err := configs.Pools(zone)
	if err != nil {
		z.log.WithError(err).Warn("the zone has no pools")
	}
	return pools
}

// serveContracts opens a server and has it serve.
func (z *Zone) serveContracts(cfg server.Config) (*contracts, error) {
	srv, err := server.Open(cfg)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(z.ctx)
	c := &contracts{Server: srv, stop: stop, done: make(chan struct{})}
	z.contracts.Store(c)
	z.start(func() {
		defer close(c.done)
		if err := srv.Serve(ctx); err != nil {
			z.contractsFailed(c, err)
		}
	})
	return c, nil
}

// contractsFailed goes on without contracts: the zone's processes live, and whoever asks for
// contracts is told that there are none, rather than wait for a server that does not come.
func (z *Zone) contractsFailed(c *contracts, err error) {
	if !z.contracts.CompareAndSwap(c, nil) {
		return // it is being closed
	}
	z.log.WithError(err).Error("the zone has no contracts any more until it is booted again")
	_ = c.Close()
	z.dropContractSlots()
}

// dropContractSlots lets go of the server's descriptors, the device first: without it there is
// nothing to resume, and with the last one of it nobody waits in the file system any more.
func (z *Zone) dropContractSlots() {
	for i := len(server.SlotNames) - 1; i >= 0; i-- {
		if err := (contractSlots{z}).Drop(server.SlotNames[i]); err != nil {
			z.log.WithError(err).Warn("tell the keeper")
		}
	}
}

// closeContracts ends the server; a successor can go on from what is kept.
func (z *Zone) closeContracts() {
	c := z.contracts.Swap(nil)
	if c == nil {
		return
	}
	c.stop()
	<-c.done
	if err := c.Close(); err != nil {
		z.log.WithError(err).Warn("close the contracts' server")
	}
}

// endContracts ends the server and its file system for good: whoever waits there is woken. What
// the kernel takes its time for (notifications end behind a grace period) nobody waits for.
func (z *Zone) endContracts() {
	c := z.contracts.Swap(nil)
	if c == nil {
		z.dropContractSlots() // of a server that has failed, or of a predecessor
		return
	}
	if err := c.Stop(); err != nil && !errors.Is(err, server.ErrStopped) {
		z.log.WithError(err).Warn("stop the contracts' server")
	}
	c.stop()
	z.dropContractSlots()
	z.start(func() {
		<-c.done
		if err := c.Close(); err != nil {
			z.log.WithError(err).Warn("close the contracts' server")
		}
	})
}

// resumeContracts goes on with the contracts of a predecessor. It comes before anything else
// that a supervisor does, for the zone's processes may be waiting. A state that can not be used
// is given up, so that they do not wait for ever.
func (z *Zone) resumeContracts() {
	l := z.journal.hist.find(stepContracts)
	if l < 0 || !z.journal.hist.steps[l].Done {
		return // nothing has begun to wait: what was half made is undone
	}
	inc := incarnationOf(z.journal.hist.steps)
	for _, name := range server.SlotNames {
		if !z.slots.fd(name).Valid() {
			z.log.WithField("slot", name).Error("the keeper does not hold the zone's contracts")
			z.dropContractSlots()
			return
		}
	}
	cfg := z.contractsConfig(inc)
	cfg.Collector = z.heldCollector(z.cgroupID(&z.journal.hist))
	if _, err := z.serveContracts(cfg); err != nil {
		z.log.WithError(err).Error("the zone's contracts can not be taken over: it has none until it is booted again")
		z.dropContractSlots()
	}
}

// newContract makes a contract of an existing directory, of what is started for somebody
// outside. 0: it could not be made, which stops nothing.
func (z *Zone) newContract(dir string) contract.ID {
	c := z.contracts.Load()
	if c == nil {
		return 0
	}
	d, err := c.New(server.NewContract{Terms: loginTerms, Creator: creatorLogin, Dir: dir})
	if err != nil {
		z.log.WithError(err).WithField("dir", filepath.Base(dir)).Warn("make a contract")
		return 0
	}
	return d.CT
}

// abandon lets go of a contract: it lives as long as its members.
func (z *Zone) abandon(id contract.ID) {
	c := z.contracts.Load()
	if c == nil || id == 0 {
		return
	}
	err := c.Abandon(id)
	if err != nil && !errors.Is(err, server.ErrNoContract) && !errors.Is(err, server.ErrStopped) {
		z.log.WithError(err).WithField("ctid", id).Warn("abandon a contract")
	}
}

// abandonStrays abandons what a predecessor made and did not live to abandon: all contracts of
// the supervisor's but that of the zone's init.
func (z *Zone) abandonStrays() {
	c, l := z.contracts.Load(), z.journal.hist.find(stepContracts)
	if c == nil || l < 0 {
		close(z.strays)
		return
	}
	initContract := contract.ID(z.journal.hist.steps[l].Data.Contract)
	z.start(func() {
		defer close(z.strays)
		all, err := c.Statuses()
		if err != nil {
			z.log.WithError(err).Warn("look for a predecessor's contracts")
			return
		}
		for _, st := range all {
			if st.State != contract.Owned || st.Holder != 0 || st.ID == initContract {
				continue
			}
			if err := c.Abandon(st.ID); err != nil {
				z.log.WithError(err).WithField("ctid", st.ID).Warn("abandon a predecessor's contract")
			}
		}
	})
}
