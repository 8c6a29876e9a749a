package instance

import (
	"testing"

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
