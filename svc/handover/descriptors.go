package handover

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseInherited closes every descriptor from first on that this program was started with.
// What the program, or the Go runtime in it, opened itself is close-on-exec and stays: an
// inherited descriptor cannot be, since it has survived an exec.
func CloseInherited(first int) error {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return closeAllLater(first)
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return closeAllLater(first)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd < first {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}

// closeAllLater serves where /proc does not: nothing is closed now, since the runtime's own
// descriptors cannot be told from others, but nothing passes the exec either.
func closeAllLater(first int) error {
	err := unix.CloseRange(uint(first), ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("close_range", err)
	}
	return nil
}
