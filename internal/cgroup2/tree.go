package cgroup2

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// level is one directory on the way down.
type level struct {
	name     string
	children []string // not visited yet
}

// walk visits dir and all below it, children first. It goes by descriptors, since whoever a
// directory was delegated to can nest others deeper than a path may be long, and it holds one
// at a time. What vanishes meanwhile is not visited. visit is given the directory and the one
// above it.
func walk(dir string, visit func(above int, name string, self int) error) error {
	f, children, err := list(unix.AT_FDCWD, dir)
	if err != nil {
		if gone(err) {
			return nil
		}
		return &os.PathError{Op: "open cgroup", Path: dir, Err: err}
	}
	defer func() { f.Close() }()
	way := []level{{filepath.Base(dir), children}}
	for {
		here := &way[len(way)-1]
		if n := len(here.children); n > 0 {
			name := here.children[n-1]
			here.children = here.children[:n-1]
			down, children, err := list(int(f.Fd()), name)
			switch {
			case gone(err):
			case err != nil:
				return &os.PathError{Op: "open cgroup", Path: filepath.Join(dir, "...", name), Err: err}
			default:
				f.Close()
				f = down
				way = append(way, level{name, children})
			}
			continue
		}
		up, err := unix.Openat(int(f.Fd()), "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open cgroup", Path: filepath.Join(dir, "..."), Err: err}
		}
		above := os.NewFile(uintptr(up), "cgroup")
		err = visit(up, here.name, int(f.Fd()))
		f.Close()
		f = above
		if way = way[:len(way)-1]; err != nil || len(way) == 0 {
			return err
		}
	}
}

// list opens a directory and names those in it.
func list(at int, name string) (*os.File, []string, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	entries, err := f.ReadDir(-1)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return f, names, nil
}

// Procs lists the processes in dir and below, as far as they are there while it looks.
func Procs(dir string) ([]int, error) {
	var pids []int
	_, err := Each(dir, 0, func(pid int) bool { pids = append(pids, pid); return true })
	return pids, err
}

// errEnough ends a walk whose visitor has seen enough.
var errEnough = errors.New("enough")

// Each visits the processes in dir and below, as far as they are there while it looks, until
// visit says false, in dirsMax directories at most (0: in all). all says that it saw them all.
// However many there are, it holds a few of them at a time. A process that moves meanwhile may
// be visited twice.
func Each(dir string, dirsMax int, visit func(pid int) bool) (all bool, err error) {
	dirs := 0
	err = walk(dir, func(_ int, _ string, self int) error {
		if dirs++; dirsMax > 0 && dirs > dirsMax {
			return errEnough
		}
		fd, err := unix.Openat(self, "cgroup.procs", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil
		}
		f := os.NewFile(uintptr(fd), "cgroup.procs")
		defer f.Close()
		// Of a threaded directory it can not be read: its processes are listed above it.
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			if n, err := strconv.Atoi(sc.Text()); err == nil && !visit(n) {
				return errEnough
			}
		}
		return nil
	})
	if err == errEnough {
		return false, nil
	}
	return err == nil, err
}

// removePasses bounds how often the tree is walked again because somebody has made a
// directory in it meanwhile.
const removePasses = 100

// Remove removes dir and all below it, children first. No process may live there. A
// directory that is not there is removed already.
func Remove(dir string) error {
	var err error
	for range removePasses {
		err = walk(dir, func(above int, name string, _ int) error {
			err := unix.Unlinkat(above, name, unix.AT_REMOVEDIR)
			if err != nil && err != unix.ENOENT {
				return &os.PathError{Op: "remove cgroup", Path: filepath.Join(dir, "...", name), Err: err}
			}
			return nil
		})
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) && !gone(err) {
			return err
		}
		if p, perr := Populated(dir); perr != nil || p {
			return err
		}
	}
	return err
}
