package memlog

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

func sysError(op string, what int, err error) error {
	return &sys.Error{Op: op, What: strconv.Itoa(what), Errno: err}
}

// newFile makes the file, of its final size but without memory.
func newFile(name string, bytes int) (*sys.FD, error) {
	n, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, sysError("memfd_create", bytes, err)
	}
	fd := sys.Own(n)
	if err := unix.Ftruncate(n, int64(bytes)); err != nil {
		fd.Close()
		return nil, sysError("ftruncate", bytes, err)
	}
	if _, err := unix.FcntlInt(uintptr(n), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		fd.Close()
		return nil, sysError("seal", n, err)
	}
	return fd, nil
}

// fileBytes is the size of a file that will keep it.
func fileBytes(fd int) (int, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return 0, ErrNotSealed
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, sysError("fstat", fd, err)
	}
	if st.Size < headerBytes+2*BytesMin || st.Size > headerBytes+2*BytesLimit {
		return 0, ErrCorrupt
	}
	return int(st.Size), nil
}

func mapShared(fd, bytes int) ([]byte, error) {
	mem, err := unix.Mmap(fd, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, sysError("mmap", fd, err)
	}
	return mem, nil
}

// reservePiece is what is asked for in one call: an interrupted one begins anew, so that a
// large one might never come to its end under the runtime's own signals.
const reservePiece = 1 << 20

// reserve makes the kernel find memory for a range now.
func reserve(fd, at, bytes int) error {
	for end := at + bytes; at < end; at += reservePiece {
		piece := int64(min(end-at, reservePiece))
		err := sys.Retry(func() error { return unix.Fallocate(fd, 0, int64(at), piece) })
		if err != nil {
			return sysError("fallocate", bytes, err)
		}
	}
	return nil
}

// release gives the memory of a range back; it reads as zeros afterwards.
func release(fd, at, bytes int) error {
	const punch = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	err := sys.Retry(func() error { return unix.Fallocate(fd, punch, int64(at), int64(bytes)) })
	if err != nil {
		return sysError("punch hole", bytes, err)
	}
	return nil
}
