package mnttab

import "github.com/linuxzones/zones/internal/sys"

const (
	// SnapshotBytesMax bounds the texts that are kept for open files. Those that were not
	// read for longest are forgotten, and made again when they are.
	SnapshotBytesMax = 2 * TableBytesMax

	// keepNs is how long the table that was rendered last is held for whoever asks next: an
	// open asks for the attributes first. Its namespace cannot go meanwhile.
	keepNs = int64(50e6)
)

// snapshots are the texts of this process, by their hash.
type snapshots struct {
	byHash map[uint64]*table
	bytes  int
	clock  uint64
}

// add takes a text in, or finds the same.
func (c *snapshots) add(text []byte) *table {
	h := hash(fnvOffset, text)
	t := c.byHash[h]
	if t == nil {
		t = &table{text: text, hash: h}
		c.byHash[h] = t
		c.bytes += len(text)
	}
	c.touch(t)
	for c.bytes > SnapshotBytesMax {
		if !c.forgetOldest(t) {
			break
		}
	}
	return t
}

func (c *snapshots) touch(t *table) {
	c.clock++
	t.used = c.clock
}

func (c *snapshots) forgetOldest(not *table) bool {
	var oldest *table
	for _, t := range c.byHash {
		if t != not && (oldest == nil || t.used < oldest.used) {
			oldest = t
		}
	}
	if oldest == nil {
		return false
	}
	c.forget(oldest)
	return true
}

// forget drops a text; who still refers to it finds it gone.
func (c *snapshots) forget(t *table) {
	if c.byHash[t.hash] != t {
		return
	}
	delete(c.byHash, t.hash)
	c.bytes -= len(t.text)
	t.text = nil
}

// recent is the table that was rendered last.
type recent struct {
	fd    *sys.FD
	of    uint64 // the table's name
	table *table
	until int64 // monotonic
}

// current gives the table of a reader as it is now.
func (s *Server) current(of reader) (*table, error) {
	if s.recent.fd.Valid() && s.recent.of == of.table() && s.recent.table.text != nil && !changed(s.recent.fd) {
		s.texts.touch(s.recent.table)
		return s.recent.table, nil
	}
	s.dropRecent()
	fd, err := openMountinfo(of.pid)
	if err != nil {
		return nil, err
	}
	t, err := s.take(fd, of)
	if err != nil {
		fd.Close()
		return nil, err
	}
	s.recent = recent{fd: fd, of: of.table(), table: t, until: sys.Monotonic() + keepNs}
	return t, nil
}

// take renders what fd shows and notes whether it changed.
func (s *Server) take(fd *sys.FD, of reader) (*table, error) {
	text, err := s.render(fd, &of)
	if err != nil {
		return nil, err
	}
	t := s.texts.add(text)
	s.noteChange(of.table(), t.hash)
	return t, nil
}

func (s *Server) dropRecent() {
	s.recent.fd.Close()
	s.recent = recent{}
}

// noteChange notes when a table was met with another text than before, and gives that time
// in nanoseconds.
func (s *Server) noteChange(name, text uint64) int64 {
	oldest := &s.store.changes[0]
	for i := range s.store.changes {
		e := &s.store.changes[i]
		if e.table.Load() == name {
			oldest = e
			break
		}
		if e.used < oldest.used {
			oldest = e
		}
	}
	e := oldest
	if e.table.Load() != name {
		e.table.Store(0)
		e.text = 0
	}
	if e.text != text || e.changed == 0 {
		e.changed, e.text = s.now().UnixNano(), text
	}
	s.store.clock++
	e.used = s.store.clock
	e.table.Store(name)
	return e.changed
}
