package ring

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

func sysError(op string, what int, err error) error {
	errno, ok := err.(unix.Errno)
	if !ok {
		return err
	}
	return &sys.Error{Op: op, What: strconv.Itoa(what), Errno: errno}
}

// newFile makes the memory: sealed, so that nobody who has the descriptor can make the
// other side's access fault.
func newFile(size int) (*sys.FD, error) {
	n, err := unix.MemfdCreate("zone-console", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, sysError("memfd_create", size, err)
	}
	fd := sys.Own(n)
	if err := unix.Ftruncate(n, int64(size)); err != nil {
		fd.Close()
		return nil, sysError("ftruncate", size, err)
	}
	if _, err := unix.FcntlInt(uintptr(n), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		fd.Close()
		return nil, sysError("seal", n, err)
	}
	return fd, nil
}

// checkFile says whether fd is a file of that size which will keep it.
func checkFile(fd, size int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return sysError("fstat", fd, err)
	}
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return ErrNotSealed
	}
	if st.Size != int64(size) {
		return ErrCorrupt
	}
	return nil
}

func dup(fd int) (*sys.FD, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, sysError("dup", fd, err)
	}
	return sys.Own(n), nil
}

func mapShared(fd, size int) ([]byte, error) {
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, sysError("mmap", fd, err)
	}
	return mem, nil
}

func randomNumber() (uint64, error) {
	var b [8]byte
	for got := 0; got < len(b); {
		n, err := unix.Getrandom(b[got:], 0)
		if err != nil && err != unix.EINTR {
			return 0, sysError("getrandom", len(b), err)
		}
		got += max(n, 0)
	}
	return le64(b[:]), nil
}

// NewEvent makes an eventfd for one of the two directions: non-blocking, close-on-exec.
func NewEvent() (*sys.FD, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, sysError("eventfd", 0, err)
	}
	return sys.Own(n), nil
}

var one = [8]byte{1}

// Kick wakes who waits for an eventfd. A full counter is a wake-up already.
func Kick(event int) {
	_ = sys.Retry(func() error { _, err := unix.Write(event, one[:]); return err })
}

// Clear takes the kicks that came, so that the descriptor is not readable any more.
func Clear(event int) {
	var b [8]byte
	_ = sys.Retry(func() error { _, err := unix.Read(event, b[:]); return err })
}
