package instance

import (
	"fmt"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// checker holds one machine to its promises, by nothing but its inputs and actions.
type checker struct {
	fail func(format string, args ...any)

	started bool // a state was said
	state   graph.State
	next    graph.State
	wanted  ActionKind // Lookup, Run or Signal, while it is not answered
	begun   Method
	method  int // the process of the method that runs
	child   bool
	held    map[contract.ID]bool
	ours    map[contract.ID]bool // that a method was started in
	let     map[contract.ID]bool // abandoned or transferred: may be forgotten
	watched contract.ID
	from    contract.ID // the transfer that Run asked for
	timer   uint64
	orders  int // without an answer
	removed bool
	dropped bool
	attempt int
	notify  bool        // the start that was found waits for Ready
	born    contract.ID // of the last method
}

func newChecker(fail func(string, ...any)) *checker {
	return &checker{fail: fail, held: map[contract.ID]bool{}, ours: map[contract.ID]bool{}, let: map[contract.ID]bool{}}
}

// legal are the states that may follow each other.
var legal = map[graph.State][]graph.State{
	graph.Uninitialized: {graph.Disabled, graph.Offline, graph.Maintenance},
	graph.Disabled:      {graph.Offline, graph.Maintenance},
	graph.Offline:       {graph.Online, graph.Disabled, graph.Maintenance},
	graph.Online:        {graph.Offline, graph.Disabled, graph.Maintenance, graph.Degraded},
	graph.Degraded:      {graph.Offline, graph.Disabled, graph.Maintenance, graph.Online},
	graph.Maintenance:   {graph.Uninitialized},
}

// before takes notice of an input that was not refused.
func (c *checker) before(in Input) {
	switch in.Kind {
	case Order:
		if answered(in.Event) && !c.removed {
			c.orders++
		}
		switch in.Event {
		case graph.RemoveInstance:
			c.removed, c.orders = true, 0
		case graph.AddInstance:
			if c.removed {
				c.removed, c.started, c.state, c.next = false, false, graph.None, graph.None
			}
		}
	case Recovered:
		c.child = in.Config.Duration == Child
		for _, h := range in.Before.Contracts {
			c.held[h.ID] = true
			c.let[h.ID] = !h.There
		}
		c.state, c.next = in.Before.State, in.Before.Next
		if _, under := underWay(c.state, c.next); under && in.Before.Method != nil && (!c.child || c.state != graph.Offline || in.Before.Method.Notify) {
			c.method, c.born, c.begun = in.Before.Method.Pid, in.Before.Method.Contract, Refresh
			c.notify = in.Before.Method.Notify
			if c.state == graph.Offline {
				c.begun = Start
			}
		}
	case Found:
		c.wanted, c.notify = 0, in.Spec.Notify && c.begun == Start
	case Signalled, NotRun:
		c.wanted = 0
	case Ready:
		if in.Contract == c.born && c.begun == Start {
			c.method = 0
		}
	case Started:
		c.wanted, c.method, c.ours[in.Contract], c.born = 0, in.Pid, true, in.Contract
		if c.child && c.begun == Start && !c.notify {
			c.method = 0
		}
		if c.from != 0 && !in.Refused {
			c.let[c.from] = true
		}
		c.from = 0
	case Ended:
		if in.Pid == c.method {
			c.method = 0
		}
	case Fired:
		if in.Number == c.timer {
			c.timer = 0
		}
	case Emptied:
		c.watched = 0
	}
}

// act checks one action.
func (c *checker) act(a Action) {
	if c.dropped {
		c.fail("%s after the end", render(a))
	}
	switch a.Kind {
	case WriteStates, Answer:
		c.said(a)
	case Lookup, Run, Signal:
		if c.wanted != 0 || c.method != 0 {
			c.fail("%s while %d is not answered and process %d runs", render(a), c.wanted, c.method)
		}
		if a.Kind != Lookup && c.next == graph.None && !c.removed {
			c.fail("%s, and the states say nothing of it", render(a))
		}
		c.wanted, c.begun = a.Kind, a.Method
		c.from = a.Terms.Transfer
		if a.Terms.Transfer != 0 && !c.held[a.Terms.Transfer] {
			c.fail("a transfer from %d, which is not ours", a.Terms.Transfer)
		}
	case SetTimer:
		if c.timer != 0 || a.Number == 0 {
			c.fail("timer %d is set while %d is", a.Number, c.timer)
		}
		c.timer = a.Number
	case ClearTimer:
		if a.Number != c.timer {
			c.fail("timer %d is cleared, %d is set", a.Number, c.timer)
		}
		c.timer = 0
	case NoteEnd:
		if c.notify && a.Method == Start {
			c.method = 0 // it is a member as others are
		}
	case Dropped:
		if c.method != 0 || !c.removed {
			c.fail("dropped: removed %v, process %d", c.removed, c.method)
		}
		c.dropped = true
	default:
		c.contract(a)
	}
}

func (c *checker) contract(a Action) {
	switch a.Kind {
	case Remember:
		c.held[a.Contract] = true
		c.let[a.Contract] = false
	case Abandon:
		c.let[a.Contract] = true
	case Forget:
		if !c.held[a.Contract] || !c.let[a.Contract] {
			c.fail("contract %d is forgotten: held %v, let go %v", a.Contract, c.held[a.Contract], c.let[a.Contract])
		}
		delete(c.held, a.Contract)
	case SendKill, Signal, WatchEmpty, IgnoreEmpty:
		if !c.held[a.Contract] && !c.ours[a.Contract] {
			c.fail("%s of a contract that is not ours", render(a))
		}
		if a.Kind == WatchEmpty {
			c.watched = a.Contract
		}
		if a.Kind == IgnoreEmpty {
			c.watched = 0
		}
	}
}

func (c *checker) said(a Action) {
	if c.removed {
		c.fail("%s of what is removed", render(a))
	}
	if a.Answers {
		if c.orders--; c.orders < 0 {
			c.fail("%s answers nothing", render(a))
		}
	}
	to := a.States.State
	if a.Kind == Answer {
		if to != c.state || a.States.Next != graph.None || a.Class != graph.NoClass {
			c.fail("%s, but it is %s", render(a), c.state)
		}
		return
	}
	ok := to == c.state || c.state == graph.None && to == graph.Uninitialized
	for _, s := range legal[c.state] {
		ok = ok || s == to
	}
	if !ok {
		c.fail("%s after %s", render(a), c.state)
	}
	if to != c.state && a.States.Next != graph.None && a.States.Next != graph.Degraded {
		c.fail("%s: the state changes in a transition", render(a))
	}
	if c.state == graph.Offline && to == graph.Online && c.next != graph.Online {
		c.fail("%s without a start", render(a))
	}
	if c.method != 0 && a.States.Next == graph.None {
		c.fail("%s while process %d runs", render(a), c.method)
	}
	c.state, c.next, c.started = to, a.States.Next, true
}

// rest is checked when nothing is under way.
func (c *checker) rest() {
	if c.orders != 0 || c.wanted != 0 || c.method != 0 || c.next != graph.None {
		c.fail("at rest: %d orders without an answer, %d wanted, process %d, next %s", c.orders, c.wanted, c.method, c.next)
	}
}

// render is one action in one line.
func render(a Action) string {
	switch a.Kind {
	case WriteStates, Answer:
		line := "write "
		if a.Kind == Answer {
			line = "answer "
		}
		line += a.States.State.String()
		if a.States.Next != graph.None {
			line += "->" + a.States.Next.String()
		}
		line += " " + a.States.Aux
		if a.States.AuxFMRI != "" {
			line += " by " + a.States.AuxFMRI
		}
		if a.States.AuxTTY {
			line += " tty"
		}
		if a.States.Detail != "" {
			line += " (" + a.States.Detail + ")"
		}
		if a.Class != graph.NoClass {
			line += " class " + a.Class.String()
		}
		if a.Answers {
			line += " answers"
		}
		return line
	case Lookup:
		return fmt.Sprintf("lookup %s %d", a.Method, a.Attempt)
	case Run:
		return fmt.Sprintf("run %s critical %x fatal %x pgrp %v transfer %d", a.Method, uint32(a.Terms.Critical), uint32(a.Terms.Fatal), a.Terms.PgrpOnly, a.Terms.Transfer)
	case Signal:
		return fmt.Sprintf("signal %d with %d", a.Contract, a.Signal)
	case SendKill:
		return fmt.Sprintf("kill %d with %d", a.Contract, a.Signal)
	case Abandon:
		return fmt.Sprintf("abandon %d", a.Contract)
	case Remember:
		return fmt.Sprintf("remember %d transient %v", a.Contract, a.Transient)
	case Forget:
		return fmt.Sprintf("forget %d transient %v", a.Contract, a.Transient)
	case WatchEmpty, IgnoreEmpty:
		return fmt.Sprintf("%s %d", map[ActionKind]string{WatchEmpty: "watch", IgnoreEmpty: "ignore"}[a.Kind], a.Contract)
	case NoteMethod:
		return fmt.Sprintf("method %s is %d", a.Method, a.Pid)
	case NoteStatus:
		return fmt.Sprintf("status %d", a.Status)
	case NoteWait:
		return fmt.Sprintf("method %s waits", a.Method)
	case NoteDeadline:
		return fmt.Sprintf("deadline %s", a.Time.Sub(epoch))
	case NoteEnd:
		return fmt.Sprintf("method %s ended", a.Method)
	case SetTimer:
		return fmt.Sprintf("timer at %s", a.Time.Sub(epoch))
	case ClearTimer:
		return "timer off"
	case Log:
		return "log " + a.Text
	case Warn:
		return "warn " + a.Text
	case Say:
		return "say " + a.Notice.Text("svc:/site/web:default", "Web server")
	case Dropped:
		return "dropped"
	}
	return fmt.Sprintf("unknown action %d", a.Kind)
}
