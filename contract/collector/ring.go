package collector

import (
	"sync/atomic"
	"time"
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
	held               bool   // Next has stopped at a record that is being written

	// watch is an epoll of the ring and of timer. Records that can wait do not wake a reader
	// that was woken a short while ago: it is let go on reading, and the timer has it look
	// again when quiet says that the while is over.
	watch, timer *sys.FD
	quiet        func() (until int64) // of CLOCK_BOOTTIME
	again        bool                 // something was read since the timer was set
	set          bool                 // the timer is set, or has run out
}

// longestPace is what the programs leave a reader alone for at most (PACE_MAX of ring.h).
const longestPace = 32 * time.Millisecond

// Headers of records, as in include/uapi/linux/bpf.h.
const (
	headerBytes = 8
	busyBit     = 1 << 31
	discardBit  = 1 << 30
)

// Reader is OpenRing for the ring of a zone of this collector, and is told by it how long its
// reader is left alone.
func (c *Collector) Reader(zone uint64, fd *sys.FD) (*Ring, error) {
	r, err := OpenRing(fd)
	if err != nil {
		return nil, err
	}
	r.quiet = func() int64 { return c.quietUntil(zone) }
	return r, nil
}

// quietUntil is until when records that can wait do not wake a zone's reader.
func (c *Collector) quietUntil(zone uint64) int64 {
	var v userValue
	if lookup(c.users, zone, unsafe.Pointer(&v)) != nil {
		return sys.Boottime() + int64(longestPace)
	}
	return int64(v.woken + v.pace)
}

// OpenRing maps a ring of whose zone nothing is known. The descriptor stays the caller's, and
// must outlive the Ring.
func OpenRing(fd *sys.FD) (*Ring, error) {
	size, err := ringBytes(fd)
	if err != nil {
		return nil, err
	}
	r := &Ring{fd: fd, size: uint64(size)}
	r.quiet = func() int64 { return sys.Boottime() + int64(longestPace) }
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	r.at = r.Position()
	return r, nil
}

func (r *Ring) open() (err error) {
	page := unix.Getpagesize()
	r.consumer, err = unix.Mmap(r.fd.Int(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return &sys.Error{Op: "mmap", What: "ring", Errno: err}
	}
	r.producer, err = unix.Mmap(r.fd.Int(), int64(page), page+2*int(r.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return &sys.Error{Op: "mmap", What: "ring", Errno: err}
	}
	if r.watch, err = watch(); err != nil {
		return err
	}
	if r.timer, err = timer(); err != nil {
		return err
	}
	for _, fd := range []*sys.FD{r.fd, r.timer} {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd.Int())}
		if err := unix.EpollCtl(r.watch.Int(), unix.EPOLL_CTL_ADD, fd.Int(), &ev); err != nil {
			return &sys.Error{Op: "epoll_ctl", Errno: err}
		}
	}
	return nil
}

// ringBytes asks the kernel for the ring's size, and that it is a ring.
func ringBytes(fd *sys.FD) (int, error) {
	var info struct{ typ, id, keyBytes, valueBytes, entries, flags uint32 }
	attr := struct {
		fd, bytes uint32
		info      unsafe.Pointer
	}{uint32(fd.Int()), uint32(unsafe.Sizeof(info)), unsafe.Pointer(&info)}
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
	var first error
	for _, m := range [][]byte{r.consumer, r.producer} {
		if m == nil {
			continue
		}
		if err := unix.Munmap(m); first == nil {
			first = err
		}
	}
	r.consumer, r.producer = nil, nil
	r.watch.Close()
	r.timer.Close()
	return first
}

// FD is readable (poll, epoll) when something was written past where Advance was, and once
// more some time after Next has found the ring empty. It stays the ring's.
func (r *Ring) FD() int { return r.watch.Int() }

func position(page []byte) *uint64 { return (*uint64)(unsafe.Pointer(unsafe.SliceData(page))) }

// Position is up to where the ring was advanced, by this reader or one before it.
func (r *Ring) Position() uint64 { return atomic.LoadUint64(position(r.consumer)) }

// written is up to where the kernel has given out places.
func (r *Ring) written() uint64 { return atomic.LoadUint64(position(r.producer)) }

// Next gives the next record and the position behind it, which is what Advance and Skip take.
// ok is false when there is none now; FD tells of the next. A record stays in the ring until
// Advance.
//
// ErrCorrupt: the record at this place is none of ours. Next goes on behind it; where that can
// not be found, the ring is of no more use, and the error stays.
func (r *Ring) Next() (rec Record, at uint64, ok bool, err error) {
	data, ok, err := r.next()
	if err == nil && !ok {
		return Record{}, r.at, false, r.rest()
	}
	r.again = true
	if err == nil {
		rec, err = decode(data)
	}
	return rec, r.at, err == nil, err
}

// Held says that Next gave nothing because the record there is still being written. Others may
// be whole behind it: what happened before now is not all told yet. FD stays readable.
func (r *Ring) Held() bool { return r.held }

// next is the next record's bytes.
func (r *Ring) next() (rec []byte, ok bool, err error) {
	data := r.producer[unix.Getpagesize():]
	r.held = false
	for {
		left := r.written() - r.at
		if left == 0 {
			return nil, false, nil
		}
		offset := r.at & (r.size - 1)
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&data[offset])))
		if head&busyBit != 0 { // being written
			r.again, r.held = true, true
			return nil, false, nil
		}
		length := uint64(head &^ discardBit)
		whole := (length + headerBytes + 7) &^ 7
		if whole > left || left > r.size {
			return nil, false, ErrCorrupt
		}
		r.at += whole
		if head&discardBit == 0 {
			return data[offset+headerBytes : offset+headerBytes+length], true, nil
		}
	}
}

// rest sets the timer when something was read since, and clears it when it has run out. It
// runs out at once where the quiet ended after the ring was seen to be empty.
func (r *Ring) rest() error {
	if r.again {
		r.again, r.set = false, true
		v := unix.ItimerSpec{Value: unix.NsecToTimespec(r.quiet())}
		if err := unix.TimerfdSettime(r.timer.Int(), unix.TFD_TIMER_ABSTIME, &v, nil); err != nil {
			return &sys.Error{Op: "timerfd_settime", Errno: err}
		}
		return nil
	}
	if r.set {
		var times [8]byte
		_, err := unix.Read(r.timer.Int(), times[:])
		r.set = err == unix.EAGAIN || err == unix.EINTR // not yet
	}
	return nil
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
