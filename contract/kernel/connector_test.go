package kernel

import (
	"os/exec"
	"testing"
	"time"
)

// deaf is a listener that has not asked yet, and hears what others of the host have asked for.
func deaf(t *testing.T, rcvBytes int) *connector {
	t.Helper()
	r := newRig(t, Config{Off: SourceBPF}) // the other one
	if r.z.Sources()&SourceConnector == 0 {
		t.Fatalf("the kernel has no process connector: %v", ProbeConnector())
	}
	c, err := newConnector()
	check(t, err)
	t.Cleanup(c.close)
	check(t, c.bind(rcvBytes))
	return c
}

// A supervisor that was held up between its request and the look at the answer, for longer than the
// kernel may take, has its answer all the same.
func TestAnswerToWhoWasHeldUp(t *testing.T) {
	c := deaf(t, connectorBytes)
	check(t, c.send(connListen))
	if err := c.acked(-time.Minute); err != nil {
		t.Errorf("the answer was there, and it is told: %v", err)
	}
	// Where no answer is, none is found.
	if err := c.acked(-time.Minute); err != ErrSource {
		t.Errorf("without an answer: %v", err)
	}
}

// An answer that finds the socket full of what others do is asked for again.
func TestAnswerWithoutRoom(t *testing.T) {
	c := deaf(t, 4096)
	for range 100 { // several times as much as there is room for
		check(t, exec.Command("/bin/true").Run())
	}
	check(t, c.send(connListen))
	if err := c.acked(ackWait); err != nil {
		t.Errorf("the answer found no room: %v", err)
	}
	if !c.overrun {
		t.Error("what was lost meanwhile is not known to be")
	}
}
