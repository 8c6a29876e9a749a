package global

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/sys"
)

// slotRing is the keeper's slot for the collector's ring of the host.
const slotRing = "ctfs.ring"

// loadLimit bounds the load of the collector: milliseconds, and half a second in an emulated
// machine.
const loadLimit = 30 * time.Second

// collector gives the host's end of the instance's collector, loading that when it is not
// there. An error: there is none, and slower sources serve.
func (h *host) collector() (kernel.Collector, error) {
	dir := contract.CollectorPath(h.lay)
	c, err := collector.Ensure(dir, h.zone, h.load)
	if err != nil {
		h.leaveCollector()
		return nil, err
	}
	ring, err := h.ring(c)
	if err != nil {
		c.Close()
		h.leaveCollector()
		return nil, err
	}
	end, err := kernel.NewCollector(c, ring, h.zone, h.zoneName)
	if err != nil {
		ring.Close()
		c.Close()
		h.leaveCollector()
		return nil, err
	}
	return end, nil
}

// ring is what the keeper holds, or a fresh one.
func (h *host) ring(c *collector.Collector) (*sys.FD, error) {
	if held := h.held.Slots[slotRing]; held.Valid() {
		if has, err := c.HasZone(h.zone); err == nil && has {
			return held.Dup()
		}
	}
	ring, err := collector.NewRing(collector.RingBytes)
	if err != nil {
		return nil, err
	}
	if err := h.addZone(c, ring); err != nil {
		ring.Close()
		return nil, err
	}
	return ring, nil
}

// addZone has the keeper hold the ring before anything is written into it.
func (h *host) addZone(c *collector.Collector, ring *sys.FD) error {
	if err := h.keeper.Put(slotRing, ring.Int()); err != nil {
		return err
	}
	if err := c.AddZone(h.zone, ring); err != nil {
		return err
	}
	var st unix.Stat_t
	own := filepath.Join(h.place.mount, h.place.base, leaf)
	if err := unix.Stat(own, &st); err != nil {
		return &sys.Error{Op: "stat", What: own, Errno: err}
	}
	return c.AddSupervisor(st.Ino, h.zone)
}

func (h *host) leaveCollector() {
	if err := collector.Leave(contract.CollectorPath(h.lay), h.zone); err != nil {
		h.log.Warnf("leave the collector: %v", err)
	}
}

// load has zrun load the collector: what links the loader is ten times this process.
func (h *host) load(dir string) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), loadLimit, errors.New("it took too long"))
	defer cancel()
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, h.zrun(), "collector", "-d", dir)
	cmd.Dir, cmd.Stderr = "/", &words
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("load the collector: %w: %s", err, strings.TrimSpace(words.String()))
	}
	return nil
}

// kernfsHandle is the type of a file handle that is the id of a cgroup (FILEID_KERNFS).
const kernfsHandle = 0xfe

// zoneName is the zone whose generation's directory has this id: the directory above it has
// the zone's name, or is its supervisor's scope. Empty when it can not be told.
func (h *host) zoneName(cgroup uint64) string {
	at, err := sys.OpenDir(h.place.mount)
	if err != nil {
		return ""
	}
	defer at.Close()
	id := binary.NativeEndian.AppendUint64(nil, cgroup)
	n, err := unix.OpenByHandleAt(at.Int(), unix.NewFileHandle(kernfsHandle, id), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	dir := sys.Own(n)
	defer dir.Close()
	path, err := os.Readlink(dir.Proc())
	if err != nil {
		return ""
	}
	return zoneOfPath(path, h.lay.Tag())
}

// zoneOfPath takes a zone's name out of the path of its generation's directory.
func zoneOfPath(path, tag string) string {
	above := filepath.Base(filepath.Dir(path))
	unit, scoped := strings.CutSuffix(above, ".scope")
	if !scoped {
		return above
	}
	// zone-NAME<tag>-<8 digits>.scope, as systemd was asked for it.
	name, ok := strings.CutPrefix(unit, "zone-")
	if i := strings.LastIndexByte(name, '-'); ok && i > 0 {
		return strings.TrimSuffix(name[:i], tag)
	}
	return ""
}
