package console

import (
	"sync"
	"time"

	"github.com/linuxzones/zones/internal/ring"
)

// holds are the positions from which on the ring must keep its bytes: the writer's and the
// log's. The keeper knows one, the lower. It stays in the ring when this process dies, so that
// neither misses what is written until the next one is there.
type holds struct {
	ring *ring.Reader
	room int // event of the keeper's, which waits for room

	mu          sync.Mutex // guards the rest; nothing that can block is called with it held
	writer, log uint64     // ring.NoHold: does not hold
	slow        bool       // the log holds nothing until it has caught up, and its rest is over
	heldAt      int64      // monotonic: since when it holds
	rest        int64      // how long it last had to rest
	restUntil   int64      // monotonic
	ended       bool       // ring and event are closed; a log that the disk held up may still come
}

func newHolds(r *ring.Reader, room int) *holds {
	return &holds{ring: r, room: room, writer: ring.NoHold, log: ring.NoHold}
}

func (h *holds) apply() {
	if h.ended {
		return
	}
	if h.ring.SetCursor(min(h.writer, h.log)) {
		ring.Kick(h.room)
	}
}

func (h *holds) setWriter(pos uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writer = pos
	h.apply()
}

func (h *holds) writerAt() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writer
}

// inherit keeps what a dead predecessor left, for whom it may be. Where nobody held the ring what it has
// is kept for the log, whose goroutine may be late, until it says how far it is.
func (h *holds) inherit(writer, log bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pos := h.ring.Cursor()
	if writer {
		h.writer = pos
	}
	if log {
		h.log = pos
		if oldest, _, err := h.ring.Range(); err == nil && pos == ring.NoHold {
			h.log = oldest
		}
	}
	h.apply()
}

// setLog says how far the log has come. One that was too slow holds again when its rest is over and
// it is half a ring behind at most.
func (h *holds) setLog(pos uint64, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	if h.slow && pos != ring.NoHold {
		if now < h.restUntil || h.ring.Head()-pos > ring.Size/2 {
			return
		}
		h.slow, h.heldAt = false, now
	}
	h.log = pos
	h.apply()
}

// releaseLog lets the zone go on without the log, for a while that grows with each time: a disk that is
// too slow is so for the next burst as well.
func (h *holds) releaseLog(now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now-h.heldAt >= int64(logRestMax) {
		h.rest = 0
	}
	h.rest = min(max(2*h.rest, int64(logRestFirst)), int64(logRestMax))
	h.slow, h.log, h.restUntil = true, ring.NoHold, now+h.rest
	h.apply()
}

// resting is for how long the log can hold nothing yet, 0 when it can.
func (h *holds) resting(now int64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.slow {
		return 0
	}
	return time.Duration(max(1, h.restUntil-now))
}

// end: what is held stays held, in the ring, for a successor.
func (h *holds) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// logHolds is where the log is, if the zone might have to wait for it.
func (h *holds) logHolds() (pos uint64, yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log, h.log != ring.NoHold
}
