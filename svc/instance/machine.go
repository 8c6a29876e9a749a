package instance

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// Machine is one instance. Use New.
type Machine struct {
	fmri    string
	there   bool
	leaving bool // removed; a method still runs
	reborn  bool // and added again meanwhile: it begins anew when the method has ended
	anew    *Config

	config  Config
	enabled bool
	fresh   bool // it has not left uninitialized yet
	state   graph.State
	next    graph.State
	marks   marks
	sick    bool // degraded because a monitor said so

	// The primary contract; 0: none. One that was stopped is kept for the next start's transfer.
	primary contract.ID
	stopped bool
	empty   bool // it is known to have no member
	child   int  // the process of a child

	going *transition // nil: at rest
	hold  *hold       // a back-off: at rest, with a start that is not answered
	queue []request
	owed  int // answers that the request which is carried out has not had

	// What happened while a method ran, and is acted upon when it has ended.
	event    *Input // the first event of the primary contract
	childEnd *Input

	faults int
	starts starts
	timer  uint64 // the number of the timer that is set, 0: none
	timers uint64

	now time.Time
	out []Action
}

// marks are the reasons that go with a state.
type marks struct {
	aux, fmri string
	tty       bool
	detail    string
}

// transition is what is under way. While it is, requests wait.
type transition struct {
	method  Method
	next    graph.State
	class   graph.Class
	answers int
	phase   phase
	attempt int

	// Of the attempt.
	spec     Spec
	pid      int
	contract contract.ID
	began    time.Time
	timedOut bool // the method was killed for it
	overdue  bool // the service was, after its stop method
	noted    bool // NoteMethod was said of it, NoteEnd not yet
	notify   bool // the service says when it is ready
	deadline time.Time

	config bool // throttled: the child exited with a configuration error
}

// phase is what a transition waits for.
type phase uint8

const (
	looking    phase = iota + 1 // Found
	launching                   // Started, NotRun
	signalling                  // Signalled, NotRun
	running                     // Ended
	emptying                    // Emptied
	throttled                   // Fired
	awaiting                    // Ready, Emptied: the process of the start method has ended
)

// New has the machine of an instance that is not added yet: AddInstance or Recovered is the first
// input.
func New(fmri string) *Machine { return &Machine{fmri: fmri} }

// State is what the instance was last said to be: state and next_state.
func (m *Machine) State() (state, next graph.State) { return m.state, m.next }

// Waits says whether an order with that ticket waits for the end of what is under way. When it does
// not, what it has brought about is among the actions that were given, or it was refused.
func (m *Machine) Waits(ticket uint64) bool {
	return slices.ContainsFunc(m.queue, func(r request) bool { return r.in.Ticket == ticket })
}

// Do takes one thing that happened, and says what is to be done. ErrInput, ErrUnknown, ErrThere,
// ErrQueue.
func (m *Machine) Do(in Input, now time.Time) ([]Action, error) {
	m.now = now
	if err := m.take(in); err != nil {
		return nil, fmt.Errorf("%s: %w", m.fmri, err)
	}
	m.settle()
	out := m.out
	m.out = nil
	return out, nil
}

func (m *Machine) take(in Input) error {
	if in.Kind == Recovered {
		return m.recover(in)
	}
	if in.Kind == Order && in.Event == graph.AddInstance {
		return m.add(in)
	}
	if !m.there {
		return ErrUnknown
	}
	switch in.Kind {
	case Order:
		return m.order(in)
	case DegradeImmediate:
		return m.degradeNow(in)
	case Found:
		return m.found(in.Spec)
	case Started:
		return m.started(in)
	case NotRun:
		return m.notRun(in)
	case Signalled:
		return m.signalled()
	case Ended:
		return m.ended(in)
	case Event:
		return m.happened(in)
	case Emptied:
		m.emptied(in.Contract)
	case Fired:
		m.fired(in.Number)
	case Monitored:
		return m.monitored(in.Status)
	case Lapsed:
		m.lapsed()
	case Ready:
		return m.ready(in)
	case Extended:
		return m.extended(in)
	default:
		return ErrInput
	}
	return nil
}

// settle does what is due at rest: first what happened to the service meanwhile, then what was
// asked for meanwhile, until something is under way again.
func (m *Machine) settle() {
	m.giveUp()
	for m.there && m.going == nil {
		switch {
		case m.leaving:
			m.leave()
		case m.childEnd != nil:
			end := *m.childEnd
			m.childEnd = nil
			m.childGone(end)
		case m.event != nil:
			event := *m.event
			m.event = nil
			m.contractEvent(event)
		case len(m.queue) > 0:
			r := m.queue[0]
			m.queue = m.queue[1:]
			m.endHold()
			m.carryOut(r)
		default:
			m.queue = nil
			return
		}
	}
}

func (m *Machine) add(in Input) error {
	switch {
	case m.there && (!m.leaving || m.reborn):
		return ErrThere
	case m.leaving:
		m.reborn, m.anew = true, in.Config
		return nil
	}
	m.begin(in.Config)
	m.marks = marks{aux: auxInserted}
	m.change(graph.Uninitialized, graph.None, graph.NoClass)
	return nil
}

func (m *Machine) begin(config *Config) {
	m.there, m.fresh = true, true
	if config != nil {
		m.config = *config
	}
}

// remove: nobody waits for answers any more, and nothing of it is in the repository.
func (m *Machine) remove() {
	m.queue, m.event, m.childEnd, m.owed = nil, nil, nil, 0
	m.leaving, m.reborn = true, false
	if t := m.going; t != nil && (t.phase == emptying || t.phase == throttled || t.phase == awaiting) {
		m.contractOut(t, false)
		m.going = nil // no method runs
	}
}

// leave ends the machine, or begins it anew.
func (m *Machine) leave() {
	m.hold = nil
	m.clearTimer()
	if m.primary != 0 {
		m.dropPrimary()
	}
	if !m.reborn {
		m.act(Action{Kind: Dropped})
		m.there = false
		return
	}
	config := m.anew
	*m = Machine{fmri: m.fmri, queue: m.queue, timers: m.timers, now: m.now, out: m.out}
	m.begin(config)
	m.marks = marks{aux: auxInserted}
	m.change(graph.Uninitialized, graph.None, graph.NoClass)
}

// act is one action more. Of an instance that is removed nothing is written.
func (m *Machine) act(a Action) {
	if m.leaving {
		switch a.Kind {
		case WriteStates, Answer, Remember, Forget, NoteMethod, NoteStatus, NoteWait, NoteDeadline, NoteEnd:
			return
		}
	}
	m.out = append(m.out, a)
}

func (m *Machine) log(format string, args ...any) {
	m.act(Action{Kind: Log, Text: fmt.Sprintf(format, args...)})
}

func (m *Machine) warn(format string, args ...any) {
	m.act(Action{Kind: Warn, Text: m.fmri + ": " + fmt.Sprintf(format, args...)})
}

// change says what the instance is, and answers what was carried out by it.
func (m *Machine) change(state, next graph.State, class graph.Class) {
	if runs(state) && !runs(m.state) {
		m.starts.up = m.now
	} else if runs(m.state) && !runs(state) {
		m.starts.down(m.now, m.config)
	}
	m.state, m.next = state, next
	answers := m.owed > 0 && next == graph.None
	m.act(Action{Kind: WriteStates, States: m.states(), Class: class, Answers: answers})
	if answers {
		m.owed--
		m.answer()
	}
}

func (m *Machine) states() States {
	return States{
		State: m.state, Next: m.next, Aux: m.marks.aux, AuxFMRI: m.marks.fmri, AuxTTY: m.marks.tty, Detail: m.marks.detail,
	}
}

// answer gives the answers that are still owed.
func (m *Machine) answer() {
	for ; m.owed > 0; m.owed-- {
		m.act(Action{Kind: Answer, States: m.states(), Answers: true})
	}
}

func (m *Machine) setTimer(after time.Duration) {
	m.clearTimer()
	m.timers++
	m.timer = m.timers
	m.act(Action{Kind: SetTimer, Number: m.timer, Time: m.now.Add(max(after, 0))})
}

func (m *Machine) clearTimer() {
	if m.timer != 0 {
		m.act(Action{Kind: ClearTimer, Number: m.timer})
		m.timer = 0
	}
}

// fired: one that was cleared while it fired is nothing to nobody.
func (m *Machine) fired(number uint64) {
	if number == 0 || number != m.timer {
		return
	}
	m.timer = 0
	switch {
	case m.hold != nil:
		m.endHold()
	case m.going != nil:
		m.timeUp(m.going)
	}
}

func (m *Machine) kill(id contract.ID, signal syscall.Signal) {
	m.act(Action{Kind: SendKill, Contract: id, Signal: signal})
}

func runs(s graph.State) bool { return s == graph.Online || s == graph.Degraded }
