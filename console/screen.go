package console

import (
	"github.com/linuxzones/zones/console/vt"
	"github.com/linuxzones/zones/console/wire"
)

// start is where a client's output begins. A writer holds the ring there.
func (l *loop) start(id wire.Ident, holds bool) (uint64, error) {
	oldest, head, err := l.ring.Range()
	if err != nil {
		return 0, err
	}
	pos := head
	switch {
	case id.From == wire.History:
		pos = oldest
	case id.From == wire.Screen:
		pos = l.screen(id.Rows, oldest, head)
	case id.From == wire.Position && id.Point.Epoch != l.ring.Epoch():
		pos = oldest // all of the new epoch came after what it has
	case id.From == wire.Position:
		pos = max(oldest, min(id.Point.Pos, head))
	}
	if !holds {
		if oldest, _, err = l.ring.Range(); err == nil {
			pos = max(pos, oldest)
		}
		return pos, err
	}
	// From here on nothing at pos or after it goes; what went before it was seen is counted.
	l.holds.setWriter(pos)
	if oldest, _, err = l.ring.Range(); err == nil && oldest > pos {
		pos = oldest
		l.holds.setWriter(pos)
	}
	return pos, err
}

// screen is where the last screenful begins: rows lines, and screenBytes, at most. What comes
// before is looked through too, since only that tells whether a byte is in a sequence.
func (l *loop) screen(rows int, oldest, head uint64) uint64 {
	from, limit := oldest, oldest
	if head-oldest > scanBytes {
		from = head - scanBytes
	}
	if head-oldest > screenBytes {
		limit = head - screenBytes
	}
	// The first byte of all is not in the middle of anything.
	s := vt.NewScreen(rows, from, limit, from == 0)
	for at := from; at < head; {
		p, lost, err := l.read(at)
		if err != nil || lost > 0 || len(p) == 0 {
			return head // it is overwritten while it is read: there is no screen that stands still
		}
		p = p[:min(uint64(len(p)), head-at)]
		s.Feed(p)
		at += uint64(len(p))
	}
	if pos, ok := s.Start(); ok {
		return pos
	}
	return head
}
