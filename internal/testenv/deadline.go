package testenv

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Variables for this package's own tests, which wait in vain on purpose.
var (
	// commandDeadline is for one run of a program: far above what it takes, so that only
	// a hang reaches it. Speed is measured elsewhere.
	commandDeadline = 120 * time.Second
	// eventuallyDeadline is for a condition that takes milliseconds, where all packages are tested
	// side by side and a process may get no processor for ten seconds.
	eventuallyDeadline = 60 * time.Second
)

// pollInterval is how often a condition is looked at.
const pollInterval = 5 * time.Millisecond

// slowness is ZONES_TEST_SLOW, which slow machines set.
func slowness() float64 {
	factor, err := strconv.ParseFloat(os.Getenv("ZONES_TEST_SLOW"), 64)
	if err != nil || factor < 1 {
		return 1
	}
	return factor
}

// Deadline gives d multiplied by ZONES_TEST_SLOW.
func Deadline(d time.Duration) time.Duration { return time.Duration(float64(d) * slowness()) }

// Rounds gives how often something is done that chance decides: n divided by ZONES_TEST_SLOW,
// and few at least, so that it takes about as long everywhere.
func Rounds(n, few int) int { return max(int(float64(n)/slowness()), few) }

// Eventually waits until cond holds and fails the test when it does not within a minute
// (times ZONES_TEST_SLOW). what completes "waited ... for".
func Eventually(t testing.TB, cond func() bool, what string) {
	t.Helper()
	EventuallyWithin(t, eventuallyDeadline, cond, what)
}

// EventuallyWithin is Eventually with a deadline of its own, multiplied likewise.
func EventuallyWithin(t testing.TB, within time.Duration, cond func() bool, what string) {
	t.Helper()
	if !poll(Deadline(within), cond) {
		t.Fatalf("waited %v in vain for %s", Deadline(within), what)
	}
}

// poll looks at cond until it holds; at least once, and once more at the end.
func poll(within time.Duration, cond func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(pollInterval) {
		if cond() {
			return true
		}
	}
	return cond()
}
