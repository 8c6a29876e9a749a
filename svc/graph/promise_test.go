package graph

import (
	"strings"
	"testing"
)

// TestStopWhileStarting: the dependency goes while the dependent's start method runs.
func TestStopWhileStarting(t *testing.T) {
	w := newWorld(t)
	w.configure("svc:/m:i", on())
	w.rest()
	w.configure("svc:/d:i", on(dep(RequireAll, Restarted, "svc:/m:i")))
	w.work()
	w.step("svc:/d:i", false) // enabled
	w.work()
	w.step("svc:/d:i", false) // begins
	w.report("svc:/m:i", Offline, None, Restarted, false)
	w.report("svc:/m:i", Maintenance, None, NoClass, false)
	w.work()
	w.step("svc:/d:i", false) // runs
	if got := told(w.g.Work(), "svc:/d:i"); got != StopReset {
		t.Errorf("told %s", got)
	}
}

// TestRecovered: svc.startd was started again, and finds both running, in either order.
func TestRecovered(t *testing.T) {
	g := New()
	apply(t, g, Op{Kind: Configure, FMRI: "svc:/m:i", Config: on()})
	apply(t, g, Op{Kind: Configure, FMRI: "svc:/d:i", Config: on(dep(RequireAll, Refreshed, "svc:/m:i"))})
	apply(t, g, Op{Kind: Changed, FMRI: "svc:/d:i", State: Online})
	apply(t, g, Op{Kind: Changed, FMRI: "svc:/m:i", State: Online})
	for _, o := range g.Work() {
		if o.Event != AddInstance {
			t.Errorf("%+v", o)
		}
	}
}

// TestRestarterIsADependency, and can be changed.
func TestRestarterIsADependency(t *testing.T) {
	w := newWorld(t)
	c := on()
	c.Restarter = "svc:/inetd:i"
	w.apply(Op{Kind: Configure, FMRI: "svc:/t:i", Config: c})
	w.apply(Op{Kind: Changed, FMRI: "svc:/t:i", State: Offline})
	e, err := w.g.Explain("svc:/t:i")
	if err != nil || e.Ready != Never || len(e.Waits) != 1 || e.Waits[0].Why != Absent {
		t.Fatalf("%+v %v", e, err)
	}
	w.apply(Op{Kind: Configure, FMRI: "svc:/inetd:i", Config: on()})
	w.apply(Op{Kind: Changed, FMRI: "svc:/inetd:i", State: Online})
	if got := told(w.g.Work(), "svc:/t:i"); got != AddInstance {
		t.Fatalf("told %s", got)
	}
	w.apply(Op{Kind: Changed, FMRI: "svc:/t:i", State: Online, Answers: true})
	w.apply(Op{Kind: Changed, FMRI: "svc:/inetd:i", State: Offline, Class: Fault})
	if got := told(w.g.Work(), "svc:/t:i"); got != Stop {
		t.Errorf("told %s", got)
	}
	w.apply(Op{Kind: Configure, FMRI: "svc:/t:i", Config: on()})
	orders := w.g.Work()
	if len(orders) < 2 || orders[0].Event != RemoveInstance || orders[0].Restarter != "svc:/inetd:i" || orders[1].Event != AddInstance {
		t.Errorf("changed: %+v", orders)
	}
}

// TestRemoveInUse: who depends on it is stopped, and then has it missing.
func TestRemoveInUse(t *testing.T) {
	w := newWorld(t)
	w.configure("svc:/m:i", on())
	w.configure("svc:/d:i", on(dep(RequireAll, Restarted, "svc:/m:i")))
	w.rest()
	w.remove("svc:/m:i")
	if got := told(w.g.Work(), "svc:/d:i"); got != StopReset {
		t.Errorf("told %s", got)
	}
	if e, err := w.g.Explain("svc:/d:i"); err != nil || e.Ready != Never || e.Waits[0].Why != Absent {
		t.Errorf("%+v %v", e, err)
	}
	w.apply(Op{Kind: Remove, FMRI: "svc:/d:i"})
	if len(w.g.vertices) != 0 || len(w.g.configs) != 0 {
		t.Errorf("%d vertices are left", len(w.g.vertices))
	}
}

// TestWithdrawn: a disable that is taken back ends the fall of its root, not that of a member
// of another's subtree.
func TestWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.configure("svc:/a:i", on())
	w.configure("svc:/b:i", on(dep(RequireAll, Restarted, "svc:/a:i")))
	w.configure("svc:/c:i", on(dep(RequireAll, Restarted, "svc:/b:i")))
	w.rest()
	w.enable("svc:/a:i", false, NoOverride)
	w.enable("svc:/b:i", false, NoOverride)
	w.work()
	w.enable("svc:/b:i", true, NoOverride)
	w.work()
	if v := w.g.vertices["svc:/b:i"]; v.disabling || !v.falling {
		t.Errorf("%+v", v)
	}
	w.rest()
}

// TestFiles: a file is asked for, waited for, and let go.
func TestFiles(t *testing.T) {
	g := New()
	c := on(Dependency{Name: "f", Grouping: RequireAll, Scheme: Paths, Entities: []string{"file://localhost/etc/x"}})
	apply(t, g, Op{Kind: Configure, FMRI: "svc:/d:i", Config: c})
	if told(g.Work(), "file:///etc/x") != Watch {
		t.Fatal("the file is not asked for")
	}
	apply(t, g, Op{Kind: Changed, FMRI: "svc:/d:i", State: Offline, Answers: true})
	apply(t, g, Op{Kind: File, FMRI: "file:///etc/x"})
	if orders := g.Work(); len(orders) != 0 {
		t.Fatalf("%+v", orders)
	}
	apply(t, g, Op{Kind: File, FMRI: "file:///etc/x", Present: true})
	if told(g.Work(), "svc:/d:i") != Start {
		t.Error("its coming starts nobody")
	}
	apply(t, g, Op{Kind: Configure, FMRI: "svc:/d:i", Config: on()})
	if told(g.Work(), "file:///etc/x") != Unwatch {
		t.Error("the file is not let go")
	}
}

// TestInvalid: each way to be wrong, and the order that tells of it.
func TestInvalid(t *testing.T) {
	for name, c := range map[string]Config{
		"grouping":   on(dep(9, NoClass)),
		"restart_on": on(dep(RequireAll, 9)),
		"entity":     on(dep(RequireAll, NoClass, "nonsense")),
		"group":      on(dep(RequireAll, NoClass, "svc:/a:i/:properties/x")),
		"type":       on(dep(RequireAll, NoClass, "file:///x")),
		"unreadable": {Enabled: true, Invalid: "no entities"},
	} {
		g := New()
		apply(t, g, Op{Kind: Configure, FMRI: "svc:/d:i", Config: c})
		found := false
		for _, o := range g.Work() {
			found = found || o.Event == InvalidDependency && o.Detail != ""
		}
		if !found {
			t.Errorf("%s: not told", name)
		}
	}
	g := New()
	apply(t, g, Op{Kind: Configure, FMRI: "svc:/d:i", Config: Config{Enabled: true, Restarter: "svc:/only/service"}})
	if orders := g.Work(); len(orders) != 1 || orders[0].Event != InvalidRestarter {
		t.Errorf("restarter: %+v", orders)
	}
}

// TestMilestoneTakenOver: a graph that is begun anew on the way down to a milestone orders nothing
// before all instances have said what they are, starts none of those outside, and then goes on.
func TestMilestoneTakenOver(t *testing.T) {
	for _, again := range []bool{false, true} { // said once more while nothing was to be done
		g := New()
		names := []string{"svc:/a:i", "svc:/b:i", "svc:/c:i"}
		apply(t, g, Op{Kind: Configure, FMRI: names[0], Config: on()})
		apply(t, g, Op{Kind: Configure, FMRI: names[1], Config: on(dep(RequireAll, NoClass, names[0]))})
		apply(t, g, Op{Kind: Configure, FMRI: names[2], Config: on()})
		apply(t, g, Op{Kind: Milestone, FMRI: none, Present: true})
		if again {
			apply(t, g, Op{Kind: Milestone, FMRI: none, Present: true})
		}
		for _, o := range g.Work() {
			if o.Event != AddInstance && o.Event != EnableInstance {
				t.Fatalf("%+v before it is known what runs", o)
			}
		}
		report := func(name string, state State, answers bool) {
			apply(t, g, Op{Kind: Changed, FMRI: name, State: state, Answers: answers})
		}
		report(names[0], Online, true)
		report(names[1], Online, true)
		report(names[2], Offline, true) // nothing keeps it from being started
		if orders := g.Work(); len(orders) != 0 {
			t.Fatalf("%+v before the milestone is said again", orders)
		}
		apply(t, g, Op{Kind: Milestone, FMRI: none})
		var told []string
		for rounds := 0; rounds < 10; rounds++ {
			for _, o := range g.Work() {
				switch o.Event {
				case DisableInstance, AdminDisable:
					told = append(told, o.FMRI)
					report(o.FMRI, Disabled, true)
				case Down:
					told = append(told, "down")
				case SetOverride:
				default:
					t.Errorf("%+v", o)
				}
			}
		}
		if got := strings.Join(told, " "); got != names[2]+" "+names[1]+" "+names[0]+" down" && got != names[1]+" "+names[2]+" "+names[0]+" down" {
			t.Errorf("%s", got)
		}
	}
}

// TestSingleInstance: of a service that says so one instance runs at a time; others wait for its end,
// whatever that is, and are told of it. One that restarts is not overtaken.
func TestSingleInstance(t *testing.T) {
	a, b := "svc:/s:a", "svc:/s:b"
	for name, c := range map[string]struct {
		single bool
		end    func(g *Graph)
		want   string // starts and stops after a came online
	}{
		"as many as there are": {false, func(*Graph) {}, ""},
		"it stays":             {true, func(*Graph) {}, ""},
		"it restarts": {true, func(g *Graph) {
			apply(t, g, Op{Kind: Changed, FMRI: a, State: Offline, Class: Fault})
		}, "start " + a},
		"it is disabled": {true, func(g *Graph) {
			apply(t, g, Op{Kind: Enable, FMRI: a, Config: Config{}})
		}, "admin_disable " + a + " start " + b},
		"it goes to maintenance": {true, func(g *Graph) {
			apply(t, g, Op{Kind: Changed, FMRI: a, State: Maintenance, Class: Fault})
		}, "start " + b},
		"it is deleted": {true, func(g *Graph) { apply(t, g, Op{Kind: Remove, FMRI: a}) }, "remove_instance " + a + " start " + b},
	} {
		t.Run(name, func(t *testing.T) {
			g := New()
			var told []string
			run := func() {
				for {
					orders := g.Work()
					for _, o := range orders {
						state := map[Event]State{AddInstance: Uninitialized, EnableInstance: Offline, Start: Online, AdminDisable: Disabled}[o.Event]
						if o.Event == Start || o.Event == AdminDisable || o.Event == RemoveInstance {
							told = append(told, o.Event.String()+" "+o.FMRI)
						}
						if state != None {
							apply(t, g, Op{Kind: Changed, FMRI: o.FMRI, State: state, Answers: true})
						}
					}
					if len(orders) == 0 {
						return
					}
				}
			}
			for _, name := range []string{a, b} {
				apply(t, g, Op{Kind: Configure, FMRI: name, Config: Config{Enabled: true, Single: c.single}})
			}
			run()
			if got := strings.Join(told, " "); c.single && got != "start "+a || !c.single && got != "start "+a+" start "+b {
				t.Fatalf("at first: %s", got)
			}
			e, err := g.Explain(b)
			if err != nil || c.single != (len(e.Waits) == 1) {
				t.Fatalf("%+v, %v", e, err)
			}
			if c.single && e.Ready != Never {
				t.Errorf("b is %s", e.Ready)
			}
			if c.single && (e.Waits[0].FMRI != a || e.Waits[0].Why != InTheWay || e.Waits[0].Dependency != SingleInstance) {
				t.Errorf("%+v", e.Waits)
			}
			told = nil
			c.end(g)
			run()
			if got := strings.Join(told, " "); got != c.want {
				t.Errorf("then: %q, want %q", got, c.want)
			}
		})
	}
}
