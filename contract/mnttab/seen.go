package mnttab

import (
	"cmp"
	"slices"
)

// seenTimes says since when mounts are there. It is the view of one process on a store.
type seenTimes struct {
	store  *store
	byKey  map[uint64]int
	owned  map[uint64]int // how many entries a table is the owner of
	unused []int
	high   int // entries at and above were never used

	// Of the table that is being rendered.
	table    uint64
	now      int64
	round    uint32
	marks    []uint32 // the last round in which an entry was met
	ownedMet int
}

func newSeenTimes(s *store) *seenTimes {
	t := &seenTimes{store: s, byKey: map[uint64]int{}, owned: map[uint64]int{}}
	// Entries are taken from the first on, so that what was never used is not touched.
	for t.high < seenMax {
		e := &s.seen[t.high]
		key := e.key.Load()
		if key == 0 && e.since == 0 {
			break
		}
		if _, twice := t.byKey[key]; key == 0 || twice {
			t.unused = append(t.unused, t.high)
		} else {
			t.byKey[key] = t.high
			t.owned[e.owner]++
		}
		t.high++
	}
	t.marks = make([]uint32, t.high)
	return t
}

// begin starts the rendering of a table at the time now, in seconds.
func (t *seenTimes) begin(table uint64, now int64) {
	t.table, t.now, t.ownedMet = table, now, 0
	t.round++
}

// at gives the time since when a mount is there: now, if it is new. When there is no place to
// keep it, it is the beginning of everything.
func (t *seenTimes) at(key uint64) int64 {
	i, known := t.byKey[key]
	if !known {
		var ok bool
		if i, ok = t.place(); !ok {
			return t.store.began
		}
		e := &t.store.seen[i]
		e.owner, e.since = t.table, t.now
		e.key.Store(key)
		t.byKey[key] = i
		t.owned[t.table]++
	}
	e := &t.store.seen[i]
	e.met = t.now
	if t.marks[i] != t.round && e.owner == t.table {
		t.ownedMet++
	}
	t.marks[i] = t.round
	return e.since
}

// place finds a free entry.
func (t *seenTimes) place() (int, bool) {
	if len(t.unused) == 0 && t.high == seenMax {
		t.evict()
	}
	if n := len(t.unused); n > 0 {
		i := t.unused[n-1]
		t.unused = t.unused[:n-1]
		return i, true
	}
	if t.high == seenMax {
		return 0, false
	}
	t.marks = append(t.marks, 0)
	t.high++
	return t.high - 1, true
}

// evict forgets the mounts that were not met for longest, a quarter of all: those of
// namespaces that are gone. What is in the table that is being rendered stays.
func (t *seenTimes) evict() {
	type old struct {
		key uint64
		i   int
	}
	var list []old
	for key, i := range t.byKey {
		if t.marks[i] != t.round {
			list = append(list, old{key, i})
		}
	}
	slices.SortFunc(list, func(a, b old) int {
		return cmp.Compare(t.store.seen[a.i].met, t.store.seen[b.i].met)
	})
	for _, o := range list[:min(len(list), seenMax/4)] {
		t.forget(o.key, o.i)
	}
}

// end forgets mounts that were seen first in the table just rendered and are not in it any
// more: the kernel uses their ids again.
func (t *seenTimes) end() {
	if t.owned[t.table] == t.ownedMet {
		return
	}
	for key, i := range t.byKey {
		if t.store.seen[i].owner == t.table && t.marks[i] != t.round {
			t.forget(key, i)
		}
	}
}

func (t *seenTimes) forget(key uint64, i int) {
	e := &t.store.seen[i]
	e.key.Store(0)
	if t.owned[e.owner]--; t.owned[e.owner] <= 0 {
		delete(t.owned, e.owner)
	}
	delete(t.byKey, key)
	t.unused = append(t.unused, i)
}
