package instance

import (
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// TestStory is the life of a service, with every action in its place.
func TestStory(t *testing.T) {
	r := newRig(t, Config{})
	r.says("write uninitialized insert_in_graph")
	r.order(graph.EnableInstance)
	r.says(`log Enabled.
		write offline insert_in_graph answers`)
	r.order(graph.Start)
	r.says(`write offline->online dependencies_satisfied
		say [ site/web:default starting (Web server) ]
		lookup start 1`)
	r.found(Spec{Kind: Exec, Text: "/bin/web start", Timeout: time.Minute, Critical: contract.Empty | contract.Core})
	r.says(`log Executing start method ("/bin/web start").
		run start critical 9 fatal 0 pgrp false transfer 0`)
	r.pid, r.ct = 101, 11
	r.do(Input{Kind: Started, Pid: 101, Contract: 11})
	r.says(`remember 11 transient false
		method start is 101
		timer at 1m0s`)
	r.ended(0)
	r.says(`timer off
		status 0
		log Method "start" exited with status 0.
		method start ended
		write online dependencies_satisfied answers`)

	storyDown(r)
}

// storyDown is what comes after the start.
func storyDown(r *rig) {
	r.do(Input{Kind: Order, Event: graph.AdminRefresh})
	r.says(`log Rereading configuration.
		write online->online dependencies_satisfied
		lookup refresh 1`)
	r.found(Spec{Kind: NoGroup})
	r.says(`log No 'refresh' method defined.  Treating as :true.
		write online dependencies_satisfied class refresh`)

	r.do(Input{Kind: Event, Contract: 11, Events: contract.Core, Detail: "web, pid 103"})
	r.says(`warn svc:/site/web:default: Stopping because process dumped core: web, pid 103
		log Stopping because process dumped core.
		write online->offline ct_ev_core (web, pid 103)
		lookup stop 1`)
	r.found(Spec{Kind: Exec, Text: "/bin/web stop", Timeout: time.Minute})
	r.says(`log Executing stop method ("/bin/web stop").
		run stop critical 0 fatal 0 pgrp false transfer 0`)
	r.pid, r.ct = 104, 12
	r.do(Input{Kind: Started, Pid: 104, Contract: 12})
	r.says(`remember 12 transient true
		method stop is 104
		timer at 1m0s`)
	r.after(20 * time.Second)
	r.ended(0)
	r.says(`timer off
		log Method "stop" exited with status 0.
		watch 11
		timer at 1m0s`)
	r.do(Input{Kind: Emptied, Contract: 11})
	r.says(`timer off
		abandon 12
		forget 12 transient true
		method stop ended
		write offline ct_ev_core (web, pid 103) class error`)

	// The contract is kept, for the next start to take over what it inherited.
	r.order(graph.Start)
	r.found(Spec{Kind: Exec, Text: "/bin/web start", Critical: contract.Empty})
	r.has("run start critical 1 fatal 0 pgrp false transfer 11")
	r.do(Input{Kind: Started, Pid: 105, Contract: 13})
	r.says(`forget 11 transient false
		remember 13 transient false
		method start is 105`)
	r.pid = 105
	r.ended(0)
	r.is(graph.Online, graph.None)

	r.order(graph.AdminDisable)
	r.has("write online->disabled disable_request")
	r.found(Spec{Kind: Kill, Signal: syscall.SIGTERM})
	r.says(`log Executing stop method (:kill).
		signal 13 with 15`)
	r.do(Input{Kind: Signalled})
	r.says("watch 13")
	r.do(Input{Kind: Emptied, Contract: 13})
	r.says(`abandon 13
		forget 13 transient false
		write disabled disable_request class restart answers`)
	r.check.rest()
}

// TestChildStory is that of a child.
func TestChildStory(t *testing.T) {
	r := newRig(t, Config{Duration: Child})
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	r.found(Spec{Kind: Exec, Text: "/bin/getty", Timeout: time.Minute, Critical: contract.Empty | contract.Core | contract.Signal})
	r.has("run start critical 19 fatal 18 pgrp true transfer 0")
	r.do(Input{Kind: Started, Pid: 7, Contract: 3})
	r.says(`remember 3 transient false
		method start is 7
		status 0
		method start ended
		write online dependencies_satisfied answers`)
	r.event(contract.Core)
	r.says("")
	r.do(Input{Kind: Ended, Pid: 7, Status: exited(1), Detail: "getty"})
	r.says(`warn svc:/site/web:default: exited with status 1
		log Stopping because service exited with an error.
		write online->offline ct_ev_exit (getty)
		abandon 3
		forget 3 transient false
		write offline ct_ev_exit (getty) class restart`)

	// Who stops it does not have its end taken for one of its own.
	r.order(graph.Start)
	r.found(Spec{Kind: Exec, Text: "/bin/getty"})
	r.do(Input{Kind: Started, Pid: 8, Contract: 4})
	r.order(graph.AdminRestart)
	r.has("log Stopping because service restarting.")
	r.found(Spec{Kind: Kill, Signal: syscall.SIGTERM})
	r.do(Input{Kind: Signalled})
	r.do(Input{Kind: Ended, Pid: 8, Status: killed(syscall.SIGTERM)})
	r.says("")
	r.do(Input{Kind: Emptied, Contract: 4})
	r.says("write offline restart_request class restart")

	// A configuration error is one for an administrator.
	r.order(graph.Start)
	r.found(Spec{Kind: Exec, Text: "/bin/getty"})
	r.do(Input{Kind: Started, Pid: 9, Contract: 5})
	r.do(Input{Kind: Ended, Pid: 9, Status: exited(96)})
	r.has("write offline method_failed class error")
	r.has("write offline->maintenance method_failed")
	r.found(Spec{Kind: Exec, Text: "never run"})
	r.says("write maintenance method_failed class error")
	r.check.rest()
}

// TestMaintenance: who asked for it stands beside the state.
func TestMaintenance(t *testing.T) {
	r := newRig(t, Config{}).online()
	r.do(Input{Kind: Order, Event: graph.AdminMaintOn, TTY: true, AuxFMRI: "svc:/ignored"})
	r.says(`log Stopping for maintenance due to administrative_request.
		say [ site/web:default transitioned to maintenance by request (see 'svcs -xv' for details) ]
		write online->maintenance administrative_request tty
		lookup stop 1`)
	r.found(Spec{Kind: Null})
	r.says(`log Executing stop method (null).
		abandon 11
		forget 11 transient false
		write maintenance administrative_request tty class restart`)
	r.do(Input{Kind: Order, Event: graph.AdminMaintOn})
	r.says("log Stopping for maintenance due to service_request.")
	r.order(graph.DisableInstance) // the graph's: it stays
	r.says("answer maintenance administrative_request tty answers")
	r.order(graph.Start)
	r.says("answer maintenance administrative_request tty answers")
	r.order(graph.AdminMaintOff)
	r.says(`log Leaving maintenance because clear requested.
		write uninitialized clear_request class restart`)
	r.order(graph.EnableInstance)
	r.says(`log Enabled.
		write offline enable_request answers`)
	r.order(graph.AdminMaintOff)
	r.says("")

	r.online()
	r.do(Input{Kind: Order, Event: graph.AdminMaintOnImmediate, AuxFMRI: "svc:/site/watcher:default"})
	r.says(`log Stopping for maintenance due to service_request.
		abandon 12
		forget 12 transient false
		write maintenance service_request by svc:/site/watcher:default class restart`)
	r.order(graph.AdminDisable)
	r.says(`log Leaving maintenance because disable requested.
		write uninitialized disable_request class restart answers`)
	r.order(graph.DisableInstance)
	r.says(`log Disabled.
		write disabled disable_request class restart answers`)
	r.order(graph.DependencyCycle)
	r.says(`log Stopping for maintenance due to dependency_cycle.
		write maintenance dependency_cycle class restart`)
	r.order(graph.AdminMaintOff)
	r.order(graph.InvalidDependency)
	r.has("write maintenance invalid_dependency class restart")
	r.check.rest()
}

// TestDegraded: what the original only has a word for.
func TestDegraded(t *testing.T) {
	r := newRig(t, Config{})
	r.order(graph.AdminDegraded)
	r.says("")
	r.online()
	r.do(Input{Kind: Order, Event: graph.AdminDegraded, TTY: true})
	r.says(`log Degraded due to administrative_request.
		write degraded administrative_request tty`)
	r.order(graph.AdminDegraded)
	r.says("")
	r.do(Input{Kind: Monitored, Status: exited(0)})
	r.says("") // an administrator's word stands
	r.order(graph.AdminRefresh)
	r.has("write degraded->degraded administrative_request tty")
	r.found(Spec{Kind: Null})
	r.has("write degraded administrative_request tty class refresh")
	r.order(graph.AdminMaintOff)
	r.says(`log Leaving degraded state because clear requested.
		write online clear_request`)

	// At once is not after the refresh.
	r.order(graph.AdminRefresh)
	r.do(Input{Kind: DegradeImmediate, AuxFMRI: "svc:/site/watcher:default"})
	r.has("write degraded->degraded service_request by svc:/site/watcher:default")
	r.found(Spec{Kind: Null})
	r.has("write degraded service_request by svc:/site/watcher:default class refresh")
	r.order(graph.Stop)
	r.has("write degraded->offline dependency_activity")
	r.do(Input{Kind: DegradeImmediate})
	r.found(Spec{Kind: Null})
	r.has("write offline dependency_activity class restart answers")
	r.hasNot("degraded")
	r.check.rest()
}

// TestMonitor: 97 and 98 are a monitor's.
func TestMonitor(t *testing.T) {
	r := newRig(t, Config{})
	r.do(Input{Kind: Monitored, Status: exited(97)})
	r.says("")
	r.online()
	for _, status := range []syscall.WaitStatus{exited(0), exited(1), killed(syscall.SIGKILL)} {
		r.do(Input{Kind: Monitored, Status: status})
		r.says("")
	}
	r.refused(Input{Kind: Monitored, Status: 0x7f}, ErrInput)
	r.do(Input{Kind: Monitored, Status: exited(97)})
	r.has("write degraded service_request")
	r.do(Input{Kind: Monitored, Status: exited(0)})
	r.has("write online clear_request")
	r.do(Input{Kind: Monitored, Status: exited(98)})
	r.has("log Stopping because its monitor reports that it does not work.")
	r.do(Input{Kind: Monitored, Status: exited(97)}) // of before
	r.says("")
	r.found(Spec{Kind: Null})
	r.has("write offline service_request class error")
	r.check.rest()
}

// TestLapsed: a periodic service whose start method fails at a later time is stopped as one that has
// failed, and is the graph's to start again.
func TestLapsed(t *testing.T) {
	r := newRig(t, Config{Duration: Transient})
	r.do(Input{Kind: Lapsed}) // it does not run
	r.says("")
	r.online()
	r.do(Input{Kind: Lapsed})
	r.has("log Stopping because a periodic run of its start method failed.")
	r.has("write online->offline method_failed")
	r.do(Input{Kind: Lapsed}) // it is being stopped
	r.says("")
	r.found(Spec{Kind: Null})
	r.has("write offline method_failed class error")
	r.check.rest()
}
