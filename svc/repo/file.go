package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"golang.org/x/sys/unix"
)

// The buckets of a file. The volatile one has no snapshots and no contents.
var (
	metaBucket     = []byte("meta")
	configBucket   = []byte("config")
	snapshotBucket = []byte("snapshots")
	contentBucket  = []byte("contents")
)

// Keys of the bucket "meta". All but pending, boot and self are records, whose number counts.
var (
	versionKey    = []byte("version")    // formatVersion
	generationKey = []byte("generation") // of the repository, when the file was last written
	servicesKey   = []byte("services")   // how many there are
	contentsKey   = []byte("contents")   // the number of the last content that was made
	pendingKey    = []byte("pending")    // what the last batch that wrote both files wrote to the volatile one
	bootKey       = []byte("boot")       // the boot in which a volatile file was made
	selfKey       = []byte("self")       // of a volatile file: random bytes, so that no two are taken for each other
)

const formatVersion = 1

// selfBytes is enough for no two to be equal.
const selfBytes = 16

// kind is which of the two files is meant.
type kind struct {
	buckets   [][]byte
	bytesMax  int
	growBytes int
}

var (
	persistent = kind{[][]byte{metaBucket, configBucket, snapshotBucket, contentBucket}, FileBytesMax, growBytes}
	volatile   = kind{[][]byte{metaBucket, configBucket}, VolatileBytesMax, growVolatileBytes}
)

// boltLockWait is how long bbolt waits for its own lock: who holds it, holds it for good.
const boltLockWait = time.Millisecond

func (k kind) options(bytesMax int) *bolt.Options {
	if bytesMax == 0 {
		bytesMax = k.bytesMax
	}
	return &bolt.Options{
		Timeout: boltLockWait, MaxSize: bytesMax, InitialMmapSize: k.bytesMax, NoStatistics: true,
		OpenFile: openNoFollow,
	}
}

// openNoFollow refuses a symbolic link in the place of the file, and does not wait for a pipe's
// other side.
func openNoFollow(path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, perm)
}

// create makes a file with its buckets under another name, and puts it in its place when it is
// complete: no file that is there is half made.
func (k kind) create(path string, generation uint64, boot string) error {
	return place(path, func(temp string) error {
		db, err := bolt.Open(temp, 0o600, k.options(0))
		if err != nil {
			return err
		}
		db.AllocSize = k.growBytes
		err = db.Update(func(tx *bolt.Tx) error {
			for _, name := range k.buckets {
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			meta := tx.Bucket(metaBucket)
			err := errors.Join(putNumber(meta, versionKey, formatVersion), putNumber(meta, generationKey, generation))
			if boot != "" {
				self := make([]byte, selfBytes)
				_, randomErr := unix.Getrandom(self, 0)
				return errors.Join(err, randomErr, meta.Put(bootKey, []byte(boot)), meta.Put(selfKey, self))
			}
			return errors.Join(err, putNumber(meta, servicesKey, 0), putNumber(meta, contentsKey, 0))
		})
		return errors.Join(err, db.Close())
	})
}

// tempSuffix ends the names of files that are being made, which begin with a dot.
const tempSuffix = ".new"

// place has fill make a file, and gives it its name: fill must have flushed it. A file that a
// killed process left half made goes first; only one process makes files here.
func place(path string, fill func(temp string) error) error {
	dir, base := filepath.Split(path)
	temp := filepath.Join(dir, "."+base+tempSuffix)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := fill(temp)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	return syncDir(dir)
}

// sweep removes backups that a killed process left half made.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, "."+backupPrefix) && strings.HasSuffix(n, tempSuffix) && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(filepath.Clean(dir + "/"))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// open checks the pages of a file and opens it. A damaged one is a CorruptError without
// backups, one of another version ErrVersion.
func (k kind) open(path string, bytesMax int, readOnly bool) (*bolt.DB, error) {
	if err := checkFilePages(path); err != nil {
		return nil, err
	}
	o := k.options(bytesMax)
	o.ReadOnly = readOnly
	db, err := bolt.Open(path, 0o600, o)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, &named{path, ErrLocked}
	case err != nil:
		return nil, err
	}
	db.AllocSize = k.growBytes
	err = db.View(func(tx *bolt.Tx) error { return k.checkMeta(path, tx) })
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func checkFilePages(path string) error {
	f, err := openNoFollow(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkPages(f, st.Size()); err != nil {
		return &CorruptError{File: path, What: err.Error()}
	}
	return nil
}

// checkMeta looks for the version before anything else is believed.
func (k kind) checkMeta(path string, tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return &CorruptError{File: path, What: "it holds something else than a repository"}
	}
	version, ok := number(meta, versionKey)
	switch {
	case !ok:
		return &CorruptError{File: path, What: "its version cannot be read"}
	case version != formatVersion:
		return &named{path + " has version " + utoa(version) + ", this program knows version " + utoa(formatVersion), ErrVersion}
	}
	for _, name := range k.buckets {
		if tx.Bucket(name) == nil {
			return &CorruptError{File: path, What: "it has no " + string(name)}
		}
	}
	if _, ok := number(meta, generationKey); !ok {
		return &CorruptError{File: path, What: "its generation cannot be read"}
	}
	return nil
}

func putNumber(b *bolt.Bucket, key []byte, n uint64) error {
	return b.Put(key, appendRecord(key, 0, n))
}

func number(b *bolt.Bucket, key []byte) (uint64, bool) {
	_, n, ok := decodeRecord(key, b.Get(key))
	return n, ok
}
