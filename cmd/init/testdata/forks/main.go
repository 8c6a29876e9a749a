// Forks fills a zone's process table: "bomb" with children that do the same, ignore what can
// be ignored, and leave each other as orphans; "fill" with sleepers, taking every place that
// becomes free, until /tmp/stop exists. "hangup" hangs up its terminal instead.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

var stop = []byte("/tmp/stop\x00")

func main() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	switch os.Args[1] {
	case "bomb":
		bomb()
	case "fill":
		fill()
	case "hangup":
		syscall.RawSyscall(syscall.SYS_VHANGUP, 0, 0, 0)
	}
}

// fork makes a child that may only make raw system calls: the runtime is not with it.
//
//go:norace
//go:nosplit
func fork() uintptr {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return ^uintptr(0)
	}
	return pid
}

func bomb() {
	for n := 0; ; n++ {
		if fork() == 0 {
			n = 0
		} else if n > 1000 {
			if fork() == 0 {
				n = 0
				continue
			}
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
}

func fill() {
	for {
		at := -100 // AT_FDCWD
		if _, _, errno := syscall.RawSyscall(syscall.SYS_FACCESSAT, uintptr(at), uintptr(unsafe.Pointer(&stop[0])), 0); errno == 0 {
			os.Exit(0)
		}
		if fork() == 0 {
			syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
			for {
				syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
	}
}
