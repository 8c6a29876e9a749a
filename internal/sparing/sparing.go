package sparing

import (
	"sync"
	"time"
)

// Limiter lets PerMinute through a minute. It is not copied once it is used.
type Limiter struct {
	PerMinute int

	mu     sync.Mutex // guards the rest
	since  time.Time
	passed int
	silent int
}

// Allow says whether one more may be logged now, and how many were not since the last that was.
func (l *Limiter) Allow(now time.Time) (ok bool, silent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.passed = now, 0
	}
	if l.passed >= l.PerMinute {
		l.silent++
		return false, 0
	}
	l.passed++
	silent, l.silent = l.silent, 0
	return true, silent
}
