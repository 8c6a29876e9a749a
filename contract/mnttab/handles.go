package mnttab

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// handle is an open file: what of it is in the store, and what is not.
type handle struct {
	*handleEntry
	index int
	table *table // nil, or without text: to be made again
	begun bool   // something was read of this snapshot, so a read at 0 makes a new one

	// While somebody polls.
	watch   *sys.FD // mountinfo of the handle's namespace
	told    bool    // among the changes that were not looked at yet
	dirty   bool    // the mounts changed since differs was found
	differs bool    // the table is another one than the snapshot
}

// handles are the open files. It is the view of one process on a store.
type handles struct {
	store  *store
	byFH   map[uint64]*handle
	byUser map[uint32]int
	// byRequest are those that a predecessor made, by the OPEN: it may not have been answered.
	byRequest map[uint64]*handle
	unused    []int
	high      int
	watches   int
}

func newHandles(s *store) *handles {
	hs := &handles{store: s, byFH: map[uint64]*handle{}, byUser: map[uint32]int{}, byRequest: map[uint64]*handle{}}
	for hs.high < HandlesMax {
		e := &s.handles[hs.high]
		fh := e.fh.Load()
		if fh == 0 && e.request == 0 {
			break
		}
		if _, twice := hs.byFH[fh]; fh == 0 || twice {
			hs.unused = append(hs.unused, hs.high)
		} else {
			h := &handle{handleEntry: e, index: hs.high, begun: true}
			hs.byFH[fh], hs.byRequest[e.request] = h, h
			hs.byUser[e.uid]++
		}
		hs.high++
	}
	return hs
}

// add makes a handle for an OPEN. One that a predecessor made for the same request, and could
// not tell of, is taken over.
func (hs *handles) add(request uint64, uid uint32, of reader, t *table) (*handle, error) {
	if h := hs.byRequest[request]; h != nil {
		h.show(of, t)
		return h, nil
	}
	switch {
	case len(hs.byFH) >= HandlesMax:
		return nil, ErrHandles
	case hs.byUser[uid] >= HandlesPerUserMax:
		return nil, ErrUserHandles
	}
	i := hs.place()
	e := &hs.store.handles[i]
	e.request, e.uid = request, uid
	h := &handle{handleEntry: e, index: i}
	h.show(of, t)
	hs.store.handleSeq++
	fh := hs.store.handleSeq
	for fh == 0 || hs.byFH[fh] != nil { // never, unless the memory was damaged
		hs.store.handleSeq++
		fh = hs.store.handleSeq
	}
	e.fh.Store(fh)
	hs.byFH[fh] = h
	hs.byUser[uid]++
	return h, nil
}

func (hs *handles) place() int {
	if n := len(hs.unused); n > 0 {
		i := hs.unused[n-1]
		hs.unused = hs.unused[:n-1]
		return i
	}
	hs.high++
	return hs.high - 1
}

func (hs *handles) remove(h *handle) {
	hs.unwatch(h)
	delete(hs.byFH, h.fh.Load())
	delete(hs.byRequest, h.request)
	if hs.byUser[h.uid]--; hs.byUser[h.uid] <= 0 {
		delete(hs.byUser, h.uid)
	}
	h.fh.Store(0)
	hs.unused = append(hs.unused, h.index)
}

func (hs *handles) unwatch(h *handle) {
	if h.watch.Valid() {
		h.watch.Close()
		hs.watches--
	}
}

// show makes t the snapshot.
func (h *handle) show(of reader, t *table) {
	h.reader, h.text, h.size = of, t.hash, uint64(len(t.text))
	h.table, h.begun = t, false
	h.dirty, h.differs = true, false
}

// source finds a thread that still sees the handle's table: who asks, or who opened it.
func (h *handle) source(pid int) (reader, error) {
	for _, candidate := range []int{pid, int(h.reader.pid)} {
		if now, err := identify(candidate); err == nil && h.reader.same(now) {
			return now, nil
		}
	}
	return reader{}, unix.ESTALE
}

// renew makes the snapshot anew.
func (s *Server) renew(h *handle, pid int) error {
	of, err := h.source(pid)
	if err != nil {
		return err
	}
	t, err := s.current(of)
	if err != nil {
		return err
	}
	h.show(of, t)
	return nil
}

// restore gets the text of the snapshot back, ESTALE if the table is another one by now.
func (s *Server) restore(h *handle, pid int) error {
	of, err := h.source(pid)
	if err != nil {
		return err
	}
	t, err := s.current(of)
	if err != nil {
		return err
	}
	if t.hash != h.text {
		return unix.ESTALE
	}
	h.table = t
	return nil
}
