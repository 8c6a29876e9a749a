package notify

import "strconv"

// Count counts what is told once, and again when there is ten times as much of it.
type Count struct{ n, next uint64 }

// Add counts one more, and says whether it is time to tell.
func (c *Count) Add() bool {
	c.n++
	if c.n < c.next {
		return false
	}
	c.next = max(c.next, 1) * 10
	return true
}

func (c *Count) String() string { return strconv.FormatUint(c.n, 10) }
