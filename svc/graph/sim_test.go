package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// world is a zone: restarters that take orders one at a time, and the reference.
type world struct {
	t      interface{ Fatalf(string, ...any) }
	g      *Graph
	ref    refWorld
	queue  map[string][]Event
	going  map[string]Event // an order that is being carried out
	on     map[string]bool  // what the restarter knows of enabled
	conf   map[string]Config
	since  map[string]int // the order by which it last started, or its disable was asked for
	leafy  bool           // dependencies stay as they are: check that leaves stop first
	downs  int
	orders int
}

func newWorld(t interface{ Fatalf(string, ...any) }) *world {
	return &world{
		t: t, g: New(), queue: map[string][]Event{}, going: map[string]Event{}, on: map[string]bool{}, conf: map[string]Config{},
		since: map[string]int{},
		ref:   refWorld{services: map[string][]string{}, inst: map[string]*refInstance{}, files: map[string]bool{}},
	}
}

func svc(n int) string  { return fmt.Sprintf("svc:/s%d", n/2) }
func inst(n int) string { return fmt.Sprintf("svc:/s%d:i%d", n/2, n%2) }

func (w *world) apply(op Op) {
	if err := w.g.Apply(op); err != nil {
		w.t.Fatalf("%+v: %v", op, err)
	}
}

func (w *world) configure(name string, c Config) {
	i := w.ref.inst[name]
	if i == nil || !i.there {
		i = &refInstance{there: true, state: Uninitialized}
		w.ref.inst[name] = i
		service := name[:strings.LastIndexByte(name, ':')]
		if !slices.Contains(w.ref.services[service], name) {
			w.ref.services[service] = append(w.ref.services[service], name)
		}
		w.queue[name], w.going[name] = nil, 0
	}
	i.deps, w.conf[name] = c.Dependencies, c
	w.apply(Op{Kind: Configure, FMRI: name, Config: c})
	w.sync(name)
}

func (w *world) syncAll() {
	for name, i := range w.ref.inst {
		if i.there {
			w.sync(name)
		}
	}
}

// sync takes from the graph what is not the reference's to find out.
func (w *world) sync(name string) {
	v := w.g.vertices[name]
	w.ref.inst[name].enabled = v.enabled()
	w.ref.inst[name].disabling, w.ref.inst[name].falling = v.disabling, v.falling
	w.ref.inst[name].broken = v.broken.Event != 0
	w.ref.inst[name].deps = w.conf[name].Dependencies
	if v.broken.Event == DependencyCycle {
		// The closing edges are left out; what is broken is never ready, whatever the rest.
		w.ref.inst[name].deps = nil
	}
}

func (w *world) enable(name string, enabled bool, o Override) {
	if w.g.vertices[name].enabled() {
		w.since[name] = w.orders
	}
	w.apply(Op{Kind: Enable, FMRI: name, Config: Config{Enabled: enabled, Override: o}})
	w.sync(name)
}

func (w *world) remove(name string) {
	w.ref.inst[name].there = false
	w.apply(Op{Kind: Remove, FMRI: name})
}

func (w *world) file(name string, present bool) {
	w.ref.files[name] = present
	w.apply(Op{Kind: File, FMRI: name, Present: present})
}

func (w *world) report(name string, state, next State, class Class, answers bool) {
	w.ref.inst[name].state = state
	w.apply(Op{Kind: Changed, FMRI: name, State: state, Next: next, Class: class, Answers: answers})
	w.sync(name)
	w.checkUnready(name)
}

// work hands the orders to the restarters and holds each to what the graph promises.
func (w *world) work() {
	var watched []string
	for _, o := range w.g.Work() {
		w.orders++
		i := w.ref.inst[o.FMRI]
		switch o.Event {
		case Watch:
			watched = append(watched, o.FMRI)
			continue
		case Unwatch:
			continue
		case Down:
			w.downs++
			continue
		case SetOverride:
			w.sync(o.FMRI)
			continue
		case AddInstance, RemoveInstance:
			w.queue[o.FMRI], w.going[o.FMRI], w.on[o.FMRI] = nil, 0, false
			continue
		case Start:
			w.since[o.FMRI] = w.orders
			w.syncAll()
			if i.state != Offline || !i.enabled || w.ref.deps(i) != 1 {
				w.t.Fatalf("start of %s: %+v, dependencies %d", o.FMRI, i, w.ref.deps(i))
			}
		case AdminDisable:
			w.checkLeaf(o.FMRI)
		}
		unanswered := w.queue[o.FMRI]
		if n := len(unanswered); o.Event >= DependencyCycle {
			// Told as often as it is found, or asked for.
		} else if n > 0 && unanswered[n-1] == o.Event || n == 0 && w.going[o.FMRI] == o.Event {
			w.t.Fatalf("%s twice to %s", o.Event, o.FMRI)
		}
		w.queue[o.FMRI] = append(unanswered, o.Event)
	}
	if len(watched) > 0 {
		for _, name := range watched {
			w.file(name, w.ref.files[name])
		}
		w.work()
		return
	}
	if rest := w.g.Work(); slices.ContainsFunc(rest, func(o Order) bool { return o.Event == Start || o.Event == Stop }) {
		w.t.Fatalf("nothing happened, and there are orders: %v", rest)
	}
}

// checkUnready: who reports that it runs, and was not yet told to, is what a crash of the graph's
// count would look like.
func (w *world) checkUnready(name string) {
	v := w.g.vertices[name]
	for _, group := range v.groups {
		if group.judge() != group.verdict || group.counts.members() != len(group.edges) {
			w.t.Fatalf("%s: %s counts %v of %d, verdict %v", name, group.name, group.counts, len(group.edges), group.verdict)
		}
	}
}

// checkLeaf: of those that ran when the disable was asked for, and that it takes down, none runs
// any more. One that has another to run with may have started since.
func (w *world) checkLeaf(name string) {
	if !w.leafy || !w.ref.inst[name].state.running() {
		return
	}
	service := name[:strings.LastIndexByte(name, ':')]
	for other, i := range w.ref.inst {
		for _, d := range i.deps {
			uses := slices.Contains(d.Entities, name) || slices.Contains(d.Entities, service)
			if uses && d.Grouping != ExcludeAll && d.RestartOn >= Restarted && i.state.running() && i.enabled && w.since[other] < w.since[name] {
				w.t.Fatalf("%s is disabled before %s stops", name, other)
			}
		}
	}
}

// busy are the instances whose restarter has something to do.
func (w *world) busy() (names []string) {
	for name, i := range w.ref.inst {
		if i.there && (w.going[name] != 0 || len(w.queue[name]) > 0) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// step has one restarter go on: it takes an order up, or ends what it is at.
func (w *world) step(name string, fails bool) {
	i := w.ref.inst[name]
	event := w.going[name]
	if event == 0 {
		event = w.queue[name][0]
		w.queue[name] = w.queue[name][1:]
		switch {
		case event == Start && i.state == Offline && w.on[name]:
			w.going[name] = event
			w.report(name, Offline, Online, NoClass, false)
			return
		case (event == Stop || event == StopReset) && i.state.running():
			w.going[name] = event
			w.report(name, i.state, Offline, NoClass, false)
			return
		}
		w.atOnce(name, event)
		return
	}
	w.going[name] = 0
	switch {
	case fails:
		w.report(name, Maintenance, None, Fault, true)
	case event == Start:
		w.report(name, Online, None, NoClass, true)
	default:
		w.report(name, Offline, None, Restarted, true)
	}
}

func (w *world) atOnce(name string, event Event) {
	i := w.ref.inst[name]
	state, class := i.state, NoClass
	switch event {
	case EnableInstance:
		w.on[name] = true
		if state == Uninitialized || state == Disabled {
			state = Offline
		}
	case AdminDisable, DisableInstance:
		w.on[name] = false
		if state.running() {
			class = Restarted
		}
		if state != Maintenance || event == AdminDisable {
			state = Disabled
		}
	case DependencyCycle, InvalidDependency, InvalidRestarter, AdminMaintOn:
		w.report(name, Maintenance, None, Restarted, false)
		return
	case AdminMaintOff:
		if state == Maintenance {
			w.report(name, Uninitialized, None, NoClass, false)
		}
		return
	case AdminRestart:
		if state.running() {
			w.report(name, Offline, None, Restarted, false)
		}
		return
	case AdminRefresh:
		w.report(name, state, None, Refreshed, false)
		return
	}
	w.report(name, state, None, class, true)
}

// rest lets the restarters end, without faults, and checks that the graph then has nothing left
// to do: its verdicts are the reference's, and who can run does.
func (w *world) rest() {
	w.work()
	for n := 0; ; n++ {
		busy := w.busy()
		if len(busy) == 0 {
			break
		}
		if n > 20000 {
			w.t.Fatalf("no rest: %v", busy)
		}
		w.step(busy[n%len(busy)], false)
		w.work()
	}
	w.syncAll()
	for name, i := range w.ref.inst {
		if !i.there {
			continue
		}
		v := w.g.vertices[name]
		if v.falling || v.disabling || v.leaving || len(v.below) > 0 || v.above != 0 || v.asked != 0 {
			w.t.Fatalf("%s at rest: %+v", name, v)
		}
		if got, want := v.ready(), Verdict(w.ref.deps(i)); got != want {
			w.t.Fatalf("%s: %s, the reference says %s: need %v broken %v groups %v; %+v", name, got, want, v.need, v.broken, v.waits(), i)
		}
		right := i.state == Maintenance || !i.enabled && i.state == Disabled ||
			i.enabled && (i.state.running() || i.state == Offline && v.ready() != Satisfied)
		if !right {
			w.t.Fatalf("%s stays %s, enabled %v, %s", name, i.state, i.enabled, v.ready())
		}
	}
}

func drawDeps(t *rapid.T, n, self int, acyclic bool) (deps []Dependency) {
	for d := range rapid.IntRange(0, 3).Draw(t, "groups") {
		dep := Dependency{
			Name: fmt.Sprint("d", d), Grouping: Grouping(rapid.IntRange(1, 4).Draw(t, "grouping")),
			RestartOn: Class(rapid.IntRange(0, 3).Draw(t, "restart_on")),
		}
		if rapid.IntRange(0, 9).Draw(t, "path") == 0 {
			dep.Scheme = Paths
			dep.Entities = []string{fmt.Sprint("file:///f", rapid.IntRange(0, 1).Draw(t, "file"))}
			deps = append(deps, dep)
			continue
		}
		most := n
		if acyclic {
			most = self &^ 1
		}
		for range rapid.IntRange(0, 3).Draw(t, "entities") {
			if most == 0 {
				break
			}
			to := rapid.IntRange(0, most-1).Draw(t, "to")
			dep.Entities = append(dep.Entities, []string{inst(to), svc(to)}[rapid.IntRange(0, 1).Draw(t, "service")])
		}
		deps = append(deps, dep)
	}
	return deps
}

func (w *world) there(t *rapid.T) string {
	var names []string
	for name, i := range w.ref.inst {
		if i.there {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		w.configure(inst(0), Config{})
		names = append(names, inst(0))
	}
	slices.Sort(names)
	return rapid.SampledFrom(names).Draw(t, "instance")
}

func (w *world) actions(n int) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"": func(*rapid.T) { w.work() },
		"configure": func(t *rapid.T) {
			if w.leafy {
				return
			}
			i := rapid.IntRange(0, n-1).Draw(t, "which")
			w.configure(inst(i), Config{Dependencies: drawDeps(t, n, i, false), Enabled: rapid.Bool().Draw(t, "enabled")})
		},
		"remove": func(t *rapid.T) {
			if w.leafy {
				return
			}
			w.remove(w.there(t))
		},
		"enable": func(t *rapid.T) {
			o := Override(rapid.IntRange(0, 2).Draw(t, "override"))
			w.enable(w.there(t), rapid.IntRange(0, 3).Draw(t, "on") > 0, o)
		},
		"crash": func(t *rapid.T) {
			name := w.there(t)
			i := w.ref.inst[name]
			if !i.state.running() || w.going[name] != 0 {
				return
			}
			to := rapid.SampledFrom([]State{Offline, Maintenance, Degraded}).Draw(t, "to")
			w.report(name, to, None, Class(rapid.IntRange(1, 2).Draw(t, "class")), false)
		},
		"request": func(t *rapid.T) {
			e := rapid.SampledFrom([]Event{AdminRestart, AdminRefresh, AdminMaintOn, AdminMaintOff}).Draw(t, "event")
			w.apply(Op{Kind: Request, FMRI: w.there(t), Event: e})
		},
		"step": func(t *rapid.T) {
			busy := w.busy()
			if len(busy) == 0 {
				return
			}
			w.step(rapid.SampledFrom(busy).Draw(t, "restarter"), rapid.IntRange(0, 15).Draw(t, "fails") == 0)
		},
		"file": func(t *rapid.T) {
			w.file(fmt.Sprint("file:///f", rapid.IntRange(0, 1).Draw(t, "file")), rapid.Bool().Draw(t, "present"))
		},
		"rest": func(*rapid.T) { w.rest() },
	}
}

func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions(10))
		w.rest()
	})
}

// TestSimulationLeaves keeps the dependencies, and looks at the order of stops.
func TestSimulationLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for i := range 10 {
			w.configure(inst(i), Config{Dependencies: drawDeps(t, 10, i, true), Enabled: rapid.IntRange(0, 4).Draw(t, "on") > 0})
		}
		w.leafy = true
		w.rest()
		t.Repeat(w.actions(10))
		w.rest()
	})
}
