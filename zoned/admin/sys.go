package admin

import (
	"errors"

	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// lockType is how op.lock is held.
type lockType int16

// Alone keeps everybody else out; together keeps those out that want it alone.
const (
	alone    lockType = unix.F_WRLCK
	together lockType = unix.F_RDLCK
)

// tryLock takes an open-file-description lock on name in dir without waiting. EAGAIN: it is
// not free. The name must still mean the locked inode afterwards, since whoever cleans up
// behind a zone may have removed the file in between.
func tryLock(dir *sys.FD, name string, how lockType) (*sys.FD, error) {
	for {
		n, err := unix.Openat(dir.Int(), name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		fd := sys.Own(n)
		lk := unix.Flock_t{Type: int16(how)}
		if err := unix.FcntlFlock(uintptr(n), unix.F_OFD_SETLK, &lk); err != nil {
			_ = fd.Close()
			if errors.Is(err, unix.EACCES) {
				err = unix.EAGAIN
			}
			return nil, err
		}
		var a, b unix.Stat_t
		err = unix.Fstat(n, &a)
		if err == nil {
			err = unix.Fstatat(dir.Int(), name, &b, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err == nil && a.Dev == b.Dev && a.Ino == b.Ino {
			return fd, nil
		}
		_ = fd.Close()
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
	}
}

// accessible says whether the calling user may read path.
func accessible(path string) error { return unix.Access(path, unix.R_OK) }

// isBlock says whether path is a block device.
func isBlock(path string) (bool, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return false, err
	}
	return st.Mode&unix.S_IFMT == unix.S_IFBLK, nil
}
