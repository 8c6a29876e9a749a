package table

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// TestDeathTakesEvents: what a dead contract told vanishes from the bundles, but for what a
// reader stands at, and what a reliable one has before it. Who had it before him is told so. There
// may be too few contracts here for one to be kept for its events.
func TestDeathTakesEvents(t *testing.T) {
	w := newWorld(t, Config{ContractsMax: 63})
	id := w.contract(maker, root, 0, "critical exit,empty")
	other := w.contract(maker, root, 0, "critical exit")
	plain, late := w.open(OpenBundle, third, root), w.open(OpenBundle, third, root)
	// They have none of these events before them: one may not see them, one passes them over.
	stranger, critical := w.open(OpenBundle, third, alice), w.open(OpenBundle, third, root)
	w.ok(Op{Kind: CriticalOnly, FH: critical})
	w.want(unix.EPERM, Op{Kind: Reliable, FH: plain, Cred: alice})
	ev := w.openContract(id, root)
	w.fact(other, exited)
	w.fact(id, exited)
	w.fact(id, exited)
	w.ok(Op{Kind: Next, FH: late})
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.empty(id)
	w.restart()
	w.is(id, "dead")
	w.reads(plain, lostLine(0, 2), "2 1 crit noack process exit pid=500 status=0", ackLine(2))
	w.reads(late, lostLine(0, 2), ackLine(2))
	w.reads(ev, ackLine(2), ackLine(3), "1 4 crit ack process empty pid=500")
	w.reads(ev, "EOF")
	w.reads(stranger)
	w.reads(critical, "2 1 crit noack process exit pid=500 status=0")
	w.ok(Op{Kind: Close, FH: ev})
	w.is(id, "gone")
}

// TestDeathLeavesTheLast: readers of the bundle that are not far behind are told all of what is
// dead by then; of those that are, each contract that dies later takes its events with it. A
// contract that is dead is kept for as long as somebody is to be told.
func TestDeathLeavesTheLast(t *testing.T) {
	w := newWorld(t, Config{ContractsMax: 64 * 4})
	b, pb := w.open(OpenBundle, third, root), w.open(OpenPBundle, maker, root)
	var want []string
	var ids []contract.ID
	for n := 1; n <= 10; n++ { // four events stay, and the one that b stands at
		id := w.contract(maker, root, 0, "informative exit")
		ids = append(ids, id)
		w.fact(id, exited)
		w.empty(id)
		w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
		w.ok(Op{Kind: Removed, CT: id})
		if n <= 2 {
			want = append(want, fmt.Sprintf("%d %d info noack process exit pid=500 status=0", id, 2*n-1), fmt.Sprintf("%d %d crit ack process empty pid=500", id, 2*n))
		}
		w.restart()
	}
	w.contract(maker, root, 0, "") // takes latest over
	for i, id := range ids {
		if is := slices.Contains(w.tab.IDs(), id); is != (i < 2) {
			t.Errorf("contract %d is there: %v", id, is)
		}
	}
	w.reads(b, append([]string{lostLine(0, 16)}, want...)...)
	w.reads(pb, "1 1 info noack process exit pid=500 status=0") // it stood there, and let go of all
	for _, id := range ids {
		w.is(id, "gone")
	}
	w.restart()
}
