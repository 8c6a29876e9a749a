package ctfs

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"
	"unsafe"
)

// ArenaBytes is the size of an arena: all texts of open status files together. The longest
// text, of a contract of 65,536 members, has half of it.
const ArenaBytes = 1 << 20

// An arena is memory of fixed size that the keeper holds, so that a server's successor finds the
// texts that its predecessor gave to readers: entries one behind the other, in a circle.
//
//	0   magic
//	8   head: where the next entry comes; positions only grow, until all is empty
//	16  tail: where the oldest is
//	64  entries: handle (0: closed), length, checksum, text; each begins at a multiple of 16
//
// An entry is written before head passes it, and tail passes it before it is overwritten, so
// that a server can be killed between any two stores. What does not add up is forgotten.
const (
	arenaMagic  = 0x31747874667463 // "ctftxt1"
	headAt      = 8
	tailAt      = 16
	entriesAt   = 64
	entryHead   = 16
	entryAlign  = 16
	arenaUsable = ArenaBytes - entriesAt
)

type arena struct {
	mem        []byte
	head, tail uint64
}

func (a *arena) word(at int) *uint64 { return (*uint64)(unsafe.Pointer(&a.mem[at])) }

func (a *arena) set(at int, v uint64) { atomic.StoreUint64(a.word(at), v) }

// entry is one that stands in an arena.
type entry struct {
	at   uint64
	fh   uint64
	size uint64 // with its head
	text []byte
}

func aligned(n uint64) uint64 { return (n + entryAlign - 1) &^ (entryAlign - 1) }

// room is how much there is from a position to the end of the memory.
func room(at uint64) uint64 { return arenaUsable - at%arenaUsable }

// openArena takes up what a predecessor has left, oldest first.
func openArena(mem []byte) (*arena, []entry) {
	a := &arena{mem: mem[:ArenaBytes:ArenaBytes]}
	head, tail := atomic.LoadUint64(a.word(headAt)), atomic.LoadUint64(a.word(tailAt))
	if *a.word(0) != arenaMagic || tail > head || head-tail > arenaUsable || head%entryAlign != 0 || tail%entryAlign != 0 {
		a.clear()
		a.set(0, arenaMagic)
		return a, nil
	}
	a.head, a.tail = head, tail
	var list []entry
	for at := tail; at < head; {
		e, ok := a.at(at)
		if !ok || at+e.size > head {
			a.clear()
			return a, nil
		}
		if e.fh != 0 {
			list = append(list, e)
		}
		at += e.size
	}
	return a, list
}

// at reads the entry at a position.
func (a *arena) at(at uint64) (e entry, ok bool) {
	b := a.mem[entriesAt+at%arenaUsable:]
	n := uint64(binary.NativeEndian.Uint32(b[8:]))
	e = entry{at: at, fh: binary.NativeEndian.Uint64(b), size: aligned(entryHead + n)}
	if n > arenaUsable || e.size > room(at) {
		return e, false
	}
	e.text = b[entryHead : entryHead+n : entryHead+n]
	return e, e.fh == 0 || binary.NativeEndian.Uint32(b[12:]) == checksum(e.fh, e.text)
}

func checksum(fh uint64, text []byte) uint32 {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], fh)
	return crc32.Update(crc32.ChecksumIEEE(b[:]), crc32.IEEETable, text)
}

// reserve makes place for a text, at the cost of the oldest, whose handles it gives. ok is false
// for one that never has a place.
func (a *arena) reserve(n int) (gone []uint64, ok bool) {
	size := aligned(entryHead + uint64(n))
	if size > arenaUsable {
		return nil, false
	}
	skip := uint64(0)
	if r := room(a.head); r < size {
		skip = r
	}
	for a.head+skip+size-a.tail > arenaUsable && a.tail < a.head {
		e, ok := a.at(a.tail)
		if !ok { // somebody else has written here
			a.tail = a.head
			break
		}
		if e.fh != 0 {
			gone = append(gone, e.fh)
		}
		a.tail += e.size
		a.set(tailAt, a.tail)
	}
	if a.tail == a.head {
		a.clear()
		return gone, true
	}
	if skip > 0 { // a closed entry up to the end
		b := a.mem[entriesAt+a.head%arenaUsable:]
		binary.NativeEndian.PutUint64(b, 0)
		binary.NativeEndian.PutUint32(b[8:], uint32(skip-entryHead))
		a.head += skip
		a.set(headAt, a.head)
	}
	return gone, true
}

// put writes a text down under a handle.
func (a *arena) put(fh uint64, text []byte) (e entry, gone []uint64, ok bool) {
	gone, ok = a.reserve(len(text))
	if !ok {
		return entry{}, gone, false
	}
	at := a.head
	b := a.mem[entriesAt+at%arenaUsable:]
	binary.NativeEndian.PutUint64(b, fh)
	binary.NativeEndian.PutUint32(b[8:], uint32(len(text)))
	binary.NativeEndian.PutUint32(b[12:], checksum(fh, text))
	copy(b[entryHead:], text)
	e, _ = a.at(at)
	a.head += e.size
	a.set(headAt, a.head)
	return e, gone, true
}

// drop closes an entry, and gives back what is closed at the tail. It says whether nothing is
// left.
func (a *arena) drop(e entry) (empty bool) {
	a.set(entriesAt+int(e.at%arenaUsable), 0)
	for a.tail < a.head {
		e, ok := a.at(a.tail)
		if !ok || e.fh != 0 {
			return false
		}
		a.tail += e.size
		a.set(tailAt, a.tail)
	}
	a.clear()
	return true
}

// clear forgets all. Between the two stores the head is before the tail, which is nothing too.
func (a *arena) clear() {
	a.set(headAt, 0)
	a.set(tailAt, 0)
	a.head, a.tail = 0, 0
}
