package instance

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// killLimit is how long a service that was killed may take to be gone: more only needs what waits
// in the kernel.
const killLimit = 30 * time.Second

// The exit codes of smf_method(7).
const (
	exitNoDaemon       = 94
	exitFatal          = 95
	exitConfig         = 96
	exitMonitorDegrade = 97
	exitMonitorOffline = 98
	exitNoSMF          = 99
	exitPerm           = 100
)

// hopeless are the exit codes after which a method is not tried again.
var hopeless = map[int]bool{exitFatal: true, exitConfig: true, exitNoSMF: true, exitPerm: true}

// verdict is how an attempt has failed: the reasons of method_run, and the exit code.
type verdict struct {
	failure  Failure
	exit     int
	tooQuick bool // ELOOP
	timedOut bool // ERANGE
}

// transient says whether the contract of a method is nobody's when the method has ended.
func (m *Machine) transient(method Method) bool {
	return method != Start || m.config.Duration == Transient
}

// set begins a transition. What is asked for from now on waits.
func (m *Machine) set(method Method, next graph.State, class graph.Class) {
	m.going = &transition{method: method, next: next, class: class, answers: m.owed}
	m.owed = 0
	if method == Stop {
		m.event, m.childEnd = nil, nil
	}
	m.change(m.state, next, graph.NoClass)
	m.attempt()
}

func (m *Machine) attempt() {
	t := m.going
	t.attempt++
	t.phase = looking
	t.spec, t.pid, t.contract, t.began, t.timedOut, t.overdue = Spec{}, 0, 0, time.Time{}, false, false
	t.notify, t.deadline = false, time.Time{}
	if t.method == Start {
		m.act(Action{Kind: Say, Notice: StartRequested})
	}
	m.act(Action{Kind: Lookup, Method: t.method, Attempt: t.attempt})
}

func (m *Machine) found(spec Spec) error {
	t := m.going
	if t == nil || t.phase != looking || spec.Kind < NoGroup || spec.Kind > Exec || spec.Kind == Kill && spec.Signal <= 0 {
		return ErrInput
	}
	if m.leaving {
		m.going = nil
		return nil
	}
	t.spec = spec
	switch spec.Kind {
	case NoGroup:
		if t.method == Refresh {
			m.log("No '%s' method defined.  Treating as :true.", t.method)
		} else {
			m.log("Method property group '%s' is not present.", t.method)
		}
		m.succeed()
		return nil
	case NoExec:
		m.log("Method property '%s/exec is not present.", t.method)
		m.succeed()
		return nil
	case Bad:
		m.log("%s", spec.Text)
		m.fail(verdict{failure: Invalid})
		return nil
	}
	if t.method == Stop && m.config.Duration != Transient {
		if m.primary == 0 {
			m.succeed() // there is nothing to stop
			return nil
		}
		if spec.NoContract {
			m.log("Could not open service contract %d.  Stop method not run.", m.primary)
			m.fail(verdict{failure: NotPossible})
			return nil
		}
	}
	m.execute(t)
	return nil
}

// execute runs what was found.
func (m *Machine) execute(t *transition) {
	switch t.spec.Kind {
	case Null:
		m.log("Executing %s method (null).", t.method)
		if t.method == Start {
			m.act(Action{Kind: NoteStatus})
		}
		m.succeed()
	case Kill:
		if m.primary == 0 {
			if m.config.Duration == Transient {
				m.log("Invalid use of \":kill\" as %s method for transient service.", t.method)
			}
			m.warn(":kill with no contract")
			m.fail(verdict{failure: Invalid})
			return
		}
		m.log("Executing %s method (:kill).", t.method)
		t.phase = signalling
		m.act(Action{Kind: Signal, Method: t.method, Contract: m.primary, Signal: t.spec.Signal})
	case Exec:
		if t.method == Start && !m.mayStart(t) {
			return
		}
		m.log("Executing %s method (\"%s\").", t.method, t.spec.Text)
		t.phase = launching
		m.act(Action{Kind: Run, Method: t.method, Attempt: t.attempt, Spec: t.spec, Terms: m.terms(t)})
	}
}

// mayStart is the rate limit. Every attempt counts.
func (m *Machine) mayStart(t *transition) bool {
	if m.config.Duration == Child && t.spec.Missing != "" {
		m.log("Missing start method (%s), changing state to maintenance.", t.spec.Missing)
		m.fail(verdict{failure: Invalid})
		return false
	}
	before := m.starts.times
	m.starts.record(m.now)
	if m.config.Duration == Child || !m.starts.critical(m.config) {
		m.starts.notBefore = time.Time{}
		return true
	}
	if !m.config.Backoff {
		m.log("Restarting too quickly, changing state to maintenance.")
		m.fail(verdict{tooQuick: true})
		return false
	}
	if delay := m.starts.backOff(m.now); delay > 0 {
		m.starts.times = before
		m.going = nil
		m.holdBack(delay, t.answers)
		return false
	}
	m.starts.notBefore = time.Time{}
	return true
}

// terms are method_ready_contract's: a child's group is killed when an event would stop another
// kind of service, and the end of its process decides.
func (m *Machine) terms(t *transition) (terms Terms) {
	child := m.config.Duration == Child
	terms.PgrpOnly = child
	if !m.transient(t.method) {
		terms.Critical = t.spec.Critical & contract.AllEvents
		if child {
			terms.Fatal = terms.Critical & contract.AllFatal
		}
	}
	if t.method == Start {
		terms.Transfer = m.primary
	}
	return terms
}

func (m *Machine) started(in Input) error {
	t := m.going
	if t == nil || t.phase != launching || in.Pid <= 0 || in.Contract == 0 || in.Contract == m.primary {
		return ErrInput
	}
	t.pid, t.contract, t.began, t.phase, t.noted = in.Pid, in.Contract, m.now, running, true
	t.notify = t.method == Start && t.spec.Notify && m.config.Duration != Transient
	transient := m.transient(t.method)
	if t.method == Start && m.primary != 0 {
		switch {
		case in.Refused:
			m.dropPrimary()
		default: // the transfer has abandoned it
			m.forgetPrimary()
		}
	}
	if !transient {
		m.primary, m.stopped, m.empty = in.Contract, false, false
	}
	m.act(Action{Kind: Remember, Contract: in.Contract, Transient: transient})
	m.act(Action{Kind: NoteMethod, Method: t.method, Pid: in.Pid, Contract: in.Contract, Time: m.now})
	if t.method == Start && m.config.Duration == Child {
		m.child, m.childEnd = in.Pid, nil
		if !t.notify {
			t.contract = 0
			m.act(Action{Kind: NoteStatus})
			m.succeed()
			return nil
		}
	}
	if t.spec.Timeout > 0 {
		t.deadline = m.now.Add(t.spec.Timeout)
		m.setTimer(t.spec.Timeout)
	}
	return nil
}

// notRun: there was no process, or no signal.
func (m *Machine) notRun(in Input) error {
	t := m.going
	if t == nil || t.phase != launching && t.phase != signalling || in.Failure < Invalid || in.Failure > NeverStarted {
		return ErrInput
	}
	if t.phase == launching {
		m.warn("Couldn't fork to execute method %s: %s", t.spec.Text, in.Detail)
	} else {
		m.warn("Couldn't signal contract %d: %s", m.primary, in.Detail)
	}
	m.fail(verdict{failure: in.Failure})
	return nil
}

func (m *Machine) signalled() error {
	t := m.going
	if t == nil || t.phase != signalling {
		return ErrInput
	}
	t.began = m.now
	if t.method == Stop && m.config.Duration != Transient {
		m.awaitEmpty(t)
		return nil
	}
	m.succeed()
	return nil
}

// methodEnded judges a method by how its process has ended. An end that nobody knows any more
// counts as a good one: nothing is run twice, and what is wrong with a service will show.
func (m *Machine) methodEnded(t *transition, in Input) {
	if t.notify && m.endedUnready(t, in) {
		return
	}
	m.clearTimer()
	status := in.Status
	if in.Lost {
		status = 0
		m.warn("How the %s method has ended is not known.", t.method)
		if t.method == Start && !m.transient(Start) && t.contract == 0 {
			m.fail(verdict{failure: NotNow})
			return
		}
	} else if t.method == Start {
		m.act(Action{Kind: NoteStatus, Status: status})
	}
	exit := 0
	switch {
	case t.timedOut && m.config.NoTimeoutRetry:
		m.contractOut(t, true)
		m.fail(verdict{timedOut: true})
		return
	case status.Signaled():
		name := signalName(status.Signal())
		m.warn("Method \"%s\" failed due to signal %s.", t.spec.Text, name)
		m.log("Method \"%s\" failed due to signal %s.", t.method, name)
		m.contractOut(t, true)
		m.fail(verdict{failure: NotNow})
		return
	default:
		exit = status.ExitStatus()
	}
	if !in.Lost {
		m.log("Method \"%s\" exited with status %d.", t.method, exit)
	}
	switch {
	case exit != 0 && exit != exitNoDaemon:
		m.warn("Method \"%s\" failed with exit status %d.", t.spec.Text, exit)
		m.contractOut(t, true)
		m.fail(verdict{exit: exit})
	case t.method == Stop && m.config.Duration != Transient:
		m.awaitEmpty(t)
	default:
		m.contractOut(t, exit == exitNoDaemon)
		m.succeed()
	}
}

// awaitEmpty: a service is stopped when it has no process any more.
func (m *Machine) awaitEmpty(t *transition) {
	if m.primary == 0 || m.empty || m.leaving {
		m.stopDone(t)
		return
	}
	t.phase = emptying
	m.act(Action{Kind: WatchEmpty, Contract: m.primary})
	if t.spec.Timeout <= 0 {
		return
	}
	left := t.spec.Timeout - m.now.Sub(t.began)
	if left <= 0 {
		m.timeUp(t)
		return
	}
	m.setTimer(left)
}

func (m *Machine) stopDone(t *transition) {
	m.clearTimer()
	m.contractOut(t, false)
	if t.overdue {
		m.fail(verdict{failure: NotPossible})
		return
	}
	m.succeed()
}

// timeUp is what a transition's timer is for.
func (m *Machine) timeUp(t *transition) {
	switch t.phase {
	case running:
		t.timedOut = true
		m.late(t)
		m.timedOut(t.contract)
	case awaiting:
		if t.timedOut {
			m.log("Service contract %d is not empty, although it was killed.", m.primary)
			m.neverReady(t)
			return
		}
		t.timedOut = true
		m.late(t)
		m.timedOut(m.primary)
		m.setTimer(killLimit)
	case emptying:
		if t.overdue {
			m.log("Service contract %d is not empty, although it was killed.", m.primary)
			m.stopDone(t)
			return
		}
		t.overdue = true
		m.timedOut(m.primary)
		m.setTimer(killLimit)
	case throttled:
		m.childDone(t)
	}
}

func (m *Machine) timedOut(id contract.ID) {
	m.log("Method or service exit timed out.  Killing contract %d.", id)
	if id != 0 {
		m.kill(id, syscall.SIGKILL)
	}
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(s))
}
