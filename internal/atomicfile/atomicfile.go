package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempPrefix and tempSuffix frame the name of a temporary file; nothing else in a
// directory that is swept may look so.
const (
	tempPrefix = ".tmp-"
	tempSuffix = "~"
)

// File is a file under construction.
type File interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// Disk is the steps that a replacement consists of.
type Disk struct {
	// Create makes a new file, and fails when the name is taken.
	Create func(path string, perm fs.FileMode) (File, error)
	// Rename moves from over to, in one directory.
	Rename func(from, to string) error
	// Remove unlinks a file.
	Remove func(path string) error
	// SyncDir flushes the names in a directory.
	SyncDir func(dir string) error
}

// Real is the machine's own disk.
func Real() Disk {
	return Disk{Create: create, Rename: os.Rename, Remove: os.Remove, SyncDir: syncDir}
}

// Write replaces path by data on the real disk.
func Write(path string, data []byte, perm fs.FileMode) error { return Real().Write(path, data, perm) }

// Remove removes path from the real disk, and returns when the removal survives a power cut.
func Remove(path string) error { return Real().Unlink(path) }

// Write replaces path by data. The mode is perm whatever the umask. On an error the old
// file is in place, unless the error came from flushing the directory: then either is.
func (d Disk) Write(path string, data []byte, perm fs.FileMode) error {
	if err := d.Place(path, data, perm); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// Place is Write without the last step: several files of one directory can share one
// flush. Until then a power cut may undo the replacement.
func (d Disk) Place(path string, data []byte, perm fs.FileMode) error {
	temp, err := d.fill(path, data, perm)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := d.Rename(temp, path); err != nil {
		_ = d.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// fill makes the temporary file with its content on the disk, and gives its name.
func (d Disk) fill(path string, data []byte, perm fs.FileMode) (string, error) {
	temp, err := tempName(path)
	if err != nil {
		return "", err
	}
	f, err := d.Create(temp, perm)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = d.Remove(temp)
		return "", err
	}
	return temp, nil
}

// Unlink removes path and flushes its directory; that it is gone already is no error.
func (d Disk) Unlink(path string) error {
	if err := d.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// Sweep removes what killed writers left in dir. The caller holds the lock that keeps
// writers out.
func (d Disk) Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, tempPrefix) && strings.HasSuffix(n, tempSuffix) && e.Type().IsRegular() {
			if err := d.Remove(filepath.Join(dir, n)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// tempName is unpredictable: a fixed one would let a leftover of a killed writer block
// or mix with the next.
func tempName(path string) (string, error) {
	var b [8]byte
	if _, err := unix.Getrandom(b[:], 0); err != nil {
		return "", fmt.Errorf("getrandom: %w", err)
	}
	dir, base := filepath.Split(path)
	return fmt.Sprintf("%s%s%s-%x%s", dir, tempPrefix, base, b, tempSuffix), nil
}

// create opens with O_EXCL, which also refuses a symbolic link; os.OpenFile adds
// O_CLOEXEC. The mode is set again because the umask was taken off.
func create(path string, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(perm); err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return f, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush directory %s: %w", dir, err)
	}
	return nil
}
