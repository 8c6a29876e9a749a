package image

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// This file makes single files at (descriptor of the directory, last component). Files
// are made private and get their owner and mode afterwards, so that the umask does not
// matter and nothing is readable too early.

// timing says whether a file's time is set with the rest.
type timing int

const (
	timeLater timing = iota
	timeNow
)

// makeDir makes and opens a directory.
func makeDir(dir int, base string) (*desc, error) {
	if err := unix.Mkdirat(dir, base, 0o700); err != nil {
		return nil, err
	}
	return openAt(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
}

// createFile makes and opens a regular file, which must not exist.
func createFile(dir int, base string) (*desc, error) {
	n, err := unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return &desc{n}, nil
}

// makeRoom removes a file that is to be replaced by one of the same type.
func makeRoom(dir int, base string, kind uint32) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != kind {
		return ErrDuplicate
	}
	return unix.Unlinkat(dir, base, 0)
}

// setMeta sets owner, mode and time of an open file, in the order that keeps them:
// chown takes setuid bits away. Attributes come after it, since chown takes file
// capabilities away too.
func setMeta(fd int, mt meta, when timing) error {
	if err := unix.Fchown(fd, mt.uid, mt.gid); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	if err := unix.Fchmod(fd, mt.mode&0o7777); err != nil {
		return fmt.Errorf("set the mode: %w", err)
	}
	if when == timeLater {
		return nil
	}
	return setTime(fd, mt.mtime)
}

// setMetaOfLink sets owner and time of a symbolic link; it has nothing else.
func setMetaOfLink(dir int, base string, mt meta) error {
	if err := unix.Fchownat(dir, base, mt.uid, mt.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	ts := []unix.Timespec{mt.mtime, mt.mtime}
	return unix.UtimesNanoAt(dir, base, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// setTime sets the time of an open file.
func setTime(fd int, mtime unix.Timespec) error {
	return unix.UtimesNanoAt(fd, "", []unix.Timespec{mtime, mtime}, unix.AT_EMPTY_PATH)
}

// sameFile tells whether a name is one more link to an open file.
func sameFile(fd, dir int, base string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil &&
		unix.Fstatat(dir, base, &b, unix.AT_SYMLINK_NOFOLLOW) == nil && idOf(&a) == idOf(&b)
}

// zeroBlock is the unit in which holes are made: the block of most file systems.
var zeroBlock [4096]byte

// holeWriter writes a file in order and leaves holes where whole blocks are zero: an
// archive's own account of holes is not needed, and zeros take no space on disk.
type holeWriter struct {
	fd  int
	off int64
}

// Write takes any number of bytes; callers pass multiples of the block but at the end.
func (w *holeWriter) Write(b []byte) (int, error) {
	for at := 0; at < len(b); {
		data := at
		for data < len(b) && !isZero(b[data:min(data+len(zeroBlock), len(b))]) {
			data = min(data+len(zeroBlock), len(b))
		}
		if data > at {
			if err := pwriteAll(w.fd, b[at:data], w.off+int64(at)); err != nil {
				return at, err
			}
			at = data
			continue
		}
		at = min(at+len(zeroBlock), len(b))
	}
	w.off += int64(len(b))
	return len(b), nil
}

// finish gives the file its length when it ends in a hole.
func (w *holeWriter) finish() error { return unix.Ftruncate(w.fd, w.off) }

func isZero(b []byte) bool { return string(b) == string(zeroBlock[:len(b)]) }

// refusedByFS tells that a file system lacks an operation rather than failing in it.
func refusedByFS(err error) bool {
	return errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) ||
		errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBADF)
}
