package vplat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Probe reads the facts of this host. libexec is the directory that holds inzone/.
func Probe(libexec string) (Facts, error) {
	return probe(libexec, "/")
}

func probe(libexec, root string) (Facts, error) {
	abs, err := filepath.Abs(libexec)
	if err != nil {
		return Facts{}, fmt.Errorf("find the directory %s: %w", libexec, err)
	}
	f := Facts{Libexec: abs, MergedUsr: map[string]string{}}
	for _, name := range usrLinks {
		if err := f.addDir(filepath.Join(root, name), name); err != nil {
			return Facts{}, err
		}
	}
	if info, err := os.Stat(filepath.Join(root, "usr/local")); err == nil {
		f.UsrLocal = info.IsDir()
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return Facts{}, fmt.Errorf("read the kernel's name: %w", err)
	}
	f.Arch = unix.ByteSliceToString(uts.Machine[:])
	f.KernelRelease = unix.ByteSliceToString(uts.Release[:])
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return Facts{}, fmt.Errorf("read the limit on open files: %w", err)
	}
	f.FilesMax = files.Max
	// The module's own file system need not be mounted; this attribute exists with it.
	if state, err := os.ReadFile(filepath.Join(root, "sys/module/apparmor/parameters/enabled")); err == nil {
		f.AppArmor = len(state) > 0 && state[0] == 'Y'
	}
	return f, nil
}

// addDir notes whether name is a link into /usr or a directory of its own on this host.
func (f *Facts) addDir(p, name string) error {
	info, err := os.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at /%s: %w", name, err)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		if err != nil {
			return fmt.Errorf("look at /%s: %w", name, err)
		}
		f.MergedUsr[name] = target
	case info.IsDir():
		f.Dirs = append(f.Dirs, name)
		slices.Sort(f.Dirs)
	}
	return nil
}
