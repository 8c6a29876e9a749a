package remains

import (
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
)

// collectorDirs are where a collector of the instance may be pinned that can be seen from here:
// in the host's mount namespace, and in the caller's own where that is another (zoned has the
// rule). Those of other namespaces are out of sight, and go with them.
func (h *Host) collectorDirs() []string {
	dir := filepath.Join(h.lay.Run, "bpf")
	var own, host unix.Stat_t
	if unix.Stat("/proc/self/ns/mnt", &own) != nil {
		return []string{dir}
	}
	if unix.Stat("/proc/1/ns/mnt", &host) == nil && host.Ino == own.Ino {
		return []string{dir}
	}
	return []string{dir + "." + strconv.FormatUint(own.Ino, 10)}
}

// FindShared lists what zones have left in what they share: entries of the collector of zones
// that are gone, or the collector itself when nobody uses it.
func (h *Host) FindShared() ([]Item, error) {
	var all []Item
	for _, dir := range h.collectorDirs() {
		gone, idle, err := collector.Abandoned(dir)
		if err != nil {
			return nil, err
		}
		remove := func() error { return collector.Leave(dir, 0) }
		for _, id := range gone {
			all = append(all, Item{Kind: BPF, Name: fmt.Sprintf("of a zone that is gone (cgroup %d)", id), Remove: remove})
		}
		if idle {
			all = append(all, Item{Kind: BPF, Name: fmt.Sprintf("%s, which no zone uses", h.rel(dir)), Remove: remove})
		}
	}
	return all, nil
}

// Registered finds the entry of a zone that is halted, by what its cgroup's id was.
func (h *Host) Registered(dir, zone string, cgroup uint64) ([]Item, error) {
	yes, err := collector.Registered(dir, cgroup)
	if err != nil || !yes {
		return nil, err
	}
	return []Item{{Kind: BPF, Zone: zone, Name: fmt.Sprintf("of cgroup %d", cgroup)}}, nil
}
