package sys

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock is a held file: an open-file-description lock, which unlike POSIX record locks is
// not lost when another descriptor of the same file is closed, and whose descriptor is
// close-on-exec and never handed on, so that a child can not hold it for a dead parent.
type Lock struct {
	fd   *FD
	dir  *FD
	name string
}

// LockFile opens (making it 0600 when missing) and locks name in dir. EAGAIN: somebody
// holds it, and holder is the pid written in it (0 when it is not readable).
// After the lock is got the name must still mean the locked inode, else another process
// has replaced the file between open and lock, and it is tried again.
func LockFile(dir *FD, name string) (l *Lock, holder int, err error) {
	for {
		n, err := unix.Openat(dir.Int(), name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, 0, wrap("open", name, err)
		}
		fd := Own(n)
		lk := unix.Flock_t{Type: unix.F_WRLCK}
		if err := unix.FcntlFlock(uintptr(n), unix.F_OFD_SETLK, &lk); err != nil {
			holder = readPid(n)
			fd.Close()
			return nil, holder, wrap("lock", name, err)
		}
		if same, err := sameInode(dir.Int(), name, n); err != nil {
			fd.Close()
			return nil, 0, err
		} else if !same {
			fd.Close()
			continue
		}
		d, err := dir.Dup()
		if err != nil {
			fd.Close()
			return nil, 0, err
		}
		return &Lock{fd: fd, dir: d, name: name}, 0, nil
	}
}

// WritePid puts the caller's pid into the locked file.
func (l *Lock) WritePid(pid int) error {
	if err := unix.Ftruncate(l.fd.Int(), 0); err != nil {
		return wrap("truncate", l.name, err)
	}
	_, err := unix.Pwrite(l.fd.Int(), []byte(strconv.Itoa(pid)+"\n"), 0)
	return wrap("write", l.name, err)
}

// Pid is what the locked file holds: who held it before, 0 when nothing readable does.
func (l *Lock) Pid() int { return readPid(l.fd.Int()) }

// Remove unlinks the file while it is still locked, then releases it.
func (l *Lock) Remove() error {
	err := unix.Unlinkat(l.dir.Int(), l.name, 0)
	l.Release()
	return wrap("unlink", l.name, err)
}

// Release lets go of the lock and leaves the file.
func (l *Lock) Release() {
	l.fd.Close()
	l.dir.Close()
}

// LockHolder says whether name in dir is locked by somebody, and the pid written in it. It
// never disturbs the lock. A missing file is not held.
func LockHolder(dir *FD, name string) (pid int, held bool, err error) {
	n, err := unix.Openat(dir.Int(), name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, wrap("open", name, err)
	}
	fd := Own(n)
	defer fd.Close()
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(uintptr(n), unix.F_OFD_GETLK, &lk); err != nil {
		return 0, false, wrap("lock", name, err)
	}
	return readPid(n), lk.Type != unix.F_UNLCK, nil
}

func sameInode(dir int, name string, fd int) (bool, error) {
	var a, b unix.Stat_t
	if err := unix.Fstat(fd, &a); err != nil {
		return false, wrap("fstat", name, err)
	}
	err := unix.Fstatat(dir, name, &b, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, wrap("stat", name, err)
	}
	return a.Dev == b.Dev && a.Ino == b.Ino, nil
}

func readPid(fd int) int {
	var b [24]byte
	n, err := unix.Pread(fd, b[:], 0)
	if err != nil || n <= 0 {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}
