package table

import (
	"testing"

	"github.com/linuxzones/zones/contract"
)

func TestLifeOfAContract(t *testing.T) {
	w := newWorld(t, Config{})
	pb := w.open(OpenPBundle, maker, alice)
	id := w.contract(maker, alice, 0, "informative exit\n")
	w.is(id, "owned")
	w.restart()
	w.fact(id, Fact{Event: contract.Exit, Status: 256})
	ev := w.empty(id)
	w.empty(id)
	w.restart()
	w.reads(pb, "1 1 info noack process exit pid=500 status=256", "1 2 crit noack process empty pid=500")
	w.restart()
	w.ok(Op{Kind: Ack, CT: id, EV: ev, Proc: maker})
	w.reads(pb)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.is(id, "dead")
	w.restart()
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	w.reads(pb, "identifier removed")
	w.is(id, "gone")
	w.ok(Op{Kind: Removed, CT: id})
	w.ok(Op{Kind: Close, FH: pb})
	w.restart()
}
