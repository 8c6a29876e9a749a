package zoned

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// hostMounts is the mount namespace of process 1, where the host's mounts live.
const hostMounts = "/proc/1/ns/mnt"

// errElsewhere: the host's mount namespace has something else, or nothing, in a place, or can not
// be entered.
var errElsewhere = errors.New("not in the host's mount namespace")

// place is where a thing lies that all zones of the instance share.
type place bool

// The places: the host's mount namespace (DECISIONS 26), or, where that is out of reach, the one
// that whoever started this zone was in.
const (
	onHost  place = true
	ownRoom place = false
)

// onHostMounts runs f in the host's mount namespace, whatever namespace whoever started the
// zone was in, and tells it so. dir must be the same directory there and here, as it is unless
// an instance lives in a namespace of its own. Without that, or without the right to enter, f
// runs here. It decides the same way each time.
func onHostMounts(dir string, f func(place) error) error {
	same, err := sameFile(hostMounts, "/proc/self/ns/mnt")
	if err != nil {
		return f(ownRoom)
	}
	if same {
		return f(onHost)
	}
	err = enterMounts(hostMounts, dir, func() error { return f(onHost) })
	if errors.Is(err, errElsewhere) {
		return f(ownRoom)
	}
	return err
}

// enterMounts runs f on a thread of its own that is in another mount namespace and ends with
// f: the runtime must not run anything else on it.
func enterMounts(namespace, dir string, f func() error) error {
	var here unix.Stat_t
	if err := unix.Stat(dir, &here); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	var err error
	var wait sync.WaitGroup
	wait.Go(func() {
		runtime.LockOSThread()
		// The first thread is what /proc shows of the process, and does not end: it waits here
		// while another one does the work.
		if unix.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			err = enterMounts(namespace, dir, f)
			return
		}
		err = moved(namespace, dir, &here, f)
	})
	wait.Wait()
	return err
}

// moved moves the calling thread and runs f.
func moved(namespace, dir string, here *unix.Stat_t, f func() error) error {
	n, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: namespace, Err: err}
	}
	defer unix.Close(n)
	// A thread that shares its root and directory with others can not move.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Setns(n, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("%w: enter %s: %w", errElsewhere, namespace, err)
	}
	var there unix.Stat_t
	if err := unix.Stat(dir, &there); err != nil || there.Dev != here.Dev || there.Ino != here.Ino {
		return errElsewhere
	}
	return f()
}

// sameFile says whether two names lead to the same.
func sameFile(a, b string) (bool, error) {
	var sa, sb unix.Stat_t
	for name, st := range map[string]*unix.Stat_t{a: &sa, b: &sb} {
		if err := unix.Stat(name, st); err != nil {
			return false, &os.PathError{Op: "stat", Path: name, Err: err}
		}
	}
	return sa.Dev == sb.Dev && sa.Ino == sb.Ino, nil
}
