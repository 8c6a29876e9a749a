package instance

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// proc is a simulated process.
type proc struct {
	pid    int
	in     *cont
	method bool
	ended  bool
	status syscall.WaitStatus
}

// cont is a simulated contract.
type cont struct {
	id      contract.ID
	owner   string // svc_fmri
	method  Method // svc_aux
	terms   Terms
	members map[int]*proc
	gone    bool // abandoned
	spec    Spec
	began   time.Time
	main    *proc
	events  []contract.Events // not told yet
	mute    bool              // nobody of it ever says that it is ready
	said    bool              // somebody has
}

// record is what the repository says of an instance.
type record struct {
	there     bool
	states    States
	contracts map[contract.ID]bool // transient
	method    *InFlight
	start     int // start_pid
}

// loop is the svc.startd of one instance.
type loop struct {
	w     *world
	fmri  string
	m     *Machine
	twin  *Machine // is given the same, and says the same
	check *checker
	ask   *Action
	watch contract.ID
	timer *Action
	ends  []*proc // to be told
	dead  bool
	ran   bool // there was a Lookup since it was last cleared
}

// world is a zone: a graph, its instances, and the kernel.
type world struct {
	t       *rapid.T
	g       *graph.Graph
	now     time.Time
	loops   map[string]*loop
	configs map[string]graph.Config
	startd  map[string]Config
	notify  map[string]bool // they say when they are ready
	records map[string]*record
	procs   map[int]*proc
	conts   map[contract.ID]*cont
	pids    int
	faults  bool
	fuse    int // actions that are still carried out before svc.startd is killed; below 0: it is not
	killed  bool
	crashes int
	trace   []string
}

func newWorld(t *rapid.T) *world {
	return &world{
		t: t, g: graph.New(), now: epoch, loops: map[string]*loop{}, configs: map[string]graph.Config{}, startd: map[string]Config{}, notify: map[string]bool{},
		records: map[string]*record{}, procs: map[int]*proc{}, conts: map[contract.ID]*cont{}, fuse: -1, faults: true,
	}
}

// fatal ends the test with what every instance was told and said of late.
func (w *world) fatal(format string, args ...any) {
	w.t.Helper()
	tail := w.trace[max(len(w.trace)-60, 0):]
	w.t.Fatalf("%s; before:\n%s", fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// chance is one in n, when there are faults at all.
func (w *world) chance(n int, what string) bool {
	return w.faults && rapid.IntRange(0, n-1).Draw(w.t, what) == n-1
}

func (w *world) apply(op graph.Op) {
	if err := w.g.Apply(op); err != nil {
		w.fatal("%+v: %v", op, err)
	}
}

// work hands the graph's orders out.
func (w *world) work() {
	for range 10000 {
		orders := w.g.Work()
		if len(orders) == 0 || w.killed {
			return
		}
		for _, o := range orders {
			if w.hand(o); w.killed {
				return
			}
		}
	}
	w.fatal("the graph has no rest")
}

func (w *world) hand(o graph.Order) {
	switch o.Event {
	case graph.Watch, graph.Unwatch, graph.SetOverride, graph.Down, graph.InvalidRestarter:
		return
	case graph.AddInstance:
		w.add(o.FMRI)
		return
	}
	if l := w.loops[o.FMRI]; l != nil {
		if o.Event == graph.RemoveInstance {
			delete(w.records, o.FMRI)
		}
		l.do(Input{Kind: Order, Event: o.Event})
	} else if o.Event != graph.RemoveInstance {
		w.fatal("%s to %s, which is not there", o.Event, o.FMRI)
	}
}

func (w *world) add(fmri string) {
	config := w.startd[fmri]
	r := w.records[fmri]
	if r == nil {
		r = &record{contracts: map[contract.ID]bool{}}
		w.records[fmri] = r
	}
	if l := w.loops[fmri]; l != nil {
		l.do(Input{Kind: Order, Event: graph.AddInstance, Config: &config})
		return
	}
	l := &loop{w: w, fmri: fmri, m: New(fmri), twin: New(fmri)}
	l.check = newChecker(func(format string, args ...any) {
		w.t.Helper()
		w.fatal(fmri+": "+format, args...)
	})
	w.loops[fmri] = l
	if r.there {
		l.recover(r, config)
		return
	}
	for _, c := range w.conts {
		if c.owner == fmri && !c.gone { // of one that was deleted
			w.kill(c, syscall.SIGKILL)
			c.gone = true
		}
	}
	l.do(Input{Kind: Order, Event: graph.AddInstance, Config: &config})
}

// recover is what a svc.startd finds of an instance.
func (l *loop) recover(r *record, config Config) {
	w := l.w
	b := Before{State: r.states.State, Next: r.states.Next, Aux: r.states.Aux}
	for _, id := range slices.Sorted(maps.Keys(r.contracts)) {
		c := w.conts[id]
		b.Contracts = append(b.Contracts, Held{ID: id, Transient: r.contracts[id], There: !c.gone, Empty: len(c.members) == 0})
	}
	if b.Next != graph.None && r.method != nil {
		f := *r.method
		f.Gone = w.conts[f.Contract].gone
		b.Method = &f
	}
	for _, id := range slices.Sorted(maps.Keys(w.conts)) {
		c := w.conts[id]
		if _, noted := r.contracts[id]; c.owner != l.fmri || c.gone || noted {
			continue
		}
		method, under := underWay(b.State, b.Next)
		if b.Method == nil && under && c.method == method {
			b.Method = &InFlight{Pid: c.main.pid, Contract: id, Began: c.began, Timeout: c.spec.Timeout, Notify: c.spec.Notify}
			continue
		}
		c.gone = true // of nobody
	}
	if config.Duration == Child && r.start != 0 && (runs(b.State) || b.Method != nil) {
		b.Child = r.start
	}
	for _, pid := range []int{b.Child, pidOf(b.Method)} {
		if p := w.procs[pid]; p != nil && p.ended && !slices.Contains(l.ends, p) {
			l.ends = append(l.ends, p)
		}
	}
	l.do(Input{Kind: Recovered, Before: b, Config: &config})
	// What is at rest and has its processes, or has a method that runs, is not touched.
	rest := b.Next == graph.None && (len(b.Contracts) == 0 || slices.ContainsFunc(b.Contracts, func(h Held) bool { return h.There }))
	if l.ran && (rest && config.Duration != Child || b.Method != nil && config.Duration == Contract && rest) {
		w.fatal("%s: %+v, and a method is run", l.fmri, b)
	}
	if p := w.procs[b.Child]; rest && p != nil && !p.ended && config.Duration == Child && (l.m.child != b.Child || l.m.state != b.State) {
		w.fatal("%s: %+v, and its child is not kept", l.fmri, b)
	}
	over := b.Method != nil && b.Method.Done && (b.Method.Gone || len(w.conts[b.Method.Contract].members) == 0)
	if l.ran && b.Method != nil && !over && !(config.Duration == Child && len(l.ends) > 0) {
		w.fatal("%s: %+v runs, and another is run", l.fmri, b.Method)
	}
}

func pidOf(f *InFlight) int {
	if f == nil {
		return 0
	}
	return f.Pid
}

// do gives the machine an input and carries out what it says, until svc.startd is killed.
func (l *loop) do(in Input) {
	l.check.child = l.m.config.Duration == Child
	out, err := l.m.Do(in, l.w.now)
	if err != nil {
		if in.Kind == Order && err.Error() == l.fmri+": "+ErrQueue.Error() {
			return
		}
		l.w.fatal("%+v: %v", in, err)
	}
	if again, err := l.twin.Do(in, l.w.now); err != nil || !reflect.DeepEqual(out, again) {
		l.w.fatal("%s: %+v: twins differ: %v, %v, %v", l.fmri, in, out, again, err)
	}
	l.check.before(in)
	l.ran = false
	l.w.trace = append(l.w.trace, fmt.Sprintf("%s: %s", l.fmri, told(in)))
	for i, a := range out {
		if l.w.killed {
			return
		}
		l.w.trace = append(l.w.trace, fmt.Sprintf("%s:     %s", l.fmri, render(a)))
		l.check.act(a)
		l.ran = l.ran || a.Kind == Lookup
		l.perform(a)
		oneWrite := i+1 < len(out) && written(a) && written(out[i+1])
		if l.w.fuse >= 0 && !oneWrite {
			if l.w.fuse--; l.w.fuse < 0 {
				l.w.killed = true
			}
		}
	}
}

// told is an input in one line.
func told(in Input) string {
	line := fmt.Sprintf("input %d", in.Kind)
	switch in.Kind {
	case Order:
		line = in.Event.String()
	case Recovered:
		line = fmt.Sprintf("recovered %+v %+v, %+v", in.Before, in.Before.Method, *in.Config)
	case Found:
		line = fmt.Sprintf("found %d", in.Spec.Kind)
	case Started:
		line = fmt.Sprintf("started %d in %d", in.Pid, in.Contract)
	case Ended:
		line = fmt.Sprintf("ended %d with %x lost %v", in.Pid, in.Status, in.Lost)
	case Event, Emptied:
		line = fmt.Sprintf("contract %d: %x", in.Contract, in.Events)
	}
	return line
}

// written says whether an action is a write to the repository. Those that follow each other are one.
func written(a Action) bool {
	switch a.Kind {
	case WriteStates, Remember, Forget, NoteMethod, NoteStatus, NoteWait, NoteDeadline, NoteEnd:
		return true
	}
	return false
}

func (l *loop) perform(a Action) {
	w := l.w
	r := w.records[l.fmri]
	switch a.Kind {
	case WriteStates, Answer:
		if a.Kind == WriteStates {
			r.there, r.states = true, a.States
		}
		w.apply(graph.Op{Kind: graph.Changed, FMRI: l.fmri, State: a.States.State, Next: a.States.Next, Class: a.Class, Answers: a.Answers})
	case Lookup, Run, Signal:
		l.ask = &a
	case SendKill:
		w.kill(w.conts[a.Contract], a.Signal)
	case Abandon:
		if w.conts[a.Contract].owner != l.fmri {
			w.fatal("%s abandons another's contract", l.fmri)
		}
		w.conts[a.Contract].gone = true
	case Remember:
		r.contracts[a.Contract] = a.Transient
	case Forget:
		delete(r.contracts, a.Contract)
	case WatchEmpty:
		l.watch = a.Contract
	case IgnoreEmpty:
		l.watch = 0
	case NoteWait:
		f := *r.method
		f.Pid, f.Done = 0, true
		r.method = &f
	case NoteDeadline:
		f := *r.method
		f.Deadline = a.Time
		r.method = &f
	case NoteMethod:
		c := w.conts[a.Contract]
		r.method = &InFlight{Pid: a.Pid, Contract: a.Contract, Began: a.Time, Timeout: c.spec.Timeout, Notify: c.spec.Notify}
		if a.Method == Start {
			r.start = a.Pid
		}
	case NoteEnd:
		if f := r.method; f != nil && a.Method == Start && w.conts[f.Contract].spec.Notify {
			w.conts[f.Contract].main.method = false // a member as others are, if it runs
		}
		r.method = nil
	case SetTimer:
		l.timer = &a
	case ClearTimer:
		l.timer = nil
	case Dropped:
		delete(w.loops, l.fmri)
		l.dead = true
	}
}

// fork is a method's process in its contract.
func (l *loop) fork(a Action) (c *cont, refused bool) {
	w := l.w
	for _, p := range w.procs {
		if p.method && !p.ended && p.in.owner == l.fmri {
			w.fatal("%s: a %s method beside process %d", l.fmri, a.Method, p.pid)
		}
	}
	w.pids++
	child := a.Method == Start && l.m.config.Duration == Child
	c = &cont{id: contract.ID(w.pids), owner: l.fmri, method: a.Method, terms: a.Terms, members: map[int]*proc{}, spec: a.Spec, began: w.now}
	w.conts[c.id] = c
	c.mute = w.chance(6, "mute")
	c.main = w.spawn(c)
	c.main.method = !child
	if from := w.conts[a.Terms.Transfer]; from != nil {
		if refused = len(from.members) > 0 || from.gone; !refused {
			from.gone = true
		}
	}
	return c, refused
}

func (w *world) spawn(c *cont) *proc {
	w.pids++
	p := &proc{pid: w.pids, in: c}
	w.procs[p.pid], c.members[p.pid] = p, p
	return p
}

// end is the end of a process, and what its contract says of it.
func (w *world) end(p *proc, status syscall.WaitStatus, outside bool) {
	if p.ended {
		return
	}
	p.ended, p.status = true, status
	c := p.in
	delete(c.members, p.pid)
	var events []contract.Events
	switch {
	case status.CoreDump():
		events = append(events, contract.Core)
	case status.Signaled() && outside:
		events = append(events, contract.Signal)
	}
	if len(c.members) == 0 {
		events = append(events, contract.Empty)
	}
	for _, e := range events {
		if c.terms.Critical&e != 0 {
			c.events = append(c.events, e)
		}
	}
	if l := w.loops[c.owner]; l != nil && p == c.main {
		l.ends = append(l.ends, p)
	}
}

func (w *world) kill(c *cont, s syscall.Signal) {
	for _, pid := range slices.Sorted(maps.Keys(c.members)) {
		w.end(c.members[pid], killed(s), false)
	}
}
