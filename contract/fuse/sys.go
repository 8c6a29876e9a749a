package fuse

import (
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

func sysError(op, what string, err error) error {
	return &sys.Error{Op: op, What: what, Errno: err}
}

// newFile makes the memory's file: sealed, so that no access to the mapping can fault.
func newFile(name string, bytes int) (*sys.FD, error) {
	n, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, sysError("memfd_create", name, err)
	}
	fd := sys.Own(n)
	if err := unix.Ftruncate(n, int64(bytes)); err != nil {
		fd.Close()
		return nil, sysError("ftruncate", name, err)
	}
	if _, err := unix.FcntlInt(uintptr(n), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		fd.Close()
		return nil, sysError("seal", name, err)
	}
	return fd, nil
}

// checkFile gives the size of a file that will keep it.
func checkFile(fd int) (int, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return 0, ErrNotSealed
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, sysError("fstat", strconv.Itoa(fd), err)
	}
	if st.Size < int64(extraAt) || st.Size > int64(fileBytes(ExtraMax)) {
		return 0, ErrCorrupt
	}
	return int(st.Size), nil
}

func dup(fd int) (*sys.FD, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, sysError("dup", strconv.Itoa(fd), err)
	}
	return sys.Own(n), nil
}

func mapShared(fd, bytes int) ([]byte, error) {
	mem, err := unix.Mmap(fd, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, sysError("mmap", strconv.Itoa(fd), err)
	}
	return mem, nil
}

// mapPrivate maps bytes for replies.
func mapPrivate(bytes int) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, sysError("mmap", strconv.Itoa(bytes), err)
	}
	return mem, nil
}

// keepResident makes the pages of mem be there, writable, and stay. Where the limit on
// locked memory forbids it, touching them has to do: then only a host that swaps can lose a
// request of a killed process (see the package's text).
func keepResident(mem []byte) {
	_ = unix.Mlock(mem)
	for at := 0; at < len(mem); at += pageBytes {
		atomic.AddUint32((*uint32)(unsafe.Pointer(&mem[at])), 0) // a write that changes nothing
	}
}

// lockAsTouched keeps pages of mem once they were used.
func lockAsTouched(mem []byte) {
	const onFault = 1 // MLOCK_ONFAULT
	_, _, _ = unix.Syscall(unix.SYS_MLOCK2, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), onFault)
}

// reserve makes the kernel find memory for a range now, so that a lack of it is an error and
// not a fault.
func reserve(fd, at, bytes int) error {
	err := sys.Retry(func() error { return unix.Fallocate(fd, 0, int64(at), int64(bytes)) })
	if err != nil {
		return sysError("fallocate", strconv.Itoa(bytes), err)
	}
	return nil
}

// release gives the memory of a range back; it reads as zeros afterwards.
func release(fd, at, bytes int) error {
	const punch = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	return sys.Retry(func() error { return unix.Fallocate(fd, punch, int64(at), int64(bytes)) })
}
