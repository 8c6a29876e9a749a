package ring

// Writer is the keeper's side.
type Writer struct {
	*mapping

	// The writer believes its own head, not the shared one: a reader that damages the header
	// cannot make it write elsewhere.
	head  uint64
	grant int // what the last Space allowed and Slice may hand out
	taken int // what the last Slice handed out

	stallLimit  int64 // StallLimit, but for tests
	stalled     bool  // it waits, since stalledAt
	stalledAt   int64
	draining    bool // the limit is over: it waits no more until the cursor leaves drainCursor
	drainCursor uint64
}

// Create makes an empty ring with a new epoch, held by nobody.
func Create() (*Writer, error) {
	epoch, err := randomNumber()
	if err != nil {
		return nil, err
	}
	fd, err := newFile(headerBytes + Size)
	if err != nil {
		return nil, err
	}
	m, err := mapFD(fd)
	if err != nil {
		fd.Close()
		return nil, err
	}
	m.h.version.Store(version)
	m.h.size.Store(Size)
	m.h.epoch.Store(epoch)
	m.h.cursor.Store(NoHold)
	m.h.magic.Store(magic)
	return &Writer{mapping: m, stallLimit: StallLimit}, nil
}

// OpenWriter goes on with a ring made before, from a duplicate of fd. There must be no other
// writer. A keeper does this after it replaced itself by exec.
func OpenWriter(fd int) (*Writer, error) {
	m, err := open(fd)
	if err != nil {
		return nil, err
	}
	w := &Writer{mapping: m, head: m.h.head.Load(), stallLimit: StallLimit}
	m.h.reserve.Store(w.head) // a piece that the predecessor had begun holds nothing of worth
	return w, nil
}

// SetStallLimit is for tests of what a reader holds. Where many of them run at once, a process is
// kept off the processor for longer than StallLimit now and then, and what it holds is lost, as it
// is to be.
func (w *Writer) SetStallLimit(nanoseconds int64) { w.stallLimit = nanoseconds }

// free is how many bytes may be written before one at or after cursor c is overwritten. A
// cursor that was never written holds nothing.
func (w *Writer) free(c uint64) int {
	if c > w.head {
		return Size
	}
	used := w.head - c
	if used >= Size {
		return 0
	}
	return int(Size - used)
}

// Space says how many bytes may be read from the pty now, at monotonic time now. When it is
// none, the writer must leave the pty alone until the room event is kicked or waitUntil has
// come, and ask again then.
func (w *Writer) Space(now int64) (n int, waitUntil int64) {
	for {
		c := w.h.cursor.Load()
		if free := w.free(c) - AppendMax; free > 0 {
			w.endStall(now)
			w.draining = false
			return w.allow(free), 0
		}
		if w.draining && c == w.drainCursor {
			return w.allow(SliceMax), 0
		}
		w.draining = false
		if !w.stalled {
			w.stalled, w.stalledAt = true, now
			w.h.stalls.Add(1)
		}
		if now-w.stalledAt >= w.stallLimit {
			w.endStall(now)
			w.draining, w.drainCursor = true, c
			return w.allow(SliceMax), 0
		}
		// The reader stores the cursor and then looks at the flag; this stores the flag and
		// then looks at the cursor: one of the two sees the other.
		w.h.writerSleeps.Store(1)
		if w.h.cursor.Load() == c {
			w.grant = 0
			return 0, w.stalledAt + w.stallLimit
		}
		w.h.writerSleeps.Store(0)
	}
}

func (w *Writer) allow(n int) int {
	w.grant = min(n, SliceMax)
	return w.grant
}

func (w *Writer) endStall(now int64) {
	if !w.stalled {
		return
	}
	w.stalled = false
	w.h.writerSleeps.Store(0)
	if d := now - w.stalledAt; d > w.h.longestStall.Load() {
		w.h.longestStall.Store(d)
	}
}

// Slice is where to read(2) the next bytes to: at most what the last Space allowed, and no
// further than the wrap. It is empty when nothing was allowed, or when a reader took hold of
// the ring since; ask Space again then. Advance must follow.
func (w *Writer) Slice() []byte {
	n := min(w.grant, Size-int(w.head&mask))
	for {
		// A read-modify-write, since the bytes written after it must not become visible
		// before it: a reader finds out by reserve that what it copied is gone.
		w.h.reserve.Swap(w.head + uint64(n))
		// A reader that takes hold stores the cursor, then loads reserve.
		c := w.h.cursor.Load()
		if w.draining && c == w.drainCursor {
			break
		}
		free := max(0, w.free(c)-AppendMax)
		if n <= free {
			break
		}
		n = free
	}
	w.taken = n
	return w.data(w.head)[:n:n]
}

// Advance publishes the first n bytes of the last Slice; 0 gives the slice back. kick: the
// reader sleeps and must be woken by Kick on the data event.
func (w *Writer) Advance(n int) (kick bool) {
	n = max(0, min(n, w.taken))
	w.taken, w.grant = 0, 0
	return w.publish(uint64(n))
}

// Append puts a text of at most AppendMax bytes into the ring at once. It waits for nobody:
// Space kept room for it, and when even that is used up by other texts, it overwrites and
// counts. It must not come between Slice and Advance.
func (w *Writer) Append(p []byte) (kick bool, err error) {
	if len(p) > AppendMax {
		return false, ErrTooLong
	}
	w.taken, w.grant = 0, 0
	w.h.reserve.Swap(w.head + uint64(len(p)))
	n := copy(w.data(w.head), p)
	copy(w.data(w.head+uint64(n)), p[n:])
	return w.publish(uint64(len(p))), nil
}

func (w *Writer) publish(n uint64) (kick bool) {
	if n > 0 {
		w.countLost(w.head, w.head+n)
		w.head += n
		w.h.head.Store(w.head)
	}
	w.h.reserve.Store(w.head)
	return n > 0 && w.h.readerSleeps.Load() != 0 && w.h.readerSleeps.Swap(0) != 0
}

// countLost counts what the writes from head position from to position to have overwritten
// of what the cursor asks for.
func (w *Writer) countLost(from, to uint64) {
	c := w.h.cursor.Load()
	if c > from || to < Size || to-Size <= c {
		return
	}
	if from > Size {
		c = max(c, from-Size)
	}
	w.h.lost.Add(to - Size - c)
}

// Head is the position after the last byte written.
func (w *Writer) Head() uint64 { return w.head }
