// Package sparing keeps a log short: of what somebody can make happen in a loop (refusals, say)
// only so much a minute is logged, and what was not is counted and told with the next.
//
// A Limiter may be used by any goroutine; it has one lock and starts nothing.
package sparing
