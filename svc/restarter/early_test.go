package restarter

import (
	"testing"

	"github.com/linuxzones/zones/contract"
)

// TestManyEarlyEvents: a contract of which many events come before it is known whose it is does not
// crowd out what comes after them.
func TestManyEarlyEvents(t *testing.T) {
	r := &Restarter{starts: 1, byCT: map[contract.ID]*unit{}}
	const many = 2 * earlyMax
	for i := range many {
		r.happened(contract.Event{CT: 7, ID: contract.EventID(i), Kind: contract.Signal})
	}
	r.happened(contract.Event{CT: 7, ID: many, Kind: contract.Empty})
	r.happened(contract.Event{CT: 8, ID: many + 1, Kind: contract.Signal})
	if len(r.early) != 3 || r.early[0].ID != 0 || r.early[1].Kind != contract.Empty || r.early[2].CT != 8 || len(r.acks) != many-1 {
		t.Errorf("%d are held, %d acknowledged", len(r.early), len(r.acks))
	}
}
