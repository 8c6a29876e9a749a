package keeper

// The times of restarting a supervisor, in nanoseconds.
const (
	second = int64(1e9)
	// crashSpacing: a supervisor that dies before its start-up is complete is started again
	// no sooner than this after the last start, as the monitor of OVS does.
	crashSpacing = 10 * second
	// burst restarts within burstWindow are at once; then the delay doubles, from
	// delayFirst up to delayMax, and is forgotten when burstWindow has seen fewer.
	burst       = 10
	burstWindow = 10 * second
	delayFirst  = second / 32
	delayMax    = second
)

// throttle decides when a dead supervisor is started again. Times are monotonic.
type throttle struct {
	spacing, delayMax int64 // crashSpacing and delayMax, but for tests that wait for many

	restarts [burst]int64 // when the last ones were due, oldest first
	n        int          // how many of them are noted
	last     int64        // the last start
	delay    int64
	crashes  uint32
}

// started notes a start at now.
func (t *throttle) started(now int64) { t.last = now }

// next is when to start again after a death at now; crashed: its start-up was not complete.
func (t *throttle) next(now int64, crashed bool) int64 {
	at := now
	switch {
	case crashed:
		t.crashes++
		at = max(now, t.last+t.spacing)
	case t.n < burst || now-t.restarts[0] > burstWindow:
		t.delay = 0
	case t.delay == 0:
		t.delay = min(delayFirst, t.delayMax)
		at += t.delay
	default:
		t.delay = min(2*t.delay, t.delayMax)
		at += t.delay
	}
	if t.n == burst {
		copy(t.restarts[:], t.restarts[1:])
		t.n--
	}
	t.restarts[t.n] = at
	t.n++
	return at
}
