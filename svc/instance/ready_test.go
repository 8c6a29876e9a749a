package instance

import (
	"fmt"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// notifies is a start method whose service says when it is ready.
func notifies(timeout time.Duration) Spec {
	return Spec{Kind: Exec, Text: "/bin/web", Notify: true, Timeout: timeout, Critical: contract.Empty | contract.Core | contract.Signal}
}

// starting is an instance whose start method runs, and is to say that it is ready.
func starting(t *testing.T, config Config, timeout time.Duration) *rig {
	t.Helper()
	r := lead(t, Start, config)
	r.run(notifies(timeout))
	r.is(graph.Offline, graph.Online)
	return r
}

func (r *rig) ready() { r.t.Helper(); r.do(Input{Kind: Ready, Contract: r.ct}) }

func (r *rig) emptied() { r.t.Helper(); r.do(Input{Kind: Emptied, Contract: r.ct}) }

// TestReadyWhileItRuns: the method becomes the daemon. It is a member as others are from then on.
func TestReadyWhileItRuns(t *testing.T) {
	for _, duration := range []Duration{Contract, Child} {
		t.Run(duration.String(), func(t *testing.T) {
			r := starting(t, Config{Duration: duration}, time.Minute)
			r.after(50 * time.Second)
			r.ready()
			r.says(`timer off
				status 0
				log The service is ready.
				method start ended
				write online dependencies_satisfied answers`)
			r.ready()
			r.says("")
			r.check.rest()
			primary := r.m.primary
			r.ended(exited(3))
			if duration == Child {
				r.has("log Stopping because service exited with an error.")
				return
			}
			r.says("")
			if r.m.primary != primary {
				t.Error("the end of the first process has let go of the contract")
			}
			r.event(contract.Empty)
			r.has("log Stopping because all processes in service exited.")
		})
	}
}

// TestReadyAfterItForked: the method ends well, and who is left says it.
func TestReadyAfterItForked(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	r.ended(0)
	r.says(`status 0
		log Method "start" exited with status 0.
		method start waits
		watch 11`)
	r.is(graph.Offline, graph.Online)
	r.order(graph.Stop)
	r.says("")
	r.ready()
	r.says(`timer off
		ignore 11
		log The service is ready.
		method start ended
		write online dependencies_satisfied answers
		log Stopping because dependency activity requires stop.
		write online->offline dependency_activity
		lookup stop 1`)
}

// TestReadyByAnother: what another contract says, or what is said when nothing waits, has no effect.
func TestReadyByAnother(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	r.do(Input{Kind: Ready, Contract: r.ct + 1})
	r.says("")
	r.do(Input{Kind: Extended, Contract: r.ct + 1, For: time.Hour})
	r.says("")
	r.refused(Input{Kind: Ready}, ErrInput)
	r.refused(Input{Kind: Extended, Contract: r.ct}, ErrInput)
	r.refused(Input{Kind: Extended, Contract: r.ct, For: -time.Second}, ErrInput)
	r.is(graph.Offline, graph.Online)

	plain := newRig(t, Config{})
	plain.do(Input{Kind: Ready, Contract: 11})
	plain.says("")
	plain.order(graph.EnableInstance)
	plain.order(graph.Start)
	plain.run(Spec{Kind: Exec, Text: "/bin/web", Timeout: time.Minute})
	plain.ready()
	plain.says("")
	plain.do(Input{Kind: Extended, Contract: 11, For: time.Hour})
	plain.says("")
	plain.ended(0)
	plain.is(graph.Online, graph.None)
}

// TestTransientDoesNotWait: it has no process that could say anything.
func TestTransientDoesNotWait(t *testing.T) {
	r := starting(t, Config{Duration: Transient}, time.Minute)
	r.ended(0)
	r.is(graph.Online, graph.None)
}

// TestNeverReady: by every way in which a start can end before it is ready.
func TestNeverReady(t *testing.T) {
	const failed = "log The service has ended, and was not ready before."
	for _, c := range []struct {
		name     string
		duration Duration
		by       func(*rig)
		want     string // a line
		fatal    bool   // at once in maintenance
	}{
		{"fails", Contract, func(r *rig) { r.ended(exited(1)) }, `log Method "start" exited with status 1.`, false},
		{"is killed", Contract, func(r *rig) { r.ended(killed(9)) }, `log Method "start" failed due to signal KILL.`, false},
		{"is misconfigured", Contract, func(r *rig) { r.ended(exited(96)) }, `log Method "start" exited with status 96.`, true},
		{"empty, then ends", Contract, func(r *rig) { r.emptied(); r.ended(0) }, failed, false},
		{"ends, then empty", Contract, func(r *rig) { r.ended(0); r.emptied() }, failed, false},
		{"ends, then the event", Contract, func(r *rig) { r.ended(0); r.event(contract.Empty) }, failed, false},
		{"a child ends well", Child, func(r *rig) { r.ended(0) }, failed, false},
		{"a child has no daemon", Child, func(r *rig) { r.ended(exited(94)) }, failed, false},
		{"a child fails", Child, func(r *rig) { r.ended(exited(1)) }, `log Method "start" exited with status 1.`, false},
		{"a child's end is unknown", Child, func(r *rig) { r.do(Input{Kind: Ended, Pid: r.pid, Lost: true}) }, failed, false},
		{"a child is misconfigured", Child, func(r *rig) { r.ended(exited(96)) }, `log Method "start" exited with status 96.`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := starting(t, Config{Duration: c.duration}, time.Minute)
			for attempt := 1; ; attempt++ {
				r.after(time.Second)
				c.by(r)
				r.has(c.want)
				r.has("abandon " + itoa(r.ct))
				if attempt == faultsMax || c.fatal {
					break
				}
				r.has("lookup start " + itoa(contract.ID(attempt+1)))
				r.is(graph.Offline, graph.Online)
				r.run(notifies(time.Minute))
			}
			r.is(graph.Maintenance, graph.None)
			if r.m.primary != 0 || r.m.child != 0 {
				t.Errorf("contract %d, child %d", r.m.primary, r.m.child)
			}
			r.check.rest()
		})
	}
}

func itoa(id contract.ID) string {
	if id < 10 {
		return string(rune('0' + id))
	}
	return itoa(id/10) + itoa(id%10)
}

// TestNoDaemon: 94 says that nobody is left who could say it.
func TestNoDaemon(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	r.ended(exited(94))
	r.is(graph.Online, graph.None)
	r.has("abandon 11")
}

// TestNotReadyInTime: the contract is killed, whether the method has ended or not, and a word that
// comes after that is too late.
func TestNotReadyInTime(t *testing.T) {
	for _, noRetry := range []bool{false, true} {
		for _, forked := range []bool{false, true} {
			r := starting(t, Config{NoTimeoutRetry: noRetry}, time.Minute)
			if forked {
				r.ended(0)
			}
			r.after(time.Minute)
			r.fire()
			r.has("log The service has not said in time that it is ready.")
			r.has("log Method or service exit timed out.  Killing contract 11.")
			r.has("kill 11 with 9")
			r.ready()
			r.says("")
			r.do(Input{Kind: Extended, Contract: r.ct, For: time.Hour})
			r.says("")
			if forked {
				r.emptied()
			} else {
				r.ended(killed(9))
			}
			r.has("abandon 11")
			if noRetry {
				r.has("say [ site/web:default timed out: transitioned to maintenance (see 'svcs -xv' for details) ]")
				r.is(graph.Maintenance, graph.None)
			} else {
				r.has("lookup start 2")
			}
		}
	}
}

// TestQuickerThanTheKill: the method ends well just when its time is over. That makes nobody ready.
func TestQuickerThanTheKill(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	r.fire()
	r.ended(0)
	r.has("watch 11")
	r.is(graph.Offline, graph.Online)
	r.fire() // and it can not be killed
	r.has("log Service contract 11 is not empty, although it was killed.")
	r.has("abandon 11")
	r.has("lookup start 2")
}

// TestExtended: the deadline moves forward only, by whole seconds, and not beyond its bound.
func TestExtended(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	extend := func(by time.Duration) { r.do(Input{Kind: Extended, Contract: r.ct, For: by}) }
	extend(30 * time.Second)
	r.says("")
	r.after(50 * time.Second)
	extend(30 * time.Second)
	r.says(`deadline 1m21s
		timer off
		timer at 1m21s`)
	r.after(10 * time.Millisecond)
	extend(30 * time.Second)
	r.says("")
	extend(1<<63 - 1)
	r.says(`deadline 1h0m51s
		timer off
		timer at 1h0m51s`)
	r.ended(0)
	extend(2 * time.Hour)
	r.says("")
	r.after(time.Hour)
	r.fire()
	r.has("kill 11 with 9")

	endless := starting(t, Config{}, 0)
	endless.do(Input{Kind: Extended, Contract: endless.ct, For: time.Second})
	endless.says("")
}

// TestRemovedUnready: a start that waits for nothing but a word is let go of; a method that runs
// ends first, or is ready.
func TestRemovedUnready(t *testing.T) {
	r := starting(t, Config{}, time.Minute)
	r.ended(0)
	r.order(graph.RemoveInstance)
	gone(t, r)
	for _, end := range []func(*rig){
		func(r *rig) { r.ready() }, func(r *rig) { r.ended(0) }, func(r *rig) { r.ended(exited(1)) },
		func(r *rig) { r.fire(); r.ended(killed(9)) },
	} {
		r := starting(t, Config{}, time.Minute)
		r.order(graph.RemoveInstance)
		r.says("")
		end(r)
		gone(t, r)
	}
}

// before is what is found of a start that another svc.startd has begun a while ago.
func before(f InFlight, h Held) Input {
	return Input{Kind: Recovered, Config: &Config{}, Before: Before{
		State: graph.Offline, Next: graph.Online, Aux: auxSatisfied, Contracts: []Held{h}, Method: &f,
	}}
}

// TestGoesOnWaiting: svc.startd was killed while a service was not ready.
func TestGoesOnWaiting(t *testing.T) {
	there := Held{ID: 11, There: true}
	runs := InFlight{Pid: 101, Contract: 11, Began: epoch.Add(-20 * time.Second), Timeout: time.Minute, Notify: true}
	done := runs
	done.Pid, done.Done = 0, true
	t.Run("the method runs", func(t *testing.T) {
		r := bareRig(t)
		r.pid, r.ct = 101, 11
		r.do(before(runs, there))
		r.has("timer at 40s")
		r.hasNot("lookup")
		r.ended(0)
		r.has("method start waits")
		r.ready()
		r.has("write online dependencies_satisfied")
	})
	t.Run("how it has ended is not known", func(t *testing.T) {
		r := bareRig(t)
		r.ct = 11
		r.do(before(runs, there))
		r.do(Input{Kind: Ended, Pid: 101, Lost: true})
		r.has("warn svc:/site/web:default: How the start method has ended is not known.")
		r.is(graph.Offline, graph.Online)
		r.ready()
		r.is(graph.Online, graph.None)
	})
	t.Run("it has ended", func(t *testing.T) {
		r := bareRig(t)
		r.ct = 11
		r.do(before(done, there))
		r.says(`remember 11 transient false
			write offline->online dependencies_satisfied
			timer at 40s
			watch 11`)
		r.ready()
		r.has("write online dependencies_satisfied")
		r.check.rest()
	})
	for name, held := range map[string]Held{"nobody is left": {ID: 11, There: true, Empty: true}, "the contract is gone": {ID: 11}} {
		t.Run(name, func(t *testing.T) {
			r := bareRig(t)
			r.do(before(done, held))
			r.has("log The service has ended, and was not ready before.")
			r.has("lookup start 2")
			if r.m.primary != 0 {
				t.Errorf("contract %d is kept", r.m.primary)
			}
		})
	}
	t.Run("a child", func(t *testing.T) {
		r := bareRig(t)
		r.pid, r.ct = 101, 11
		in := before(runs, there)
		in.Config.Duration = Child
		r.do(in)
		r.is(graph.Offline, graph.Online)
		r.ready()
		r.is(graph.Online, graph.None)
		r.ended(exited(1))
		r.has("log Stopping because service exited with an error.")
	})
}

// TestWaitsTheRest: the time that is left is the rest, or what an extension has made of it; what was
// said meanwhile is read before it is over.
func TestWaitsTheRest(t *testing.T) {
	there := Held{ID: 11, There: true}
	for want, f := range map[string]InFlight{
		"timer at 1m40s":  {Began: epoch.Add(-20 * time.Second), Timeout: time.Minute, Deadline: epoch.Add(100 * time.Second)},
		"timer at 40s":    {Began: epoch.Add(-20 * time.Second), Timeout: time.Minute, Deadline: epoch.Add(-time.Hour)},
		"timer at 1m0s":   {Began: epoch.Add(20 * time.Second), Timeout: time.Minute},
		"timer at 2s":     {Began: epoch.Add(-time.Hour), Timeout: time.Minute},
		"timer at 1h0m1s": {Began: epoch, Timeout: time.Minute, Deadline: epoch.Add(1000 * time.Hour)},
	} {
		f.Pid, f.Contract, f.Notify = 101, 11, true
		r := bareRig(t)
		r.do(before(f, there))
		r.has(want)
	}
	r := bareRig(t)
	r.do(before(InFlight{Pid: 101, Contract: 11, Began: epoch, Notify: true}, there))
	r.hasNot("timer")
	for _, f := range []InFlight{{Contract: 11}, {Done: true}, {Pid: 5, Contract: 11, Done: true}} {
		bareRig(t).refused(before(f, there), ErrInput)
	}
}

// TestDisabledUnready: a service that is disabled is stopped, ready or not, whether its method runs or
// has ended; both orders are answered, and what was asked for before is done after it.
func TestDisabledUnready(t *testing.T) {
	for _, duration := range []Duration{Contract, Child} {
		for _, forked := range []bool{false, true} {
			if forked && duration == Child {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", duration, forked), func(t *testing.T) {
				r := starting(t, Config{Duration: duration}, 0)
				start := r.pid
				if forked {
					r.ended(0)
				}
				r.do(Input{Kind: Order, Event: graph.AdminRefresh})
				r.says("")
				r.order(graph.DisableInstance)
				want := `log The service is not waited for any more, and is not ready.
					method start ended
					log Stopping because service disabled.
					write offline->disabled disable_request
					lookup stop 1`
				if forked {
					want = "ignore 11\n" + want
				}
				r.says(want)
				r.ready()
				r.says("")
				r.found(Spec{Kind: Kill, Signal: 15, Timeout: time.Minute})
				r.has("signal 11 with 15")
				r.do(Input{Kind: Signalled})
				r.has("watch 11")
				if !forked {
					r.do(Input{Kind: Ended, Pid: start, Status: killed(15)})
				}
				r.emptied()
				r.has("write disabled disable_request class restart answers")
				r.has("answer disabled disable_request answers")
				r.has("log Rereading configuration.")
				r.check.rest()
				if r.m.primary != 0 || r.m.child != 0 {
					t.Errorf("contract %d, child %d", r.m.primary, r.m.child)
				}
			})
		}
	}
	// Before the method is there, it is given up as soon as it is.
	r := lead(t, Start, Config{})
	r.order(graph.AdminDisable)
	r.says("")
	r.run(notifies(0))
	r.has("write offline->disabled disable_request")
	// One that is to be enabled again has its turn after it.
	r.order(graph.EnableInstance)
	r.found(Spec{Kind: Null})
	r.has("answer disabled disable_request answers")
	r.has("write offline enable_request answers")
	r.check.rest()
}

// TestGivenUpAndKilled: svc.startd was killed while it stopped a service that was not ready.
func TestGivenUpAndKilled(t *testing.T) {
	r := bareRig(t)
	r.do(Input{Kind: Recovered, Config: &Config{}, Before: Before{
		State: graph.Offline, Next: graph.Disabled, Aux: auxDisabled, Contracts: []Held{{ID: 11, There: true}},
	}})
	r.has("lookup stop 1")
	r.found(Spec{Kind: Kill, Signal: 15})
	r.do(Input{Kind: Signalled})
	r.do(Input{Kind: Emptied, Contract: 11})
	r.has("write disabled disable_request class restart")
	if r.m.enabled || r.m.primary != 0 {
		t.Errorf("enabled %v, contract %d", r.m.enabled, r.m.primary)
	}
}
