package orphans

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// Records is how many deaths are remembered.
	Records = 4096
	// FD is the descriptor that svc.startd finds it at.
	FD    = 3
	magic = 0x6f727068616e3031 // "orphan01": of another version it is another
)

// ErrNone: the descriptor is not of such a file.
var ErrNone = errors.New("not init's list of ended processes")

// header comes first; a page, so that records lie at a fixed place.
type header struct {
	magic uint64
	next  atomic.Uint64 // number of the record that is written next; the first is 1
	_     [4096 - 16]byte
}

// record is one death. seq is its number, 0 while it is written.
type record struct {
	seq    atomic.Uint64
	at     atomic.Uint64 // nanoseconds of CLOCK_BOOTTIME when it was reaped
	pid    atomic.Int64
	status atomic.Uint64
}

type memory struct {
	header  header
	records [Records]record
}

const bytes = int(unsafe.Sizeof(memory{}))

// List is the writer's side.
type List struct{ m *memory }

// New makes the file, and gives it with a descriptor for readers, which is not inherited by
// itself.
func New() (*List, int, error) {
	fd, err := unix.MemfdCreate("orphans", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, -1, os.NewSyscallError("memfd_create", err)
	}
	l, err := prepare(fd)
	if err != nil {
		unix.Close(fd)
		return nil, -1, err
	}
	return l, fd, nil
}

func prepare(fd int) (*List, error) {
	if err := unix.Ftruncate(fd, int64(bytes)); err != nil {
		return nil, os.NewSyscallError("ftruncate", err)
	}
	b, err := unix.Mmap(fd, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// From here on only this mapping writes.
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Munmap(b)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &List{m: (*memory)(unsafe.Pointer(&b[0]))}
	l.m.header.magic = magic
	l.m.header.next.Store(1)
	return l, nil
}

// Put remembers a death. A nil List remembers none.
func (l *List) Put(pid int, status unix.WaitStatus, at uint64) {
	if l == nil {
		return
	}
	n := l.m.header.next.Load()
	r := &l.m.records[n%Records]
	r.seq.Store(0)
	r.at.Store(at)
	r.pid.Store(int64(pid))
	r.status.Store(uint64(uint32(status)))
	r.seq.Store(n)
	l.m.header.next.Store(n + 1)
}

// View is a reader's side.
type View struct {
	m *memory
	b []byte
}

// Open maps the file behind a descriptor, which it leaves open. ErrNone.
func Open(fd int) (*View, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	const want = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&want != want || st.Size != int64(bytes) {
		return nil, ErrNone
	}
	b, err := unix.Mmap(fd, 0, bytes, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	v := &View{m: (*memory)(unsafe.Pointer(&b[0])), b: b}
	if v.m.header.magic != magic {
		v.Close()
		return nil, ErrNone
	}
	return v, nil
}

// Close unmaps it. A View must not be used any more.
func (v *View) Close() {
	if v.b != nil {
		unix.Munmap(v.b)
		v.b, v.m = nil, nil
	}
}

// Find gives the status of the process that had the number pid at the time since (nanoseconds of
// CLOCK_BOOTTIME), if init has reaped it and it is remembered.
func (v *View) Find(pid int, since uint64) (unix.WaitStatus, bool) {
	next := v.m.header.next.Load()
	first := uint64(1)
	if next > Records {
		first = next - Records
	}
	for n := first; n < next; n++ {
		r := &v.m.records[n%Records]
		if r.seq.Load() != n {
			continue // overwritten meanwhile
		}
		at, who, status := r.at.Load(), r.pid.Load(), r.status.Load()
		if r.seq.Load() == n && who == int64(pid) && at >= since {
			return unix.WaitStatus(status), true
		}
	}
	return 0, false
}

// Now is the time as Put and Find have it.
func Now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano())
}
