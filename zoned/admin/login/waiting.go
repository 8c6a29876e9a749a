package login

import (
	"fmt"
	"time"
)

// waiting says, once, that a login that has not begun waits for a supervisor that does not answer:
// one that is stopped, or hangs. When it has begun, silence is the command's own.
func (t *talk) waiting(begun *bool) func(time.Duration) {
	told := false
	return func(since time.Duration) {
		if *begun || told {
			return
		}
		told = true
		t.say(fmt.Sprintf("zone '%s': the zone's supervisor has not answered for %d seconds; waiting for it", t.o.Zone, int(since.Seconds())))
	}
}
