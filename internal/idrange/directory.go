package idrange

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// directory is the open directory of leases. Closing it lets go of the lock.
type directory struct {
	*os.File
	path string
}

// open opens the directory and refuses one that others could have put there or can write to.
func (r *Registry) open() (*directory, error) {
	fd, err := unix.Open(r.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("registry of id ranges: %s: %w", r.dir, err)
	}
	d := &directory{os.NewFile(uintptr(fd), r.dir), r.dir}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case int(st.Uid) != os.Geteuid():
		err = fmt.Errorf("belongs to user %d", st.Uid)
	case st.Mode&0o022 != 0:
		err = fmt.Errorf("others may write to it (mode %04o)", st.Mode&0o7777)
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("registry of id ranges: %s: %w", r.dir, err)
	}
	return d, nil
}

// lockTimeMax bounds the wait for others, who hold the lock for milliseconds.
var lockTimeMax = 10 * time.Second

// lockPause is the time between two looks at the lock.
const lockPause = time.Millisecond

// lock opens the directory for this caller alone.
func (r *Registry) lock() (*directory, error) {
	d, err := r.open()
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(lockTimeMax)
	defer limit.Stop()
	for {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			d.Close()
			return nil, fmt.Errorf("lock %s: %w", r.dir, err)
		}
		select {
		case <-limit.C:
			d.Close()
			return nil, fmt.Errorf("lock %s: another process has held it for %v: %w", r.dir, lockTimeMax, err)
		case <-time.After(lockPause):
		}
	}
}

// names lists the directory.
func (d *directory) names() ([]string, error) {
	if _, err := d.Seek(0, 0); err != nil {
		return nil, err
	}
	return d.Readdirnames(-1)
}

// holder is what a lease says, empty for what is no lease.
func (d *directory) holder(name string) string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(d.Fd()), name, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func (d *directory) link(base uint32, owner string) error {
	err := unix.Symlinkat(owner, int(d.Fd()), strconv.FormatUint(uint64(base), 10))
	if err != nil {
		return fmt.Errorf("lease ids: %s: %w", d.path, err)
	}
	return nil
}

func (d *directory) unlink(name string) error {
	err := unix.Unlinkat(int(d.Fd()), name, 0)
	if err != nil && err != unix.ENOENT {
		return fmt.Errorf("release ids: %s/%s: %w", d.path, name, err)
	}
	return nil
}
