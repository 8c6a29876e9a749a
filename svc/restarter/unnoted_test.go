package restarter

import (
	"testing"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
)

// mute is a launcher whose word of a start does not come before its restarter has died.
type mute struct {
	*world
	told chan struct{}
}

func (m *mute) Start(s *Start) (Begun, instance.Failure, error) {
	b, failure, err := m.world.Start(s)
	<-m.told
	return b, failure, err
}

// nameless are contracts of which nobody knows who was started as their first member.
type nameless struct{ *world }

func (n nameless) Adopt() ([]contract.Status, error) {
	list, err := n.world.Adopt()
	for i := range list {
		list[i].Initial = contract.Initial{}
	}
	return list, err
}

// What was started, and not written down before its restarter died, is not started a second time:
// also when the contract does not say which process it was.
func TestNotNoted(t *testing.T) {
	for _, duration := range []string{"contract", "child"} {
		for _, known := range []bool{true, false} {
			if !known && duration == "contract" {
				continue // its method may have ended, or not: it has its time, and is stopped then
			}
			w := newWorld(t)
			then := "sleep 1000"
			if duration == "contract" {
				then += " &amp;"
			}
			w.add(service("a", duration, w.writes("a", then), ""))
			m := &mute{w, make(chan struct{})}
			w.launcher = m
			w.run()
			testenv.Eventually(t, func() bool { return w.starts("a") == 1 }, "the start")
			w.stop() // no word of it is taken any more
			close(m.told)
			w.die()
			if rec := w.record("a"); rec.State != graph.Offline || rec.Next != graph.Online || len(rec.Primary) != 0 || rec.MethodPid != 0 {
				t.Fatalf("%s: written is %+v", duration, rec)
			}
			w.launcher = w
			if !known {
				w.contracts = nameless{w}
			}
			w.run()
			w.state("a", graph.Online)
			if n := w.starts("a"); n != 1 {
				t.Errorf("%s, first member known %v: started %d times", duration, known, n)
			}
			if rec := w.record("a"); len(rec.Primary) != 1 || duration == "child" && rec.StartPid == 0 {
				t.Errorf("%s, first member known %v: written is %+v", duration, known, rec)
			}
			w.die()
		}
	}
}
