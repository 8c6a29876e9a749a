package memlog

import (
	"iter"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Log is an open journal.
type Log struct {
	fd   *sys.FD
	file []byte // the whole mapping
	head *header

	generation uint64
	half       []byte // of file: the half in use
	halfAt     int    // its offset in the file
	next       int    // where in the half the next record goes
	roomEnd    int    // where in the half the records' room ends
	reserved   int    // up to where in the half memory is known to be there
	records    int
	otherDirty bool // the other half is not known to be zeros
}

// Create makes an empty log, whose state and records together have at most bytesMax bytes
// (ErrSize: out of BytesMin to BytesLimit). The name is for /proc/PID/maps. Memory is
// taken as it is used.
func Create(name string, bytesMax int) (*Log, error) {
	if bytesMax < BytesMin || bytesMax > BytesLimit {
		return nil, ErrSize
	}
	half := align(bytesMax, pageBytes)
	fd, err := newFile(name, headerBytes+2*half)
	if err != nil {
		return nil, err
	}
	l, err := mapLog(fd, headerBytes+2*half)
	if err != nil {
		return nil, err
	}
	if err := reserve(fd.Int(), 0, headerBytes+pageBytes); err != nil {
		l.Close()
		return nil, err
	}
	l.head.version, l.head.halfBytes = version, uint64(half)
	l.use(0, 0, recordsAt(0), 0)
	l.halfHeader().stateSum = sum(0, halfHeaderBytes, nil)
	l.head.magic = magic
	return l, nil
}

// Open maps a log made before, of which fd is a descriptor; it takes a duplicate. State is
// the last one that a Checkpoint wrote (nil if none was), records what was appended since,
// in order; a record is valid during its step of the iteration, which must be over before
// the next Checkpoint.
func Open(fd int) (l *Log, state []byte, records iter.Seq[[]byte], err error) {
	bytes, err := fileBytes(fd)
	if err != nil {
		return nil, nil, nil, err
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, nil, nil, &sys.Error{Op: "dup", What: strconv.Itoa(fd), Errno: err}
	}
	if l, err = mapLog(sys.Own(own), bytes); err != nil {
		return nil, nil, nil, err
	}
	if state, err = l.load(); err == nil {
		err = l.clearOther()
	}
	if err != nil {
		l.Close()
		return nil, nil, nil, err
	}
	return l, state, l.walk(l.next), nil
}

// mapLog takes fd over.
func mapLog(fd *sys.FD, bytes int) (*Log, error) {
	file, err := mapShared(fd.Int(), bytes)
	if err != nil {
		fd.Close()
		return nil, err
	}
	return &Log{fd: fd, file: file, head: (*header)(unsafe.Pointer(&file[0]))}, nil
}

// load finds the half in use, checks all of it and gives a copy of the state.
func (l *Log) load() ([]byte, error) {
	halfBytes := (len(l.file) - headerBytes) / 2
	switch {
	case l.head.magic != magic:
		return nil, ErrCorrupt
	case l.head.version != version:
		return nil, ErrVersion
	case l.head.halfBytes != uint64(halfBytes) || halfBytes%pageBytes != 0 || len(l.file) != headerBytes+2*halfBytes:
		return nil, ErrCorrupt
	}
	generation := l.head.generation.Load()
	l.use(generation, 0, 0, 0)
	h := l.halfHeader()
	if h.generation != generation || h.stateBytes > uint64(stateMax(halfBytes)) {
		return nil, ErrCorrupt
	}
	n := int(h.stateBytes)
	state := l.half[halfHeaderBytes:][:n:n]
	if sum(generation, halfHeaderBytes, state) != h.stateSum {
		return nil, ErrCorrupt
	}
	next, count, err := l.scan(n)
	if err != nil {
		return nil, err
	}
	l.use(generation, n, next, count)
	if n == 0 {
		return nil, nil
	}
	return append([]byte(nil), state...), nil
}

// use makes the half of a generation the one in use. What is reserved is not known, so the
// next Append asks the kernel again, which is harmless.
func (l *Log) use(generation uint64, stateBytes, next, records int) {
	halfBytes := (len(l.file) - headerBytes) / 2
	l.generation = generation
	l.halfAt = headerBytes + int(generation&1)*halfBytes
	l.half = l.file[l.halfAt:][:halfBytes:halfBytes]
	l.next, l.records = next, records
	l.roomEnd, l.reserved = roomEnd(stateBytes, halfBytes), next
}

func (l *Log) halfHeader() *halfHeader { return (*halfHeader)(unsafe.Pointer(&l.half[0])) }

// stateMax is the largest state of which a half of that size can be made: the records
// keep roomMin.
func stateMax(halfBytes int) int { return halfBytes - halfHeaderBytes - roomMin - recordAlign }

// scan checks the records and says where they end and how many there are.
func (l *Log) scan(stateBytes int) (end, count int, err error) {
	limit := roomEnd(stateBytes, len(l.half))
	for at := recordsAt(stateBytes); ; count++ {
		if at+recordHeaderBytes > limit {
			return at, count, nil
		}
		h := l.record(at)
		length := int(h.lengthPlus1.Load()) - 1
		if length < 0 {
			return at, count, nil
		}
		next := at + recordHeaderBytes + align(length, recordAlign)
		if length > RecordMax || next > limit || sum(l.generation, at, l.half[at+recordHeaderBytes:][:length]) != h.sum {
			return 0, 0, ErrCorrupt
		}
		at = next
	}
}

func (l *Log) record(at int) *recordHeader { return (*recordHeader)(unsafe.Pointer(&l.half[at])) }

// walk gives the records of the half that is in use now, up to end.
func (l *Log) walk(end int) iter.Seq[[]byte] {
	half, first := l.half, recordsAt(int(l.halfHeader().stateBytes))
	return func(yield func([]byte) bool) {
		for at := first; at < end; {
			h := (*recordHeader)(unsafe.Pointer(&half[at]))
			length := int(h.lengthPlus1.Load()) - 1
			at += recordHeaderBytes
			if !yield(half[at:][:length:length]) {
				return
			}
			at += align(length, recordAlign)
		}
	}
}

// FD is the descriptor to keep for the next Open; the log keeps owning it.
func (l *Log) FD() int { return l.fd.Int() }

// Records is how many records there are since the last Checkpoint.
func (l *Log) Records() int { return l.records }

// Bytes is how much of the half in use is taken, state and records.
func (l *Log) Bytes() int { return l.next }

// Close unmaps. What was written stays with whoever holds a descriptor.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	err := unix.Munmap(l.file)
	l.file, l.half, l.head = nil, nil, nil
	l.fd.Close()
	return err
}
