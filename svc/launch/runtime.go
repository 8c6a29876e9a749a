package launch

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	runtimeRoot = "/run"
	runtimeMode = 0o755
)

// makeRuntime makes directories below root. The last one of each path becomes the user's, whoever
// had it before; those on the way to it are root's if they are made here. Symbolic links are not
// followed: a user who has one of the directories could lead anywhere.
func makeRuntime(root string, paths []string, uid, gid uint32) error {
	for _, path := range paths {
		below, is := strings.CutPrefix(path, runtimeRoot+"/")
		if !is {
			return &sys.Error{Op: "make", What: path, Errno: unix.EINVAL}
		}
		if err := makeBelow(root, below, int(uid), int(gid)); err != nil {
			return &sys.Error{Op: "make", What: path, Errno: err}
		}
	}
	return nil
}

func makeBelow(root, path string, uid, gid int) error {
	dir, err := openDirectory(unix.AT_FDCWD, root)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." {
			dir.Close()
			return unix.EINVAL
		}
		next, err := enter(dir, name)
		dir.Close()
		if err != nil {
			return err
		}
		dir = next
	}
	defer dir.Close()
	if err := unix.Fchown(dir.Int(), uid, gid); err != nil {
		return err
	}
	return unix.Fchmod(dir.Int(), runtimeMode)
}

// enter opens a directory within another, and makes it when it is not there.
func enter(dir *sys.FD, name string) (*sys.FD, error) {
	next, err := openDirectory(dir.Int(), name)
	if err != unix.ENOENT {
		return next, err
	}
	if err := unix.Mkdirat(dir.Int(), name, runtimeMode); err != nil && err != unix.EEXIST {
		return nil, err
	}
	return openDirectory(dir.Int(), name)
}

func openDirectory(dir int, name string) (*sys.FD, error) {
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return
	})
	if err != nil {
		return nil, err
	}
	return sys.Own(n), nil
}
