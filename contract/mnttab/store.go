package mnttab

import (
	"sync/atomic"
	"unsafe"
)

const (
	// HandlesMax is how many open files of the table there may be: some for each process of
	// a busy zone.
	HandlesMax = 4096

	// HandlesPerUserMax leaves other users of the zone a place.
	HandlesPerUserMax = 1024

	// seenMax is of how many mounts the time is kept. Mounts beyond that are dated with the
	// memory's beginning.
	seenMax = 32768

	// changesMax is of how many tables (of a namespace, as far as a root reaches) the time of
	// the last change is kept; the one that was not asked for longest makes room.
	changesMax = 256

	storeMagic   = 0x31626174746e6d7a // "zmnttab1", little-endian
	storeVersion = 1
)

// MemoryVersion is of the memory's form. Another one is refused.
const MemoryVersion = storeVersion

// store is what outlives a server, in the private part of the session's memory.
type store struct {
	magic, version uint64
	began          int64  // seconds; 0 until the first server began
	handleSeq      uint64 // of the last file opened
	clock          uint64 // counts uses of changes
	seen           [seenMax]seenEntry
	changes        [changesMax]changeEntry
	handles        [HandlesMax]handleEntry
}

// seenEntry dates a mount. The key is stored last.
type seenEntry struct {
	key   atomic.Uint64
	owner uint64 // the table in which it was seen first
	since int64  // seconds since 1970
	met   int64  // when it was last in a table
}

// changeEntry says when a table was last seen to change.
type changeEntry struct {
	table   atomic.Uint64
	text    uint64 // hash of the table
	changed int64  // nanoseconds since 1970
	used    uint64
}

// handleEntry is an open file. The handle is stored last.
type handleEntry struct {
	fh      atomic.Uint64
	request uint64 // the OPEN that made it
	reader  reader // who opened it
	text    uint64 // hash of the snapshot
	size    uint64
	uid     uint32
	_       uint32
}

// storeBytes is how much private memory the table needs.
const storeBytes = int(unsafe.Sizeof(store{}))

// openStore views the private part of a memory, and begins it when it is new.
func openStore(extra []byte, now int64) (*store, error) {
	if len(extra) < storeBytes {
		return nil, ErrCorrupt
	}
	s := (*store)(unsafe.Pointer(&extra[0]))
	switch {
	case s.magic == 0 && s.version == 0:
		s.version, s.began = storeVersion, now
		s.magic = storeMagic
	case s.magic != storeMagic:
		return nil, ErrCorrupt
	case s.version != storeVersion:
		return nil, ErrVersion
	}
	return s, nil
}
