package instance

import (
	"testing"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// TestWaits: an order with a ticket waits while a method runs, and until it is carried out.
func TestWaits(t *testing.T) {
	r := newRig(t, Config{})
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	r.run(Spec{})
	r.do(Input{Kind: Order, Event: graph.AdminRestart, Ticket: 7})
	r.do(Input{Kind: Order, Event: graph.AdminRefresh, Ticket: 8})
	if !r.m.Waits(7) || !r.m.Waits(8) || r.m.Waits(9) {
		t.Error("who waits while the start method runs")
	}
	r.do(Input{Kind: Ended, Pid: r.pid, Status: exited(0)})
	if r.m.Waits(7) || !r.m.Waits(8) {
		t.Error("who waits while the restart's stop method runs")
	}
	r.order(graph.RemoveInstance)
	if r.m.Waits(8) {
		t.Error("who waits for what is gone")
	}
}

// TestTooQuickByWhom: an instance that is killed again and again, until it restarts too quickly, says
// who did it last, also when it waits in place of going to maintenance; what an administrator has
// cleared is forgotten.
func TestTooQuickByWhom(t *testing.T) {
	const who = "killed by SIGKILL from pid 812 (pkill), contract 44, svc:/site/cleaner:default"
	for _, backoff := range []bool{false, true} {
		r := newRig(t, Config{CriticalCount: 2, Backoff: backoff})
		r.order(graph.EnableInstance)
		for range 2 {
			r.order(graph.Start)
			if r.m.going == nil || r.m.going.phase != looking {
				break
			}
			r.found(Spec{Kind: Exec, Text: "/web", Critical: contract.Signal})
			if r.m.going == nil {
				break
			}
			r.pid++
			r.ct++
			r.do(Input{Kind: Started, Pid: r.pid, Contract: r.ct})
			r.do(Input{Kind: Ended, Pid: r.pid, Status: exited(0)})
			r.do(Input{Kind: Event, Contract: r.ct, Events: contract.Signal, Detail: who})
			r.found(Spec{Kind: Null})
			r.do(Input{Kind: Emptied, Contract: r.ct})
		}
		if got := r.m.states(); got.Aux != auxTooQuick || got.Detail != who {
			t.Errorf("backoff %t: %+v", backoff, got)
		}
		r.order(graph.AdminMaintOff)
		if got := r.m.starts.stopped; got != "" {
			t.Errorf("after it was cleared: %q", got)
		}
	}
}
