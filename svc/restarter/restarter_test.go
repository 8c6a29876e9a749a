package restarter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// TestOrder: services come up in the order of their dependencies, whatever kind they are, and those
// that come later as well.
func TestOrder(t *testing.T) {
	w := newWorld(t)
	w.add(service("c", "child", w.writes("order", "exec sleep 1000"), needs("svc:/b", "none")))
	w.add(service("b", "transient", w.writes("b", "true"), needs("svc:/a", "none")))
	w.run()
	w.state("b", graph.Offline)
	w.state("c", graph.Offline)
	w.add(service("a", "contract", w.writes("a", "sleep 1000 &amp;"), ""))
	for _, name := range []string{"a", "b", "c"} {
		w.state(name, graph.Online)
	}
	a, b, c := w.record("a"), w.record("b"), w.record("c")
	if !b.StartAt.After(a.StartAt) || !c.StartAt.After(b.StartAt) {
		t.Errorf("started: a %v, b %v, c %v", a.StartAt, b.StartAt, c.StartAt)
	}
	if len(a.Primary) != 1 || len(b.Primary) != 0 || len(c.Primary) != 1 {
		t.Errorf("contracts %v %v %v", a.Primary, b.Primary, c.Primary)
	}
	w.holds(2)
}

// TestRestarts: who dies comes back; what an administrator asks for is done, and the request is gone.
func TestRestarts(t *testing.T) {
	w := newWorld(t)
	w.add(service("a", "contract", w.writes("a", "sleep 1000 &amp;"), ""))
	w.run()
	w.state("a", graph.Online)
	must(t, w.Kill(w.record("a").Primary[0], int(unix.SIGKILL)))
	testenv.Eventually(t, func() bool { return w.starts("a") == 2 }, "a restart")
	w.state("a", graph.Online)
	w.ask("a", actions.Restart)
	testenv.Eventually(t, func() bool { return w.starts("a") == 3 }, "the restart")
	w.state("a", graph.Online)
	w.ask("a", actions.MaintOn)
	w.state("a", graph.Maintenance)
	if rec := w.record("a"); rec.Aux != "administrative_request" || len(rec.Primary) != 0 {
		t.Errorf("%+v", rec)
	}
	w.holds(0)
	w.ask("a", actions.MaintOff)
	w.state("a", graph.Online)
	testenv.Eventually(t, func() bool {
		left := 0
		_ = w.repo.View(func(v *repo.Reader) error {
			if g, _, err := v.Group(entity("a"), actions.Group); err == nil {
				left = len(actions.Of(&g).Requests)
			}
			return nil
		})
		return left == 0
	}, "the requests to be taken")
	var b repo.Batch
	b.Delete(entity("a"), repo.WithChildren)
	_, err := w.repo.Apply(&b)
	must(t, err)
	testenv.Eventually(t, func() bool { return w.held() == 0 }, "the deleted instance's contract to be given up")
}

// TestNoProcesses: a start that is not possible now is tried again, and ends in maintenance.
func TestNoProcesses(t *testing.T) {
	w := newWorld(t)
	w.fail = errors.New("no more processes")
	w.add(service("a", "contract", w.writes("a", "true"), ""))
	w.run()
	w.state("a", graph.Maintenance)
	if rec := w.record("a"); rec.Aux != "fault_threshold_reached" {
		t.Errorf("%+v", rec)
	}
}

// TestManyAtOnce: far more services than are started at once come up, at a cost in batches that is
// small.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	const many = 60
	for i := range many {
		w.add(service(fmt.Sprintf("s%d", i), "transient", "/bin/true", ""))
	}
	before := w.repo.Generation()
	w.run()
	for i := range many {
		w.state(fmt.Sprintf("s%d", i), graph.Online)
	}
	if batches := w.repo.Generation() - before; batches > 4*many {
		t.Errorf("%d batches", batches)
	}
}

// TestSucceeded: a restarter that dies at any moment is succeeded by one that goes on: services that
// run are not started again, methods that run are waited for, causes that nobody has acted upon are.
func TestSucceeded(t *testing.T) {
	w := newWorld(t)
	names := []string{"contract", "child", "slow"}
	w.add(service("contract", "contract", w.writes("contract", "sleep 1000 &amp;"), ""))
	w.add(service("child", "child", w.writes("child", "exec sleep 1000"), ""))
	w.add(service("slow", "contract", w.writes("slow", "sleep 0.2; sleep 1000 &amp;"), ""))
	w.run()
	want, causes := map[string]int{}, map[string][]string{}
	for _, name := range names {
		w.state(name, graph.Online)
		w.began(name, 1)
		want[name] = 1
	}
	random := rand.New(rand.NewPCG(11, 12))
	for range testenv.Rounds(40, 10) {
		name := names[random.IntN(len(names))]
		asked := random.IntN(2) == 0
		if asked {
			w.ask(name, actions.Restart)
		} else if name != "child" { // whose end is told to its parent, which is this process whoever runs
			must(t, w.Kill(w.record(name).Primary[0], int(unix.SIGKILL)))
		} else {
			w.die()
			w.run()
			continue
		}
		want[name]++
		causes[name] = append(causes[name], map[bool]string{true: "asked", false: "killed"}[asked])
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
		w.die()
		w.run()
		for end := time.Now().Add(testenv.Deadline(20 * time.Second)); w.starts(name) < want[name]; {
			if time.Now().After(end) {
				log, _ := os.ReadFile(w.dir + "/log/" + name + ":default.log")
				t.Fatalf("%s is not started (asked %t): %+v\n%s%q", name, asked, w.record(name), log, w.said)
			}
			time.Sleep(5 * time.Millisecond)
		}
		w.state(name, graph.Online)
	}
	for _, name := range names {
		if got := w.starts(name); got != want[name] {
			log, _ := os.ReadFile(w.dir + "/log/" + name + ":default.log")
			t.Errorf("%s was started %d times, want %d; causes %v\n%s%q", name, got, want[name], causes[name], log, w.said)
		}
		if rec := w.record(name); len(rec.Primary) != 1 || !w.populated(rec.Primary[0]) {
			t.Errorf("%s: %+v", name, rec)
		}
	}
	w.holds(len(names))
}

// TestFileDependency: a service that needs a file comes up when it comes.
func TestFileDependency(t *testing.T) {
	w := newWorld(t)
	file := w.dir + "/needed"
	w.add(service("a", "transient", "/bin/true",
		"<dependency name='f' grouping='require_all' restart_on='none' type='path'><service_fmri value='file://localhost"+file+"'/></dependency>"))
	w.run()
	w.state("a", graph.Offline)
	must(t, os.WriteFile(file, nil, 0o644))
	w.state("a", graph.Online)
}

func TestMissing(t *testing.T) {
	for command, want := range map[string]string{
		"/bin/sh -c x": "", "/no/such/program -d": "/no/such/program", "relative -d": "", "  /no/such": "/no/such",
		"/no/'quoted' x": "", "/no/$VAR": "", "": "",
	} {
		if got := missing(command); got != want {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}

// TestBlame: who killed a service's process is said as far as the zone may know.
func TestBlame(t *testing.T) {
	r := &Restarter{byCT: map[contract.ID]*unit{44: {fmri: "svc:/site/killer:default"}}}
	for want, e := range map[string]contract.Event{
		"killed by SIGKILL from pid 812 (pkill), contract 44, svc:/site/killer:default": {Kind: contract.Signal, Sig: 9, Sender: contract.Sender{Kind: contract.FromProcess, Pid: 812, Comm: "pkill", CT: 44}},
		"killed by SIGTERM from pid 7 (sh)":                                             {Kind: contract.Signal, Sig: 15, Sender: contract.Sender{Kind: contract.FromProcess, Pid: 7, Comm: "sh"}},
		"killed by SIGKILL from outside of the zone":                                    {Kind: contract.Signal, Sig: 9, Sender: contract.Sender{Kind: contract.FromOutside}},
		"killed by SIGKILL by the kernel, which was out of memory":                      {Kind: contract.Signal, Sig: 9, Sender: contract.Sender{Kind: contract.FromOOM}},
		"killed by SIGSEGV": {Kind: contract.Core, Sig: 11},
		"":                  {Kind: contract.Empty},
	} {
		if got := r.blame(&e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if !slices.Contains(graph.Milestones, milestonePrefix+"single-user:default") {
		t.Error("milestones have other names")
	}
}
