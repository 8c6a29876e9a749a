package instance

import "github.com/linuxzones/zones/svc/graph"

// finish ends a transition. What follows is told as its result.
func (m *Machine) finish(t *transition) {
	m.endOfMethod(t)
	m.going = nil
	m.owed = t.answers
}

func (m *Machine) endOfMethod(t *transition) {
	if t.noted {
		m.act(Action{Kind: NoteEnd, Method: t.method})
	}
	t.pid, t.noted = 0, false
}

// succeed: the instance is what the transition was for. The primary contract of a service that was
// stopped is kept while it is offline, so that the next start takes over what it inherited.
func (m *Machine) succeed() {
	t := m.going
	if t.method == Stop && m.primary != 0 {
		if t.next == graph.Offline {
			m.stopped = true
		} else {
			m.dropPrimary()
		}
	}
	if t.method == Start {
		m.sick = false
	}
	m.faults = 0
	m.finish(t)
	m.change(t.next, graph.None, t.class)
}

// fail: the method is run again, at once, or the instance is in maintenance. A service whose stop
// has failed may still run: its contract is kept.
func (m *Machine) fail(v verdict) {
	t := m.going
	m.endOfMethod(t)
	retry := (v.failure == 0 || v.failure == NotNow) && !v.tooQuick && !v.timedOut && !hopeless[v.exit]
	if m.leaving {
		m.finish(t)
		return
	}
	if retry {
		if m.faults++; m.faults < faultsMax {
			m.attempt()
			return
		}
	}
	notice, aux := FailedOther, auxFailed
	switch {
	case v.tooQuick:
		notice, aux = FailedRepeatedly, auxTooQuick
	case v.timedOut:
		notice = FailedTimeout
	case v.exit == exitConfig:
		notice = FailedConfiguration
	case v.exit == exitFatal:
		notice = FailedFatally
	}
	if retry {
		aux = auxThreshold
	}
	m.act(Action{Kind: Say, Notice: notice})
	m.finish(t)
	m.marks = marks{aux: aux}
	if v.tooQuick {
		m.marks.detail = m.starts.stopped
	}
	m.change(graph.Maintenance, graph.None, graph.Fault)
	if !m.transient(t.method) && m.primary != 0 {
		m.dropPrimary()
	}
}
