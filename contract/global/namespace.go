package global

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// hostMounts is the mount namespace of process 1, where the host's mounts live.
const hostMounts = "/proc/1/ns/mnt"

// EnterHostMounts has the program begin again in the host's mount namespace, when it is in
// another one: what is mounted in that of whoever came first would be seen by nobody else. dir
// must be the same directory there and here, as it is unless an instance of its own lives in a
// namespace of its own; then it stays. It is called on the process's first thread, before
// there is anything that an execve would lose. It returns when nothing had to be done, or could
// be.
func EnterHostMounts(dir string) error { return enterMounts(hostMounts, dir) }

func enterMounts(namespace, dir string) error {
	const own = "/proc/thread-self/ns/mnt"
	same, err := sameFile(namespace, own)
	if err != nil || same {
		return nil // who may not look at process 1 may not go there either
	}
	var here, there unix.Stat_t
	if err := unix.Stat(dir, &here); err != nil {
		return &sys.Error{Op: "stat", What: dir, Errno: err}
	}
	target, err := openNamespace(namespace)
	if err != nil {
		return err
	}
	defer target.Close()
	back, err := openNamespace(own)
	if err != nil {
		return err
	}
	defer back.Close()
	// A thread that shares its root and directory with others can not move.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return &sys.Error{Op: "unshare", Errno: err}
	}
	if err := unix.Setns(target.Int(), unix.CLONE_NEWNS); err != nil {
		return &sys.Error{Op: "enter", What: namespace, Errno: err}
	}
	if err := unix.Stat(dir, &there); err == nil && there.Dev == here.Dev && there.Ino == here.Ino {
		// The thread that executes is the process from then on, and its namespace the process's.
		err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
		return &sys.Error{Op: "execute", What: "/proc/self/exe", Errno: err}
	}
	if err := unix.Setns(back.Int(), unix.CLONE_NEWNS); err != nil {
		return &sys.Error{Op: "go back to", What: own, Errno: err}
	}
	return nil
}

func openNamespace(path string) (*sys.FD, error) {
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &sys.Error{Op: "open", What: path, Errno: err}
	}
	return sys.Own(n), nil
}

func sameFile(a, b string) (bool, error) {
	var sa, sb unix.Stat_t
	if err := unix.Stat(a, &sa); err != nil {
		return false, err
	}
	if err := unix.Stat(b, &sb); err != nil {
		return false, err
	}
	return sa.Dev == sb.Dev && sa.Ino == sb.Ino, nil
}
