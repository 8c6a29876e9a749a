package collector

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Ring is the reader's end of a zone's ring buffer. It has one reader at a time; the one that
// comes after a dead one goes on where the dead one had advanced to, or skips to where it
// knows that everything before was kept.
type Ring struct {
	fd   *sys.FD
	size uint64
	// consumer is the page that the kernel reads our position from, producer the one it
	// writes its own to, followed by the data, mapped twice in a row: no record is cut.
	consumer, producer []byte
	at                 uint64 // where Next reads
}

// Headers of records, as in include/uapi/linux/bpf.h.
const (
	headerBytes = 8
	busyBit     = 1 << 31
	discardBit  = 1 << 30
)

// OpenRing maps a ring. The descriptor stays the caller's, and must outlive the Ring.
func OpenRing(fd *sys.FD) (*Ring, error) {
	size, err := ringBytes(fd)
	if err != nil {
		return nil, err
	}
	page := unix.Getpagesize()
	r := &Ring{fd: fd, size: uint64(size)}
	r.consumer, err = unix.Mmap(fd.Int(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &sys.Error{Op: "mmap", What: "ring", Errno: err}
	}
	r.producer, err = unix.Mmap(fd.Int(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(r.consumer)
		return nil, &sys.Error{Op: "mmap", What: "ring", Errno: err}
	}
	r.at = r.Position()
	return r, nil
}

// ringBytes asks the kernel for the ring's size, and that it is a ring.
func ringBytes(fd *sys.FD) (int, error) {
	var info struct{ typ, id, keyBytes, valueBytes, entries, flags uint32 }
	attr := struct {
		fd, bytes uint32
		info      uint64
	}{uint32(fd.Int()), uint32(unsafe.Sizeof(info)), pointer(unsafe.Pointer(&info))}
	if _, err := bpf("info", unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return 0, err
	}
	if info.typ != unix.BPF_MAP_TYPE_RINGBUF {
		return 0, ErrCorrupt
	}
	return int(info.entries), nil
}

// Close unmaps the ring.
func (r *Ring) Close() error {
	err := unix.Munmap(r.consumer)
	if e := unix.Munmap(r.producer); err == nil {
		err = e
	}
	return err
}

// FD is readable (poll, epoll) when something was written past where Advance was. It stays
// the ring's.
func (r *Ring) FD() int { return r.fd.Int() }

func position(page []byte) *uint64 { return (*uint64)(unsafe.Pointer(unsafe.SliceData(page))) }

// Position is up to where the ring was advanced, by this reader or one before it.
func (r *Ring) Position() uint64 { return atomic.LoadUint64(position(r.consumer)) }

// written is up to where the kernel has given out places.
func (r *Ring) written() uint64 { return atomic.LoadUint64(position(r.producer)) }

// Next gives the next record and the position behind it, which is what Advance and Skip take.
// ok is false when there is none now. A record stays in the ring until Advance.
//
// ErrCorrupt: the record at this place is none of ours; Next goes on behind it, where it can.
func (r *Ring) Next() (rec Record, at uint64, ok bool, err error) {
	for r.at != r.written() {
		left := r.written() - r.at
		offset := r.at & (r.size - 1)
		data := r.producer[unix.Getpagesize():]
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&data[offset])))
		if head&busyBit != 0 {
			return Record{}, r.at, false, nil
		}
		length := uint64(head &^ (busyBit | discardBit))
		whole := (length + headerBytes + 7) &^ 7
		if whole > left || whole > r.size {
			return Record{}, r.at, false, ErrCorrupt
		}
		r.at += whole
		if head&discardBit != 0 {
			continue
		}
		rec, err = decode(data[offset+headerBytes : offset+headerBytes+length])
		return rec, r.at, err == nil, err
	}
	return Record{}, r.at, false, nil
}

// Advance gives the room of all records up to a position back. The kernel tells of what was
// written since by making FD readable.
func (r *Ring) Advance(to uint64) {
	if to-r.Position() <= r.at-r.Position() {
		atomic.StoreUint64(position(r.consumer), to)
	}
}

// Skip sets where Next reads to a position that an earlier reader was given, and advances to
// there. ErrPosition: it is behind what was advanced to, or ahead of what is written.
func (r *Ring) Skip(to uint64) error {
	if from := r.Position(); to-from > r.written()-from {
		return ErrPosition
	}
	r.at = to
	r.Advance(to)
	return nil
}
