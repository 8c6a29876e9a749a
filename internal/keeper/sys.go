package keeper

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// isMaster says whether fd is the master side of a pty.
func isMaster(fd int) bool {
	_, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	return err == nil
}

// ptyPeer opens the other side of a pty master without a path: TIOCGPTPEER takes open
// flags as its argument.
func ptyPeer(master int) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// siginfoPid is si_pid of a waitid result: the first field after three ints, aligned as the
// union is.
func siginfoPid(i *unix.Siginfo) int {
	const offset = 12 + (unsafe.Sizeof(uintptr(0))-4)%8
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(i), offset)))
}
