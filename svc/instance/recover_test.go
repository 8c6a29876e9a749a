package instance

import (
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

func recovered(t *testing.T, config Config, b Before) *rig {
	r := bareRig(t)
	r.do(Input{Kind: Recovered, Before: b, Config: &config})
	return r
}

// TestRecovered is part 3.5: what a svc.startd finds of the one before it, and says at once.
func TestRecovered(t *testing.T) {
	held := func(id contract.ID) []Held { return []Held{{ID: id, There: true}} }
	for _, c := range []struct {
		name   string
		config Config
		before Before
		says   string
	}{
		{"3.5/nothing", Config{}, Before{}, `write uninitialized insert_in_graph`},
		{"3.5/uninitialized", Config{}, Before{State: graph.Uninitialized, Next: graph.Offline, Aux: "x"}, `write uninitialized insert_in_graph`},
		{"3.5/made-anew", Config{}, Before{Contracts: []Held{{ID: 4, There: true}}, Method: &InFlight{Pid: 7, Contract: 4}}, `
			abandon 4
			forget 4 transient false
			write uninitialized insert_in_graph`},
		{"3.5/disabled", Config{}, Before{State: graph.Disabled, Aux: auxDisabled}, `write disabled startd_restart`},
		{"3.5/offline", Config{}, Before{State: graph.Offline, Contracts: held(4)}, `write offline startd_restart`},
		{"3.5/online", Config{}, Before{State: graph.Online, Contracts: held(4)}, `write online startd_restart`},
		{"3.5/online-transient", Config{Duration: Transient}, Before{State: graph.Online}, `write online startd_restart`},
		{"3.5/online-child", Config{Duration: Child}, Before{State: graph.Online, Child: 7, Contracts: held(4)}, `write online startd_restart`},
		{"3.5/degraded", Config{}, Before{State: graph.Degraded, Aux: auxAdministrator, AuxTTY: true}, `write degraded administrative_request tty`},
		{"3.5/maintenance", Config{}, Before{State: graph.Maintenance, Aux: auxService, AuxFMRI: "svc:/a:b"}, `write maintenance service_request by svc:/a:b`},
		{"3.5/contract-gone", Config{}, Before{State: graph.Online, Contracts: []Held{{ID: 4}}}, `
			forget 4 transient false
			write online startd_restart
			log Stopping because all processes in service exited.
			write online->offline ct_ev_exit
			lookup stop 1`},
		{"3.5/contract-empty", Config{}, Before{State: graph.Online, Contracts: []Held{{ID: 4, There: true, Empty: true}}}, `write online startd_restart`},
		{"3.5/child-unknown", Config{Duration: Child}, Before{State: graph.Online, Contracts: held(4)}, `
			write online startd_restart
			log Stopping because all processes in service exited.
			write online->offline ct_ev_exit
			abandon 4
			forget 4 transient false
			write offline ct_ev_exit class restart`},
		{"3.5/contracts-too-many", Config{}, Before{State: graph.Online, Contracts: []Held{
			{ID: 4, There: true}, {ID: 9, There: true}, {ID: 6, There: true}, {ID: 5}, {ID: 7, Transient: true, There: true}, {ID: 8, Transient: true}}}, `
			abandon 4
			forget 4 transient false
			abandon 6
			forget 6 transient false
			forget 5 transient false
			abandon 7
			forget 7 transient true
			forget 8 transient true
			write online startd_restart`},
		{"3.5/start-not-begun", Config{}, Before{State: graph.Offline, Next: graph.Online, Aux: auxSatisfied}, `write offline dependencies_satisfied`},
		{"3.5/stop-not-begun", Config{}, Before{State: graph.Online, Next: graph.Offline, Aux: causeCore.aux, Detail: "by x", Contracts: held(4)}, `
			write online->offline ct_ev_core (by x)
			lookup stop 1`},
		{"3.5/disable-not-begun", Config{}, Before{State: graph.Degraded, Next: graph.Disabled, Aux: auxDisabled}, `
			write degraded->disabled disable_request
			lookup stop 1`},
		{"3.5/maintenance-not-begun", Config{}, Before{State: graph.Online, Next: graph.Maintenance, Aux: auxService, AuxFMRI: "svc:/a:b"}, `
			write online->maintenance service_request by svc:/a:b
			lookup stop 1`},
		{"3.5/refresh-not-begun", Config{}, Before{State: graph.Online, Next: graph.Online, Aux: auxSatisfied, Contracts: held(4)}, `
			write online->online dependencies_satisfied
			lookup refresh 1`},
		{"3.5/child-throttled", Config{Duration: Child}, Before{State: graph.Online, Next: graph.Offline, Aux: causeExit.aux, Child: 7, Contracts: held(4)}, `
			write online->offline ct_ev_exit
			abandon 4
			forget 4 transient false
			write offline ct_ev_exit class restart`},
		{"3.5/no-method-for-it", Config{}, Before{State: graph.Disabled, Next: graph.Online, Method: &InFlight{Pid: 7, Contract: 4}}, `
			abandon 4
			write disabled startd_restart`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := recovered(t, c.config, c.before)
			r.says(c.says)
			r.refused(Input{Kind: Recovered}, ErrThere)
			r.refused(Input{Kind: Order, Event: graph.AddInstance}, ErrThere)
		})
	}
}

// flight is a method that was begun some time ago.
func flight(after time.Duration) *InFlight {
	return &InFlight{Pid: 7, Contract: 5, Began: epoch.Add(-after), Timeout: time.Minute}
}

// TestRecoveredStart: what another has begun is waited for, and not begun again.
func TestRecoveredStart(t *testing.T) {
	start := func(t *testing.T) *rig {
		r := recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Online, Aux: auxSatisfied, Method: flight(50 * time.Second),
			Contracts: []Held{{ID: 5, There: true}, {ID: 3, There: true, Empty: true}}})
		r.says(`remember 5 transient false
			method start is 7
			abandon 3
			forget 3 transient false
			write offline->online dependencies_satisfied
			timer at 10s`)
		r.order(graph.Stop)
		r.says("")
		return r
	}
	t.Run("start", func(t *testing.T) {
		r := start(t)
		r.do(Input{Kind: Ended, Pid: 7})
		r.says(`timer off
			status 0
			log Method "start" exited with status 0.
			method start ended
			write online dependencies_satisfied
			log Stopping because dependency activity requires stop.
			write online->offline dependency_activity
			lookup stop 1`)
	})
	t.Run("start-fails", func(t *testing.T) {
		r := start(t)
		r.do(Input{Kind: Ended, Pid: 7, Status: exited(1)})
		r.has("abandon 5")
		r.has("lookup start 2")
	})
	t.Run("start-times-out", func(t *testing.T) {
		r := start(t)
		r.fire()
		r.has("kill 5 with 9")
	})
	t.Run("start-unknown", func(t *testing.T) {
		r := start(t)
		r.do(Input{Kind: Ended, Pid: 7, Lost: true})
		r.has("write online dependencies_satisfied")
		r.hasNot("status")
	})
	t.Run("start-judged", func(t *testing.T) { // its contract was abandoned: it had failed
		r := recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Online, Aux: auxSatisfied, Method: flight(0), Contracts: []Held{{ID: 5}}})
		r.has("forget 5 transient false")
		r.do(Input{Kind: Ended, Pid: 7, Lost: true})
		r.has("lookup start 2")
	})
	t.Run("start-gone", func(t *testing.T) {
		f := flight(0)
		f.Gone = true
		r := recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Online, Method: f})
		r.hasNot("remember")
		r.do(Input{Kind: Ended, Pid: 7, Status: exited(95)})
		r.has("write maintenance method_failed class error")
	})
	t.Run("not-written-yet", func(t *testing.T) {
		r := recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Online, Aux: auxSatisfied, Method: flight(0)})
		r.says(`remember 5 transient false
			method start is 7
			write offline->online dependencies_satisfied
			timer at 1m0s`)
	})
}

// TestRecoveredOthers is the same of a child, a stop and a refresh.
func TestRecoveredOthers(t *testing.T) {
	t.Run("child", func(t *testing.T) {
		r := recovered(t, Config{Duration: Child}, Before{State: graph.Offline, Next: graph.Online, Aux: auxSatisfied, Method: flight(0)})
		r.says(`remember 5 transient false
			method start is 7
			write offline->online dependencies_satisfied
			method start ended
			write online dependencies_satisfied`)
		r.do(Input{Kind: Ended, Pid: 7, Status: exited(1)})
		r.has("write offline ct_ev_exit class restart")
	})
	t.Run("stop", func(t *testing.T) {
		r := recovered(t, Config{}, Before{State: graph.Online, Next: graph.Disabled, Aux: auxDisabled, Method: flight(2 * time.Minute),
			Contracts: []Held{{ID: 3, There: true}, {ID: 5, Transient: true, There: true}}})
		r.says(`remember 5 transient true
			method stop is 7
			write online->disabled disable_request
			timer at 0s`)
		r.do(Input{Kind: Ended, Pid: 7, Lost: true})
		r.has("watch 3")
		r.has("kill 3 with 9") // its time was over long ago
		r.do(Input{Kind: Emptied, Contract: 3})
		r.has("write maintenance method_failed class error")
	})
	t.Run("refresh", func(t *testing.T) {
		f := flight(0)
		f.Began, f.Timeout = epoch.Add(time.Hour), 0 // the clock was set back
		r := recovered(t, Config{}, Before{State: graph.Online, Next: graph.Online, Aux: auxSatisfied, Method: f,
			Contracts: []Held{{ID: 3, There: true}, {ID: 5, Transient: true, There: true}}})
		r.says(`remember 5 transient true
			method refresh is 7
			write online->online dependencies_satisfied`)
		r.do(Input{Kind: Event, Contract: 3, Events: contract.Core})
		r.do(Input{Kind: Ended, Pid: 7})
		r.has("forget 5 transient true")
		r.has("write online dependencies_satisfied class refresh")
		r.has("write online->offline ct_ev_core")
	})
	t.Run("clock-set-back", func(t *testing.T) {
		r := recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Online, Method: flight(-time.Hour)})
		r.has("timer at 1m0s")
	})
}

// TestRecoveredRefused: a repository that says what can not be.
func TestRecoveredRefused(t *testing.T) {
	for _, b := range []Before{
		{State: graph.Maintenance + 1}, {State: graph.Online, Next: graph.Maintenance + 1}, {State: graph.Online, Child: -1},
		{State: graph.Online, Contracts: []Held{{There: true}}}, {State: graph.Online, Next: graph.Online, Method: &InFlight{Contract: 3}},
	} {
		r := bareRig(t)
		r.refused(Input{Kind: Recovered, Before: b}, ErrInput)
		r.refused(Input{Kind: Order, Event: graph.Start}, ErrUnknown)
		r.order(graph.AddInstance) // it is as new
		r.says("write uninitialized insert_in_graph")
	}
}

// TestRecoveredGoesOn: after it the instance is as any other.
func TestRecoveredGoesOn(t *testing.T) {
	r := recovered(t, Config{}, Before{State: graph.Offline, Aux: auxSatisfied, Contracts: []Held{{ID: 4, There: true, Empty: true}}})
	r.order(graph.Start) // it is enabled: the graph knows better soon
	r.found(Spec{Kind: Exec, Text: "/bin/web"})
	r.has("run start critical 0 fatal 0 pgrp false transfer 4")
	r = recovered(t, Config{}, Before{State: graph.Online, Contracts: []Held{{ID: 4, There: true}}})
	r.order(graph.DisableInstance)
	r.has("write online->disabled disable_request")
	r = recovered(t, Config{}, Before{State: graph.Offline, Next: graph.Disabled, Aux: auxDisabled}) // it was not ready
	r.order(graph.Start)
	r.says("")
	r.found(Spec{Kind: Exec, Text: "/bin/stop"})
	r.has("write disabled disable_request class restart")
	r.has("answer disabled disable_request answers")
	r = recovered(t, Config{}, Before{State: graph.Maintenance, Contracts: []Held{{ID: 4, There: true}}})
	r.order(graph.AdminMaintOff)
	r.has("abandon 4")
}
