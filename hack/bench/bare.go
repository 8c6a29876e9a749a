package main

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shared is a page that a bare child has in common with its parent.
var shared *[512]int64

func sharePage() error {
	b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	shared = (*[512]int64)(unsafe.Pointer(&b[0]))
	return nil
}

// bearBare forks a child without a runtime that writes the time into the shared page, as the
// last thing it does. Signals are blocked meanwhile, so that none finds a handler there.
func bearBare() (int, syscall.Errno) {
	var all, was unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &all, &was)
	pid, errno := bareFork()
	if pid == 0 && errno == 0 {
		bareEnd()
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &was, nil)
	return int(pid), errno
}

//go:norace
//go:nosplit
func bareFork() (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	return pid, errno
}

var bareTime unix.Timespec

//go:norace
//go:nosplit
func bareEnd() {
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&bareTime)), 0)
	shared[0] = bareTime.Sec*1e9 + bareTime.Nsec
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

func reap(pid int) error {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return err
		}
	}
}

// monotonic is the time that bare children write.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// locked runs f on one thread, whose stack has room for a fork.
func locked(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}
