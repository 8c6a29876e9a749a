package repo

import (
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Trim lets go of the memory in which the files are mapped. What is read next is mapped again,
// from the page cache. Open and Verify, which read everything, do it; whoever has read much and
// will be idle may.
func (r *Repo) Trim() {
	_ = r.View(func(v *Reader) error { // while it lasts, the files stay mapped
		trim(r.main, v.main.tx.Size())
		if r.vol != nil {
			trim(r.vol, v.vol.tx.Size())
		}
		return nil
	})
}

// trim drops the pages of the mapping: clean ones of a file, so that nothing is lost.
func trim(db *bolt.DB, bytes int64) {
	info := db.Info()
	// It is advice: what is refused costs memory alone.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, info.Data, uintptr(bytes), unix.MADV_DONTNEED)
}
