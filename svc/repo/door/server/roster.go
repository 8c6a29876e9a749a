package server

import (
	"sync"
	"time"
)

// quota is how many connections there are, and how many bytes on their way.
type quota struct {
	// total is for all, strangers for those who are not root: root finds a place whatever they do.
	total, strangers int
	// eachStranger is for one user who is not root.
	eachStranger int
	// bytes is for the answers to one user who is not root that are on their way.
	bytes int
}

var allowed = quota{total: 128, strangers: 96, eachStranger: 16, bytes: 4 << 20}

// state is what a connection does.
type state uint8

const (
	resting state = iota // between requests: it can give way
	working
	leaving // it was told to end, or will be as soon as it rests
)

// roster is the connections.
type roster struct {
	quota quota

	mu     sync.Mutex
	conns  map[*conn]*place
	users  map[uint32]*use
	clock  uint64 // grows whenever a connection comes to rest
	closed bool
}

// place is one connection's, use one user's.
type place struct {
	state state
	since uint64 // of the clock, when it came to rest
}

type use struct{ conns, bytes int }

func (r *roster) init(q quota) {
	r.quota, r.conns, r.users = q, map[*conn]*place{}, map[uint32]*use{}
}

// admit takes a connection in, and has another one leave where that is needed. An error is the
// word for one that there is no room for.
func (r *roster) admit(c *conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return whyEnd
	}
	if !r.makeRoom(c.uid) {
		return whyFull
	}
	if r.users[c.uid] == nil {
		r.users[c.uid] = &use{}
	}
	r.users[c.uid].conns++
	// Until it has been greeted it works.
	r.conns[c] = &place{state: working}
	return nil
}

// makeRoom has a connection leave where that is needed. false: there is none that could.
func (r *roster) makeRoom(uid uint32) bool {
	strangers := len(r.conns)
	if u := r.users[0]; u != nil {
		strangers -= u.conns
	}
	mine := r.users[uid]
	switch {
	case uid != 0 && mine != nil && mine.conns >= r.quota.eachStranger:
		return r.evict(func(x uint32) bool { return x == uid })
	case uid != 0 && strangers >= r.quota.strangers:
		return r.evict(func(x uint32) bool { return x != 0 })
	case len(r.conns) >= r.quota.total:
		return r.evict(func(x uint32) bool { return x != 0 || uid == 0 })
	}
	return true
}

// evict has the connection leave that has rested longest of those that may go.
func (r *roster) evict(may func(uid uint32) bool) bool {
	var oldest *conn
	for c, p := range r.conns {
		if p.state == resting && may(c.uid) && (oldest == nil || p.since < r.conns[oldest].since) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	oldest.why = whyRoom
	r.drop(oldest)
	return true
}

// drop takes a connection out of the count and wakes it, so that it says its word and ends.
func (r *roster) drop(c *conn) {
	r.uncount(c)
	_ = c.f.SetReadDeadline(past)
}

func (r *roster) uncount(c *conn) {
	if r.conns[c] == nil {
		return
	}
	delete(r.conns, c)
	u := r.users[c.uid]
	u.conns--
	if u.conns == 0 && u.bytes == 0 {
		delete(r.users, c.uid)
	}
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// remove forgets a connection that has ended.
func (r *roster) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uncount(c)
}

// work says that a request has begun. false: the connection has to leave.
func (r *roster) work(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.conns[c]
	if p == nil || p.state == leaving {
		return false
	}
	p.state = working
	return true
}

// rest says that a request is over. false: the connection has to leave.
func (r *roster) rest(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.conns[c]
	if p == nil || p.state == leaving {
		return false
	}
	r.clock++
	p.state, p.since = resting, r.clock
	return true
}

// endAll has all connections leave as soon as they rest. What is on its way has until a moment.
func (r *roster) endAll(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c, p := range r.conns {
		c.why = whyEnd
		if p.state == resting {
			_ = c.f.SetReadDeadline(past)
		} else {
			_ = c.f.SetReadDeadline(until)
		}
		_ = c.f.SetWriteDeadline(until)
		p.state = leaving
	}
}

// word is why a connection has to leave.
func (r *roster) word(c *conn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.why
}

// reserve counts bytes on their way to a user. false: there are too many.
func (r *roster) reserve(c *conn, n int) bool {
	if c.uid == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[c.uid]
	if u == nil || u.bytes+n > r.quota.bytes && u.bytes > 0 {
		return false
	}
	u.bytes += n
	return true
}

// release is reserve's other half.
func (r *roster) release(c *conn, n int) {
	if c.uid == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.users[c.uid]; u != nil {
		if u.bytes -= n; u.bytes == 0 && u.conns == 0 {
			delete(r.users, c.uid)
		}
	}
}
