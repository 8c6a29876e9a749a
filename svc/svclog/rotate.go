package svclog

import (
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/repo"
)

// Look puts an instance's log aside if it is full. Whoever keeps a service that prints much does it
// now and then.
func (l Logs) Look(e repo.Entity) {
	for _, dir := range []string{l.Dir, l.Early} {
		if dir == "" {
			continue
		}
		path := dir + "/" + Name(e)
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 && st.Size >= BytesMax {
			putAside(path)
		}
	}
}

// rotating is held by who puts a log aside. Nobody waits for it: what is full is so at the next look.
var rotating sync.Mutex

// putAside copies a log's beginning to NAME.0 and takes it away. What fails leaves the log as it is:
// a disk that is full is no reason to lose what is there.
func putAside(path string) {
	if !rotating.TryLock() {
		return
	}
	defer rotating.Unlock()
	f, err := os.OpenFile(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size < BytesMax {
		return // somebody else has just done it
	}
	// A whole number of blocks that leaves something: more cannot be taken away.
	block := max(int64(st.Blksize), 4096)
	whole := (st.Size - 1) / block * block
	if !copyTo(path+".new", unix.O_EXCL, f, 0, whole) {
		_ = os.Remove(path + ".new")
		return
	}
	moveOn(path)
	if os.Rename(path+".new", path+".0") != nil {
		_ = os.Remove(path + ".new")
		return
	}
	if unix.Fallocate(int(f.Fd()), collapse, 0, whole) == nil {
		return
	}
	if copyTo(path+".0", unix.O_APPEND, f, whole, restMax) {
		_ = unix.Ftruncate(int(f.Fd()), 0)
	}
}

// restMax is how much is copied of what is written meanwhile. Who writes faster than it is copied would
// never be caught up with; what he writes beyond is lost.
const restMax = 16 << 20

// collapse takes the beginning of a file away. Tests have it refused.
var collapse uint32 = unix.FALLOC_FL_COLLAPSE_RANGE

// moveOn makes room for a new NAME.0.
func moveOn(path string) {
	for n := Kept - 1; n > 0; n-- {
		_ = os.Rename(path+"."+strconv.Itoa(n-1), path+"."+strconv.Itoa(n))
	}
}

// copyTo copies a part of a log, what there is of it, to a file that is new, or behind what it has.
func copyTo(path string, how int, from *os.File, offset, size int64) bool {
	if how == unix.O_EXCL {
		_ = os.Remove(path)
	}
	to, err := os.OpenFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW|how, mode)
	if err != nil {
		return false
	}
	_, err = io.Copy(to, io.NewSectionReader(from, offset, size))
	return to.Close() == nil && err == nil
}
