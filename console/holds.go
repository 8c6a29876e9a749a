package console

import (
	"sync"

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
	slow        bool       // the log holds nothing until it has caught up
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

// setLog says how far the log has come. One that was too slow holds again when it is half a
// ring behind at most.
func (h *holds) setLog(pos uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	if h.slow && pos != ring.NoHold {
		if h.ring.Head()-pos > ring.Size/2 {
			return
		}
		h.slow = false
	}
	h.log = pos
	h.apply()
}

// releaseLog lets the zone go on without the log.
func (h *holds) releaseLog() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow, h.log = true, ring.NoHold
	h.apply()
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
