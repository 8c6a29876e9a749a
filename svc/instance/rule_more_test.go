package instance

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/graph"
)

// ruleChildEnds: any end of a child is the end of the service; a configuration error is one for an
// administrator.
func ruleChildEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     Input
		text   string
		states string
	}{
		{"exit0", Input{}, "all processes in service exited", "write offline ct_ev_exit class restart"},
		{"exit1", Input{Status: exited(1)}, "service exited with an error", "write offline ct_ev_exit class restart"},
		{"exit94", Input{Status: exited(94)}, "service exited with an error", "write offline ct_ev_exit class restart"},
		{"exit95", Input{Status: exited(95)}, "service exited with an error", "write offline ct_ev_exit class restart"},
		{"exit96", Input{Status: exited(96)}, "service exited with a configuration error", "write offline->maintenance method_failed"},
		{"SIGKILL", Input{Status: killed(syscall.SIGKILL)}, "all processes in service exited", "write offline ct_ev_exit class restart"},
		{"unknown", Input{Lost: true}, "all processes in service exited", "write offline ct_ev_exit class restart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{Duration: Child}).online()
			c.in.Kind, c.in.Pid = Ended, r.pid
			r.do(c.in)
			r.has("log Stopping because " + c.text + ".")
			r.has(fmt.Sprintf("abandon %d", r.ct))
			r.has(c.states)
		})
	}
	t.Run("during-refresh", func(t *testing.T) {
		r := newRig(t, Config{Duration: Child}).online()
		r.order(graph.AdminRefresh)
		r.ended(exited(1))
		r.says("")
		r.found(Spec{Kind: Null})
		r.has("write online dependencies_satisfied class refresh")
		r.has("write offline ct_ev_exit class restart")
	})
	t.Run("in-maintenance", func(t *testing.T) {
		r := newRig(t, Config{Duration: Child}).online()
		r.order(graph.AdminMaintOnImmediate)
		r.ended(exited(1))
		r.says("")
	})
}

// ruleThrottle: a child that fails ten times within a second is held back for one. One that ends
// well is not, nor is one that lives a little.
func ruleThrottle(t *testing.T) {
	for _, c := range []struct {
		name   string
		status syscall.WaitStatus
		gap    time.Duration
		want   bool
	}{
		{"error", exited(1), time.Millisecond, true},
		{"signal", killed(syscall.SIGSEGV), time.Millisecond, true},
		{"just-too-quick", exited(1), time.Second/9 - time.Millisecond, true},
		{"slow-enough", exited(1), time.Second/9 + time.Millisecond, false},
		{"success", exited(0), time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{Duration: Child, CriticalCount: 2, CriticalPeriod: time.Hour})
			r.order(graph.EnableInstance)
			for n := 1; n <= 30; n++ {
				r.order(graph.Start)
				r.run(Spec{})
				r.is(graph.Online, graph.None) // never maintenance
				r.ended(c.status)
				if held := n >= 10 && c.want; held != (r.m.going != nil) {
					t.Fatalf("start %d: held back %v", n, r.m.going != nil)
				}
				if r.m.going != nil {
					r.has("log Failing too quickly, throttling.")
					r.has(fmt.Sprintf("timer at %s", r.now.Add(time.Second).Sub(epoch)))
					r.order(graph.Stop)
					r.is(graph.Online, graph.Offline)
					r.fire()
					r.has("answer offline ct_ev_exit answers")
				}
				r.is(graph.Offline, graph.None)
				r.after(c.gap)
			}
		})
	}
}

// ruleMissing: only a child goes to maintenance because its program is not there.
func ruleMissing(t *testing.T) {
	for _, d := range []Duration{Contract, Transient, Child} {
		t.Run(d.String(), func(t *testing.T) {
			r := lead(t, Start, Config{Duration: d})
			r.found(Spec{Kind: Exec, Text: "/opt/gone", Missing: "/opt/gone"})
			if d != Child {
				r.has(`log Executing start method ("/opt/gone").`)
				return
			}
			r.says(`log Missing start method (/opt/gone), changing state to maintenance.
				say [ site/web:default failed: transitioned to maintenance (see 'svcs -xv' for details) ]
				write maintenance method_failed class error answers`)
		})
	}
}

// rulePresence is what becomes of methods that are no commands.
func rulePresence(t *testing.T) {
	const expand = `Could not expand method tokens in "%x": unknown token`
	done := map[Method]string{
		Start:   "write online dependencies_satisfied answers",
		Stop:    "write offline dependency_activity class restart answers",
		Refresh: "write online dependencies_satisfied class refresh",
	}
	for _, d := range []Duration{Contract, Transient, Child} {
		for _, method := range []Method{Start, Stop, Refresh} {
			name := func(what string) string { return fmt.Sprintf("%s/%s/%s", method, d, what) }
			t.Run(name("no-group"), func(t *testing.T) {
				r := lead(t, method, Config{Duration: d})
				r.found(Spec{Kind: NoGroup})
				line := "log Method property group '" + method.String() + "' is not present."
				if method == Refresh {
					line = "log No 'refresh' method defined.  Treating as :true."
				}
				r.has(line)
				r.has(done[method])
			})
			t.Run(name("no-exec"), func(t *testing.T) {
				r := lead(t, method, Config{Duration: d})
				r.found(Spec{Kind: NoExec})
				r.has("log Method property '" + method.String() + "/exec is not present.")
				r.has(done[method])
			})
			t.Run(name("bad"), func(t *testing.T) {
				r := lead(t, method, Config{Duration: d})
				r.found(Spec{Kind: Bad, Text: expand})
				r.has("log " + expand)
				r.hasNot("lookup")
				if s, _ := r.m.State(); s != graph.Maintenance || r.m.marks.aux != "method_failed" {
					t.Errorf("it is %s for %s", s, r.m.marks.aux)
				}
			})
			t.Run(name("true"), func(t *testing.T) {
				r := lead(t, method, Config{Duration: d})
				r.found(Spec{Kind: Null})
				r.has("log Executing " + method.String() + " method (null).")
				r.has(done[method])
				if method == Start {
					r.has("status 0")
				}
			})
			t.Run(name("kill"), func(t *testing.T) { killAs(t, method, d, done[method]) })
		}
	}
	t.Run("stop/contract/nothing-runs", func(t *testing.T) {
		r := lead(t, Start, Config{})
		r.found(Spec{Kind: Null})
		r.order(graph.Stop)
		r.found(Spec{Kind: Exec, Text: "/bin/stop"})
		r.says("write offline dependency_activity class restart answers")
	})
	t.Run("stop/contract/not-opened", func(t *testing.T) {
		r := lead(t, Stop, Config{})
		r.found(Spec{Kind: Exec, Text: "/bin/stop", NoContract: true})
		r.has("log Could not open service contract 11.  Stop method not run.")
		r.has("write maintenance method_failed class error answers")
	})
}

// killAs is a method that is ":kill".
func killAs(t *testing.T, method Method, d Duration, done string) {
	r := lead(t, method, Config{Duration: d})
	primary := r.m.primary
	r.found(Spec{Kind: Kill, Signal: syscall.SIGHUP})
	if primary == 0 {
		if d == Transient {
			r.has(`log Invalid use of ":kill" as ` + method.String() + ` method for transient service.`)
		}
		if s, _ := r.m.State(); s != graph.Maintenance || r.m.marks.aux != auxFailed {
			t.Errorf("it is %s for %s", s, r.m.marks.aux)
		}
		return
	}
	r.has("log Executing " + method.String() + " method (:kill).")
	r.has(fmt.Sprintf("signal %d with 1", primary))
	r.do(Input{Kind: Signalled})
	if method == Stop {
		r.says(fmt.Sprintf("watch %d", primary))
		r.do(Input{Kind: Emptied, Contract: primary})
	}
	r.has(done)

	r = lead(t, method, Config{Duration: d})
	r.found(Spec{Kind: Kill, Signal: syscall.SIGHUP})
	r.do(Input{Kind: NotRun, Failure: NotSent, Detail: "ESRCH"})
	r.has(fmt.Sprintf("warn svc:/site/web:default: Couldn't signal contract %d: ESRCH", primary))
	if s, _ := r.m.State(); s != graph.Maintenance || r.m.primary != primary {
		t.Errorf("it is %s with %d", s, r.m.primary)
	}
}

// cycle starts the service and has all its processes exit; it says whether the start was let run.
func cycle(r *rig) bool {
	r.t.Helper()
	r.order(graph.Start)
	r.found(Spec{Kind: Exec, Text: "/bin/web"})
	if r.m.going == nil || r.m.going.phase != launching {
		return false
	}
	r.pid++
	r.ct++
	r.do(Input{Kind: Started, Pid: r.pid, Contract: r.ct})
	r.ended(0)
	r.do(Input{Kind: Event, Contract: r.ct, Events: 1})
	if r.m.going != nil {
		r.found(Spec{Kind: NoGroup})
	}
	r.is(graph.Offline, graph.None)
	return true
}

// ruleRate: the start that makes the allowed number within the period is not run.
func ruleRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		gap    time.Duration
		fails  int // the start that does not run; 0: none
	}{
		{"default", Config{}, time.Second, 10},
		{"default/just-too-quick", Config{}, 600*time.Second/9 - time.Second, 10},
		{"default/slow-enough", Config{}, 600*time.Second/9 + time.Second, 0},
		{"three-in-ten", Config{CriticalCount: 3, CriticalPeriod: 10 * time.Second}, 4 * time.Second, 3},
		{"three-in-ten/slow-enough", Config{CriticalCount: 3, CriticalPeriod: 10 * time.Second}, 5 * time.Second, 0},
		{"one-is-two", Config{CriticalCount: 1, CriticalPeriod: time.Minute}, time.Second, 2},
		{"eleven-is-default", Config{CriticalCount: 11}, time.Second, 10},
		{"negative-is-default", Config{CriticalCount: -1, CriticalPeriod: -time.Second}, time.Second, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.config)
			r.order(graph.EnableInstance)
			for n := 1; n <= 25; n++ {
				if ran := cycle(r); ran {
					r.after(c.gap)
					continue
				}
				if n != c.fails {
					t.Errorf("start %d did not run", n)
				}
				r.has("log Restarting too quickly, changing state to maintenance.")
				r.has("say [ site/web:default failed repeatedly: transitioned to maintenance (see 'svcs -xv' for details) ]")
				r.has("write maintenance restarting_too_quickly class error answers")
				if r.m.primary != 0 {
					t.Errorf("contract %d is kept", r.m.primary)
				}
				return
			}
			if c.fails != 0 {
				t.Errorf("25 starts ran")
			}
		})
	}
	t.Run("retries-count", func(t *testing.T) {
		r := lead(t, Start, Config{CriticalCount: 2})
		r.run(Spec{})
		r.ended(exited(1))
		r.found(Spec{Kind: Exec, Text: "/bin/web"})
		r.has("write maintenance restarting_too_quickly class error answers")
	})
	t.Run("true-does-not", func(t *testing.T) {
		r := newRig(t, Config{CriticalCount: 2})
		r.order(graph.EnableInstance)
		for range 20 {
			r.order(graph.Start)
			r.found(Spec{Kind: Null})
			r.is(graph.Online, graph.None)
			r.order(graph.Stop)
			r.found(Spec{Kind: Null})
		}
	})
}

// ruleRateReset: what has the past forgotten.
func ruleRateReset(t *testing.T) {
	config := Config{CriticalCount: 3}
	for _, c := range []struct {
		name  string
		do    func(*rig)
		reset bool
	}{
		{"nothing", func(*rig) {}, false},
		{"stop", func(r *rig) { r.order(graph.Stop) }, false},
		{"stop-reset", func(r *rig) { r.order(graph.StopReset) }, true},
		{"admin-disable", func(r *rig) { r.order(graph.AdminDisable); r.order(graph.EnableInstance) }, true},
		{"disable", func(r *rig) { r.order(graph.DisableInstance); r.order(graph.EnableInstance) }, false},
		{"clear", func(r *rig) { r.order(graph.AdminMaintOff) }, true},
		{"restart-of-what-is-down", func(r *rig) { r.order(graph.AdminRestart) }, false},
		{"refresh", func(r *rig) { r.order(graph.AdminRefresh) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, config)
			r.order(graph.EnableInstance)
			cycle(r)
			cycle(r)
			c.do(r)
			if ran := cycle(r); ran != c.reset {
				t.Errorf("the third start ran: %v", ran)
			}
		})
	}
	t.Run("restart", func(t *testing.T) {
		r := newRig(t, config)
		r.order(graph.EnableInstance)
		for range 10 {
			r.order(graph.Start)
			r.run(Spec{})
			r.ended(0)
			r.is(graph.Online, graph.None)
			r.order(graph.AdminRestart)
			r.found(Spec{Kind: Null})
		}
	})
}

// ruleFaults: what has succeeded, or an administrator has cleared, does not count any more.
func ruleFaults(t *testing.T) {
	r := lead(t, Start, Config{})
	for range 2 {
		r.run(Spec{})
		r.ended(exited(1))
	}
	r.run(Spec{})
	r.ended(0)
	for range 2 {
		r.order(graph.AdminRefresh)
		r.run(Spec{})
		r.ended(exited(1))
		r.run(Spec{})
		r.ended(0)
	}
	r.is(graph.Online, graph.None)
	r.order(graph.Stop)
	for range 3 {
		r.is(graph.Online, graph.Offline)
		r.run(Spec{})
		r.ended(killed(syscall.SIGTERM))
	}
	r.is(graph.Maintenance, graph.None)
	r.order(graph.AdminMaintOff)
	r.has("abandon 13") // what the stop has left: there were two starts before
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	r.run(Spec{})
	r.ended(exited(1))
	r.is(graph.Offline, graph.Online)
}
