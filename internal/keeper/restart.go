package keeper

// The times of restarting a supervisor, in nanoseconds.
const (
	second = int64(1e9)
	// crashSpacing: a supervisor that dies before its start-up is complete is started again
	// no sooner than this after the last start, as the monitor of OVS does.
	crashSpacing = 10 * second
	// burst restarts within burstWindow are at once; then the delay doubles, from
	// delayFirst up to delayMax, and is forgotten after a quiet burstWindow.
	burst       = 10
	burstWindow = 10 * second
	delayFirst  = second / 32
	delayMax    = second
)

// throttle decides when a dead supervisor is started again. Times are monotonic.
type throttle struct {
	starts  [burst]int64 // when the last ones were started, oldest first
	n       int
	last    int64
	delay   int64
	crashes uint32
}

// started notes a start at now.
func (t *throttle) started(now int64) {
	t.last = now
	if t.n < burst {
		t.starts[t.n] = now
		t.n++
		return
	}
	copy(t.starts[:], t.starts[1:])
	t.starts[burst-1] = now
}

// next is when to start again after a death at now; crashed: its start-up was not complete.
func (t *throttle) next(now int64, crashed bool) int64 {
	if crashed {
		t.crashes++
		return max(now, t.last+crashSpacing)
	}
	if t.n < burst || now-t.starts[0] > burstWindow {
		t.delay = 0
		return now
	}
	if t.delay == 0 {
		t.delay = delayFirst
	} else {
		t.delay = min(2*t.delay, delayMax)
	}
	return now + t.delay
}
