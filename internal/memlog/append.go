package memlog

// Append adds a record. It is there for the next Open from the moment that Append returns.
// ErrFull: a Checkpoint is due first. ErrTooLarge: longer than RecordMax.
func (l *Log) Append(p []byte) error {
	switch {
	case l.file == nil:
		return ErrClosed
	case len(p) > RecordMax:
		return ErrTooLarge
	}
	next := l.next + recordHeaderBytes + align(len(p), recordAlign)
	if next > l.roomEnd {
		return ErrFull
	}
	if next > l.reserved {
		if err := l.reserveTo(min(next+reserveBytes, len(l.half))); err != nil {
			return err
		}
	}
	h := l.record(l.next)
	copy(l.half[l.next+recordHeaderBytes:], p)
	h.sum = sum(l.generation, l.next, p)
	crash("append")
	// Everything of the record was stored before this, and nothing of it counts without.
	h.lengthPlus1.Store(uint32(len(p)) + 1)
	l.next, l.records = next, l.records+1
	return nil
}

// reserveTo finds memory for the half in use up to end.
func (l *Log) reserveTo(end int) error {
	end = align(end, pageBytes)
	if err := reserve(l.fd.Int(), l.halfAt+l.reserved, end-l.reserved); err != nil {
		return err
	}
	l.reserved = end
	return nil
}

// Checkpoint makes state the log's state and drops all records. Killed before it returns, it
// has either been done or not. ErrTooLarge: the log cannot hold such a state. After an error
// the log is as it was.
func (l *Log) Checkpoint(state []byte) error {
	if l.file == nil {
		return ErrClosed
	}
	if len(state) > stateMax(len(l.half)) {
		return ErrTooLarge
	}
	if l.otherDirty {
		if err := l.clearOther(); err != nil {
			return err
		}
	}
	old := *l
	l.use(l.generation+1, len(state), recordsAt(len(state)), 0)
	l.reserved = 0
	if err := l.reserveTo(l.next); err != nil {
		*l = old
		l.otherDirty = true
		return err
	}
	copy(l.half[halfHeaderBytes:], state)
	crash("state")
	*l.halfHeader() = halfHeader{
		generation: l.generation,
		stateBytes: uint64(len(state)),
		stateSum:   sum(l.generation, halfHeaderBytes, state),
	}
	crash("flip")
	l.head.generation.Store(l.generation)
	crash("release")
	// The state is written, so this is no failure of this Checkpoint. The next one tries again.
	l.otherDirty = l.clearOther() != nil
	return nil
}

// clearOther makes the half that is not in use zeros, as the next Checkpoint expects it, and
// gives its memory back.
func (l *Log) clearOther() error {
	at := headerBytes + int(l.generation&1^1)*len(l.half)
	err := release(l.fd.Int(), at, len(l.half))
	if err == nil {
		l.otherDirty = false
	}
	return err
}

// crash is where a test has its process killed, by the name of what comes next.
var crash = func(string) {}
