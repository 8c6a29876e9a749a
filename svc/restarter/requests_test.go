package restarter

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// asked are the requests that are in the repository.
func (w *world) asked(name string) (list []string) {
	_ = w.repo.View(func(v *repo.Reader) error {
		if g, _, err := v.Group(entity(name), actions.Group); err == nil {
			for _, q := range actions.Of(&g).Requests {
				list = append(list, q.Name)
			}
		}
		return nil
	})
	return list
}

// heard has the restarter take whatever was asked before.
func (w *world) heard(marker string) {
	w.t.Helper()
	n := w.starts(marker)
	w.ask(marker, actions.Restart)
	testenv.Eventually(w.t, func() bool { return w.starts(marker) == n+1 && len(w.asked(marker)) == 0 }, "the marker's restart")
	w.state(marker, graph.Online)
}

// TestRequestSurvives: what is asked while a method runs is done after it, once, also when the
// restarter that heard it dies before; and then it is gone.
func TestRequestSurvives(t *testing.T) {
	for _, dies := range []bool{false, true} {
		for request, want := range map[string]struct {
			starts int
			state  graph.State
		}{
			actions.Restart: {2, graph.Online},
			actions.MaintOn: {1, graph.Maintenance},
		} {
			t.Run(request, func(t *testing.T) {
				w := newWorld(t)
				gate := w.dir + "/gate"
				w.add(service("slow", "contract", w.writes("slow", "while [ ! -e "+gate+" ]; do sleep 0.01; done; sleep 1000 &amp;"), ""))
				w.add(service("marker", "contract", w.writes("marker", "sleep 1000 &amp;"), ""))
				w.run()
				w.state("marker", graph.Online)
				testenv.Eventually(t, func() bool { return w.starts("slow") == 1 }, "the slow start")
				w.ask("slow", request)
				w.heard("marker")
				if got := w.asked("slow"); !slices.Equal(got, []string{request}) {
					t.Errorf("requests %v while the method runs", got)
				}
				if dies {
					w.die()
					w.run()
					w.heard("marker")
				}
				must(t, os.WriteFile(gate, nil, 0o644))
				testenv.Eventually(t, func() bool { return len(w.asked("slow")) == 0 }, "the request to be taken")
				w.state("slow", want.state)
				if n := w.starts("slow"); n != want.starts {
					t.Errorf("started %d times, want %d", n, want.starts)
				}
				w.heard("marker")
				if n := w.starts("slow"); n != want.starts {
					t.Errorf("started %d times in the end, want %d", n, want.starts)
				}
			})
		}
	}
}

// TestRequestsAreBounded: who asks again and again while a method runs is refused some time, and
// nothing of it stays.
func TestRequestsAreBounded(t *testing.T) {
	w := newWorld(t)
	gate := w.dir + "/gate"
	w.add(service("slow", "transient", w.writes("slow", "while [ ! -e "+gate+" ]; do sleep 0.01; done"), ""))
	w.add(service("marker", "contract", w.writes("marker", "sleep 1000 &amp;"), ""))
	w.run()
	w.state("marker", graph.Online)
	testenv.Eventually(t, func() bool { return w.starts("slow") == 1 }, "the slow start")
	for range 200 {
		w.ask("slow", actions.MaintOff)
	}
	w.heard("marker")
	must(t, os.WriteFile(gate, nil, 0o644))
	w.state("slow", graph.Online)
	testenv.Eventually(t, func() bool { return len(w.asked("slow")) == 0 }, "the requests to be taken")
}

// heldBack is a Launcher that starts nothing before its gate is opened.
type heldBack struct {
	*world
	gate chan struct{}
}

func (h heldBack) Start(s *Start) (Begun, instance.Failure, error) {
	<-h.gate
	return h.world.Start(s)
}

// TestGoneWhileItWaits: an instance that is deleted while its start waits for its turn is not started;
// those behind it are.
func TestGoneWhileItWaits(t *testing.T) {
	w := newWorld(t)
	gate := make(chan struct{})
	w.launcher = heldBack{w, gate}
	for i := range startsMax {
		w.add(service(fmt.Sprintf("first%d", i), "transient", "/bin/true", ""))
	}
	w.run()
	for i := range startsMax {
		testenv.Eventually(t, func() bool { return w.record(fmt.Sprintf("first%d", i)).Next == graph.Online }, "a start to begin")
	}
	for _, name := range []string{"gone", "last"} {
		w.add(service(name, "contract", w.writes(name, "sleep 1000 &amp;"), ""))
		testenv.Eventually(t, func() bool { return w.record(name).Next == graph.Online }, "a start to wait")
	}
	var b repo.Batch
	b.Delete(entity("gone"), repo.WithChildren)
	_, err := w.repo.Apply(&b)
	must(t, err)
	w.ask("last", actions.Refresh) // comes after it
	testenv.Eventually(t, func() bool { return strings.Contains(w.log("last"), "Executing") }, "the last one to wait")
	close(gate)
	w.state("last", graph.Online)
	testenv.Eventually(t, func() bool { return len(w.asked("last")) == 0 }, "the refresh")
	testenv.Eventually(t, func() bool { return w.held() == 1 }, "the others' contracts to be given up")
	if n := w.starts("gone"); n != 0 {
		t.Errorf("what is gone was started %d times", n)
	}
}
