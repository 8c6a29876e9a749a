package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// A zone whose sources are decided when it has a contract already, as that of an init which
// waits: what that one and others do from then on is told as by a zone that began with them.
func TestAttach(t *testing.T) {
	room(t)
	for name, c := range map[string]struct {
		attach func(r *rig) error
		live   Source
	}{
		"bpf": {func(r *rig) error {
			testenv.Need(t, testenv.BTF)
			c, ring, id := collect(t, r.root)
			end, err := NewCollector(c, ring, id, func(uint64) string { return "other" })
			check(t, err)
			return r.z.Attach(end)
		}, SourceBPF | SourceCgroup},
		"connector": {func(r *rig) error { return r.z.Attach(nil) }, SourceConnector | SourceCgroup},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{Later: true})
			if live := r.z.Sources(); live&(SourceBPF|SourceConnector) != 0 {
				t.Errorf("before, live are %v", live)
			}
			early := r.make(5, contract.AllEvents)
			init := born(t, early.Born, nil, "/bin/sleep", "1000")
			r.settled()
			check(t, c.attach(r))
			check(t, r.z.Watch(5, contract.AllEvents, 0))
			if live := r.z.Sources(); live != c.live {
				t.Errorf("live are %v", live)
			}
			late := r.make(6, contract.AllEvents)
			stop := r.pumping()
			log := workload(t, late.Born, workloadSize)
			stop()
			r.awaitEmpty(6)
			check(t, init.Process.Signal(unix.SIGTERM))
			r.awaitEmpty(5)
			r.settled()
			log.compare(t, r.got, 6)
			if r.count(5, contract.Exit) != 1 || r.count(5, contract.Empty) != 1 {
				t.Errorf("of who was there before was told %+v", r.got)
			}
			if r.z.Lost() != 0 {
				t.Errorf("%d were lost", r.z.Lost())
			}
		})
	}
}
