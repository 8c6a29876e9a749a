package server

import (
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/repo/door"
)

func key(uid uint32, n int) batchKey {
	return batchKey{uid, [door.IDBytes]byte{byte(n), byte(n >> 8), byte(n >> 16)}}
}

func TestAnswered(t *testing.T) {
	now := time.Unix(1000, 0)
	var a answered
	a.init(func() time.Time { return now })
	first, mine := a.claim(key(0, 1), false)
	if !mine || first == nil {
		t.Fatal("a new batch is not its sender's")
	}
	for _, again := range []bool{false, true} {
		if e, mine := a.claim(key(0, 1), again); e != first || mine {
			t.Errorf("sent again: %v, %v", e, mine)
		}
	}
	// The same id of another user is another batch.
	if e, mine := a.claim(key(7, 1), true); e == first || !mine {
		t.Errorf("another user's: %v, %v", e, mine)
	}
	if _, mine := a.claim(key(0, 2), true); !mine {
		t.Error("one that never came is not done")
	}
	now = now.Add(rememberedFor - 1)
	if e, _ := a.claim(key(0, 1), true); e != first {
		t.Error("forgotten too early")
	}
	now = now.Add(1)
	if e, mine := a.claim(key(0, 1), true); e == first || !mine {
		t.Error("remembered for ever")
	}
}

// TestAnsweredByMany: what had to go before its time may have been what is asked for. Others do
// not push out root's.
func TestAnsweredByMany(t *testing.T) {
	now := time.Unix(1000, 0)
	var a answered
	a.init(func() time.Time { return now })
	roots, _ := a.claim(key(0, 0), false)
	for i := range rememberedMax + 1 {
		a.claim(key(7, i), false)
	}
	if e, _ := a.claim(key(7, 0), true); e != nil {
		t.Error("what was pushed out is done again")
	}
	if e, mine := a.claim(key(7, rememberedMax), true); e == nil || mine {
		t.Error("what is there is not found")
	}
	if _, mine := a.claim(key(8, 0), false); !mine {
		t.Error("what is sent for the first time is refused")
	}
	if e, mine := a.claim(key(0, 0), true); e != roots || mine {
		t.Error("others pushed out root's")
	}
	if n := len(a.of[1].byKey); n != rememberedMax || len(a.of[1].order) != n {
		t.Errorf("%d are remembered, %d in order", n, len(a.of[1].order))
	}
	now = now.Add(rememberedFor)
	if _, mine := a.claim(key(7, 0), true); !mine {
		t.Error("after that time nobody asks again")
	}
	if n := len(a.of[1].byKey); n != 1 {
		t.Errorf("%d are remembered", n)
	}
}
