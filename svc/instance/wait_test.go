package instance

import (
	"fmt"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// TestOrder: what is asked for in a transition waits its turn, and timeouts go on.
func TestOrder(t *testing.T) {
	r := lead(t, Start, Config{})
	r.order(graph.DisableInstance)
	r.do(Input{Kind: Order, Event: graph.AdminRefresh, Config: &Config{Duration: Transient}})
	r.order(graph.EnableInstance)
	r.do(Input{Kind: Order, Event: graph.AdminMaintOn, TTY: true})
	r.says("")
	r.run(Spec{Kind: Exec, Text: "/bin/web", Timeout: time.Second})
	r.fire()
	r.has("kill 11 with 9")
	r.ended(0)
	r.has("write online dependencies_satisfied answers")
	r.has("write online->disabled disable_request")
	r.hasNot("Rereading")
	r.found(Spec{Kind: Null})
	r.says(`log Executing stop method (null).
		abandon 11
		forget 11 transient false
		write disabled disable_request class restart answers
		log Rereading configuration.
		log Enabled.
		write offline enable_request answers
		log Stopping for maintenance due to administrative_request.
		write maintenance administrative_request tty class restart`)
	r.check.rest()
	if r.m.config.Duration != Transient {
		t.Error("the configuration was not read")
	}
}

// TestEventsWait: what happens to a service while a method runs is acted upon after it, before what
// is asked for; of the contract of a start that failed nothing is.
func TestEventsWait(t *testing.T) {
	r := lead(t, Start, Config{})
	r.run(Spec{})
	r.event(contract.Core)
	r.says("")
	r.ended(exited(1))
	r.run(Spec{})
	r.event(contract.Signal)
	r.event(contract.Empty)
	r.order(graph.Stop)
	r.ended(0)
	r.has("write online dependencies_satisfied answers")
	r.has("log Stopping because process received fatal signal from outside the service.")
	r.found(Spec{Kind: Exec, Text: "/bin/stop"})
	r.do(Input{Kind: Started, Pid: 300, Contract: 30})
	r.do(Input{Kind: Ended, Pid: 300})
	r.has("write offline ct_ev_signal class error")
	r.has("answer offline ct_ev_signal answers")
	r.check.rest()
}

// TestQueueFull: of what is asked for too much is refused; an order is never, and has its answer.
func TestQueueFull(t *testing.T) {
	r := lead(t, Start, Config{})
	for range queueMax {
		r.order(graph.AdminRefresh)
	}
	r.refused(Input{Kind: Order, Event: graph.AdminRefresh}, ErrQueue)
	r.refused(Input{Kind: DegradeImmediate}, ErrQueue)
	for range 500 {
		r.order(graph.AdminDisable)
		r.order(graph.EnableInstance)
		r.order(graph.DependencyCycle)
		r.order(graph.InvalidDependency)
	}
	if n := len(r.m.queue); n > queueMax+3 {
		t.Errorf("%d requests wait", n)
	}
	r.found(Spec{Kind: Null})
	for r.m.going != nil {
		r.found(Spec{Kind: Null})
	}
	r.is(graph.Maintenance, graph.None)
	r.check.rest()
	if len(r.m.queue) != 0 {
		t.Errorf("%d requests are left", len(r.m.queue))
	}
}

// gone wants the end of the machine, with no contract left behind.
func gone(t *testing.T, r *rig) {
	t.Helper()
	r.has("dropped")
	for id := range r.check.held {
		if !r.check.let[id] {
			t.Errorf("contract %d is left behind", id)
		}
	}
	r.refused(Input{Kind: Order, Event: graph.Start}, ErrUnknown)
	r.refused(Input{Kind: Order, Event: graph.RemoveInstance}, ErrUnknown)
}

// TestRemoval: the method that runs ends first. Nothing is written any more, and no contract stays.
func TestRemoval(t *testing.T) {
	for _, method := range []Method{Start, Stop, Refresh} {
		t.Run(method.String()+"/looked-up", func(t *testing.T) {
			r := lead(t, method, Config{})
			r.order(graph.RemoveInstance)
			r.says("")
			r.refused(Input{Kind: Order, Event: graph.AdminRefresh}, ErrUnknown)
			r.refused(Input{Kind: DegradeImmediate}, ErrUnknown)
			r.found(Spec{Kind: Exec, Text: "/bin/m"})
			r.hasNot("run")
			gone(t, r)
		})
		t.Run(method.String()+"/begun", func(t *testing.T) {
			r := lead(t, method, Config{})
			r.found(Spec{Kind: Exec, Text: "/bin/m", Timeout: time.Minute})
			r.order(graph.RemoveInstance)
			r.do(Input{Kind: Started, Pid: 300, Contract: 30})
			r.do(Input{Kind: Event, Contract: 11, Events: contract.Core})
			r.fire()
			r.has("kill 30 with 9")
			r.do(Input{Kind: Ended, Pid: 300, Status: exited(1)})
			r.has("abandon 30")
			gone(t, r)
		})
		t.Run(method.String()+"/not-begun", func(t *testing.T) {
			r := lead(t, method, Config{})
			r.found(Spec{Kind: Exec, Text: "/bin/m"})
			r.order(graph.RemoveInstance)
			r.do(Input{Kind: NotRun, Failure: NotNow})
			gone(t, r)
		})
	}
}

// TestRemovalWithoutMethod: when none runs, the instance is gone at once.
func TestRemovalWithoutMethod(t *testing.T) {
	t.Run("at-rest", func(t *testing.T) {
		r := newRig(t, Config{}).online()
		r.order(graph.RemoveInstance)
		r.says(`abandon 11
			dropped`)
		gone(t, r)
	})
	t.Run("emptying", func(t *testing.T) {
		r := lead(t, Stop, Config{})
		r.run(Spec{Kind: Exec, Text: "/bin/stop", Timeout: time.Hour})
		r.ended(0)
		r.order(graph.RemoveInstance)
		r.has("timer off")
		r.has("abandon 12")
		gone(t, r)
	})
	t.Run("stop-ends", func(t *testing.T) {
		r := lead(t, Stop, Config{})
		r.run(Spec{Kind: Exec, Text: "/bin/stop", Timeout: time.Hour})
		r.order(graph.RemoveInstance)
		r.ended(0) // the service need not be empty: nobody keeps it
		gone(t, r)
	})
	t.Run("child", func(t *testing.T) {
		r := newRig(t, Config{Duration: Child}).online()
		r.order(graph.RemoveInstance)
		gone(t, r)
	})
}

// TestAddedAgain: an instance that is deleted and made anew while a method runs begins anew.
func TestAddedAgain(t *testing.T) {
	r := newRig(t, Config{}).online()
	r.order(graph.Stop)
	r.run(Spec{Kind: Exec, Text: "/bin/stop", Timeout: time.Hour})
	r.order(graph.AdminRefresh)
	r.order(graph.RemoveInstance)
	config := Config{Duration: Transient}
	add := Input{Kind: Order, Event: graph.AddInstance, Config: &config}
	r.do(add)
	r.refused(add, ErrThere)
	r.order(graph.EnableInstance)
	r.says("")
	r.order(graph.RemoveInstance) // and once more
	r.do(add)
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	r.ended(0)
	r.says(`timer off
		log Method "stop" exited with status 0.
		abandon 12
		abandon 11
		write uninitialized insert_in_graph
		log Enabled.
		write offline insert_in_graph answers
		write offline->online dependencies_satisfied
		say [ site/web:default starting (Web server) ]
		lookup start 1`)
	if r.m.config != config {
		t.Error("it has the old configuration")
	}
	r.refused(add, ErrThere)
}

// TestBackoff: an instance that restarts too quickly waits longer each time, until it has proven
// that it works.
func TestBackoff(t *testing.T) {
	config := Config{Backoff: true, CriticalCount: 3, CriticalPeriod: time.Minute}
	r := newRig(t, config)
	r.order(graph.EnableInstance)
	cycle(r)
	cycle(r)
	want := time.Second
	for n := range 20 {
		if cycle(r) {
			t.Fatalf("start %d ran at once", n)
		}
		r.says(fmt.Sprintf(`log Restarting too quickly, starting again in %d seconds.
			write offline->online restarting_too_quickly
			timer at %s`, want/time.Second, r.now.Add(want).Sub(epoch)))
		if want > time.Minute {
			break
		}
		r.after(want)
		r.fire()
		r.says("write offline restarting_too_quickly answers")
		if !cycle(r) {
			t.Fatalf("start %d did not run after %s", n, want)
		}
		want = min(2*want, backoffMax)
	}
	if want <= time.Minute {
		t.Errorf("the longest back-off was %s", want)
	}
	r.after(want)
	r.fire()
	r.order(graph.Start)
	r.run(Spec{})
	r.ended(0)
	r.after(time.Minute) // it works for a whole period
	r.event(contract.Empty)
	r.found(Spec{Kind: Null})
	cycle(r)
	cycle(r)
	cycle(r)
	r.has(`log Restarting too quickly, starting again in 1 seconds.`)
}

// TestBackoffEnds: whatever is asked for meanwhile ends the back-off, and the start is the graph's
// to order again; it waits for the rest, unless an administrator wanted it.
func TestBackoffEnds(t *testing.T) {
	for _, c := range []struct {
		event graph.Event
		state graph.State
		waits bool
	}{
		{graph.AdminRefresh, graph.Offline, true},
		{graph.EnableInstance, graph.Offline, true},
		{graph.AdminRestart, graph.Offline, false},
		{graph.StopReset, graph.Offline, false},
		{graph.Stop, graph.Offline, true},
		{graph.DisableInstance, graph.Disabled, true},
		{graph.AdminDisable, graph.Disabled, false},
		{graph.AdminMaintOn, graph.Maintenance, true},
		{graph.AdminMaintOff, graph.Offline, false},
		{graph.DependencyCycle, graph.Maintenance, true},
	} {
		t.Run(c.event.String(), func(t *testing.T) {
			r := newRig(t, Config{Backoff: true, CriticalCount: 2})
			r.order(graph.EnableInstance)
			cycle(r)
			cycle(r)
			fired := r.m.timer
			r.after(300 * time.Millisecond)
			r.order(c.event)
			r.has("timer off")
			r.has("write offline restarting_too_quickly answers")
			r.is(c.state, graph.None)
			r.do(Input{Kind: Fired, Number: fired}) // it did already
			r.says("")
			if c.state != graph.Offline {
				r.check.rest()
				return
			}
			r.order(graph.Start)
			if c.waits {
				r.has("timer at 1s")
			} else {
				r.has("lookup start 1")
			}
		})
	}
	t.Run("remove", func(t *testing.T) {
		r := newRig(t, Config{Backoff: true, CriticalCount: 2})
		r.order(graph.EnableInstance)
		cycle(r)
		cycle(r)
		r.order(graph.RemoveInstance)
		r.says(`timer off
			abandon 11
			dropped`)
	})
	t.Run("what-waited", func(t *testing.T) {
		r := newRig(t, Config{Backoff: true, CriticalCount: 2})
		r.order(graph.EnableInstance)
		cycle(r)
		r.order(graph.Start)
		r.order(graph.DisableInstance)
		r.found(Spec{Kind: Exec, Text: "/bin/web"})
		r.is(graph.Disabled, graph.None)
		r.check.rest()
	})
	t.Run("retry", func(t *testing.T) {
		r := lead(t, Start, Config{Backoff: true, CriticalCount: 2})
		r.run(Spec{})
		r.ended(exited(1))
		r.found(Spec{Kind: Exec, Text: "/bin/web"})
		r.is(graph.Offline, graph.Online)
		r.has("timer at 1s")
	})
}

// TestRefused: what makes no sense changes nothing.
func TestRefused(t *testing.T) {
	r := bareRig(t)
	for kind := range Lapsed + 2 {
		if kind != Recovered {
			r.refused(Input{Kind: kind, Event: graph.Start, Pid: 1, Contract: 1, Number: 1}, ErrUnknown)
		}
	}
	r.order(graph.AddInstance)
	r.refused(Input{Kind: Order, Event: graph.AddInstance}, ErrThere)
	r.refused(Input{Kind: Recovered}, ErrThere)
	for e := range graph.Down + 2 {
		if _, ok := verbs[e]; !ok && e != graph.AddInstance && e != graph.RemoveInstance {
			r.refused(Input{Kind: Order, Event: e}, ErrInput)
		}
	}
	idle := []Input{
		{}, {Kind: Monitored + 1}, {Kind: Lapsed + 1}, {Kind: Found, Spec: Spec{Kind: Null}}, {Kind: Started, Pid: 1, Contract: 1},
		{Kind: NotRun, Failure: Invalid}, {Kind: Signalled}, {Kind: Ended}, {Kind: Ended, Pid: -4}, {Kind: Ended, Pid: 5, Status: 0x7f},
		{Kind: Event, Contract: 1}, {Kind: Event, Contract: 1, Events: 3}, {Kind: Event, Contract: 1, Events: contract.Fork},
	}
	for _, in := range idle {
		r.refused(in, ErrInput)
	}
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	for _, s := range []Spec{{}, {Kind: Exec + 1}, {Kind: Kill}, {Kind: Kill, Signal: -1}} {
		r.refused(Input{Kind: Found, Spec: s}, ErrInput)
	}
	r.refused(Input{Kind: Started, Pid: 1, Contract: 1}, ErrInput)
	r.found(Spec{Kind: Exec, Text: "/bin/web"})
	r.refused(Input{Kind: Found, Spec: Spec{Kind: Null}}, ErrInput)
	for _, in := range []Input{
		{Kind: Started, Contract: 1}, {Kind: Started, Pid: 1}, {Kind: Started, Pid: -1, Contract: 1},
		{Kind: NotRun}, {Kind: NotRun, Failure: NeverStarted + 1}, {Kind: Signalled},
	} {
		r.refused(in, ErrInput)
	}
	r.do(Input{Kind: Started, Pid: 1, Contract: 1})
	r.refused(Input{Kind: Started, Pid: 2, Contract: 2}, ErrInput)
	for _, late := range []Input{
		{Kind: Fired}, {Kind: Fired, Number: 77}, {Kind: Emptied}, {Kind: Emptied, Contract: 5}, {Kind: Ended, Pid: 9},
		{Kind: Event, Contract: 5, Events: contract.Core}, {Kind: Event, Events: contract.Core},
	} {
		r.do(late)
		r.says("")
	}
	r.do(Input{Kind: Ended, Pid: 1})
	r.is(graph.Online, graph.None)
}
