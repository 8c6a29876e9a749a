package ctfs

import "github.com/linuxzones/zones/contract"

// The text of a status file is that of the moment of its open, and is kept until it is
// closed, so that a reader of many small pieces sees one state; also when its server is killed
// in between, since texts stand in memory that the keeper holds (arena). All together have a
// bounded size, so that open files cost nothing: the oldest go first. Who reads on in one that
// is gone is told ESTALE, and never given a piece of a later state.

// Handles of status files are not the table's and mean themselves: a mark, the epoch of the
// server that gave it, a number of its own, and the contract's.
const (
	textMark    = uint64(1) << 63
	epochShift  = 48
	epochMask   = 1<<15 - 1
	serialShift = 32
	serialMask  = 1<<16 - 1
)

// texts are those of open status files.
type texts struct {
	arena  *arena
	byFH   map[uint64]entry
	epoch  uint32
	serial uint32
	most   uint64 // how far the arena was used since it was empty
	trim   func(from int)
}

// trimAbove is how much of the arena keeps its memory while no status file is open.
const trimAbove = 64 << 10

func newTexts(cfg *Config) texts {
	mem := cfg.Arena
	if len(mem) < ArenaBytes { // there is none, or an older version's
		mem = make([]byte, ArenaBytes)
	}
	t := texts{byFH: map[uint64]entry{}, epoch: cfg.Epoch, trim: cfg.Trim}
	var list []entry
	t.arena, list = openArena(mem)
	for _, e := range list {
		t.byFH[e.fh] = e
	}
	t.most = min(t.arena.head, arenaUsable)
	return t
}

// isText says whether a handle is of a status file, and of which contract's.
func isText(fh uint64) (contract.ID, bool) { return contract.ID(uint32(fh)), fh&textMark != 0 }

// add keeps a text and gives its handle.
func (t *texts) add(id contract.ID, b []byte) uint64 {
	for {
		t.serial++
		fh := textMark | uint64(t.epoch&epochMask)<<epochShift | uint64(t.serial&serialMask)<<serialShift | uint64(id)
		if _, used := t.find(fh); used {
			continue // an old one; there are fewer texts than serial numbers
		}
		t.put(fh, b)
		return fh
	}
}

func (t *texts) put(fh uint64, b []byte) {
	e, gone, ok := t.arena.put(fh, b)
	for _, old := range gone {
		delete(t.byFH, old)
	}
	if !ok {
		return
	}
	t.byFH[fh] = e
	t.most = max(t.most, min(t.arena.head, arenaUsable))
}

func (t *texts) find(fh uint64) ([]byte, bool) {
	e, ok := t.byFH[fh]
	return e.text, ok
}

func (t *texts) drop(fh uint64) {
	e, ok := t.byFH[fh]
	if !ok {
		return
	}
	delete(t.byFH, fh)
	if !t.arena.drop(e) {
		return
	}
	if t.most > trimAbove && t.trim != nil {
		t.trim(trimAbove)
	}
	t.most = 0
}
