package instance

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// turns are what may happen next to one instance, in the order in which a world without faults
// takes them.
func (l *loop) turns() (list []func()) {
	w := l.w
	if l.ask != nil {
		list = append(list, l.reply)
	}
	if len(l.ends) > 0 {
		list = append(list, l.tell)
	}
	if c := w.conts[l.watch]; c != nil && len(c.members) == 0 {
		list = append(list, func() {
			id := l.watch
			if !w.chance(4, "emptied twice") {
				l.watch = 0
			}
			l.do(Input{Kind: Emptied, Contract: id})
		})
	}
	for _, id := range slices.Sorted(maps.Keys(w.conts)) {
		c := w.conts[id]
		if c.owner != l.fmri {
			continue
		}
		if len(c.events) > 0 && !c.gone && !(l.ask != nil && l.ask.Kind == Run) {
			list = append(list, func() {
				e := c.events[0]
				c.events = c.events[1:]
				l.do(Input{Kind: Event, Contract: c.id, Events: e, Detail: "somebody"})
			})
		}
		if c.spec.Notify && !c.mute && !c.said && !c.gone && len(c.members) > 0 {
			list = append(list, func() { l.hear(c) })
		}
		if p := c.main; p.method && !p.ended {
			list = append(list, func() { l.finish(p) })
		}
	}
	if len(list) == 0 && l.watch != 0 && !w.faults { // who lingers after a stop goes in the end
		list = append(list, func() { w.kill(w.conts[l.watch], syscall.SIGTERM) })
	}
	if l.timer != nil && (len(list) == 0 || w.faults) {
		list = append(list, l.fire)
	}
	return list
}

func (l *loop) fire() {
	a := *l.timer
	l.timer = nil
	if l.w.now.Before(a.Time) {
		l.w.now = a.Time
	}
	l.do(Input{Kind: Fired, Number: a.Number})
}

// reply answers what the machine has asked for.
func (l *loop) reply() {
	w, a := l.w, *l.ask
	l.ask = nil
	switch a.Kind {
	case Lookup:
		s := Spec{Kind: Exec, Text: "/bin/" + a.Method.String(), Critical: contract.Empty | contract.Core | contract.Signal, Timeout: time.Minute}
		s.Notify = a.Method == Start && w.notify[l.fmri]
		switch {
		case w.chance(20, "no group"):
			s = Spec{Kind: NoGroup}
		case w.chance(10, "true"):
			s = Spec{Kind: Null}
		case a.Method == Stop && rapid.Bool().Draw(w.t, "kill"):
			s = Spec{Kind: Kill, Signal: syscall.SIGTERM, Timeout: time.Minute}
		case w.chance(20, "bad"):
			s = Spec{Kind: Bad, Text: "bad"}
		}
		l.do(Input{Kind: Found, Spec: s})
	case Run:
		if w.chance(15, "not run") {
			l.do(Input{Kind: NotRun, Failure: rapid.SampledFrom([]Failure{Invalid, NotPossible, NotNow, NotNow}).Draw(w.t, "failure")})
			return
		}
		c, refused := l.fork(a)
		if w.fuse == 0 {
			w.killed = true // between the fork and its first record
			return
		}
		l.do(Input{Kind: Started, Pid: c.main.pid, Contract: c.id, Refused: refused})
	case Signal:
		c := w.conts[a.Contract]
		if c.gone {
			w.fatal("%s signals contract %d, which it has let go", l.fmri, c.id)
		}
		if !w.chance(4, "ignored") {
			w.kill(c, a.Signal)
		}
		l.do(Input{Kind: Signalled})
	}
}

// hear passes on what a member says: that the service is ready, or soon. What svc.startd was killed
// over it hears again.
func (l *loop) hear(c *cont) {
	if l.w.chance(3, "extends") {
		l.do(Input{Kind: Extended, Contract: c.id, For: time.Duration(rapid.IntRange(1, 200).Draw(l.w.t, "for")) * time.Second})
		return
	}
	l.do(Input{Kind: Ready, Contract: c.id})
	if l.w.killed {
		return
	}
	if c.said = true; !c.main.ended {
		c.main.method = false // a member as others are
	}
}

// tell passes on the end of a process.
func (l *loop) tell() {
	p := l.ends[0]
	l.ends = l.ends[1:]
	in := Input{Kind: Ended, Pid: p.pid, Status: p.status}
	if l.w.crashes > 0 && l.w.chance(6, "lost") {
		in.Status, in.Lost = 0, true
	}
	l.do(in)
}

// finish ends a method. A start leaves a service behind; a stop mostly none.
func (l *loop) finish(p *proc) {
	w := l.w
	status := exited(0)
	if w.chance(4, "fails") {
		status = rapid.SampledFrom([]syscall.WaitStatus{exited(1), exited(1), exited(94), exited(95), exited(96), killed(syscall.SIGKILL), killed(syscall.SIGSEGV) | 0x80}).Draw(w.t, "status")
	}
	if status == 0 && p.in.method == Start && l.m.config.Duration == Contract {
		w.spawn(p.in)
	}
	if p.in.method == Stop && !w.chance(3, "lingers") {
		if c := w.conts[l.m.primary]; c != nil {
			w.kill(c, syscall.SIGTERM)
		}
	}
	w.end(p, status, false)
}

// die is the end of a process of a service, by itself or by another's hand.
func (w *world) die(t *rapid.T) {
	var pids []int
	for pid, p := range w.procs {
		if !p.ended && !p.method {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return
	}
	slices.Sort(pids)
	status := rapid.SampledFrom([]syscall.WaitStatus{exited(0), exited(1), exited(96), killed(syscall.SIGKILL), killed(syscall.SIGSEGV) | 0x80}).Draw(t, "death")
	w.end(w.procs[rapid.SampledFrom(pids).Draw(t, "who")], status, true)
}

// restart is a new svc.startd after one that was killed.
func (w *world) restart() {
	w.killed, w.fuse = false, -1
	w.crashes++
	w.g, w.loops = graph.New(), map[string]*loop{}
	for _, c := range w.conts {
		if _, there := w.configs[c.owner]; !there && !c.gone {
			w.kill(c, syscall.SIGKILL)
			c.gone = true // the loop lets go of what is deleted
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.configs)) {
		w.apply(graph.Op{Kind: graph.Configure, FMRI: name, Config: w.configs[name]})
	}
	w.work()
}

func (w *world) step() {
	if w.killed {
		w.restart()
	}
	w.work()
	if w.killed {
		w.restart()
	}
}

func name(i int) string { return fmt.Sprintf("svc:/s%d:default", i) }

func (w *world) configure(t *rapid.T, i int) {
	c := graph.Config{Enabled: rapid.IntRange(0, 4).Draw(t, "on") > 0}
	for d := range rapid.IntRange(0, 2).Draw(t, "groups") {
		if i == 0 {
			break
		}
		c.Dependencies = append(c.Dependencies, graph.Dependency{
			Name: fmt.Sprint("d", d), Grouping: graph.Grouping(rapid.IntRange(1, 3).Draw(t, "grouping")),
			RestartOn: graph.Class(rapid.IntRange(0, 3).Draw(t, "restart_on")), Entities: []string{name(rapid.IntRange(0, i-1).Draw(t, "to"))},
		})
	}
	if _, there := w.configs[name(i)]; !there {
		w.startd[name(i)] = Config{
			Duration: Duration(rapid.IntRange(0, 2).Draw(t, "duration")), CriticalCount: rapid.SampledFrom([]int{0, 3}).Draw(t, "count"),
			Backoff: rapid.Bool().Draw(t, "backoff"), NoTimeoutRetry: rapid.Bool().Draw(t, "no retry"),
		}
		w.notify[name(i)] = w.startd[name(i)].Duration != Transient && rapid.Bool().Draw(t, "notify")
	}
	w.configs[name(i)] = c
	w.apply(graph.Op{Kind: graph.Configure, FMRI: name(i), Config: c})
}

func (w *world) any(t *rapid.T) string {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(w.configs))).Draw(t, "instance")
}

// actions are what happens in a zone.
func (w *world) actions() map[string]func(*rapid.T) {
	turn := func(t *rapid.T) {
		var list []func()
		for _, n := range slices.Sorted(maps.Keys(w.loops)) {
			list = append(list, w.loops[n].turns()...)
		}
		if len(list) > 0 {
			list[rapid.IntRange(0, len(list)-1).Draw(t, "turn")]()
		}
	}
	return map[string]func(*rapid.T){
		"":      func(*rapid.T) { w.step() },
		"turn1": turn, "turn2": turn, "turn3": turn, "turn4": turn, "turn5": turn, "turn6": turn, "turn7": turn, "turn8": turn,
		"die": func(t *rapid.T) { w.die(t) },
		"enable": func(t *rapid.T) {
			n := w.any(t)
			c := w.configs[n]
			c.Enabled = rapid.IntRange(0, 2).Draw(t, "on") > 0
			w.configs[n] = c
			w.apply(graph.Op{Kind: graph.Enable, FMRI: n, Config: c})
		},
		"request": func(t *rapid.T) {
			e := rapid.SampledFrom([]graph.Event{
				graph.AdminRestart, graph.AdminRefresh, graph.AdminMaintOn, graph.AdminMaintOnImmediate, graph.AdminMaintOff, graph.AdminMaintOff, graph.AdminDegraded,
			}).Draw(t, "event")
			w.apply(graph.Op{Kind: graph.Request, FMRI: w.any(t), Event: e})
		},
		"configure": func(t *rapid.T) {
			if i := rapid.IntRange(0, 5).Draw(t, "which"); rapid.IntRange(0, 3).Draw(t, "really") == 0 {
				w.configure(t, i)
			}
		},
		"remove": func(t *rapid.T) {
			if len(w.configs) < 3 || rapid.IntRange(0, 3).Draw(t, "really") > 0 {
				return
			}
			n := w.any(t)
			delete(w.configs, n)
			w.apply(graph.Op{Kind: graph.Remove, FMRI: n})
		},
		"time": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "seconds")) * time.Second)
		},
		"crash": func(t *rapid.T) {
			if w.fuse < 0 && rapid.IntRange(0, 2).Draw(t, "really") == 0 {
				w.fuse = rapid.IntRange(0, 12).Draw(t, "fuse")
			}
		},
		"rest": func(*rapid.T) { w.rest() },
	}
}

// rest lets everything end without faults, and looks at what has become of it.
func (w *world) rest() {
	w.faults, w.fuse = false, -1
	defer func() { w.faults = true }()
	for n := 0; ; n++ {
		w.step()
		var turn func()
		for _, name := range slices.Sorted(maps.Keys(w.loops)) {
			if list := w.loops[name].turns(); len(list) > 0 {
				turn = list[0]
				break
			}
		}
		if turn == nil {
			break
		}
		if n > 20000 {
			w.fatal("no rest")
		}
		turn()
	}
	for n, l := range w.loops {
		l.check.rest()
		e, err := w.g.Explain(n)
		if err != nil {
			w.fatal("%s is still there: %v", n, err)
		}
		state, _ := l.m.State()
		right := state == graph.Maintenance || !e.Enabled && state == graph.Disabled ||
			e.Enabled && (runs(state) || state == graph.Offline && e.Ready != graph.Satisfied)
		if !right || state != e.State || state != w.records[n].states.State {
			w.fatal("%s stays %s, the graph has %s, enabled %v, ready %s", n, state, e.State, e.Enabled, e.Ready)
		}
		for id, transient := range w.records[n].contracts {
			if transient || id != l.m.primary || w.conts[id].gone {
				w.fatal("%s: the repository has contract %d, the instance %d", n, id, l.m.primary)
			}
		}
	}
	for id, c := range w.conts {
		if l := w.loops[c.owner]; !c.gone && (l == nil || l.m.primary != id) {
			w.fatal("contract %d of %s's %s method is lost", id, c.owner, c.method)
		}
	}
}

// TestSimulation is a zone with everything that may happen in one, svc.startd killed between any two
// actions included.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for i := range 6 {
			w.configure(t, i)
		}
		w.rest()
		t.Repeat(w.actions())
		w.rest()
	})
}
