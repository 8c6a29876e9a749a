package instance

import (
	"slices"
	"time"

	"github.com/linuxzones/zones/svc/graph"
)

const (
	// startsMax is the most that critical_failure_count may be, and its default.
	startsMax = 10
	// periodUsual is the default of critical_failure_period, and childPeriod a child's.
	periodUsual = 600 * time.Second
	childPeriod = time.Second
	// faultsMax methods that fail one after the other bring an instance to maintenance.
	faultsMax = 3
	// childPause is how long a child that fails too quickly is held back.
	childPause = time.Second
	// The first back-off and the longest: an administrator who mends what is wrong finds the
	// service back while he is still there.
	backoffFirst = time.Second
	backoffMax   = 5 * time.Minute
)

// starts is when an instance was started, for the rate limit and for the back-off.
type starts struct {
	times     []time.Time // the last ones, startsMax at most
	up        time.Time   // when it came online
	level     int         // how many back-offs there were
	notBefore time.Time   // the last one's end; zero: none is due
	stopped   string      // who has ended the service last, in words; empty: nobody that is known
}

func (s *starts) record(now time.Time) {
	last := s.times[max(len(s.times)-startsMax+1, 0):]
	s.times = append(slices.Clone(last), now)
}

// critical says whether the newest starts came too quickly one after the other. It takes two for
// that at least.
func (s *starts) critical(c Config) bool {
	count, period := c.rate()
	if len(s.times) < count {
		return false
	}
	newest, oldest := s.times[len(s.times)-1], s.times[len(s.times)-count]
	return newest.Sub(oldest) < period
}

func (c Config) rate() (count int, period time.Duration) {
	if c.Duration == Child {
		return startsMax, childPeriod
	}
	count, period = c.CriticalCount, c.CriticalPeriod
	if count < 1 || count > startsMax {
		count = startsMax
	}
	if period <= 0 {
		period = periodUsual
	}
	return max(count, 2), period
}

// forget is what an administrator, or a dependency, has it forget.
func (s *starts) forget() { *s = starts{up: s.up} }

// down: one that ran for a whole period is proven to work.
func (s *starts) down(now time.Time, c Config) {
	if _, period := c.rate(); now.Sub(s.up) >= period {
		s.level = 0
	}
}

// backOff says how long the next start has to wait, if it has to: not again when it has waited.
func (s *starts) backOff(now time.Time) time.Duration {
	if !s.notBefore.IsZero() {
		return max(s.notBefore.Sub(now), 0)
	}
	delay := backoffMax
	if s.level < 20 {
		delay = min(backoffFirst<<s.level, backoffMax)
	}
	s.level++
	s.notBefore = now.Add(delay)
	return delay
}

// hold is a start that waits for the end of a back-off.
type hold struct{ answers int }

// holdBack has the start wait. The graph gets its answer when the back-off is over, and decides
// anew: dependencies may be gone meanwhile.
func (m *Machine) holdBack(delay time.Duration, answers int) {
	m.hold = &hold{answers: answers}
	m.marks = marks{aux: auxTooQuick, detail: m.starts.stopped}
	m.log("Restarting too quickly, starting again in %d seconds.", (delay+time.Second-1)/time.Second)
	m.owed = 0
	m.change(m.state, startedState, graph.NoClass)
	m.setTimer(delay)
}

func (m *Machine) endHold() {
	if m.hold == nil {
		return
	}
	m.clearTimer()
	m.owed = m.hold.answers
	m.hold = nil
	m.change(m.state, graph.None, graph.NoClass)
}
