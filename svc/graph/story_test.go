package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func dep(grouping Grouping, on Class, entities ...string) Dependency {
	return Dependency{Name: "d", Grouping: grouping, RestartOn: on, Entities: entities}
}

func on(deps ...Dependency) Config { return Config{Enabled: true, Dependencies: deps} }

// TestCycles closes cycles of every size, with the last edge configured last or first.
func TestCycles(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 7, 50, 1000} {
		for _, backward := range []bool{false, true} {
			w := newWorld(t)
			order := make([]int, size)
			for i := range order {
				order[i] = i
			}
			if backward {
				slices.Reverse(order)
			}
			name := func(i int) string { return fmt.Sprintf("svc:/c%d:i", i%size) }
			var last int
			for _, i := range order {
				last = i
				w.apply(Op{Kind: Configure, FMRI: name(i), Config: on(dep(RequireAll, Fault, name(i+1)))})
			}
			orders := w.g.Work()
			at := slices.IndexFunc(orders, func(o Order) bool { return o.Event == DependencyCycle })
			if at < 0 || orders[at].FMRI != name(last) || len(orders[at].Path) != size+1 {
				t.Fatalf("size %d: %v", size, orders)
			}
			for i, step := range orders[at].Path {
				if step != name(last+i) {
					t.Fatalf("size %d: path %v", size, orders[at].Path)
				}
			}
			// Mended elsewhere, it is found well when it is cleared.
			if size > 1 {
				w.apply(Op{Kind: Configure, FMRI: name(last + 1), Config: on()})
				w.apply(Op{Kind: Changed, FMRI: name(last), State: Maintenance})
				w.apply(Op{Kind: Changed, FMRI: name(last), State: Uninitialized})
				if e, err := w.g.Explain(name(last)); err != nil || e.Broken.Event != 0 {
					t.Fatalf("size %d, mended: %+v %v", size, e, err)
				}
			}
		}
	}
}

func TestExclusionIsNoCycle(t *testing.T) {
	w := newWorld(t)
	w.configure("svc:/a:i", Config{Enabled: true, Dependencies: []Dependency{dep(ExcludeAll, NoClass, "svc:/b:i")}})
	w.configure("svc:/b:i", Config{Dependencies: []Dependency{dep(ExcludeAll, NoClass, "svc:/a:i")}})
	w.rest()
	if w.ref.inst["svc:/a:i"].state != Online {
		t.Fatal("a does not run")
	}
	w.enable("svc:/b:i", true, NoOverride)
	w.enable("svc:/a:i", false, NoOverride)
	w.rest()
	if w.ref.inst["svc:/b:i"].state != Online {
		t.Fatal("b does not run")
	}
}

// TestPropagation is every grouping, restart_on and class: whether the dependent is stopped, by
// a stop, a refresh and a coming of a member, and how.
func TestPropagation(t *testing.T) {
	for grouping := RequireAll; grouping <= ExcludeAll; grouping++ {
		for restartOn := NoClass; restartOn <= Refreshed; restartOn++ {
			for class := NoClass; class <= Refreshed; class++ {
				w := newWorld(t)
				w.configure("svc:/m:i", Config{Enabled: grouping != ExcludeAll})
				w.configure("svc:/d:i", on(dep(grouping, restartOn, "svc:/m:i")))
				w.rest()
				if w.ref.inst["svc:/d:i"].state != Online {
					t.Fatalf("%s: the dependent does not run", grouping)
				}
				want := Event(0)
				switch {
				case grouping == ExcludeAll || class == NoClass || class > restartOn:
				case class == Fault:
					want = Stop
				default:
					want = StopReset
				}
				to := Offline
				if class == Refreshed {
					to = Online
				}
				if grouping != ExcludeAll {
					w.apply(Op{Kind: Changed, FMRI: "svc:/m:i", State: to, Class: class})
				}
				if got := told(w.g.Work(), "svc:/d:i"); got != want {
					t.Errorf("%s, restart_on %s, %s: %s, not %s", grouping, restartOn, class, got, want)
				}
			}
			testComing(t, grouping, restartOn)
		}
	}
}

// testComing has the member come while the dependent runs.
func testComing(t *testing.T, grouping Grouping, restartOn Class) {
	w := newWorld(t)
	w.configure("svc:/m:i", Config{})
	w.configure("svc:/o:i", on())
	entities := []string{"svc:/m:i"}
	if grouping == RequireAny {
		entities = append(entities, "svc:/o:i")
	}
	if grouping == RequireAll {
		return // it does not run without
	}
	w.configure("svc:/d:i", on(dep(grouping, restartOn, entities...)))
	w.rest()
	w.enable("svc:/m:i", true, NoOverride)
	w.work()
	w.step("svc:/m:i", false) // enabled
	w.work()
	w.step("svc:/m:i", false) // begins
	w.step("svc:/m:i", false) // runs
	want := Event(0)
	if grouping == ExcludeAll || restartOn >= Restarted {
		want = StopReset
	}
	if got := told(w.g.Work(), "svc:/d:i"); got != want {
		t.Errorf("%s, restart_on %s, coming: %s, not %s", grouping, restartOn, got, want)
	}
}

func told(orders []Order, name string) Event {
	for _, o := range orders {
		if o.FMRI == name {
			return o.Event
		}
	}
	return 0
}

// TestVerdicts is every grouping by the state of its one member, and whether it is enabled.
func TestVerdicts(t *testing.T) {
	for _, row := range []struct {
		state   State
		enabled bool
		want    [4]Verdict // by grouping
	}{
		{Uninitialized, true, [4]Verdict{0, 0, 0, 0}},
		{Disabled, false, [4]Verdict{-1, -1, 1, 1}},
		{Disabled, true, [4]Verdict{-1, -1, 0, 1}},
		{Offline, true, [4]Verdict{0, 0, 0, 0}},
		{Online, true, [4]Verdict{1, 1, 1, -1}},
		{Online, false, [4]Verdict{1, 1, 1, 0}},
		{Degraded, true, [4]Verdict{1, 1, 1, -1}},
		{Maintenance, true, [4]Verdict{-1, -1, 1, 1}},
		{None, false, [4]Verdict{-1, -1, 1, 1}}, // not there
	} {
		for grouping := RequireAll; grouping <= ExcludeAll; grouping++ {
			for _, entity := range []string{"svc:/m:i", "svc:/m"} {
				w := newWorld(t)
				if row.state != None {
					w.apply(Op{Kind: Configure, FMRI: "svc:/m:i", Config: Config{Enabled: row.enabled}})
					w.apply(Op{Kind: Changed, FMRI: "svc:/m:i", State: row.state})
				}
				w.apply(Op{Kind: Configure, FMRI: "svc:/d:i", Config: on(dep(grouping, NoClass, entity))})
				e, err := w.g.Explain("svc:/d:i")
				if err != nil || e.Ready != row.want[grouping-1] {
					t.Errorf("%s of %s, %s, enabled %v: %s %v", grouping, entity, row.state, row.enabled, e.Ready, err)
				}
			}
		}
	}
}

// TestMilestones goes down to each and up again: users first, then what they use.
func TestMilestones(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for i := range 10 {
			w.configure(inst(i), Config{Dependencies: drawDeps(t, 10, i, true), Enabled: rapid.IntRange(0, 4).Draw(t, "on") > 0})
		}
		w.configure(Milestones[0], on(dep(RequireAll, NoClass, inst(1), inst(2)), dep(OptionalAll, NoClass, inst(4))))
		w.rest()
		for _, to := range []string{none, all, Milestones[0], none, Milestones[0], all} {
			downs := w.downs
			w.apply(Op{Kind: Milestone, FMRI: to})
			w.syncAll()
			w.rest()
			if to != all && w.downs != downs+1 {
				t.Fatalf("%s: down was told %d times", to, w.downs-downs)
			}
			for name, i := range w.ref.inst {
				if to == none && i.state.up() {
					t.Fatalf("%s is %s", name, i.state)
				}
			}
		}
	})
}

func TestExplainChain(t *testing.T) {
	w := newWorld(t)
	w.configure("svc:/a:i", Config{})
	w.configure("svc:/b:i", on(dep(RequireAll, NoClass, "svc:/a")))
	w.configure("svc:/c:i", on(dep(RequireAll, NoClass, "svc:/b:i")))
	w.rest()
	e, err := w.g.Explain("svc:/c:i")
	if err != nil || len(e.Chains) != 1 {
		t.Fatalf("%+v %v", e, err)
	}
	var names []string
	for _, c := range e.Chains[0] {
		names = append(names, c.FMRI)
	}
	if got := strings.Join(names, " "); got != "svc:/b:i svc:/a svc:/a:i" || e.Chains[0][2].Why != IsOff {
		t.Errorf("%s: %+v", got, e.Chains)
	}
	impact, err := w.g.Impact("svc:/a:i")
	if err != nil || !slices.Equal(impact, []string{"svc:/b:i", "svc:/c:i"}) {
		t.Errorf("impact: %v %v", impact, err)
	}
}

// TestDisabledWhileStarting: who was told to go while it starts, and is wanted again by then, still
// goes before what it needs.
func TestDisabledWhileStarting(t *testing.T) {
	g := New()
	a, b := "svc:/a:i", "svc:/b:i"
	apply(t, g, Op{Kind: Configure, FMRI: a, Config: on()})
	apply(t, g, Op{Kind: Configure, FMRI: b, Config: on(dep(RequireAll, Restarted, a))})
	told := func() (s string) {
		for _, o := range g.Work() {
			s += o.Event.String() + " " + o.FMRI + ";"
		}
		return s
	}
	say := func(name string, state, next State, answers bool) {
		apply(t, g, Op{Kind: Changed, FMRI: name, State: state, Next: next, Answers: answers})
	}
	told()
	say(a, Online, None, true)
	say(a, Online, None, true)
	say(b, Offline, None, true)
	say(b, Offline, None, true)
	if got := told(); got != "start "+b+";" {
		t.Fatal(got)
	}
	apply(t, g, Op{Kind: Enable, FMRI: b})
	if got := told(); got != "admin_disable "+b+";" {
		t.Fatal(got)
	}
	for _, op := range []Op{{Kind: Enable, FMRI: a}, {Kind: Enable, FMRI: b, Config: Config{Enabled: true}}} {
		apply(t, g, op)
		if got := told(); got != "" {
			t.Fatalf("%s while b starts", got)
		}
	}
	say(b, Offline, Online, false)
	say(b, Online, None, true)
	if got := told(); got != "" {
		t.Errorf("%s while b runs", got)
	}
	say(b, Disabled, None, true)
	if got := told(); got != "enable "+b+";admin_disable "+a+";" && got != "admin_disable "+a+";enable "+b+";" {
		t.Errorf("%s when b is down", got)
	}
}
