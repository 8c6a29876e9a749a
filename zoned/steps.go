package zoned

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/contract/quota"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

// Limits of steps. A step that is not done in its time has failed and the zone is rolled
// back; the times are those of a host that swaps, not of one that works.
const (
	quickLimit    = 20 * time.Second
	platformLimit = 120 * time.Second
	// killLimit is how long killed processes may take to go. Only one that waits in the kernel
	// for a device or a server takes longer; the zone is then down, and it is told who waits.
	killLimit = 20 * time.Second
)

// slotBoot is the keeper's slot for the socket on which the trampoline waits.
const slotBoot = "boot"

// adminDir is the parent of logins' cgroups below the zone's, contractsDir that of contracts'.
const (
	adminDir     = "admin"
	contractsDir = "ct"
)

// Names of steps that others look for in the journal.
const (
	stepCollector = "collector"
	stepContracts = "contracts"
	stepMnttab    = "mnttab"
)

// readySteps build the virtual platform; bootSteps let init go.
var (
	readySteps = []step{
		{name: "snapshot", title: "freeze the configuration", limit: quickLimit, do: doSnapshot, undo: undoSnapshot},
		{name: "id", title: "take a zone id", limit: quickLimit, do: doID},
		{name: "range", title: "lease user ids", limit: quickLimit, do: doRange, undo: undoRange},
		{name: "cgroup", title: "make the zone's cgroup", limit: quickLimit, plan: planCgroup, do: doCgroup, undo: undoCgroup},
		{name: stepCollector, title: "begin to watch processes", limit: quickLimit, plan: planCollector, do: doCollector, undo: undoCollector},
		{name: stepContracts, title: "make the zone's contracts", limit: quickLimit, do: doContracts, undo: undoContracts},
		{name: stepMnttab, title: "make the zone's table of mounts", limit: quickLimit, do: doMnttab, undo: undoMnttab},
		{name: "platform", title: "build the virtual platform", limit: platformLimit, plan: planCgroup, do: doPlatform, undo: undoPlatform},
		{name: "events", title: "watch the zone's contracts", limit: quickLimit, do: doEvents},
	}
	bootSteps = []step{
		{name: "boot", title: "start init", limit: quickLimit, do: doBoot},
	}
)

func stepNamed(name string) (*step, bool) {
	for _, list := range [][]step{readySteps, bootSteps} {
		for i := range list {
			if list[i].name == name {
				return &list[i], true
			}
		}
	}
	return nil, false
}

func (z *Zone) stateDir() string { return z.lay.ZoneState(z.name) }

// owner names this zone among all instances on the host.
func (z *Zone) owner() string { return z.lay.Root + " " + z.name }

// cgroupDir is the absolute path of a cgroup below the mount.
func (z *Zone) cgroupDir(rel string) string { return filepath.Join(z.mount, rel) }

func doSnapshot(_ context.Context, w *worker, _ *stepData) error {
	zone, _, err := w.z.store.Load(w.z.name)
	if err != nil {
		return err
	}
	_, err = w.z.store.Snapshot(zone)
	return err
}

func undoSnapshot(_ context.Context, w *worker, _ *stepData) error {
	return w.z.store.DestroySnapshot(w.z.name)
}

// doID takes the next number of the instance. Numbers are not given back: each incarnation
// has its own.
func doID(ctx context.Context, w *worker, d *stepData) error {
	dir, err := sys.OpenDir(w.z.lay.State())
	if err != nil {
		return err
	}
	defer dir.Close()
	var lock *sys.Lock
	for {
		if lock, _, err = sys.LockFile(dir, ".ids"); err == nil {
			break
		}
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	defer lock.Release()
	// The lock file holds the last number, in the place of a pid.
	d.ZoneID = lock.Pid() + 1
	w.inc = &incarnation{id: d.ZoneID, died: make(chan struct{}), since: time.Now().Unix()}
	d.Since = w.inc.since
	return lock.WritePid(d.ZoneID)
}

func doRange(_ context.Context, w *worker, d *stepData) error {
	reg, err := idrange.Open()
	if err != nil {
		return err
	}
	d.IDBase, err = reg.Lease(w.z.owner())
	w.inc.idBase = d.IDBase
	return err
}

func undoRange(_ context.Context, w *worker, _ *stepData) error {
	reg, err := idrange.Open()
	if err != nil {
		return err
	}
	return reg.Release(w.z.owner())
}

// planCgroup names the directory before it is made. The boot's number in it is new at each
// ready: a directory in which processes were killed is never used again.
func planCgroup(w *worker, d *stepData) error {
	d.Cgroup = filepath.Join(w.z.base, "g"+strconv.Itoa(w.inc.id))
	return nil
}

func doCgroup(_ context.Context, w *worker, d *stepData) error {
	dir := w.z.cgroupDir(d.Cgroup)
	// The mark comes before anything can live there: what has none is known by the journal.
	if err := cgroup2.Make(dir); err != nil {
		return err
	}
	w.z.mark(dir, w.inc.id)
	w.z.journal.crashpoint("within do cgroup")
	for _, sub := range []string{contractsDir, adminDir} {
		if err := cgroup2.Make(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	w.inc.cgroup = d.Cgroup
	return nil
}

func undoCgroup(ctx context.Context, w *worker, d *stepData) error {
	dir := w.z.cgroupDir(d.Cgroup)
	for {
		if err := killAll(ctx, dir, nil); err != nil {
			return err
		}
		err := cgroup2.Remove(dir)
		if err == nil {
			err = w.z.forgetTwins(dir)
		}
		// A login's zrun may have been born there between the last two.
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) || ctx.Err() != nil {
			return err
		}
	}
}

// forgetTwins removes what the zone's projects have in old hierarchies.
func (z *Zone) forgetTwins(dir string) error {
	h, err := quota.Look(z.mount, dir)
	if err != nil {
		return err
	}
	return h.Forget()
}

// doPlatform has zrun build everything else. zrun is born in the cgroup of init, so that
// nothing need be moved, and goes with the generation when it must be killed.
func doPlatform(ctx context.Context, w *worker, d *stepData) error {
	z := w.z
	r := &helper.Request{
		Op: helper.OpCreate, Zone: z.name, StateDir: z.stateDir(), Cgroup: d.Cgroup,
		CgroupMount: z.mount, Libexec: z.libexec, IDBase: w.inc.idBase,
		Contract: uint32(w.inc.contract),
	}
	var attached []int
	for fstype, mount := range w.mounts {
		r.Mounts, attached = append(r.Mounts, fstype), append(attached, mount.Int())
	}
	reply, fds, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), w.inc.initDir(z), r, attached)
	w.closeMounts()
	if err != nil {
		return err
	}
	defer sys.CloseAll(fds)
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	z.journal.crashpoint("within do platform")
	if len(fds) != 3 || reply.Init == nil {
		return fmt.Errorf("zrun answered with %d descriptors", len(fds))
	}
	for name, fd := range map[string]*sys.FD{keeper.SlotPty: fds[0], slotBoot: fds[2]} {
		if err := z.keeper.Put(name, fd.Int()); err != nil {
			return err
		}
	}
	d.InitPid, d.InitStart, d.Since = reply.Pid, reply.Start, w.inc.since
	d.InitPath, d.InitArgs, d.InitEnv = reply.Init.Path, reply.Init.Args, reply.Init.Env
	w.inc.initPid, w.inc.initStart = d.InitPid, d.InitStart
	for _, warning := range reply.Warnings {
		w.say(api.LevelWarning, keyWarning, warning)
	}
	master, err := fds[0].Dup()
	if err != nil {
		return err
	}
	z.watchMounts(w.inc)
	z.slots.put(slotBoot, fds[2])
	z.slots.put(keeper.SlotPty, fds[0])
	fds[0], fds[2] = nil, nil
	z.console.SetLog(z.consoleLogLimits())
	return z.console.SetInput(master)
}

// undoPlatform forgets a zone whose processes are dead: namespaces and mounts went with them.
func undoPlatform(ctx context.Context, w *worker, d *stepData) error {
	z := w.z
	if err := killAll(ctx, z.cgroupDir(d.Cgroup), nil); err != nil {
		return err
	}
	z.journal.crashpoint("within undo platform")
	_ = z.console.SetInput(nil)
	for _, slot := range []string{keeper.SlotPty, slotBoot} {
		if err := z.dropSlot(slot); err != nil {
			return err
		}
		z.slots.put(slot, nil)
	}
	for _, name := range []string{"oci", "plan.json"} {
		if err := os.RemoveAll(filepath.Join(z.stateDir(), name)); err != nil {
			return err
		}
	}
	return nil
}

// dropSlot has the keeper let go of a descriptor. One that is dead holds nothing.
func (z *Zone) dropSlot(name string) error {
	err := z.keeper.Drop(name)
	if errors.Is(err, keeper.ErrGone) {
		return nil
	}
	return err
}

// ready builds the platform.
func (w *worker) ready() error {
	if err := w.perform(readySteps); err != nil {
		return err
	}
	w.to(configs.Ready)
	return nil
}

// halt ends every process of the zone and takes the platform down. It serves for a zone in
// any state, a half-built one included.
func (w *worker) halt() error {
	if w.state >= configs.Ready {
		w.to(configs.ShuttingDown)
	}
	w.say(api.LevelProgress, keyStep, "end the zone's processes")
	w.haltedCgroup, w.haltedDirs = w.z.cgroupID(&w.z.journal.hist), nil
	for _, l := range w.z.journal.hist.steps {
		if l.Name == "cgroup" {
			w.haltedDirs = append(w.haltedDirs, l.Data.Cgroup)
		}
	}
	err := w.endProcesses()
	if err == nil {
		err = w.rollBack()
	}
	if err != nil {
		if jerr := w.z.journal.log(&record{Type: recDown}); jerr != nil {
			w.log.WithError(jerr).Error("journal")
		}
		w.to(configs.Down)
		return err
	}
	w.inc = nil
	w.to(configs.Installed)
	return nil
}

// endProcesses kills all that lives in the zone's generation, logins included, and waits.
func (w *worker) endProcesses() error {
	ctx, cancel := context.WithTimeout(w.z.ctx, killLimit)
	defer cancel()
	for _, l := range w.z.journal.hist.steps {
		if l.Data.Cgroup == "" || l.Name != "cgroup" {
			continue
		}
		if err := killAll(ctx, w.z.cgroupDir(l.Data.Cgroup), w.z.endServed); err != nil {
			return err
		}
	}
	if w.inc == nil {
		return nil
	}
	return awaitExit(ctx, w.inc.initPid, w.inc.initStart)
}

// killAgain is after how long a cgroup that is not empty is killed once more.
const killAgain = 250 * time.Millisecond

// killAll kills every process in dir and below, and waits until none is left. Once is not
// always enough: a process of several threads that another thread of it takes over by execve
// just then has a leader that is dying, which the kernel takes for the whole. slow, if there is
// one, is called when they do not go at once: who waits for a file system of ours, and for a
// server that does not answer, goes when that file system does.
func killAll(ctx context.Context, dir string, slow func()) error {
	for {
		if err := cgroup2.Kill(dir); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, killAgain)
		err := cgroup2.AwaitEmpty(wait, dir)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, cgroup2.ErrBusy) {
			return err
		}
		if slow != nil {
			slow()
			slow = nil
		}
	}
}

// exitPoll is how often it is looked whether the time allowed is over; the wait itself is
// woken.
const exitPoll = 100 * time.Millisecond

// awaitExit waits for the end of a process. The zone's init leaves its cgroup before it ends:
// it waits until all of the zone are reaped, and one that is traced from outside is reaped by
// its tracer only.
func awaitExit(ctx context.Context, pid int, start uint64) error {
	if pid == 0 {
		return nil
	}
	fd, err := sys.PidfdOpenStarted(pid, start)
	if err != nil {
		return nil // it is gone
	}
	defer fd.Close()
	for !sys.PidfdWait(fd.Int(), int(exitPoll.Milliseconds())) {
		if ctx.Err() != nil {
			return fmt.Errorf("the zone's init (process ID %d) is dead but can not go: one of its processes is held from outside, by a debugger or tracer", pid)
		}
	}
	return nil
}
