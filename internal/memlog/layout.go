package memlog

import (
	"hash/crc32"
	"sync/atomic"
	"unsafe"
)

// Version is of the file's form. Another one is refused.
const Version = 1

const (
	// RecordMax is the longest record, in bytes: some times the largest request that a
	// client can make.
	RecordMax = 64 << 10

	// roomMin is the room that records have at least after a Checkpoint. A state larger
	// than that gives them as much as itself.
	roomMin = 256 << 10

	// reserveBytes is how much memory for records is asked of the kernel at a time.
	reserveBytes = 32 << 10

	// BytesMin and BytesLimit bound what Create takes: room for records and a state besides,
	// and what two mappings of stay a small part of the address space.
	BytesMin   = 2 * roomMin
	BytesLimit = 1 << 30

	pageBytes   = 4096
	headerBytes = pageBytes
	magic       = 0x31676f6c6d656d7a // "zmemlog1", little-endian
	version     = Version
)

// header is the first page.
type header struct {
	// Written once, at Create.
	magic, version, halfBytes uint64
	_                         [5]uint64
	// generation counts checkpoints; its lowest bit names the half in use. This is the
	// word that a Checkpoint flips.
	generation atomic.Uint64
}

// halfHeader begins each half.
type halfHeader struct {
	generation uint64
	stateBytes uint64
	stateSum   uint32
	_          uint32
	_          [5]uint64
}

// recordHeader stands before each record, at a multiple of recordAlign. The length is stored
// last, by one instruction, and makes the record be there. A length of 0 ends the records,
// so it is stored plus one: a record may be empty.
type recordHeader struct {
	lengthPlus1 atomic.Uint32
	sum         uint32
}

const (
	halfHeaderBytes   = int(unsafe.Sizeof(halfHeader{}))
	recordHeaderBytes = int(unsafe.Sizeof(recordHeader{}))
	recordAlign       = 8
)

func align(n, to int) int { return (n + to - 1) / to * to }

// recordsAt is where the records begin in a half whose state has so many bytes.
func recordsAt(stateBytes int) int { return halfHeaderBytes + align(stateBytes, recordAlign) }

// roomEnd is the offset in a half where the room of the records ends.
func roomEnd(stateBytes, halfBytes int) int {
	return min(recordsAt(stateBytes)+max(roomMin, stateBytes), halfBytes)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is a checksum of p that is another one in another generation or place, so that what
// is left of an older half is never taken for a part of this one.
func sum(generation uint64, at int, p []byte) uint32 {
	seed := uint32(generation*0x9e3779b97f4a7c15>>32) ^ uint32(at)*0x85ebca6b
	return crc32.Update(seed, castagnoli, p)
}
