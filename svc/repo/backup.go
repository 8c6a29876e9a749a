package repo

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/linuxzones/zones/svc/fmri"
)

// Names of backups, by convention.
const (
	BootBackup   = "boot"
	ImportBackup = "manifest_import"
	// replacedBackup is what a restored backup took the place of, whatever state it was in.
	replacedBackup = "replaced"
)

// stampLayout is UTC, so that the order of names is that of time.
const (
	stampLayout  = "20060102_150405"
	backupPrefix = "repository-"
)

// BackupFile is one backup.
type BackupFile struct {
	Path  string
	Name  string // of which kind it is
	Taken time.Time
	Bytes int64
}

// Backups lists what is beside the repository of that path, the newest first. The repository
// need not be open.
func Backups(path string) ([]BackupFile, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var list []BackupFile
	for _, e := range entries {
		b, ok := parseBackup(e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		b.Path, b.Bytes = filepath.Join(filepath.Dir(path), e.Name()), info.Size()
		if list = append(list, b); len(list) > backupsListedMax {
			return nil, &LimitError{"backups in one directory", backupsListedMax}
		}
	}
	slices.SortStableFunc(list, func(a, b BackupFile) int { return b.Taken.Compare(a.Taken) })
	return list, nil
}

func parseBackup(file string) (b BackupFile, ok bool) {
	rest, ok := strings.CutPrefix(file, backupPrefix)
	at := len(rest) - len(stampLayout) - 1
	if !ok || at < 1 || rest[at] != '-' || fmri.CheckName(rest[:at]) != nil {
		return b, false
	}
	b.Name = rest[:at]
	var err error
	b.Taken, err = time.Parse(stampLayout, rest[at+1:])
	return b, err == nil
}

// Backup keeps the repository as it is now under a name and the time, and removes all but the
// newest BackupsKept of that name. Others write meanwhile. When it is as the last backup of the
// name has it, nothing is made, and the path is that one's.
func (r *Repo) Backup(name string) (path string, made bool, err error) {
	if err := checkName(name); err != nil {
		return "", false, err
	}
	r.backing.Lock()
	defer r.backing.Unlock()
	all, err := Backups(r.cfg.Path)
	if err != nil {
		return "", false, err
	}
	old := slices.DeleteFunc(all, func(b BackupFile) bool { return b.Name != name })
	err = r.View(func(v *Reader) error {
		if len(old) > 0 && sameAs(old[0].Path, v.main.tx) {
			path = old[0].Path
			return nil
		}
		made = true
		path, err = backupPath(r.cfg.Path, name, r.cfg.Now(), old)
		if err != nil {
			return err
		}
		return place(path, func(temp string) error {
			return writeFile(temp, func(w io.Writer) error { _, err := v.main.tx.WriteTo(w); return err })
		})
	})
	if err != nil {
		return "", false, err
	}
	if !made {
		return path, false, nil
	}
	return path, true, prune(old, BackupsKept-1)
}

// backupPath is a path that is not taken and that is later than all old ones of the name.
func backupPath(path, name string, now time.Time, old []BackupFile) (string, error) {
	now = now.UTC().Truncate(time.Second)
	if len(old) > 0 && !now.After(old[0].Taken) {
		now = old[0].Taken.Add(time.Second)
	}
	p := filepath.Join(filepath.Dir(path), backupPrefix+name+"-"+now.Format(stampLayout))
	if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
		return "", errors.Join(err, &named{p, ErrExists})
	}
	return p, nil
}

func prune(old []BackupFile, keep int) error {
	for _, b := range old[min(keep, len(old)):] {
		if err := os.Remove(b.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sameAs says whether a backup is sound and holds what the transaction shows.
func sameAs(path string, tx *bolt.Tx) bool {
	db, err := persistent.open(path, 0, true)
	if err != nil {
		return false
	}
	defer db.Close()
	same := verify(path, db, persistent) == nil
	_ = db.View(func(old *bolt.Tx) error {
		for _, name := range [][]byte{configBucket, snapshotBucket, contentBucket} {
			same = same && sameBuckets(old.Bucket(name), tx.Bucket(name))
		}
		return nil
	})
	return same
}

func sameBuckets(a, b *bolt.Bucket) bool {
	ca, cb := a.Cursor(), b.Cursor()
	ka, va := ca.First()
	kb, vb := cb.First()
	for ka != nil && bytes.Equal(ka, kb) && bytes.Equal(va, vb) {
		ka, va = ca.Next()
		kb, vb = cb.Next()
	}
	return ka == nil && kb == nil
}

// Check says whether the file of that path, which nobody writes, is a repository without damage.
// A CorruptError says what is wrong.
func Check(path string) error {
	db, err := persistent.open(path, 0, true)
	if err != nil {
		return err
	}
	return errors.Join(verify(path, db, persistent), db.Close())
}

// goodBackups are the newest ones without damage.
func goodBackups(path string) []string {
	all, err := Backups(path)
	if err != nil {
		return nil
	}
	var good []string
	for _, b := range all {
		if len(good) < BackupsKept && b.Name != replacedBackup && Check(b.Path) == nil {
			good = append(good, b.Path)
		}
	}
	return good
}

// Restore puts a backup in the place of the repository, which must not be open. A backup with
// damage is refused. What was there is kept as a backup of the name "replaced". Killed at any
// time, it leaves the old repository or the new one.
func Restore(cfg Config, backup string) error {
	if err := cfg.complete(); err != nil {
		return err
	}
	lock, err := lockFile(cfg.Path)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := Check(backup); err != nil {
		return err
	}
	if err := keepReplaced(&cfg); err != nil {
		return err
	}
	return place(cfg.Path, func(temp string) error {
		from, err := openNoFollow(backup, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer from.Close()
		return writeFile(temp, func(w io.Writer) error { _, err := io.Copy(w, from); return err })
	})
}

// keepReplaced gives the present repository a second name.
func keepReplaced(cfg *Config) error {
	all, err := Backups(cfg.Path)
	if err != nil {
		return err
	}
	old := slices.DeleteFunc(all, func(b BackupFile) bool { return b.Name != replacedBackup })
	path, err := backupPath(cfg.Path, replacedBackup, cfg.Now(), old)
	if err != nil {
		return err
	}
	if err := os.Link(cfg.Path, path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	return prune(old, BackupsKept-1)
}
