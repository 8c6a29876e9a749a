package instance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// matrixOfDeaths is what happens to a service, by how and while what. Columns are contract, transient
// and child: at rest; while it is refreshed; while its stop runs; and when it has been stopped.
var matrixOfDeaths = []struct {
	row  string
	in   Input
	want [12]string
}{
	{"all exit", Input{Kind: Event, Events: contract.Empty},
		[12]string{"exit", "-", "-", "exit", "-", "-", "-", "-", "-", "-", "-", "-"}},
	{"one dumps core", Input{Kind: Event, Events: contract.Core},
		[12]string{"core", "-", "-", "core", "-", "-", "-", "-", "-", "-", "-", "-"}},
	{"one is killed", Input{Kind: Event, Events: contract.Signal},
		[12]string{"signal", "-", "-", "signal", "-", "-", "-", "-", "-", "-", "-", "-"}},
	{"hardware error", Input{Kind: Event, Events: contract.Hwerr},
		[12]string{"hwerr", "-", "-", "hwerr", "-", "-", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 0", exits(0),
		[12]string{"-", "-", "gone", "-", "-", "gone", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 1", exits(1),
		[12]string{"-", "-", "error", "-", "-", "error", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 94", exits(94),
		[12]string{"-", "-", "error", "-", "-", "error", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 95", exits(95),
		[12]string{"-", "-", "error", "-", "-", "error", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 96", exits(96),
		[12]string{"-", "-", "config", "-", "-", "config", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 99", exits(99),
		[12]string{"-", "-", "error", "-", "-", "error", "-", "-", "-", "-", "-", "-"}},
	{"start's process: exit 100", exits(100),
		[12]string{"-", "-", "error", "-", "-", "error", "-", "-", "-", "-", "-", "-"}},
	{"start's process: signal", dies(15),
		[12]string{"-", "-", "gone", "-", "-", "gone", "-", "-", "-", "-", "-", "-"}},
	{"start's process: core", dies(6 | 0x80),
		[12]string{"-", "-", "gone", "-", "-", "gone", "-", "-", "-", "-", "-", "-"}},
	{"start's process: not known", Input{Kind: Ended, Lost: true},
		[12]string{"-", "-", "gone", "-", "-", "gone", "-", "-", "-", "-", "-", "-"}},
}

// deaths are what is said and written of each: the line of the log behind "Stopping because", the
// states of the next write, and what follows.
var deaths = map[string]struct{ text, write, then string }{
	"exit":   {"all processes in service exited", "online->offline ct_ev_exit", "lookup stop"},
	"core":   {"process dumped core", "online->offline ct_ev_core", "lookup stop"},
	"signal": {"process received fatal signal from outside the service", "online->offline ct_ev_signal", "lookup stop"},
	"hwerr":  {"process killed due to uncorrectable hardware error", "online->offline ct_ev_hwerr", "lookup stop"},
	"gone":   {"all processes in service exited", "online->offline ct_ev_exit", "write offline ct_ev_exit class restart"},
	"error":  {"service exited with an error", "online->offline ct_ev_exit", "write offline ct_ev_exit class restart"},
	"config": {"service exited with a configuration error", "online->offline method_failed", "write offline->maintenance method_failed"},
}

// TestDeaths is every way in which a service can die, of every duration, whatever goes on.
//
//shows:3.2/deaths 3.2/child-ends 3.2/child-events-ignored 3.2/transient-fails-by-methods 3.2/child-config
//shows:3.2/contract-events by one dumps core/at rest/contract
//shows:3.1/cause-exit by all exit/at rest/contract
//shows:3.1/cause-core by one dumps core/at rest/contract
//shows:3.1/cause-signal by one is killed/at rest/contract
//shows:3.1/cause-hwerr by hardware error/at rest/contract
//shows:3.1/cause-error-exit by start's process: exit 1/at rest/child
//shows:3.1/cause-config by start's process: exit 96/at rest/child
func TestDeaths(t *testing.T) {
	for _, d := range matrixOfDeaths {
		for column, word := range d.want {
			while, duration := []string{"at rest", "refresh", "stop", "stopped"}[column/3], Duration(column%3)
			t.Run(fmt.Sprintf("%s/%s/%s", d.row, while, duration), func(t *testing.T) {
				r := newRig(t, Config{Duration: duration}).online()
				in := d.in
				in.Pid, in.Contract = r.pid, 11
				dieWhile(r, while, in)
				judgeDeath(r, word)
				t.Attr("cell", fmt.Sprintf("3.2/deaths|%s|%s/%s|%s", d.row, while, duration, word))
			})
		}
	}
}

// dieWhile has it happen, and what goes on end well. The last input is the one that it is acted upon.
func dieWhile(r *rig, while string, in Input) {
	r.t.Helper()
	switch while {
	case "at rest":
		r.do(in)
	case "refresh":
		r.order(graph.AdminRefresh)
		r.run(Spec{})
		r.do(in)
		r.says("") // it is acted upon later
		r.ended(0)
		r.has("write online dependencies_satisfied class refresh")
	case "stop", "stopped":
		r.order(graph.Stop)
		r.run(Spec{Kind: Exec, Text: "/bin/stop", Timeout: time.Minute})
		if while == "stop" {
			r.do(in)
			r.says("")
		}
		r.ended(0)
		if r.m.going != nil {
			r.do(Input{Kind: Emptied, Contract: 11})
		}
		r.has("write offline dependency_activity class restart answers")
		if while == "stopped" {
			r.do(in)
			r.says("")
		}
	}
}

func judgeDeath(r *rig, word string) {
	r.t.Helper()
	if word == "-" {
		r.hasNot("Stopping")
		if r.m.going != nil {
			r.t.Errorf("it goes on: %q", r.lines)
		}
		r.check.rest()
		return
	}
	want, known := deaths[word]
	if !known {
		r.t.Fatalf("%q is no death", word)
	}
	said := strings.Join(r.lines, "\n") + "\n"
	for _, part := range []string{"log Stopping because " + want.text + ".\n", "write " + want.write, want.then} {
		_, after, found := strings.Cut(said, part)
		if !found {
			r.t.Fatalf("no %q, or not in its place, in %q", part, r.lines)
		}
		said = after
	}
}

// TestTerms is what a method's contract tells svc.startd of, and what kills it.
//
//shows:3.2/terms
//shows:3.2/child-kept by start/child
func TestTerms(t *testing.T) {
	const asked = contract.Empty | contract.Core | contract.Signal | contract.Hwerr
	for _, row := range []struct {
		method Method
		want   [3]string // contract, transient, child
	}{
		{Start, [3]string{"critical", "none", "fatal, group"}},
		{Stop, [3]string{"none", "none", "none, group"}},
		{Refresh, [3]string{"none", "none", "none, group"}},
	} {
		for d, word := range row.want {
			t.Run(fmt.Sprintf("%s/%s", row.method, Duration(d)), func(t *testing.T) {
				r := lead(t, row.method, Config{Duration: Duration(d)})
				r.found(Spec{Kind: Exec, Text: "/bin/m", Critical: asked})
				// What is fatal is what can kill: that nobody is left is no event that could.
				line := map[string]string{
					"critical":     "critical 39 fatal 0 pgrp false transfer 0",
					"none":         "critical 0 fatal 0 pgrp false transfer 0",
					"fatal, group": "critical 39 fatal 38 pgrp true transfer 0",
					"none, group":  "critical 0 fatal 0 pgrp true transfer 0",
				}[word]
				r.has("run " + row.method.String() + " " + line)
				t.Attr("cell", fmt.Sprintf("3.2/terms|%s|%s|%s", row.method, Duration(d), word))
			})
		}
	}
}

// TestNotices are the lines of the console, as they were always read there.
//
//shows:3.3/notices 3.3/notice-start
func TestNotices(t *testing.T) {
	const see = " (see 'svcs -xv' for details) ]"
	for _, c := range []struct {
		notice           Notice
		fmri, name, want string
	}{
		{StartRequested, "svc:/system/foo:default", "", "[ system/foo:default starting ]"},
		{StartRequested, "svc:/system/foo:default", "Foo server", "[ system/foo:default starting (Foo server) ]"},
		{FailedRepeatedly, "svc:/a:b", "Foo", "[ a:b failed repeatedly: transitioned to maintenance" + see},
		{FailedConfiguration, "svc:/a:b", "", "[ a:b misconfigured: transitioned to maintenance" + see},
		{FailedFatally, "svc:/a:b", "", "[ a:b failed fatally: transitioned to maintenance" + see},
		{FailedTimeout, "svc:/a:b", "", "[ a:b timed out: transitioned to maintenance" + see},
		{FailedOther, "svc:/a:b", "", "[ a:b failed: transitioned to maintenance" + see},
		{MaintenanceRequested, "svc:/a:b", "", "[ a:b transitioned to maintenance by request" + see},
	} {
		if got := c.notice.Text(c.fmri, c.name); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
