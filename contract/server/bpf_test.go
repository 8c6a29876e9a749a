package server

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// bpfRig is a collector of the test's own, with the ring of its zone.
type bpfRig struct {
	dir  string
	zone uint64
	ring *sys.FD
}

// withBPF gives the zone the best source of events.
func withBPF(r *rig) { withRing(collector.RingBytes)(r) }

// withRing is withBPF with a ring of this size.
func withRing(bytes int) setup { return func(r *rig) { r.collect(bytes) } }

func (r *rig) collect(bytes int) {
	t := r.t
	testenv.Need(t, testenv.BTF)
	var st unix.Stat_t
	check(t, unix.Stat(r.root, &st))
	b := &bpfRig{dir: filepath.Join(r.dir, "bpf"), zone: st.Ino}
	c, err := collector.Ensure(b.dir, b.zone, load.Into)
	check(t, err)
	defer c.Close()
	t.Cleanup(func() { check(t, collector.Leave(b.dir, b.zone)) })
	b.ring, err = collector.NewRing(bytes)
	check(t, err)
	t.Cleanup(func() { b.ring.Close() })
	check(t, c.AddZone(b.zone, b.ring))
	mount, err := cgroup2.Mount()
	check(t, err)
	own, err := cgroup2.Own()
	check(t, err)
	check(t, unix.Stat(mount+own, &st))
	check(t, c.AddSupervisor(st.Ino, b.zone))
	r.bpf = b
}

// collector opens what the zone's server is given.
func (b *bpfRig) collector(t testing.TB) kernel.Collector {
	t.Helper()
	if b == nil {
		return nil
	}
	c, err := collector.Open(b.dir)
	check(t, err)
	ring, err := b.ring.Dup()
	check(t, err)
	k, err := kernel.NewCollector(c, ring, b.zone, nil)
	check(t, err)
	return k
}

// sources are the ways in which a host can tell of events, by name.
var sources = map[string]setup{
	"bpf":       withBPF,
	"connector": func(*rig) {},
	"pidfd":     switchOff(kernel.SourceBPF | kernel.SourceConnector),
	"cgroup":    switchOff(kernel.SourceBPF | kernel.SourceConnector | kernel.SourcePidfd),
}
