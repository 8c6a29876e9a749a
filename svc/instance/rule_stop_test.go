package instance

import (
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/graph"
)

// ruleStopWaits: a stop is done when the service has no process, within the time that its method
// has left.
func ruleStopWaits(t *testing.T) {
	stopping := func(t *testing.T) *rig {
		r := lead(t, Stop, Config{})
		r.run(Spec{Kind: Exec, Text: "/bin/stop", Timeout: time.Minute})
		r.after(50 * time.Second)
		r.ended(0)
		r.has("timer at 1m0s")
		return r
	}
	t.Run("empties", func(t *testing.T) {
		r := stopping(t)
		r.do(Input{Kind: Emptied, Contract: 99})
		r.says("")
		r.do(Input{Kind: Event, Contract: 11, Events: 1})
		r.has("write offline dependency_activity class restart answers")
		r.do(Input{Kind: Emptied, Contract: 11}) // late
		r.says("")
	})
	t.Run("is-empty", func(t *testing.T) {
		r := lead(t, Stop, Config{})
		r.do(Input{Kind: Event, Contract: 11, Events: 1})
		r.says("")
		r.run(Spec{Kind: Exec, Text: "/bin/stop"})
		r.ended(0)
		r.has("write offline dependency_activity class restart answers")
		r.hasNot("watch")
	})
	t.Run("times-out", func(t *testing.T) {
		r := stopping(t)
		r.after(10 * time.Second)
		r.fire()
		r.says(`log Method or service exit timed out.  Killing contract 11.
			kill 11 with 9
			timer at 1m30s`)
		r.do(Input{Kind: Emptied, Contract: 11})
		r.says(`timer off
			abandon 12
			forget 12 transient true
			method stop ended
			say [ site/web:default failed: transitioned to maintenance (see 'svcs -xv' for details) ]
			write maintenance method_failed class error answers`)
		if r.m.primary != 11 {
			t.Error("the primary contract is not kept")
		}
	})
	t.Run("can-not-be-killed", func(t *testing.T) {
		r := stopping(t)
		r.fire()
		r.fire()
		r.has("log Service contract 11 is not empty, although it was killed.")
		r.has("write maintenance method_failed class error answers")
		r.do(Input{Kind: Emptied, Contract: 11})
		r.order(graph.AdminMaintOff)
		r.has("abandon 11")
	})
	t.Run("failed-does-not-wait", func(t *testing.T) {
		r := lead(t, Stop, Config{})
		for range 3 {
			r.run(Spec{Kind: Exec, Text: "/bin/stop"})
			r.ended(exited(1))
			r.hasNot("watch")
		}
		r.has("write maintenance fault_threshold_reached class error answers")
		r.event(1) // of a service that nobody keeps up
		r.says("")
	})
}

// ruleStopKill: ":kill" has the whole time for the service's processes to end.
func ruleStopKill(t *testing.T) {
	r := lead(t, Stop, Config{})
	r.found(Spec{Kind: Kill, Signal: syscall.SIGTERM, Timeout: time.Minute})
	r.after(30 * time.Second)
	r.do(Input{Kind: Signalled})
	r.says(`watch 11
		timer at 1m30s`)
	r.fire()
	r.has("kill 11 with 9")
	r.do(Input{Kind: Emptied, Contract: 11})
	r.has("write maintenance method_failed class error answers")

	r = lead(t, Stop, Config{})
	r.found(Spec{Kind: Kill, Signal: syscall.SIGTERM})
	r.do(Input{Kind: Signalled})
	r.says("watch 11") // for ever
}

// ruleTransfer: the contract of what was stopped goes to what is started, or is abandoned.
func ruleTransfer(t *testing.T) {
	stopped := func(t *testing.T) *rig {
		r := lead(t, Stop, Config{})
		r.found(Spec{Kind: Null})
		r.is(graph.Offline, graph.None)
		r.event(0x10) // it is stopped
		r.says("")
		return r
	}
	t.Run("refused", func(t *testing.T) {
		r := stopped(t)
		r.order(graph.Start)
		r.found(Spec{Kind: Exec, Text: "/bin/web"})
		r.has("run start critical 0 fatal 0 pgrp false transfer 11")
		r.do(Input{Kind: Started, Pid: 200, Contract: 20, Refused: true})
		r.says(`abandon 11
			forget 11 transient false
			remember 20 transient false
			method start is 200`)
	})
	t.Run("disabled", func(t *testing.T) {
		r := stopped(t)
		r.order(graph.DisableInstance)
		r.says(`abandon 11
			forget 11 transient false
			log Disabled.
			write disabled disable_request class restart answers`)
	})
	t.Run("maintenance", func(t *testing.T) {
		r := stopped(t)
		r.order(graph.AdminMaintOn)
		r.has("abandon 11")
	})
	t.Run("failed-start", func(t *testing.T) {
		r := stopped(t)
		r.order(graph.Start)
		r.found(Spec{Kind: Bad, Text: "bad"})
		r.has("write maintenance method_failed class error answers")
		r.has("abandon 11")
	})
}

func ruleNotices(t *testing.T) {
	for n := StartRequested; n <= MaintenanceRequested; n++ {
		if noticeTexts[n] == "" {
			t.Errorf("notice %d says nothing", n)
		}
	}
	if got := StartRequested.Text("svc:/system/foo:default", ""); got != "[ system/foo:default starting ]" {
		t.Error(got)
	}
}
