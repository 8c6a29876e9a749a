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

// lockTries bounds how often a file that was replaced while it was being locked is tried
// again. Each time somebody else had held the lock and let go; so many in a row is an attack.
const lockTries = 1000

// LockFile opens (making it 0600 when missing) and locks name in dir. EAGAIN: somebody
// holds it, and holder is the pid written in it (0 when it is not readable).
// After the lock is got the name must still mean the locked inode, else another process
// has replaced the file between open and lock, and it is tried again.
func LockFile(dir *FD, name string) (l *Lock, holder int, err error) {
	for range lockTries {
		l, holder, err = tryLock(dir, name)
		if l != nil || err != nil {
			return l, holder, err
		}
	}
	return nil, 0, wrap("lock", name, unix.ELOOP)
}

// tryLock gives neither lock nor error when the file was replaced meanwhile.
func tryLock(dir *FD, name string) (*Lock, int, error) {
	var n int
	err := Retry(func() (e error) {
		n, e = unix.Openat(dir.Int(), name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		return
	})
	if err != nil {
		return nil, 0, wrap("open", name, err)
	}
	fd := Own(n)
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(uintptr(n), unix.F_OFD_SETLK, &lk); err != nil {
		holder := readPid(n)
		fd.Close()
		if err == unix.EACCES { // POSIX allows either word
			err = unix.EAGAIN
		}
		return nil, holder, wrap("lock", name, err)
	}
	same, err := sameInode(dir.Int(), name, n)
	if err != nil || !same {
		fd.Close()
		return nil, 0, err
	}
	d, err := dir.Dup()
	if err != nil {
		fd.Close()
		return nil, 0, err
	}
	return &Lock{fd: fd, dir: d, name: name}, 0, nil
}

// FDs are the descriptors of the lock and of its directory, for who executes another program
// that goes on with the lock.
func (l *Lock) FDs() (lock, dir int) { return l.fd.Int(), l.dir.Int() }

// AdoptLock goes on with a lock whose descriptors this program was executed with.
func AdoptLock(lock, dir int, name string) *Lock {
	return &Lock{fd: Own(lock), dir: Own(dir), name: name}
}

// WritePid puts the caller's pid into the locked file: at every instant, that of its death
// included, the file's first line is either the old number or the new one.
func (l *Lock) WritePid(pid int) error {
	b := strconv.AppendInt(make([]byte, 0, 24), int64(pid), 10)
	b = append(b, '\n')
	n, err := unix.Pwrite(l.fd.Int(), b, 0)
	if err == nil && n < len(b) {
		err = unix.ENOSPC
	}
	if err != nil {
		return wrap("write", l.name, err)
	}
	return wrap("truncate", l.name, unix.Ftruncate(l.fd.Int(), int64(len(b))))
}

// Pid is what the locked file holds: who held it before, 0 when nothing readable does.
func (l *Lock) Pid() int { return readPid(l.fd.Int()) }

// Remove unlinks the file while it is still locked, then releases it. A file that somebody
// put in its place is not ours and stays.
func (l *Lock) Remove() error {
	same, err := sameInode(l.dir.Int(), l.name, l.fd.Int())
	if same {
		err = wrap("unlink", l.name, unix.Unlinkat(l.dir.Int(), l.name, 0))
	}
	l.Release()
	return err
}

// Release lets go of the lock and leaves the file.
func (l *Lock) Release() {
	l.fd.Close()
	l.dir.Close()
}

// LockHolder says whether name in dir is locked by somebody, and the pid written in it. It
// never disturbs the lock. A missing file is not held.
func LockHolder(dir *FD, name string) (pid int, held bool, err error) {
	n, err := unix.Openat(dir.Int(), name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
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

// readPid reads the number in the first line.
func readPid(fd int) int {
	var b [24]byte
	n, err := unix.Pread(fd, b[:], 0)
	if err != nil || n <= 0 {
		return 0
	}
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}
