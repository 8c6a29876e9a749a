package fuse

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	// ParkedMax is how many requests may wait at a time. A zone has at most as many readers
	// that block, and each costs a page or two of memory while it does.
	ParkedMax = 4096

	// PollsMax is how many open files may be polled at a time.
	PollsMax = 4096

	// WriteMax is the most bytes that one write request brings, and the kernel's least.
	WriteMax = 4096

	// ReadMax is the most bytes that one read request asks for.
	ReadMax = 32 << 10

	// ExtraMax bounds the private part of a file system.
	ExtraMax = 16 << 20

	// slotBytes is the room for one request: what the kernel wants for reading
	// (FUSE_MIN_READ_BUFFER), and more than a header with WriteMax bytes.
	slotBytes = 8192

	pageBytes = 4096
	magic     = 0x31657375666d656d // "memfuse1", little-endian
	version   = 1
)

// MemoryVersion is of the memory's form. Another one is refused.
const MemoryVersion = version

// The parts of the file, each at a multiple of a page.
const (
	readingAt = pageBytes
	parkedAt  = readingAt + slotBytes
	pollsAt   = parkedAt + ParkedMax*parkedEntryBytes
	bodiesAt  = pollsAt + PollsMax*pollEntryBytes
	extraAt   = bodiesAt + ParkedMax*slotBytes

	parkedEntryBytes = int(unsafe.Sizeof(parkedEntry{}))
	pollEntryBytes   = int(unsafe.Sizeof(pollEntry{}))
)

// memoryHeader is the first page.
type memoryHeader struct {
	// Written once, when the memory is made.
	magic, version, extraBytes uint64

	// Params, once the kernel was answered.
	negotiated atomic.Uint64
	params     Params

	// connection is the number below /sys/fs/fuse/connections plus one, 0 when not told.
	connection atomic.Uint64

	parkedHigh atomic.Uint64 // entries at and above were not used since there were none
	parkedSeq  atomic.Uint64
	pollsHigh  atomic.Uint64
}

// parkedEntry says what lies in a parked slot. Unique is stored last and makes it be there.
type parkedEntry struct {
	unique atomic.Uint64
	seq    uint64
}

// pollEntry is an open file that somebody polls. The kernel's handle is stored last.
type pollEntry struct {
	kh    atomic.Uint64
	fh    uint64
	armed atomic.Uint32 // somebody waits to be woken
	_     uint32
}

// Params are what was negotiated with the kernel.
type Params struct {
	Major, Minor uint32 // of the kernel
	Flags        uint32 // taken
	MaxWrite     uint32
}

// Memory is what of a session outlives its process.
type Memory struct {
	fd   *sys.FD
	file []byte
	head *memoryHeader
}

// NewMemory makes the memory of a session that has not begun, and with it extraBytes for the
// file system's own use (ErrExtra: more than ExtraMax). Pages cost nothing until they are used.
func NewMemory(extraBytes int) (*Memory, error) {
	if extraBytes < 0 || extraBytes > ExtraMax {
		return nil, ErrExtra
	}
	fd, err := newFile("zone-fuse", fileBytes(extraBytes))
	if err != nil {
		return nil, err
	}
	m, err := mapMemory(fd, fileBytes(extraBytes))
	if err != nil {
		return nil, err
	}
	m.head.version, m.head.extraBytes = version, uint64(extraBytes)
	m.head.magic = magic
	return m, nil
}

// OpenMemory maps a memory made before, of which fd is a descriptor; it takes a duplicate.
// A memory in use by a session that lives must not be opened.
func OpenMemory(fd int) (*Memory, error) {
	bytes, err := checkFile(fd)
	if err != nil {
		return nil, err
	}
	own, err := dup(fd)
	if err != nil {
		return nil, err
	}
	m, err := mapMemory(own, bytes)
	if err != nil {
		return nil, err
	}
	if err := m.check(bytes); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// fileBytes is how large the file is with a private part of that size.
func fileBytes(extraBytes int) int {
	return extraAt + (extraBytes+pageBytes-1)/pageBytes*pageBytes
}

func (m *Memory) check(bytes int) error {
	switch {
	case m.head.magic != magic:
		return ErrCorrupt
	case m.head.version != version:
		return ErrVersion
	case m.head.extraBytes > ExtraMax || fileBytes(int(m.head.extraBytes)) != bytes:
		return ErrCorrupt
	case m.head.parkedHigh.Load() > ParkedMax || m.head.pollsHigh.Load() > PollsMax:
		return ErrCorrupt
	}
	return nil
}

// mapMemory takes fd over.
func mapMemory(fd *sys.FD, bytes int) (*Memory, error) {
	file, err := mapShared(fd.Int(), bytes)
	if err != nil {
		fd.Close()
		return nil, err
	}
	m := &Memory{fd: fd, file: file, head: (*memoryHeader)(unsafe.Pointer(&file[0]))}
	keepResident(file[:readingAt+slotBytes])
	return m, nil
}

// FD is the descriptor to keep for the next OpenMemory; the memory keeps owning it.
func (m *Memory) FD() int { return m.fd.Int() }

// Extra is the file system's private part, as long as NewMemory was asked for, zeros at first.
func (m *Memory) Extra() []byte {
	n := int(min(m.head.extraBytes, ExtraMax))
	return m.file[extraAt:][:n:n]
}

// ReleaseExtra gives the memory of the private part from a place on back: it reads as zeros.
func (m *Memory) ReleaseExtra(from int) error {
	from = (from + pageBytes - 1) / pageBytes * pageBytes
	if from < 0 || from >= len(m.Extra()) {
		return nil
	}
	return release(m.fd.Int(), extraAt+from, len(m.file)-extraAt-from)
}

// SetConnection notes the connection's number, as Connection gave it at the mount.
func (m *Memory) SetConnection(number uint32) { m.head.connection.Store(uint64(number) + 1) }

// Connection is what SetConnection noted.
func (m *Memory) Connection() (number uint32, known bool) {
	n := m.head.connection.Load()
	return uint32(n - 1), n != 0
}

// Params are what was negotiated, zero before it was.
func (m *Memory) Params() Params {
	if m.head.negotiated.Load() == 0 {
		return Params{}
	}
	return m.head.params
}

// Close unmaps. What is in the memory stays with whoever holds a descriptor.
func (m *Memory) Close() error {
	if m.file == nil {
		return nil
	}
	err := unix.Munmap(m.file)
	m.file, m.head = nil, nil
	m.fd.Close()
	return err
}

func (m *Memory) reading() []byte { return m.file[readingAt:][:slotBytes:slotBytes] }

func (m *Memory) readingHeader() *inHeader {
	return (*inHeader)(unsafe.Pointer(&m.file[readingAt]))
}

// freeReading forgets what is in the reading slot. The length is what says that there is
// something.
func (m *Memory) freeReading() {
	atomic.StoreUint32(&m.readingHeader().length, 0)
}

func (m *Memory) parked(i int) *parkedEntry {
	return (*parkedEntry)(unsafe.Pointer(&m.file[parkedAt+i*parkedEntryBytes]))
}

func (m *Memory) parkedBody(i int) []byte {
	return m.file[bodiesAt+i*slotBytes:][:slotBytes:slotBytes]
}

func (m *Memory) poll(i int) *pollEntry {
	return (*pollEntry)(unsafe.Pointer(&m.file[pollsAt+i*pollEntryBytes]))
}
