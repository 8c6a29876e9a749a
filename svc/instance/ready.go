package instance

import (
	"slices"
	"time"

	"github.com/linuxzones/zones/svc/graph"
)

const (
	// extendMax is how long a service may ask for at once to become ready: who needs longer is
	// there to ask again.
	extendMax = time.Hour
	// extendStep is in what steps a deadline moves: who asks all the time has it written once in
	// each.
	extendStep = time.Second
	// readFirst is what is left at least of the time of a start that another svc.startd has begun:
	// what the service has said meanwhile is read first.
	readFirst = 2 * time.Second
)

// waits says whether the start that is under way waits for a word of this contract. Once it has
// timed out it is too late for any.
func (t *transition) waits(in Input) bool {
	return t != nil && t.notify && !t.timedOut && (t.phase == running || t.phase == awaiting) && in.Contract == t.contract
}

// ready ends a start whose service says that it is ready. The process of the method, if it runs, is
// a member as others are from now on. Of a service that does not start it means nothing.
func (m *Machine) ready(in Input) error {
	if in.Contract == 0 {
		return ErrInput
	}
	t := m.going
	if !t.waits(in) {
		return nil
	}
	m.clearTimer()
	if t.phase == running {
		m.act(Action{Kind: NoteStatus})
	} else {
		m.act(Action{Kind: IgnoreEmpty, Contract: m.primary})
	}
	m.log("The service is ready.")
	m.contractOut(t, false)
	m.succeed()
	return nil
}

// extended gives a start more time. One that has as long as it likes needs none.
func (m *Machine) extended(in Input) error {
	if in.Contract == 0 || in.For <= 0 {
		return ErrInput
	}
	t := m.going
	if !t.waits(in) || m.timer == 0 {
		return nil
	}
	at := m.now.Add(min(in.For, extendMax)).Truncate(extendStep).Add(extendStep)
	if !at.After(t.deadline) {
		return nil
	}
	t.deadline = at
	m.act(Action{Kind: NoteDeadline, Time: at})
	m.setTimer(at.Sub(m.now))
	return nil
}

// endedUnready is the end of a start method whose service is to say that it is ready, and has not.
// A failure is one, as of any method (false). Of a daemon that forks it is none, and who is left
// will say it; of a child it is the end of the service.
func (m *Machine) endedUnready(t *transition, in Input) bool {
	child := m.config.Duration == Child
	if !in.Lost && in.Status != 0 {
		noDaemon := in.Status.Exited() && in.Status.ExitStatus() == exitNoDaemon
		if !noDaemon || !child {
			return false
		}
	}
	if in.Lost {
		m.warn("How the %s method has ended is not known.", t.method)
	} else {
		m.act(Action{Kind: NoteStatus, Status: in.Status})
		m.log("Method \"%s\" exited with status %d.", t.method, in.Status.ExitStatus())
	}
	t.pid, t.phase = 0, awaiting
	if child || m.primary == 0 || m.empty || m.leaving {
		m.neverReady(t)
		return true
	}
	m.act(Action{Kind: NoteWait, Method: t.method})
	m.act(Action{Kind: WatchEmpty, Contract: m.primary})
	if t.timedOut {
		m.setTimer(killLimit) // it was killed, and who forked it was quicker
	}
	return true
}

// neverReady: nobody is left who could say that the service is ready, or it was killed for being
// late.
func (m *Machine) neverReady(t *transition) {
	m.clearTimer()
	v := verdict{failure: NotNow}
	if t.timedOut && m.config.NoTimeoutRetry {
		v = verdict{timedOut: true}
	}
	if !t.timedOut {
		m.log("The service has ended, and was not ready before.")
	}
	m.contractOut(t, true)
	m.fail(v)
}

// giveUp has a service that is disabled stopped although it is not ready: it may never be. Its method,
// if it runs, is a member as others are from now on. Of all that waits for the start's end, requests
// that the graph waits for keep their order.
func (m *Machine) giveUp() {
	t := m.going
	if t == nil || m.leaving || m.primary == 0 || !t.waits(Input{Contract: m.primary}) {
		return
	}
	disables := func(r request) bool {
		return r.in.Event == graph.DisableInstance || r.in.Event == graph.AdminDisable
	}
	at := slices.IndexFunc(m.queue, func(r request) bool { return r.answers > 0 || disables(r) })
	if at < 0 || !disables(m.queue[at]) {
		return
	}
	r := m.queue[at]
	m.queue = slices.Delete(m.queue, at, at+1)
	m.clearTimer()
	if t.phase == awaiting {
		m.act(Action{Kind: IgnoreEmpty, Contract: m.primary})
	}
	m.log("The service is not waited for any more, and is not ready.")
	m.contractOut(t, false)
	m.finish(t)
	m.owed += r.answers
	m.prepare(r.in)
	m.stop(causeDisable, "")
}

// late says why a start is killed, of one that may have done all else.
func (m *Machine) late(t *transition) {
	if t.notify {
		m.log("The service has not said in time that it is ready.")
	}
}

// waitOn is what flyOn does of a start whose service is to say that it is ready.
func (m *Machine) waitOn(t *transition, f *InFlight) {
	if f.Timeout > 0 {
		t.deadline = t.began.Add(f.Timeout)
		if f.Deadline.After(t.deadline) {
			t.deadline = f.Deadline
			if most := m.now.Add(extendMax + extendStep); t.deadline.After(most) {
				t.deadline = most // the clock was set back
			}
			m.act(Action{Kind: NoteDeadline, Time: t.deadline})
		}
		m.setTimer(max(t.deadline.Sub(m.now), readFirst))
	}
	if !f.Done {
		return
	}
	t.phase = awaiting
	if m.primary == 0 || m.empty || t.contract == 0 {
		m.neverReady(t)
		return
	}
	m.act(Action{Kind: WatchEmpty, Contract: m.primary})
}
