package main

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

const ringName = "console.ring"

// loadRing goes on with the console ring that the last keeper of this zone left, if it did.
// A snapshot that is not whole is of no use and no harm. One that is taken is gone.
func loadRing(dir *sys.FD) (*ring.Writer, error) {
	if w := restoreRing(dir); w != nil {
		return w, nil
	}
	return ring.Create()
}

// restoreRing reads the snapshot into memory that is given back: on the heap it would stay
// with the keeper for life.
func restoreRing(dir *sys.FD) *ring.Writer {
	fd, err := unix.Openat(dir.Int(), ringName, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size <= 0 || st.Size > ring.SnapshotMax {
		return nil
	}
	mem, err := unix.Mmap(-1, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil
	}
	defer unix.Munmap(mem)
	for got := 0; got < len(mem); {
		n, err := unix.Read(fd, mem[got:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil
		}
		got += n
	}
	// It is good for once: a keeper that is killed leaves no snapshot, and one that began again
	// at this one would give other bytes the same positions.
	if unix.Unlinkat(dir.Int(), ringName, 0) != nil {
		return nil
	}
	w, err := ring.Restore(mem)
	if err != nil {
		return nil
	}
	return w
}

// saveRing leaves the console's history to the next keeper. That it can not be saved is no
// reason to stay.
func saveRing(dir *sys.FD, w *ring.Writer) {
	const tmp = ringName + ".tmp"
	fd, err := unix.Openat(dir.Int(), tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return
	}
	err = sys.WriteAll(fd, w.Snapshot())
	unix.Close(fd)
	if err == nil {
		err = unix.Renameat(dir.Int(), tmp, dir.Int(), ringName)
	}
	if err != nil {
		_ = unix.Unlinkat(dir.Int(), tmp, 0)
	}
}
