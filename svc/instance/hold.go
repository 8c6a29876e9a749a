package instance

import (
	"math/bits"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// dropPrimary lets go of the primary contract.
func (m *Machine) dropPrimary() {
	m.act(Action{Kind: Abandon, Contract: m.primary})
	m.forgetPrimary()
}

func (m *Machine) forgetPrimary() {
	m.act(Action{Kind: Forget, Contract: m.primary})
	m.primary, m.stopped, m.empty, m.event = 0, false, false, nil
}

// contractOut lets go of the contract of a method that has ended, if it was only for the method, or
// is of no use.
func (m *Machine) contractOut(t *transition, useless bool) {
	id := t.contract
	t.contract = 0
	switch {
	case id == 0 || !useless && !m.transient(t.method):
	case id == m.primary:
		m.dropPrimary()
	default:
		m.act(Action{Kind: Abandon, Contract: id})
		m.act(Action{Kind: Forget, Contract: id, Transient: true})
	}
}

// happened takes an event of a contract.
func (m *Machine) happened(in Input) error {
	const known = contract.Empty | contract.Core | contract.Signal | contract.Hwerr
	if in.Events&^known != 0 || bits.OnesCount32(uint32(in.Events)) != 1 {
		return ErrInput
	}
	if m.leaving || in.Contract == 0 || in.Contract != m.primary {
		return nil // of one that was let go
	}
	if in.Events == contract.Empty {
		m.emptied(in.Contract)
		if m.primary != in.Contract {
			return nil
		}
	}
	if m.stopped || m.going != nil && m.going.method == Stop || m.event != nil {
		return nil // it is stopped, or about to be
	}
	m.event = &in
	return nil
}

// emptied: the primary contract has no member any more.
func (m *Machine) emptied(id contract.ID) {
	if id == 0 || id != m.primary {
		return
	}
	m.empty = true
	switch t := m.going; {
	case t == nil:
	case t.phase == emptying:
		m.stopDone(t)
	case t.phase == awaiting:
		m.neverReady(t)
	}
}

// contractEvent stops the service for what happened to its contract.
func (m *Machine) contractEvent(in Input) {
	if in.Contract != m.primary || m.stopped || !runs(m.state) || m.config.Duration == Child {
		return
	}
	c := causeExit
	switch in.Events {
	case contract.Core:
		c = causeCore
	case contract.Signal:
		c = causeSignal
	case contract.Hwerr:
		c = causeHwerr
	}
	if in.Detail != "" {
		m.warn("Stopping because %s: %s", c.text, in.Detail)
	}
	m.stop(c, in.Detail)
}

// ended: the method that runs, or the child, or a process that is of no interest any more.
func (m *Machine) ended(in Input) error {
	if in.Pid <= 0 || !in.Lost && !in.Status.Exited() && !in.Status.Signaled() {
		return ErrInput
	}
	if t := m.going; t != nil && t.phase == running && t.pid == in.Pid {
		if m.child == in.Pid {
			m.child = 0
		}
		m.methodEnded(t, in)
		return nil
	}
	if in.Pid != m.child {
		return nil
	}
	m.child = 0
	if !m.leaving {
		m.childEnd = &in // after a stop it is of no interest
	}
	return nil
}

// childGone: the process that was the service has ended by itself. There is nothing to stop. One
// that fails again and again is held back for a moment; one that does not is forgiven its past.
func (m *Machine) childGone(in Input) {
	if !runs(m.state) {
		return
	}
	failed := !in.Lost && in.Status != 0
	c := causeExit
	switch {
	case in.Lost || !in.Status.Exited():
	case in.Status.ExitStatus() == exitConfig:
		c = causeBadConfig
	case in.Status.ExitStatus() != 0:
		c = causeErrorExit
	}
	if failed && in.Status.Exited() {
		m.warn("exited with status %d", in.Status.ExitStatus())
	}
	m.log("Stopping because %s.", c.text)
	m.marks = marks{aux: c.aux, detail: in.Detail}
	t := &transition{method: Stop, next: graph.Offline, class: c.class, phase: throttled, config: c == causeBadConfig}
	m.going = t
	m.change(m.state, graph.Offline, graph.NoClass)
	switch {
	case !failed || t.config:
		m.starts.forget()
		m.faults = 0
	case m.starts.critical(m.config):
		m.log("Failing too quickly, throttling.")
		m.setTimer(childPause)
		return
	}
	m.childDone(t)
}

// childDone: the service is down. A configuration error is one for an administrator.
func (m *Machine) childDone(t *transition) {
	if m.primary != 0 {
		m.dropPrimary()
	}
	m.finish(t)
	m.change(graph.Offline, graph.None, t.class)
	if t.config {
		m.set(Stop, graph.Maintenance, t.class)
	}
}
