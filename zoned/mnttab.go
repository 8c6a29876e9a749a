package zoned

import (
	"context"
	"errors"

	"github.com/linuxzones/zones/contract/mnttab"
	"github.com/linuxzones/zones/internal/sys"
)

// The keeper's slots for the zone's table of mounts: the device first of all to go, since
// without it there is nothing to resume.
const (
	slotMnttab       = "mntfs"
	slotMnttabMemory = "mntfs.mem"
)

// mounts is the server of the zone's /etc/mnttab and the goroutine that it runs in.
type mounts struct {
	*mnttab.Server
	dev, mem *sys.FD // its own, open longer than it
	stop     context.CancelFunc
	done     chan struct{} // closed when Run has returned
}

// doMnttab begins to serve the table. Its file system is mounted nowhere yet.
func doMnttab(_ context.Context, w *worker, _ *stepData) error {
	z := w.z
	if !z.brand.SMF {
		return nil
	}
	dev, mount, mem, err := mnttab.Mount()
	if err != nil {
		return err
	}
	w.addMount(fsMnttab, mount)
	if err := z.keeper.Put(slotMnttabMemory, mem.Int()); err != nil {
		sys.CloseAll([]*sys.FD{dev, mem})
		return err
	}
	z.journal.crashpoint("within do mnttab")
	if err := z.keeper.Put(slotMnttab, dev.Int()); err != nil {
		sys.CloseAll([]*sys.FD{dev, mem})
		return err
	}
	return z.serveMnttab(w.inc, dev, mem)
}

// undoMnttab ends the table's server: what it holds of the zone's mounts goes with it.
func undoMnttab(_ context.Context, w *worker, _ *stepData) error {
	w.z.endMnttab()
	w.z.journal.crashpoint("within undo mnttab")
	return nil
}

// serveMnttab opens a server on what it takes over, and has it serve.
func (z *Zone) serveMnttab(inc *incarnation, dev, mem *sys.FD) error {
	srv, err := mnttab.Open(mnttab.Config{Zone: z.name, UID: inc.idBase, GID: inc.idBase, Dev: dev, Mem: mem})
	if err != nil {
		sys.CloseAll([]*sys.FD{dev, mem})
		return err
	}
	ctx, stop := context.WithCancel(z.ctx)
	m := &mounts{Server: srv, dev: dev, mem: mem, stop: stop, done: make(chan struct{})}
	z.mounts.Store(m)
	z.start(func() {
		defer close(m.done)
		err := srv.Run(ctx)
		if err == nil || errors.Is(err, mnttab.ErrGone) {
			return // nobody can see it any more
		}
		if !z.mounts.CompareAndSwap(m, nil) {
			return // it is being closed
		}
		// Who reads is told that there is nothing, rather than wait for what does not come.
		z.log.WithError(err).Error("the zone has no /etc/mnttab any more until it is booted again")
		m.close()
		z.dropMnttabSlots()
	})
	return nil
}

// close lets go of what the server had; Run has returned.
func (m *mounts) close() {
	_ = m.Server.Close()
	sys.CloseAll([]*sys.FD{m.dev, m.mem})
}

func (z *Zone) dropMnttabSlots() {
	for _, name := range []string{slotMnttab, slotMnttabMemory} {
		z.slots.put(name, nil)
		if err := z.dropSlot(name); err != nil {
			z.log.WithError(err).Warn("tell the keeper")
		}
	}
}

// closeMnttab ends the server; a successor can go on from what is kept.
func (z *Zone) closeMnttab() {
	m := z.mounts.Swap(nil)
	if m == nil {
		return
	}
	m.stop()
	<-m.done
	m.close()
}

// endMnttab ends the server and its file system for good: whoever waits there is woken.
func (z *Zone) endMnttab() {
	z.closeMnttab()
	z.dropMnttabSlots()
}

// watchMounts has the table's times be right though nobody reads it.
func (z *Zone) watchMounts(inc *incarnation) {
	if m := z.mounts.Load(); m != nil && inc.initPid != 0 {
		m.Watch(inc.initPid)
	}
}

// resumeMnttab goes on with the table of a predecessor, before anything else that may take time.
func (z *Zone) resumeMnttab() {
	l := z.journal.hist.find(stepMnttab)
	if l < 0 || !z.journal.hist.steps[l].Done || !z.brand.SMF {
		return
	}
	dev, mem := z.slots.take(slotMnttab), z.slots.take(slotMnttabMemory)
	inc := incarnationOf(z.journal.hist.steps)
	err := errors.New("the keeper does not hold it")
	if dev.Valid() && mem.Valid() {
		err = z.serveMnttab(inc, dev, mem)
	} else {
		sys.CloseAll([]*sys.FD{dev, mem})
	}
	if err != nil {
		z.log.WithError(err).Error("the zone's /etc/mnttab can not be taken over: it has none until it is booted again")
		z.dropMnttabSlots()
		return
	}
	z.watchMounts(inc)
}

// endServed ends what processes of the zone may be waiting for.
func (z *Zone) endServed() {
	z.endMnttab()
	z.endContracts()
}
