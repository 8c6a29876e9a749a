package zoned

import (
	"testing"
	"time"
)

func TestRefusalsAreFewInTheLog(t *testing.T) {
	var r refusals
	now := time.Unix(1e9, 0)
	logged := 0
	for range 10 * refusalsLogged {
		if ok, silent := r.allow(now); ok {
			logged++
			if silent != 0 {
				t.Errorf("%d were silent before the first that was", silent)
			}
		}
	}
	if logged != refusalsLogged {
		t.Errorf("%d were logged, want %d", logged, refusalsLogged)
	}
	if ok, silent := r.allow(now.Add(time.Minute)); !ok || silent != 9*refusalsLogged {
		t.Errorf("a minute later: %v, %d silent; want %d", ok, silent, 9*refusalsLogged)
	}
}
