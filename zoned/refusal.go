package zoned

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// refusalsLogged is how many refusals a minute reach the supervisor's log: who connects in a
// loop must not fill the disk. Each has its audit record, and the audit file is bounded.
const refusalsLogged = 20

// refusals keeps the log short.
type refusals struct {
	mu     sync.Mutex // guards the rest
	since  time.Time
	logged int
	silent int
}

// allow says whether a refusal may be logged, and how many were not since the last that was.
func (r *refusals) allow(now time.Time) (ok bool, silent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= time.Minute {
		r.since, r.logged = now, 0
	}
	if r.logged >= refusalsLogged {
		r.silent++
		return false, 0
	}
	r.logged++
	silent, r.silent = r.silent, 0
	return true, silent
}

// logRefusal tells of a refusal, unless there were many.
func (z *Zone) logRefusal(level logrus.Level, fields logrus.Fields, text string) {
	ok, silent := z.audit.refusals.allow(time.Now())
	if !ok {
		return
	}
	if silent > 0 {
		fields["unlogged"] = silent
	}
	z.log.WithFields(fields).Log(level, text)
}
