package ring

import (
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	// Size is how much output the ring holds: more than any screen and, at the speed of a
	// saturated pty, a few milliseconds of a supervisor's absence. A power of two.
	Size = 1 << 20

	// StallLimit is how long the writer may leave the pty unread, in nanoseconds, because
	// the ring is full. A replaced supervisor is back in tens of milliseconds and its client
	// with it; what takes a hundred times longer is not coming, and the zone must go on.
	StallLimit = int64(2e9)

	// SliceMax is the most that is written in one piece. It bounds how much of the oldest
	// output is out of a reader's reach while a write is under way. A pty gives 4 KiB at once.
	SliceMax = 64 << 10

	// AppendMax is the longest text that Append takes, and the room that Space keeps back
	// for it, so that a notice needs no byte of the zone's when the ring is full.
	AppendMax = 4 << 10

	// NoHold as cursor: nobody holds the writer up.
	NoHold = uint64(math.MaxUint64)

	// positionMax is further than any console gets (at 1 GiB/s in a hundred years); beyond it
	// the header is damaged, and below it no sum of positions overflows.
	positionMax = uint64(1) << 62

	// attachedMax is more clients than a console can have; beyond it the count is damaged.
	attachedMax = 1 << 16

	// holderMax is the kernel's greatest process number (PID_MAX_LIMIT).
	holderMax = 1 << 22

	headerBytes = 4096
	magic       = 0x316e6f637a786e6c // "lnxzcon1", little-endian
	version     = 1
	mask        = Size - 1
)

// Version is of the memory's form. Another one is refused.
const Version = version

// header is the first page of the mapping. The three parts are on cache lines of their own,
// since the two sides write theirs thousands of times a second. Every field is accessed
// atomically: the other side is another process.
type header struct {
	// Written once, at Create or Restore.
	magic, version, size, epoch atomic.Uint64
	base                        atomic.Uint64 // the first position this memory ever held
	_                           [24]byte

	// Written by the writer only.
	head         atomic.Uint64 // bytes ever written
	reserve      atomic.Uint64 // head, or the end of the piece being written: what lies Size before is gone
	lost         atomic.Uint64
	stalls       atomic.Uint64
	longestStall atomic.Int64
	_            [24]byte

	// Written by the reader.
	cursor    atomic.Uint64
	attached  atomic.Uint64
	holdUntil atomic.Int64
	holder    atomic.Uint64 // a supervisor that does not know it leaves it 0
	_         [32]byte

	// Set by who goes to sleep, cleared by who wakes it.
	readerSleeps atomic.Uint32
	_            [60]byte
	writerSleeps atomic.Uint32
	_            [60]byte
}

// mapping is the mapped memory and its descriptor.
type mapping struct {
	fd  *sys.FD
	mem []byte
	h   *header
}

func mapFD(fd *sys.FD) (*mapping, error) {
	mem, err := mapShared(fd.Int(), headerBytes+Size)
	if err != nil {
		return nil, err
	}
	return &mapping{fd: fd, mem: mem, h: (*header)(unsafe.Pointer(&mem[0]))}, nil
}

// open maps a ring made before. It takes a duplicate of fd.
func open(fd int) (*mapping, error) {
	if err := checkFile(fd, headerBytes+Size); err != nil {
		return nil, err
	}
	own, err := dup(fd)
	if err != nil {
		return nil, err
	}
	m, err := mapFD(own)
	if err != nil {
		own.Close()
		return nil, err
	}
	if err := m.check(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// check says whether the part of the header that is written once is what Create writes.
func (m *mapping) check() error {
	switch {
	case m.h.magic.Load() != magic:
		return ErrCorrupt
	case m.h.version.Load() != version:
		return ErrVersion
	case m.h.size.Load() != Size:
		return ErrCorrupt
	}
	_, _, err := m.window()
	return err
}

// window is the range of positions that can be read now: [oldest, head). By the order in
// which the writer stores them, reserve is never below a head loaded before it, nor more
// than a piece above a head loaded after it.
func (m *mapping) window() (oldest, head uint64, err error) {
	before := m.h.head.Load()
	reserve := m.h.reserve.Load()
	head = m.h.head.Load()
	oldest = m.h.base.Load()
	if head < before || head > positionMax || reserve < before || oldest > before || reserve > head && reserve-head > SliceMax {
		return 0, 0, ErrCorrupt
	}
	if reserve > Size && reserve-Size > oldest {
		oldest = reserve - Size
	}
	return min(oldest, head), head, nil
}

// data is the ring's memory from position pos to the wrap.
func (m *mapping) data(pos uint64) []byte { return m.mem[headerBytes+int(pos&mask):] }

// FD is the descriptor of the memory; the mapping keeps owning it.
func (m *mapping) FD() int { return m.fd.Int() }

// Epoch names this ring's content. Positions of another epoch mean nothing here.
func (m *mapping) Epoch() uint64 { return m.h.epoch.Load() }

// Stats are the ring's counters since its epoch began.
type Stats struct {
	Written      uint64 // bytes
	Lost         uint64 // bytes overwritten that the cursor still asked for
	Stalls       uint64 // times the writer had to wait
	LongestStall int64  // nanoseconds
}

// Stats are readable on both sides.
func (m *mapping) Stats() Stats {
	return Stats{
		Written: m.h.head.Load(), Lost: m.h.lost.Load(),
		Stalls: m.h.stalls.Load(), LongestStall: m.h.longestStall.Load(),
	}
}

// Close gives the mapping and the descriptor back. No method may be called after it.
func (m *mapping) Close() error {
	if m.mem == nil {
		return nil
	}
	err := unix.Munmap(m.mem)
	m.mem, m.h = nil, nil
	if cerr := m.fd.Close(); err == nil {
		err = cerr
	}
	return err
}
