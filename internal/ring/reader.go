package ring

import "sync/atomic"

// readTries bounds how often ReadAt begins again because the writer has overtaken it. Each
// time it starts at the oldest byte there is.
const readTries = 8

// Reader is the supervisor's side. Its positions and the cursor survive it in the mapping.
type Reader struct {
	*mapping
	seen  uint64 // the highest head seen: it never goes back
	fence atomic.Uint64
}

// OpenReader maps the ring of fd, which it duplicates.
func OpenReader(fd int) (*Reader, error) {
	m, err := open(fd)
	if err != nil {
		return nil, err
	}
	return &Reader{mapping: m}, nil
}

// Range is what can be read now: positions from oldest up to head, exclusive.
func (r *Reader) Range() (oldest, head uint64, err error) {
	oldest, head, err = r.window()
	if err == nil && head < r.seen {
		err = ErrCorrupt
	}
	if err != nil {
		return 0, 0, err
	}
	r.seen = head
	return oldest, head, nil
}

// Head is the position after the last byte written, unchecked.
func (r *Reader) Head() uint64 { return r.h.head.Load() }

// ReadAt copies bytes from position pos on into buf. n bytes were copied, and they start at
// pos+lostBefore: that many bytes at pos have been overwritten. n is 0 when pos+lostBefore is
// the head, or when the writer was faster each time it was tried.
func (r *Reader) ReadAt(pos uint64, buf []byte) (n int, lostBefore uint64, err error) {
	start := pos
	for range readTries {
		oldest, head, err := r.Range()
		if err != nil {
			return 0, 0, err
		}
		start = max(start, oldest)
		if start > head {
			return 0, 0, ErrPosition
		}
		n = int(min(uint64(len(buf)), head-start))
		if n == 0 {
			return 0, start - pos, nil
		}
		got := copy(buf[:n], r.data(start))
		copy(buf[got:n], r.data(start+uint64(got)))
		// What follows must be loaded after what was copied, also where the processor
		// reorders loads: a read-modify-write orders both.
		r.fence.Add(1)
		if oldest, _, err = r.Range(); err != nil {
			return 0, 0, err
		}
		if oldest <= start {
			return n, start - pos, nil
		}
		if torn := oldest - start; torn < uint64(n) {
			n = copy(buf, buf[torn:n])
			return n, oldest - pos, nil
		}
		start = oldest
	}
	return 0, start - pos, nil
}

// Cursor is the position before which everything is consumed, or NoHold.
func (r *Reader) Cursor() uint64 { return r.h.cursor.Load() }

// SetCursor says that everything before pos is consumed by everybody who may hold the writer
// up, NoHold that nobody may. Taking hold anew at a pos before the head holds what is still
// there: ask Range after it. kick: the writer sleeps and must be woken by Kick on the room event.
func (r *Reader) SetCursor(pos uint64) (kick bool) {
	r.h.cursor.Store(pos)
	return r.h.writerSleeps.Load() != 0 && r.h.writerSleeps.Swap(0) != 0
}

// WriterWaits says whether the writer sleeps because the ring is full.
func (r *Reader) WriterWaits() bool { return r.h.writerSleeps.Load() != 0 }

// Sleep announces that the reader, which has read up to pos, is about to wait for the data
// event. False: there is more than that already, do not wait.
func (r *Reader) Sleep(pos uint64) bool {
	r.h.readerSleeps.Store(1)
	if r.h.head.Load() == pos {
		return true
	}
	r.h.readerSleeps.Store(0)
	return false
}

// Awake takes the announcement back, for a reader that was woken by something else and has
// no interest in data for now.
func (r *Reader) Awake() { r.h.readerSleeps.Store(0) }

// Attached is how many clients the last supervisor had, as far as it came to say so.
func (r *Reader) Attached() int {
	n := r.h.attached.Load()
	if n > attachedMax {
		return 0
	}
	return int(n)
}

// SetAttached leaves the number of clients to a successor.
func (r *Reader) SetAttached(n int) { r.h.attached.Store(uint64(max(0, n))) }

// HoldUntil is until when (monotonic) the cursor is held for clients of a dead supervisor, 0
// when it is not. A second successor must not begin the time anew.
func (r *Reader) HoldUntil() int64 { return r.h.holdUntil.Load() }

// SetHoldUntil sets it.
func (r *Reader) SetHoldUntil(t int64) { r.h.holdUntil.Store(t) }

// Holder is the process of the client whose place the last supervisor left behind, 0 when it
// did not say.
func (r *Reader) Holder() int {
	pid := r.h.holder.Load()
	if pid > holderMax {
		return 0
	}
	return int(pid)
}

// SetHolder sets it.
func (r *Reader) SetHolder(pid int) { r.h.holder.Store(uint64(max(0, pid))) }
