package instance

import (
	"slices"
	"syscall"

	"github.com/linuxzones/zones/svc/graph"
)

// queueMax is how many requests may wait for a method's end: a person has no use for more, and
// the graph never has more than two orders without an answer but for one who enables and disables
// all the time. Beyond it requests are refused; of the graph's orders the last takes the place of
// the one before it.
const queueMax = 64

const startedState = graph.Online

// request is an order, or what an administrator asks for, that waits for its turn.
type request struct {
	in      Input
	answers int // orders of the graph that its end answers
}

// verb carries a request out, at rest.
type verb func(*Machine, Input)

// verbs is what a request does in each state. The columns are uninitialized, disabled, offline,
// online, degraded, maintenance. Where there is nothing an order is answered and that is all: a
// plain disable does not end maintenance, a start of what runs or may not run does nothing.
// What an event does in any state is in prepare.
var verbs = map[graph.Event][6]verb{
	graph.EnableInstance:        {enable, enable, nil, nil, nil, nil},
	graph.DisableInstance:       {disable, nil, disable, stopDisabled, stopDisabled, nil},
	graph.AdminDisable:          {disable, nil, disable, stopDisabled, stopDisabled, clearDisabled},
	graph.Start:                 {nil, nil, start, nil, nil, nil},
	graph.Stop:                  {nil, nil, nil, stopDependency, stopDependency, nil},
	graph.StopReset:             {nil, nil, nil, stopDependency, stopDependency, nil},
	graph.DependencyCycle:       {maintain, maintain, maintain, maintain, maintain, maintain},
	graph.InvalidDependency:     {maintain, maintain, maintain, maintain, maintain, maintain},
	graph.AdminMaintOn:          {maintain, maintain, maintain, maintain, maintain, maintain},
	graph.AdminMaintOnImmediate: {maintain, maintain, maintain, maintain, maintain, maintain},
	graph.AdminRestart:          {nil, nil, nil, restart, restart, nil},
	graph.AdminRefresh:          {nil, nil, nil, refresh, refresh, nil},
	graph.AdminMaintOff:         {nil, nil, nil, nil, restore, clearRequested},
	graph.AdminDegraded:         {nil, nil, nil, degrade, nil, nil},
}

// answered says whether the graph waits for an answer.
func answered(e graph.Event) bool { return e >= graph.EnableInstance && e <= graph.StopReset }

// order takes a request, which is carried out at once unless a transition is under way.
func (m *Machine) order(in Input) error {
	if in.Event == graph.RemoveInstance {
		if m.leaving && !m.reborn {
			return ErrUnknown
		}
		m.remove()
		return nil
	}
	if _, ok := verbs[in.Event]; !ok {
		return ErrInput
	}
	if m.leaving && !m.reborn {
		return ErrUnknown
	}
	return m.enqueue(in)
}

func (m *Machine) enqueue(in Input) error {
	r := request{in: in}
	if answered(in.Event) {
		r.answers = 1
	}
	if len(m.queue) < queueMax {
		m.queue = append(m.queue, r)
		return nil
	}
	same := func(other request) bool { return other.in.Event == in.Event }
	switch in.Event {
	case graph.DependencyCycle, graph.InvalidDependency:
		if !slices.ContainsFunc(m.queue, same) { // so there are two more at most
			m.queue = append(m.queue, r)
		}
		return nil
	}
	if r.answers == 0 {
		return ErrQueue
	}
	for i := len(m.queue) - 1; i >= 0; i-- {
		if last := &m.queue[i]; last.answers > 0 {
			last.in, last.answers = in, last.answers+1
			return nil
		}
	}
	m.queue = append(m.queue, r) // the first of the graph's: once
	return nil
}

func (m *Machine) carryOut(r request) {
	m.owed = r.answers
	m.prepare(r.in)
	if do := verbs[r.in.Event][m.state-graph.Uninitialized]; do != nil {
		do(m, r.in)
	}
	m.answer()
}

// prepare is what a request does whatever the state.
func (m *Machine) prepare(in Input) {
	switch in.Event {
	case graph.EnableInstance:
		m.enabled = true
	case graph.DisableInstance:
		m.enabled = false
	case graph.AdminDisable:
		m.enabled = false
		m.starts.forget()
		m.faults = 0
	case graph.StopReset:
		m.starts.forget()
	case graph.AdminMaintOff:
		m.starts.forget()
		m.faults = 0
	case graph.AdminRestart:
		if !runs(m.state) && !m.starts.notBefore.IsZero() {
			m.starts.forget() // who asks for it now does not want to wait
		}
	case graph.AdminRefresh:
		m.log("Rereading configuration.")
		if in.Config != nil {
			m.config = *in.Config
		}
	}
}

func enable(m *Machine, _ Input) {
	m.log("Enabled.")
	m.marks = marks{aux: auxEnabled}
	if m.fresh {
		m.marks.aux = auxInserted
	}
	m.fresh = false
	m.change(graph.Offline, graph.None, graph.NoClass)
}

func disable(m *Machine, _ Input) {
	if m.primary != 0 {
		m.dropPrimary()
	}
	m.log("Disabled.")
	m.marks = marks{aux: auxDisabled}
	if m.fresh {
		m.marks.aux = auxInserted
	}
	m.fresh = false
	m.change(graph.Disabled, graph.None, graph.Restarted)
}

func stopDisabled(m *Machine, _ Input)   { m.stop(causeDisable, "") }
func stopDependency(m *Machine, _ Input) { m.stop(causeDependency, "") }

func start(m *Machine, _ Input) {
	if !m.enabled {
		return
	}
	if m.config.Backoff && m.now.Before(m.starts.notBefore) {
		answers := m.owed
		m.holdBack(m.starts.backOff(m.now), answers)
		return
	}
	m.marks = marks{aux: auxSatisfied}
	m.set(Start, startedState, graph.NoClass)
}

// stop brings a service that runs down. By whom it was caused goes with the reason.
func (m *Machine) stop(c cause, detail string) {
	m.log("Stopping because %s.", c.text)
	m.marks, m.starts.stopped = marks{aux: c.aux, detail: detail}, detail
	next := graph.Disabled
	if m.enabled {
		next = graph.Offline
	}
	m.set(Stop, next, c.class)
}

func restart(m *Machine, in Input) {
	if in.Dump && m.primary != 0 {
		m.kill(m.primary, syscall.SIGABRT) // what comes of it will stop the service
		return
	}
	m.stop(causeRestart, "")
	m.starts.forget()
}

func refresh(m *Machine, _ Input) { m.set(Refresh, m.state, graph.Refreshed) }

// maintain brings the instance to maintenance: by its stop method if it runs, unless at once.
func maintain(m *Machine, in Input) {
	why := marks{aux: auxAdministrator, tty: in.TTY}
	switch {
	case in.Event == graph.DependencyCycle:
		why = marks{aux: auxCycle}
	case in.Event == graph.InvalidDependency:
		why = marks{aux: auxInvalid}
	case !in.TTY:
		why = marks{aux: auxService, fmri: in.AuxFMRI}
	}
	m.log("Stopping for maintenance due to %s.", why.aux)
	if m.state == graph.Maintenance {
		return
	}
	m.fresh = false
	m.marks = why
	if in.Event != graph.AdminMaintOnImmediate && runs(m.state) {
		m.act(Action{Kind: Say, Notice: MaintenanceRequested})
		m.set(Stop, graph.Maintenance, graph.Restarted)
		return
	}
	if m.primary != 0 {
		m.dropPrimary()
	}
	m.change(graph.Maintenance, graph.None, graph.Restarted)
}

func clearRequested(m *Machine, _ Input) { m.unmaintain("clear", auxCleared) }
func clearDisabled(m *Machine, _ Input)  { m.unmaintain("disable", auxDisabled) }

// unmaintain leaves maintenance: the graph says what comes next. A contract that a failed stop, or
// a maintenance at once, has left is nobody's from now on.
func (m *Machine) unmaintain(what, aux string) {
	m.log("Leaving maintenance because %s requested.", what)
	m.marks = marks{aux: aux}
	m.change(graph.Uninitialized, graph.None, graph.Restarted)
	if m.primary != 0 {
		m.dropPrimary()
	}
}

func degrade(m *Machine, in Input) {
	m.marks = marks{aux: auxAdministrator, tty: in.TTY}
	if !in.TTY {
		m.marks = marks{aux: auxService, fmri: in.AuxFMRI}
	}
	m.log("Degraded due to %s.", m.marks.aux)
	m.sick = false
	m.change(graph.Degraded, m.next, graph.NoClass)
}

// restore is svcadm clear of a degraded instance.
func restore(m *Machine, _ Input) {
	m.log("Leaving degraded state because clear requested.")
	m.marks, m.sick = marks{aux: auxCleared}, false
	m.change(graph.Online, graph.None, graph.NoClass)
}

// degradeNow does not wait for the end of a refresh.
func (m *Machine) degradeNow(in Input) error {
	if m.leaving && !m.reborn {
		return ErrUnknown
	}
	if t := m.going; t != nil && !m.leaving && t.method == Refresh && m.state == graph.Online {
		t.next, m.next = graph.Degraded, graph.Degraded
		degrade(m, in)
		return nil
	}
	in.Kind, in.Event = Order, graph.AdminDegraded
	return m.enqueue(in)
}

// lapsed: what a periodic service is to do each time was not done. It is started anew, which tries
// again, as often as a start is tried.
func (m *Machine) lapsed() {
	if !m.leaving && m.going == nil && runs(m.state) {
		m.stop(causePeriod, "")
	}
}

// monitored: a monitor has looked at the service. What it saw before a transition is of no use
// after it.
func (m *Machine) monitored(status syscall.WaitStatus) error {
	if !status.Exited() && !status.Signaled() {
		return ErrInput
	}
	if m.leaving || m.going != nil || !status.Exited() || !runs(m.state) {
		return nil
	}
	switch code := status.ExitStatus(); {
	case code == exitMonitorDegrade && m.state == graph.Online:
		m.log("Degraded because its monitor reports so.")
		m.marks, m.sick = marks{aux: auxService}, true
		m.change(graph.Degraded, graph.None, graph.NoClass)
	case code == exitMonitorOffline:
		m.stop(causeMonitor, "")
	case code == 0 && m.sick:
		m.log("Leaving degraded state because its monitor reports that it works.")
		m.marks, m.sick = marks{aux: auxCleared}, false
		m.change(graph.Online, graph.None, graph.NoClass)
	}
	return nil
}
