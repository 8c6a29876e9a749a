package sys

import "golang.org/x/sys/unix"

// RoomForDescriptors has the kernel's table of this process's descriptors made large enough for n, in
// the background. The table doubles when it is full (at 64, 128, ...), and where there are threads
// whoever opened the one descriptor too many waits for a grace period then: 8 to 16 ms on an idle
// machine. Others open and close meanwhile as ever. The goroutine ends when that is done; without room
// (RLIMIT_NOFILE) the table grows when it must.
func RoomForDescriptors(n int) {
	go func() {
		at, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(at)
		if last, err := unix.FcntlInt(uintptr(at), unix.F_DUPFD_CLOEXEC, n-1); err == nil {
			unix.Close(last)
		}
	}()
}
