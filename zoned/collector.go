package zoned

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

// slotRing is the keeper's slot for the ring in which the collector tells of this zone.
const slotRing = "ctfs.ring"

// loadLimit is how long the collector may take to be loaded: some tens of milliseconds, on a
// kernel that verifies its programs in an emulator some hundreds.
const loadLimit = 20 * time.Second

// atCollector runs f where the instance's collector is pinned, with the name of that directory.
// Where supervisors live in mount namespaces of their own, each of those has a collector under a
// name of its own: who removes a directory takes away what others have mounted there.
func (z *Zone) atCollector(f func(dir string) error) error {
	return onHostMounts(z.lay.Run, func(p place) error {
		dir := filepath.Join(z.lay.Run, "bpf")
		if p == onHost {
			return f(dir)
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/self/ns/mnt", &st); err != nil {
			return os.NewSyscallError("stat", err)
		}
		return f(dir + "." + strconv.FormatUint(st.Ino, 10))
	})
}

// collecting is the collector's part for a zone that is being made ready: it is loaded, if this
// is the first zone, and given the zone's ring beside everything else, since that takes as long.
type collecting struct {
	done chan struct{}
	// Good when done is closed.
	c    *collector.Collector
	ring *sys.FD
	err  error
}

// collect begins that for the zone whose cgroup has this id.
func (z *Zone) collect(id uint64) *collecting {
	w := &collecting{done: make(chan struct{})}
	z.start(func() {
		defer close(w.done)
		if w.err = z.enterCollector(w, id); w.err != nil {
			w.release()
		}
	})
	return w
}

func (z *Zone) enterCollector(w *collecting, id uint64) error {
	err := z.atCollector(func(dir string) (err error) {
		w.c, err = collector.Ensure(dir, id, z.load)
		return err
	})
	if err != nil {
		return err
	}
	sup, err := cgroupIDOf(z.cgroupDir(filepath.Join(z.base, api.SupLeaf)))
	if err != nil {
		return err
	}
	if err := w.c.AddSupervisor(sup, id); err != nil {
		return err
	}
	if w.ring, err = collector.NewRing(collector.RingBytes); err != nil {
		return err
	}
	return w.c.AddZone(id, w.ring)
}

// load has zrun load the collector. It ends with this process: what it leaves half done the
// next loader clears away.
func (z *Zone) load(dir string) error {
	ctx, cancel := context.WithTimeoutCause(z.ctx, loadLimit, fmt.Errorf("not done after %s", loadLimit))
	defer cancel()
	// It is killed when the thread ends that started it: this one waits for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return helper.Collector(ctx, filepath.Join(z.libexec, "zrun"), dir)
}

// release lets go of what is not used. The collector and its entry of this zone stay.
func (w *collecting) release() {
	if w.c != nil {
		_ = w.c.Close()
	}
	w.ring.Close()
	w.c, w.ring = nil, nil
}

// end waits for the beginning to be over and lets go of it.
func (w *collecting) end() {
	if w == nil {
		return
	}
	<-w.done
	w.release()
}

// take waits until the zone is known to the collector, and gives the end for the contracts'
// server; the keeper has the ring then.
func (z *Zone) takeCollector(ctx context.Context, w *collecting, id uint64) (kernel.Collector, error) {
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if w.err != nil {
		return nil, w.err
	}
	if err := z.keeper.Put(slotRing, w.ring.Int()); err != nil {
		return nil, err
	}
	k, err := kernel.NewCollector(w.c, w.ring, id, z.zoneOf)
	if err != nil {
		return nil, err
	}
	w.c, w.ring = nil, nil
	return k, nil
}

// heldCollector is a successor's end. Nil: there is none, and the contracts are watched by what
// else there is.
func (z *Zone) heldCollector(id uint64) kernel.Collector {
	ring := z.slots.take(slotRing)
	if !ring.Valid() || id == 0 {
		return nil
	}
	k, err := z.openCollector(ring, id)
	if err != nil {
		ring.Close()
		z.log.WithError(err).Warn("go on with the collector")
		return nil
	}
	return k
}

func (z *Zone) openCollector(ring *sys.FD, id uint64) (kernel.Collector, error) {
	var c *collector.Collector
	err := z.atCollector(func(dir string) (err error) {
		c, err = collector.Open(dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	k, err := kernel.NewCollector(c, ring, id, z.zoneOf)
	if err != nil {
		_ = c.Close()
	}
	return k, err
}

// leaveCollector takes the zone away from the collector, and the collector with its last zone.
func (z *Zone) leaveCollector(id uint64) error {
	z.slots.put(slotRing, nil)
	if err := z.dropSlot(slotRing); err != nil {
		return err
	}
	if id == 0 {
		return nil
	}
	var rest func() error
	err := z.atCollector(func(dir string) (err error) {
		rest, err = collector.Quit(dir, id)
		return err
	})
	if err != nil {
		return err
	}
	z.start(func() { // a grace period, for which nobody has to wait
		if err := rest(); err != nil {
			z.log.WithError(err).Warn("take the zone's ring away from the collector")
		}
	})
	return nil
}

// cgroupIDOf is the kernel's id of a cgroup: its inode number.
func cgroupIDOf(dir string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	return st.Ino, nil
}

// kernfsHandle is FILEID_KERNFS, the type of a file handle that is the id of a cgroup.
const kernfsHandle = 0xfe

// zoneOf names the zone of this instance whose generation has a cgroup of this id: who sent a
// signal may be of another zone. Empty: it is none, or is gone.
func (z *Zone) zoneOf(id uint64) string {
	at, err := sys.OpenDir(z.mount)
	if err != nil {
		return ""
	}
	defer at.Close()
	handle := unix.NewFileHandle(kernfsHandle, binary.NativeEndian.AppendUint64(nil, id))
	n, err := unix.OpenByHandleAt(at.Int(), handle, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	fd := sys.Own(n)
	defer fd.Close()
	path, err := os.Readlink(fd.Proc())
	if err != nil {
		return ""
	}
	return zoneOfPath(strings.TrimPrefix(path, z.mount), z.lay.Tag())
}

// zoneOfPath is the name of the zone whose generation has this cgroup, below the mount:
// /zones.TAG/NAME/gID, or where systemd rules /zones.slice/zone-NAME.TAG-XXXXXXXX.scope/gID.
func zoneOfPath(path, tag string) string {
	above, of := filepath.Split(filepath.Dir(path))
	switch {
	case !strings.HasPrefix(filepath.Base(path), "g"):
		return ""
	case above == "/zones"+tag+"/":
		return of
	case filepath.Base(above) != "zones.slice":
		return ""
	}
	name, scope := strings.CutSuffix(of, ".scope")
	name, ours := strings.CutPrefix(name, "zone-")
	i := strings.LastIndexByte(name, '-')
	if !scope || !ours || i < 0 {
		return ""
	}
	name, ok := strings.CutSuffix(name[:i], tag)
	if !ok {
		return ""
	}
	return name
}
