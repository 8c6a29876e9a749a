package server

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
)

// The numbers of contracts and events are unique on the host. All supervisors of an instance
// map one file, whose first page has a counter of blocks of contract ids, a counter of event
// ids, and whose other pages have a bit for each block that some zone has ids of. A
// supervisor takes a block, or a range of event ids, when its last one is used up.
//
// Wrapping: event ids never end (2^63). Contract ids end at INT_MAX, as the original's, which
// a hostile zone reaches in days, so the counter of blocks goes round and passes over blocks
// that are held; a block is given back when no contract has a number of it any more. Two
// contracts with one number are so at least 2^31 births apart. What a zone held whose
// supervisor and keeper both died stays held until the host boots again: at most 64 times its
// contracts, of two thousand million.
const (
	ctPerBlock   = 64
	blocks       = 1 << 31 / ctPerBlock
	eventsTaken  = 4096
	eventIDMax   = 1 << 63
	idsPage      = 4096
	idsBytes     = idsPage + blocks/8
	idsMagic     = 0x31736469746e637a // "zcntids1", little-endian
	idsVersion   = 1
	blockTries   = 1 << 16 // held blocks passed over in a row before it is called the end
	idsLockLimit = 5 * time.Second
)

// IDsVersion is of the file of counters. Another one begins anew behind what is in use.
const IDsVersion = idsVersion

// idsHeader is the first page. All but the counters is written once, under the file's lock.
type idsHeader struct {
	magic, version uint64
	boot           [40]byte
	_              uint64
	block          atomic.Uint64 // the next block to try, modulo blocks
	event          atomic.Uint64 // the first event id that nobody has taken
}

// ids is the mapped file.
type ids struct {
	fd  *sys.FD
	mem []byte
	h   *idsHeader
}

// openIDs maps the file of ids at path, making it anew when it is missing or of another boot.
func openIDs(path string) (*ids, error) {
	boot, err := sys.BootID()
	if err != nil {
		return nil, err
	}
	n, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &ids{fd: sys.Own(n)}
	if err := d.mapLocked(boot); err != nil {
		d.close()
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return d, nil
}

// mapLocked looks at the file with its lock held, so that of two that find another boot's
// file one makes it anew. Nobody of this boot has another boot's file mapped.
func (d *ids) mapLocked(boot string) error {
	if err := lockWithin(d.fd.Int(), idsLockLimit); err != nil {
		return err
	}
	defer unlock(d.fd.Int())
	var st unix.Stat_t
	if err := unix.Fstat(d.fd.Int(), &st); err != nil {
		return err
	}
	old := st.Size == idsBytes
	if !old {
		if err := d.empty(); err != nil {
			return err
		}
	}
	if err := d.mmap(); err != nil {
		return err
	}
	if old && d.h.magic == idsMagic && d.h.version == idsVersion && unix.ByteSliceToString(d.h.boot[:]) == boot {
		return nil
	}
	if old { // emptied under the mapping, which nobody else has
		if err := d.empty(); err != nil {
			return err
		}
	}
	return d.initialise(boot)
}

// empty makes the file zeros of the right size, with memory or disk behind its first page, so
// that writing there can not fault.
func (d *ids) empty() error {
	if err := unix.Ftruncate(d.fd.Int(), 0); err != nil {
		return err
	}
	return unix.Ftruncate(d.fd.Int(), idsBytes)
}

func (d *ids) mmap() error {
	if err := d.reserve(0, idsPage); err != nil {
		return err
	}
	mem, err := unix.Mmap(d.fd.Int(), 0, idsBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	d.mem, d.h = mem, (*idsHeader)(unsafe.Pointer(&mem[0]))
	return nil
}

func (d *ids) initialise(boot string) error {
	if err := d.reserve(0, idsPage); err != nil {
		return err
	}
	copy(d.h.boot[:len(d.h.boot)-1], boot)
	d.h.event.Store(1)
	d.h.version = idsVersion
	d.h.magic = idsMagic
	return nil
}

func (d *ids) reserve(at, n int64) error {
	return sys.Retry(func() error { return unix.Fallocate(d.fd.Int(), 0, at, n) })
}

func (d *ids) close() {
	if d.mem != nil {
		_ = unix.Munmap(d.mem)
		d.mem, d.h = nil, nil
	}
	d.fd.Close()
}

// takeEvents takes a range of event ids. ErrIDs: there are no more.
func (d *ids) takeEvents() (first, end contract.EventID, err error) {
	n := d.h.event.Add(eventsTaken)
	if n >= eventIDMax {
		d.h.event.Store(eventIDMax) // so that it does not come round to small ones
		return 0, 0, ErrIDs
	}
	return contract.EventID(n - eventsTaken), contract.EventID(n), nil
}

// takeBlock takes a block of contract ids that nobody holds. ErrIDs: every one that was tried
// is held.
func (d *ids) takeBlock() (uint32, error) {
	for range blockTries {
		b := uint32((d.h.block.Add(1) - 1) % blocks)
		got, err := d.hold(b)
		if err != nil {
			return 0, err
		}
		if got {
			return b, nil
		}
	}
	return 0, ErrIDs
}

// hold sets a block's bit; false when it was set.
func (d *ids) hold(b uint32) (bool, error) {
	at := idsPage + int64(b/8)
	if err := d.reserve(at&^(idsPage-1), idsPage); err != nil {
		return false, err
	}
	mask := uint32(1) << (b % 32)
	return atomic.OrUint32(d.word(b), mask)&mask == 0, nil
}

// release gives a block back.
func (d *ids) release(b uint32) { atomic.AndUint32(d.word(b), ^(uint32(1) << (b % 32))) }

func (d *ids) word(b uint32) *uint32 {
	return (*uint32)(unsafe.Pointer(&d.mem[idsPage+int(b/32)*4]))
}

// claim makes the file agree with what a resumed supervisor holds: in a file that somebody
// has removed meanwhile, its ids must not be given out again.
func (d *ids) claim(held []uint32, event contract.EventID) error {
	for _, b := range held {
		if _, err := d.hold(b); err != nil {
			return err
		}
	}
	for {
		now := d.h.event.Load()
		if now >= uint64(event) || d.h.event.CompareAndSwap(now, uint64(event)) {
			return nil
		}
	}
}

func blockOf(id contract.ID) uint32 { return uint32(id) / ctPerBlock }

// blockRange is the ids of a block; 0 is none.
func blockRange(b uint32) (first, end contract.ID) {
	return contract.ID(max(1, b*ctPerBlock)), contract.ID((b + 1) * ctPerBlock)
}

// lockWithin takes the file's lock, which is held for microseconds unless its holder is
// stopped.
func lockWithin(fd int, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		late := time.Now().After(end) // before the try: who was not scheduled meanwhile tries once more
		lk := unix.Flock_t{Type: unix.F_WRLCK}
		err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lk)
		if err != unix.EAGAIN && err != unix.EACCES && err != unix.EINTR {
			return err
		}
		if late {
			return ErrIDsLocked
		}
		_, _ = unix.Poll(nil, 1)
	}
}

func unlock(fd int) {
	lk := unix.Flock_t{Type: unix.F_UNLCK}
	_ = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lk)
}
