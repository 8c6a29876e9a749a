package keeper

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// titleArea is the memory of the process's arguments, which ps shows.
var titleArea = func() []byte {
	// The runtime's os.Args point into that memory; they lie one behind the other.
	if len(os.Args) == 0 {
		return nil
	}
	first := unsafe.StringData(os.Args[0])
	last := os.Args[len(os.Args)-1]
	if len(last) == 0 || len(os.Args[0]) == 0 {
		return nil
	}
	end := uintptr(unsafe.Pointer(unsafe.StringData(last))) + uintptr(len(last))
	n := end - uintptr(unsafe.Pointer(first))
	if end < uintptr(unsafe.Pointer(first)) || n > 4096 {
		return nil
	}
	return unsafe.Slice(first, n)
}()

// setTitle shows s as the process's command line, as far as its arguments had room.
func setTitle(s string) {
	if len(titleArea) == 0 {
		return
	}
	for i := range titleArea {
		titleArea[i] = ' '
	}
	copy(titleArea, s)
}
