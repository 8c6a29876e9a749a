package zoned

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/linuxzones/zones/contract/server"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// initDir is the cgroup in which init is born, absolute.
func (i *incarnation) initDir(z *Zone) string {
	return filepath.Join(z.cgroupDir(i.cgroup), contractsDir, strconv.FormatUint(uint64(i.contract), 10), "d")
}

// planCollector notes by what number the collector knows the zone: when it is undone the cgroup
// may be gone.
func planCollector(w *worker, d *stepData) (err error) {
	d.CgroupID, err = cgroupIDOf(w.z.cgroupDir(w.inc.cgroup))
	return err
}

// doCollector begins what takes longest of all when this is the first zone: nothing before the
// last step needs it.
func doCollector(_ context.Context, w *worker, d *stepData) error {
	w.collecting = w.z.collect(d.CgroupID)
	return nil
}

func undoCollector(_ context.Context, w *worker, d *stepData) error {
	w.collecting.end()
	w.collecting = nil
	w.z.journal.crashpoint("within undo " + stepCollector)
	return w.z.leaveCollector(d.CgroupID)
}

// doContracts begins to serve the zone's contracts, of which init's is the first. The file
// systems are mounted nowhere yet, and nothing happens in a contract before init is let go.
func doContracts(_ context.Context, w *worker, d *stepData) error {
	z := w.z
	cfg := z.contractsConfig(w.inc)
	cfg.Later = true
	c, err := z.serveContracts(cfg)
	if err != nil {
		return err
	}
	w.addMount(fsContract, c.Mount())
	dir, err := c.New(server.NewContract{Terms: initTerms, Creator: creatorInit})
	if err != nil {
		return err
	}
	z.journal.crashpoint("within do " + stepContracts)
	d.Contract = uint32(dir.CT)
	w.inc.contract = dir.CT
	root := int(w.inc.idBase)
	return cgroup2.Delegate(dir.Born, root, root)
}

// File systems that are served, by the names that vplat has for them.
const (
	fsContract = "ctfs"
	fsMnttab   = "mntfs"
)

// addMount has a served file system placed in the zone, if its brand has such.
func (w *worker) addMount(fstype string, mount *sys.FD) {
	if !w.z.brand.SMF {
		mount.Close()
		return
	}
	w.mounts[fstype] = mount
}

// closeMounts lets go of the mounts: those that were placed live in the zone.
func (w *worker) closeMounts() {
	for fstype, mount := range w.mounts {
		mount.Close()
		delete(w.mounts, fstype)
	}
}

// undoContracts ends the contracts' server and its file systems. Their processes are dead.
func undoContracts(_ context.Context, w *worker, _ *stepData) error {
	w.closeMounts()
	w.z.endContracts()
	w.z.journal.crashpoint("within undo " + stepContracts)
	return nil
}

// doEvents gives the contracts' server its source of events. A host that has no BPF has others,
// which tell less.
func doEvents(ctx context.Context, w *worker, _ *stepData) error {
	c := w.z.contracts.Load()
	if c == nil {
		return server.ErrStopped
	}
	k, err := w.z.takeCollector(ctx, w.collecting, w.z.cgroupID(&w.z.journal.hist))
	w.z.journal.crashpoint("within do events")
	if err == nil {
		if err = c.Attach(k); err != nil {
			_ = k.Close()
		}
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	w.log.WithError(err).Warn("the zone's contracts are watched without BPF, and tell less")
	return c.Attach(nil)
}

// cgroupID is by what number the collector knows the zone.
func (z *Zone) cgroupID(h *history) uint64 {
	if l := h.find(stepCollector); l >= 0 {
		return h.steps[l].Data.CgroupID
	}
	return 0
}
