package instance

import (
	"slices"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// recover goes on where another svc.startd was killed. The repository is believed: what runs is not
// started, what was to be stopped is. A start that had not begun is the graph's to order again.
func (m *Machine) recover(in Input) error {
	b := in.Before
	if m.there {
		return ErrThere
	}
	if b.State > graph.Maintenance || b.Next > graph.Maintenance || b.Child < 0 {
		return ErrInput
	}
	for _, h := range b.Contracts {
		if h.ID == 0 {
			return ErrInput
		}
	}
	if f := b.Method; f != nil && (f.Pid <= 0 && !f.Done || f.Done && (f.Pid != 0 || f.Contract == 0)) {
		return ErrInput
	}
	m.begin(in.Config)
	m.fresh = b.State == graph.None || b.State == graph.Uninitialized
	m.state, m.child = b.State, b.Child
	m.marks = marks{aux: b.Aux, fmri: b.AuxFMRI, tty: b.AuxTTY, detail: b.Detail}
	m.sick = b.State == graph.Degraded && b.Aux == auxService && b.AuxFMRI == "" // none but a monitor says so
	m.enabled = (runs(b.State) || b.State == graph.Offline) && b.Next != graph.Disabled
	if m.fresh {
		m.marks = marks{aux: auxInserted}
		m.state, b.Next = graph.Uninitialized, graph.None
	}
	method, under := underWay(m.state, b.Next)
	flight := b.Method
	if !under && flight != nil {
		known := func(h Held) bool { return h.ID == flight.Contract }
		if flight.Contract != 0 && !flight.Gone && !slices.ContainsFunc(b.Contracts, known) {
			m.act(Action{Kind: Abandon, Contract: flight.Contract}) // of nothing that is under way
		}
		flight = nil
	}
	var lost bool
	if flight, lost = m.adopt(b.Contracts, flight, method); lost && runs(m.state) && m.config.Duration == Contract {
		m.event = &Input{Kind: Event, Events: contract.Empty}
	}
	if m.config.Duration == Child && runs(m.state) && m.child == 0 {
		m.childEnd = &Input{Kind: Ended, Lost: true}
	}
	switch {
	case !under:
		m.atRest()
	case flight != nil:
		m.flyOn(flight, method, b.Next)
	case method == Start:
		m.change(m.state, graph.None, graph.NoClass)
	case method == Stop && m.config.Duration == Child && runs(m.state) && m.marks.aux == causeExit.aux:
		m.going = &transition{method: Stop, next: graph.Offline, class: causeExit.class}
		m.change(m.state, graph.Offline, graph.NoClass)
		m.childDone(m.going)
	default:
		m.set(method, b.Next, classFor(method, m.marks.aux))
	}
	return nil
}

// underWay says which method a pair of states is written for.
func underWay(state, next graph.State) (Method, bool) {
	switch {
	case next == graph.None:
	case state == graph.Offline && next == startedState:
		return Start, true
	case runs(state) && runs(next):
		return Refresh, true
	case runs(state) && next != graph.Uninitialized, state == graph.Offline && (next == graph.Maintenance || next == graph.Disabled):
		return Stop, true
	}
	return 0, false
}

func classFor(method Method, aux string) graph.Class {
	switch method {
	case Refresh:
		return graph.Refreshed
	case Stop:
		return classOf(aux)
	}
	return graph.NoClass
}

// atRest says again what the instance is. Why it is so stays said of what does not run as it
// should.
func (m *Machine) atRest() {
	if !m.fresh && m.state != graph.Maintenance && m.state != graph.Degraded {
		m.marks = marks{aux: auxRestarted}
	}
	m.change(m.state, graph.None, graph.NoClass)
}

// adopt takes over the contracts that are still there. lost says that the primary one is not: what
// was in it is gone, and its last event was told to one who is dead. The contract of a method that
// is under way may not have been written yet, nor the method; one that is gone is taken from the method.
func (m *Machine) adopt(held []Held, f *InFlight, method Method) (flight *InFlight, lost bool) {
	var own contract.ID
	if f != nil {
		copied := *f
		flight, own = &copied, f.Contract
		if f.Gone {
			flight.Contract = 0
		}
		if own != 0 && !f.Gone && !slices.ContainsFunc(held, func(h Held) bool { return h.ID == own }) {
			held = append(slices.Clone(held), Held{ID: own, Transient: m.transient(method), There: true})
		}
	}
	var primary Held
	for _, h := range held {
		if h.There && !h.Transient && !m.fresh && (primary.ID == 0 || h.ID == own || primary.ID != own && h.ID > primary.ID) {
			primary = h
		}
	}
	for _, h := range held {
		switch {
		case !h.There:
			m.act(Action{Kind: Forget, Contract: h.ID, Transient: h.Transient})
			lost = lost || !h.Transient && primary.ID == 0
			if h.ID == own {
				flight.Contract = 0
			}
		case h.ID == own:
			m.act(Action{Kind: Remember, Contract: own, Transient: h.Transient})
			if !f.Done {
				m.act(Action{Kind: NoteMethod, Method: method, Pid: f.Pid, Contract: own, Time: f.Began})
			}
		case h.ID == primary.ID:
		default:
			m.act(Action{Kind: Abandon, Contract: h.ID})
			m.act(Action{Kind: Forget, Contract: h.ID, Transient: h.Transient})
		}
	}
	if primary.ID != 0 {
		m.primary, m.empty = primary.ID, primary.Empty
		m.stopped = m.state == graph.Offline && (primary.ID != own || method != Start)
	}
	return flight, lost
}

// flyOn waits for a method that another has begun. Its time goes on from when that was.
func (m *Machine) flyOn(f *InFlight, method Method, next graph.State) {
	t := &transition{method: method, next: next, class: classFor(method, m.marks.aux), phase: running, attempt: 1, noted: true}
	t.pid, t.contract, t.began = f.Pid, f.Contract, f.Began
	t.spec = Spec{Kind: Exec, Text: method.String(), Timeout: f.Timeout}
	t.notify = method == Start && (f.Notify || f.Done) && m.config.Duration != Transient
	m.going = t
	m.change(m.state, next, graph.NoClass)
	if m.now.Before(t.began) {
		t.began = m.now // the clock was set back
	}
	child := method == Start && m.config.Duration == Child
	if child {
		m.child = f.Pid
	}
	switch {
	case t.notify:
		m.waitOn(t, f)
	case f.Done: // nothing is waited for any more
		m.contractOut(t, false)
		m.succeed()
	case child:
		t.contract = 0
		m.succeed()
	case f.Timeout > 0:
		m.setTimer(f.Timeout - m.now.Sub(t.began))
	}
}
