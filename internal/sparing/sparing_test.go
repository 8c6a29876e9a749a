package sparing_test

import (
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/sparing"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestAllow: what is over the limit is counted, and told when the next minute begins.
func TestAllow(t *testing.T) {
	const most = 20
	l := sparing.Limiter{PerMinute: most}
	now := time.Unix(1e9, 0)
	logged := 0
	for range 10 * most {
		if ok, silent := l.Allow(now); ok {
			logged++
			if silent != 0 {
				t.Errorf("%d were silent before the first that was", silent)
			}
		}
	}
	if logged != most {
		t.Errorf("%d were logged, want %d", logged, most)
	}
	if ok, silent := l.Allow(now.Add(time.Minute)); !ok || silent != 9*most {
		t.Errorf("a minute later: %v, %d silent; want %d", ok, silent, 9*most)
	}
}
