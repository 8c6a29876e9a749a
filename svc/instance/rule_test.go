package instance

import (
	"cmp"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// outcome is what an end of a method means.
type outcome uint8

const (
	good  outcome = iota
	retry         // again at once, three times in all
	fatal         // maintenance
)

// endings are the ways in which a method ends, or does not begin.
var endings = []struct {
	name    string
	status  syscall.WaitStatus
	failure Failure
	timeout bool
	config  Config
	outcome outcome
	notice  string
	log     string // METHOD stands for the method's name
}{
	{name: "exit0", outcome: good, log: `Method "METHOD" exited with status 0.`},
	{name: "exit1", status: exited(1), outcome: retry, notice: "failed", log: `Method "METHOD" exited with status 1.`},
	{name: "exit10", status: exited(10), outcome: retry, notice: "failed", log: `Method "METHOD" exited with status 10.`},
	{name: "exit94", status: exited(94), outcome: good, log: `Method "METHOD" exited with status 94.`},
	{name: "exit95", status: exited(95), outcome: fatal, notice: "failed fatally", log: `Method "METHOD" exited with status 95.`},
	{name: "exit96", status: exited(96), outcome: fatal, notice: "misconfigured", log: `Method "METHOD" exited with status 96.`},
	{name: "exit97", status: exited(97), outcome: retry, notice: "failed", log: `Method "METHOD" exited with status 97.`},
	{name: "exit98", status: exited(98), outcome: retry, notice: "failed", log: `Method "METHOD" exited with status 98.`},
	{name: "exit99", status: exited(99), outcome: fatal, notice: "failed", log: `Method "METHOD" exited with status 99.`},
	{name: "exit100", status: exited(100), outcome: fatal, notice: "failed", log: `Method "METHOD" exited with status 100.`},
	{name: "exit255", status: exited(255), outcome: retry, notice: "failed", log: `Method "METHOD" exited with status 255.`},
	{name: "SIGTERM", status: killed(syscall.SIGTERM), outcome: retry, notice: "failed", log: `Method "METHOD" failed due to signal TERM.`},
	{name: "SIGKILL", status: killed(syscall.SIGKILL), outcome: retry, notice: "failed", log: `Method "METHOD" failed due to signal KILL.`},
	{name: "core", status: killed(syscall.SIGSEGV) | 0x80, outcome: retry, notice: "failed", log: `Method "METHOD" failed due to signal SEGV.`},
	{name: "signal40", status: killed(40), outcome: retry, notice: "failed", log: `Method "METHOD" failed due to signal 40.`},
	{name: "timeout", status: killed(syscall.SIGKILL), timeout: true, outcome: retry, notice: "failed", log: `Method "METHOD" failed due to signal KILL.`},
	{name: "timeout-exit0", timeout: true, outcome: good, log: `Method "METHOD" exited with status 0.`},
	{name: "timeout-no-retry", status: killed(syscall.SIGKILL), timeout: true, config: Config{NoTimeoutRetry: true}, outcome: fatal, notice: "timed out"},
	{name: "timeout-no-retry-exit0", timeout: true, config: Config{NoTimeoutRetry: true}, outcome: fatal, notice: "timed out"},
	{name: "EINVAL", failure: Invalid, outcome: fatal, notice: "failed"},
	{name: "EIO", failure: NotSent, outcome: fatal, notice: "failed"},
	{name: "EFAULT", failure: NotPossible, outcome: fatal, notice: "failed"},
	{name: "EAGAIN", failure: NotNow, outcome: retry, notice: "failed"},
	{name: "ECANCELED", failure: NeverStarted, outcome: fatal, notice: "failed"},
}

// TestRule is the table of the rules of svc.startd(8) and smf_method(7); its subtests are named
// for the part of the description, what is run, of which duration, and what becomes of it.
func TestRule(t *testing.T) {
	for _, method := range []Method{Start, Stop, Refresh} {
		for _, duration := range []Duration{Contract, Transient, Child} {
			for i := range endings {
				if method == Start && duration == Child && endings[i].failure == 0 {
					continue // its end is not a method's: see childEnds
				}
				t.Run(fmt.Sprintf("3.3/%s/%s/%s", method, duration, endings[i].name), func(t *testing.T) { ruleOfEnd(t, method, duration, i) })
			}
		}
	}
	for _, rule := range rules {
		t.Run(rule.name, rule.holds)
	}
}

// rules are the tests that are no table of ends.
var rules = []struct {
	name  string
	holds func(*testing.T)
}{
	{"3.1/events", ruleEvents}, {"3.1/causes", ruleCauses}, {"3.1/reasons", ruleReasons},
	{"3.2/child", ruleChildEnds}, {"3.2/throttle", ruleThrottle}, {"3.2/missing", ruleMissing},
	{"3.3/presence", rulePresence}, {"3.3/rate", ruleRate}, {"3.3/rate-reset", ruleRateReset}, {"3.3/faults", ruleFaults},
	{"3.3/stop-waits", ruleStopWaits}, {"3.3/stop-kill", ruleStopKill}, {"3.3/transfer", ruleTransfer}, {"3.3/notices", ruleNotices},
}

// lead brings an instance to where the method is looked up.
func lead(t *testing.T, method Method, config Config) *rig {
	r := newRig(t, config)
	switch method {
	case Start:
		r.order(graph.EnableInstance)
		r.order(graph.Start)
	case Stop:
		r.online()
		r.order(graph.Stop)
	case Refresh:
		r.online()
		r.order(graph.AdminRefresh)
	}
	return r
}

func ruleOfEnd(t *testing.T, method Method, duration Duration, ending int) {
	e := endings[ending]
	config := e.config
	config.Duration = duration
	r := lead(t, method, config)
	primary := r.m.primary
	attempts := 0
	for ; r.m.going != nil && r.m.going.phase == looking && attempts < 10; attempts++ {
		r.now = r.now.Add(time.Second)
		r.found(Spec{Kind: Exec, Text: "/bin/m", Timeout: time.Minute, Critical: contract.Empty})
		r.has(`log Executing ` + method.String() + ` method ("/bin/m").`)
		if e.failure != 0 {
			r.do(Input{Kind: NotRun, Failure: e.failure, Detail: "why"})
			continue
		}
		r.pid++
		r.ct++
		r.do(Input{Kind: Started, Pid: r.pid, Contract: r.ct})
		r.has(fmt.Sprintf("timer at %s", r.now.Add(time.Minute).Sub(epoch)))
		if e.timeout {
			r.after(time.Minute)
			r.fire()
			r.says(fmt.Sprintf(`log Method or service exit timed out.  Killing contract %d.
				kill %d with 9`, r.ct, r.ct))
		}
		r.ended(e.status)
		if e.log != "" {
			r.has("log " + strings.ReplaceAll(e.log, "METHOD", method.String()))
		} else {
			r.hasNot("log Method")
		}
		if method == Start {
			r.has(fmt.Sprintf("status %d", e.status))
		}
		if kept := method == Start && duration == Contract && e.outcome == good && e.name != "exit94"; !kept && r.m.going == nil {
			r.has(fmt.Sprintf("abandon %d", r.ct))
		}
		if r.m.going != nil && r.m.going.phase == emptying {
			r.has(fmt.Sprintf("watch %d", primary))
			if e.timeout { // no time is left for it
				r.has(fmt.Sprintf("log Method or service exit timed out.  Killing contract %d.", primary))
				r.do(Input{Kind: Emptied, Contract: primary})
				r.has("write maintenance method_failed class error answers")
				return
			}
			r.do(Input{Kind: Emptied, Contract: primary})
			r.has(fmt.Sprintf("abandon %d", r.ct))
		}
	}
	checkOutcome(t, r, method, e.outcome, attempts, e.notice)
	switch {
	case method == Start && e.outcome == good && duration == Contract && e.name != "exit94":
		primary = r.ct
	case method == Start:
		primary = 0
	}
	if r.m.primary != primary { // a stop or refresh leaves it, whatever becomes of them
		t.Errorf("the primary contract is %d, not %d", r.m.primary, primary)
	}
	r.check.rest()
}

func checkOutcome(t *testing.T, r *rig, method Method, want outcome, attempts int, notice string) {
	t.Helper()
	answers := " answers"
	if method == Refresh {
		answers = ""
	}
	switch want {
	case good:
		line := map[Method]string{
			Start:   "write online dependencies_satisfied answers",
			Stop:    "write offline dependency_activity class restart answers",
			Refresh: "write online dependencies_satisfied class refresh",
		}[method]
		r.has(line)
		if attempts != 1 {
			t.Errorf("%d attempts", attempts)
		}
		return
	case retry:
		r.has("write maintenance fault_threshold_reached class error" + answers)
		if attempts != 3 {
			t.Errorf("%d attempts", attempts)
		}
	case fatal:
		r.has("write maintenance method_failed class error" + answers)
		if attempts != 1 {
			t.Errorf("%d attempts", attempts)
		}
	}
	r.has("say [ site/web:default " + notice + ": transitioned to maintenance (see 'svcs -xv' for details) ]")
}

// ruleEvents is what each order and request does in each state: the states that are written, or
// nothing but the answer.
func ruleEvents(t *testing.T) {
	states := []graph.State{graph.Uninitialized, graph.Disabled, graph.Offline, graph.Online, graph.Degraded, graph.Maintenance}
	table := []struct {
		event graph.Event
		want  [6]string
	}{
		{graph.EnableInstance, [6]string{"offline", "offline", "", "", "", ""}},
		{graph.DisableInstance, [6]string{"disabled", "", "disabled", "online->disabled", "degraded->disabled", ""}},
		{graph.AdminDisable, [6]string{"disabled", "", "disabled", "online->disabled", "degraded->disabled", "uninitialized"}},
		{graph.Start, [6]string{"", "", "offline->online", "", "", ""}},
		{graph.Stop, [6]string{"", "", "", "online->offline", "degraded->offline", ""}},
		{graph.StopReset, [6]string{"", "", "", "online->offline", "degraded->offline", ""}},
		{graph.DependencyCycle, [6]string{"maintenance", "maintenance", "maintenance", "online->maintenance", "degraded->maintenance", ""}},
		{graph.InvalidDependency, [6]string{"maintenance", "maintenance", "maintenance", "online->maintenance", "degraded->maintenance", ""}},
		{graph.AdminRestart, [6]string{"", "", "", "online->offline", "degraded->offline", ""}},
		{graph.AdminRefresh, [6]string{"", "", "", "online->online", "degraded->degraded", ""}},
		{graph.AdminMaintOn, [6]string{"maintenance", "maintenance", "maintenance", "online->maintenance", "degraded->maintenance", ""}},
		{graph.AdminMaintOnImmediate, [6]string{"maintenance", "maintenance", "maintenance", "maintenance", "maintenance", ""}},
		{graph.AdminMaintOff, [6]string{"", "", "", "", "online", "uninitialized"}},
		{graph.AdminDegraded, [6]string{"", "", "", "degraded", "", ""}},
	}
	if len(table) != len(verbs) {
		t.Errorf("%d events have rules, %d are known", len(table), len(verbs))
	}
	for _, row := range table {
		for i, state := range states {
			t.Run(row.event.String()+"/"+state.String(), func(t *testing.T) {
				r := inState(t, state)
				r.order(row.event)
				got := ""
				for _, a := range r.last {
					if a.Kind == WriteStates {
						got = strings.Fields(render(a))[1]
					}
				}
				if got != row.want[i] {
					t.Errorf("it becomes %q, not %q", got, row.want[i])
				}
				if r.m.going == nil {
					r.check.rest() // answered, that is
				}
				t.Attr("cell", "3.1/events|"+row.event.String()+"|"+state.String()+"|"+cmp.Or(got, "-"))
			})
		}
	}
}

func inState(t *testing.T, state graph.State) *rig {
	r := newRig(t, Config{})
	switch state {
	case graph.Disabled:
		r.order(graph.DisableInstance)
	case graph.Offline:
		r.order(graph.EnableInstance)
	case graph.Online, graph.Degraded:
		r.online()
		if state == graph.Degraded {
			r.order(graph.AdminDegraded)
		}
	case graph.Maintenance:
		r.order(graph.AdminMaintOn)
	}
	r.is(state, graph.None)
	return r
}

// ruleCauses is why a service is stopped, what is said of it, and what dependents hear.
func ruleCauses(t *testing.T) {
	for _, c := range []struct {
		name, text, aux, class string
		do                     func(*rig)
	}{
		{"empty", "all processes in service exited", "ct_ev_exit", "restart", func(r *rig) { r.event(contract.Empty) }},
		{"core", "process dumped core", "ct_ev_core", "error", func(r *rig) { r.event(contract.Core) }},
		{"signal", "process received fatal signal from outside the service", "ct_ev_signal", "error", func(r *rig) { r.event(contract.Signal) }},
		{"hwerr", "process killed due to uncorrectable hardware error", "ct_ev_hwerr", "error", func(r *rig) { r.event(contract.Hwerr) }},
		{"dependency", "dependency activity requires stop", "dependency_activity", "restart", func(r *rig) { r.order(graph.Stop) }},
		{"restart", "service restarting", "restart_request", "restart", func(r *rig) { r.order(graph.AdminRestart) }},
		{"disable", "service disabled", "disable_request", "restart", func(r *rig) { r.order(graph.DisableInstance) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{}).online()
			c.do(r)
			r.has("log Stopping because " + c.text + ".")
			r.event(contract.Empty)
			r.event(contract.Core) // of a service that is being stopped
			r.run(Spec{})
			r.ended(0)
			state := "offline"
			if c.name == "disable" {
				state = "disabled"
			}
			if !strings.HasPrefix(r.lines[len(r.lines)-1], "write "+state+" "+c.aux+" class "+c.class) {
				t.Errorf("%q", r.lines)
			}
			r.check.rest()
		})
	}
	r := newRig(t, Config{}).online()
	r.do(Input{Kind: Order, Event: graph.AdminRestart, Dump: true})
	r.says("kill 11 with 6")
	r = newRig(t, Config{Duration: Transient}).online()
	r.do(Input{Kind: Order, Event: graph.AdminRestart, Dump: true})
	r.has("write online->offline restart_request") // there is nobody to dump
}

// ruleReasons: svcs(1) and scripts know these words and no others.
func ruleReasons(t *testing.T) {
	words := " none administrative_request bad_repo_state clear_request ct_ev_core ct_ev_exit ct_ev_hwerr ct_ev_signal" +
		" dependencies_satisfied dependency_activity dependency_cycle disable_request enable_request fault_threshold_reached" +
		" insert_in_graph invalid_dependency invalid_restarter method_failed restart_request restarting_too_quickly" +
		" service_request startd_restart "
	for _, aux := range []string{
		auxInserted, auxEnabled, auxDisabled, auxSatisfied, auxCleared, auxAdministrator, auxService, auxCycle, auxInvalid,
		auxFailed, auxThreshold, auxTooQuick, auxRestarted, causeExit.aux, causeBadConfig.aux, causeErrorExit.aux,
		causeCore.aux, causeSignal.aux, causeHwerr.aux, causeDependency.aux, causeDisable.aux, causeRestart.aux, causeMonitor.aux,
	} {
		if !strings.Contains(words, " "+aux+" ") {
			t.Errorf("%q is no reason of the original", aux)
		}
	}
}
