package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/sys"
)

// The usual places.
const (
	DefaultPath         = "/etc/svc/repository.db"
	DefaultVolatilePath = "/etc/svc/volatile/svc_nonpersist.db"
	// errorsName is the file beside the volatile one that damage is written to.
	errorsName = "db_errors"
	bootIDPath = "/proc/sys/kernel/random/boot_id"
	// bootIDBytesMax: it has 37.
	bootIDBytesMax = 128
)

// Config is where a repository is, and how it is opened.
type Config struct {
	Path string
	// VolatilePath is the file of non-persistent groups; empty: there is none, and batches that
	// would make such a group are refused.
	VolatilePath string
	// Restore is the command that the text of a CorruptError names.
	Restore string
	// ReadOnly opens a file that another process does not write; nothing is made or repaired.
	ReadOnly bool
	// BootID tells boots apart; empty: the kernel's.
	BootID string
	// Now is the clock of backups' names; nil: the machine's.
	Now func() time.Time

	bytesMax, volatileBytesMax int // of the files; tests have less
}

// DefaultRestore is the program at the original's place.
const DefaultRestore = "/lib/svc/bin/restore_repository"

func (c *Config) complete() error {
	if c.Restore == "" {
		c.Restore = DefaultRestore
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BootID == "" && c.VolatilePath != "" {
		b, err := sys.ReadFile(bootIDPath, bootIDBytesMax)
		if err != nil {
			return err
		}
		c.BootID = string(b)
	}
	return nil
}

// Repo is an open repository. All methods may be called from any goroutine.
type Repo struct {
	cfg  Config
	lock *sys.Lock
	main *bolt.DB
	vol  *bolt.DB // nil when there is none

	// writing is the queue of writers: it is held for a whole batch, and first. It guards redo.
	writing sync.Mutex
	redo    []byte // what a batch could not write to the volatile file

	// pair is held by a batch while it commits to both files, and by readers while they begin,
	// so that none sees one half. After writing.
	pair       sync.RWMutex
	closed     bool          // guarded by pair
	generation atomic.Uint64 // of the repository; moved under pair

	watch watchers
	// backing is held while a backup is made: there is one temporary file. Held alone.
	backing sync.Mutex
}

// Open opens the repository, making its files when they are missing. Damage is a CorruptError,
// which is written to db_errors too; another holder is ErrLocked, another version ErrVersion.
func Open(cfg Config) (*Repo, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Repo{cfg: cfg}
	if err := r.open(); err != nil {
		err = r.explain(err)
		return nil, errors.Join(err, r.Close())
	}
	r.Trim()
	return r, nil
}

func (r *Repo) open() (err error) {
	if !r.cfg.ReadOnly {
		if r.lock, err = lockFile(r.cfg.Path); err != nil {
			return err
		}
		if err := errors.Join(sweep(filepath.Dir(r.cfg.Path)), r.createMissing()); err != nil {
			return err
		}
	}
	if r.main, err = persistent.open(r.cfg.Path, r.cfg.bytesMax, r.cfg.ReadOnly); err != nil {
		return err
	}
	if err := verify(r.cfg.Path, r.main, persistent); err != nil {
		return err
	}
	generation, err := generationOf(r.main)
	if err != nil {
		return err
	}
	r.generation.Store(generation)
	if r.cfg.VolatilePath == "" {
		return nil
	}
	return r.openVolatile(generation)
}

// lockFile takes the lock beside the file, which stays when the file is replaced.
func lockFile(path string) (*sys.Lock, error) {
	dir, err := sys.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	lock, holder, err := sys.LockFile(dir, filepath.Base(path)+".lock")
	switch {
	case errors.Is(err, unix.EAGAIN) && holder > 0:
		return nil, &named{path + " is open in process " + strconv.Itoa(holder) + "; ask it, or end it", ErrLocked}
	case errors.Is(err, unix.EAGAIN):
		return nil, &named{path + " is open in another process", ErrLocked}
	case errors.Is(err, unix.EROFS):
		return nil, &named{path, ErrReadOnly}
	case err != nil:
		return nil, err
	}
	if err := lock.WritePid(os.Getpid()); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

func (r *Repo) createMissing() error {
	_, err := os.Lstat(r.cfg.Path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return persistent.create(r.cfg.Path, 0, "")
}

// openVolatile opens the volatile file. One of another boot is dead state, and is made anew; the
// next generation is above all that this boot has seen.
func (r *Repo) openVolatile(generation uint64) error {
	path := r.cfg.VolatilePath
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) && !r.cfg.ReadOnly {
		err = volatile.create(path, generation, r.cfg.BootID)
	}
	if err != nil {
		return err
	}
	for range 2 {
		if r.vol, err = volatile.open(path, r.cfg.volatileBytesMax, r.cfg.ReadOnly); err != nil {
			return err
		}
		boot := ""
		_ = r.vol.View(func(tx *bolt.Tx) error { boot = string(tx.Bucket(metaBucket).Get(bootKey)); return nil })
		if boot == r.cfg.BootID || r.cfg.ReadOnly {
			break
		}
		if err := errors.Join(r.vol.Close(), volatile.create(path, generation, r.cfg.BootID)); err != nil {
			return err
		}
	}
	if err := verify(path, r.vol, volatile); err != nil {
		return err
	}
	if r.cfg.ReadOnly {
		return nil
	}
	return r.repair(generation)
}

func generationOf(db *bolt.DB) (generation uint64, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		generation, _ = number(tx.Bucket(metaBucket), generationKey)
		return nil
	})
	return generation, err
}

// explain adds to a CorruptError what to do, and writes it down where administrators look.
func (r *Repo) explain(err error) error {
	var c *CorruptError
	if !errors.As(err, &c) {
		return err
	}
	c.Restore = r.cfg.Restore
	if c.File == r.cfg.VolatilePath {
		c.Restore = "it holds the state of this boot alone: remove it, and start again"
	} else {
		c.Backups = goodBackups(r.cfg.Path)
		if len(c.Backups) == 0 {
			c.Restore = "there is no good backup: move it away to begin with an empty one"
		}
	}
	if r.cfg.VolatilePath != "" && !r.cfg.ReadOnly {
		path := filepath.Join(filepath.Dir(r.cfg.VolatilePath), errorsName)
		// What cannot be written down is still returned.
		_ = atomicfile.Write(path, append([]byte(c.Error()), '\n'), 0o644)
	}
	return err
}

// Close closes the repository. Readers must be done; watchers are told. Closing twice is
// harmless.
func (r *Repo) Close() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.pair.Lock()
	r.closed = true
	r.pair.Unlock()
	r.watch.close()
	var errs []error
	for _, db := range []*bolt.DB{r.vol, r.main} {
		if db != nil {
			errs = append(errs, db.Close()) // waits for readers; a second time it is nothing
		}
	}
	if r.lock != nil {
		r.lock.Release()
		r.lock = nil
	}
	return errors.Join(errs...)
}

// Generation is the repository's: it grows by one with each batch that changes anything.
func (r *Repo) Generation() uint64 { return r.generation.Load() }

// View calls f with a view of the repository that does not change, whatever is written
// meanwhile. f must not keep the Reader, and must not call Apply, Backup or Close.
func (r *Repo) View(f func(*Reader) error) error {
	v, err := r.read()
	if err != nil {
		return err
	}
	defer v.end()
	return f(v)
}

// read begins a view.
func (r *Repo) read() (*Reader, error) {
	r.pair.RLock()
	defer r.pair.RUnlock()
	if r.closed {
		return nil, ErrClosed
	}
	main, err := r.main.Begin(false)
	if err != nil {
		return nil, err
	}
	v := &Reader{generation: r.generation.Load()}
	v.useMain(main)
	if r.vol == nil {
		return v, nil
	}
	vol, err := r.vol.Begin(false)
	if err != nil {
		_ = main.Rollback()
		return nil, err
	}
	v.useVol(vol)
	return v, nil
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
