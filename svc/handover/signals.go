package handover

import (
	"os"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalMax is the highest signal of Linux, SIGRTMAX.
const signalMax = 64

// Survive lets every signal that can be caught pass without effect, so that a process that
// waits as pid 1 is not ended by one: the Go runtime has handlers, therefore the kernel's
// protection of pid 1 does not cover it. Nothing is set to be ignored, which an exec would
// hand on; handlers are not handed on.
//
// A SIGSEGV, SIGBUS or SIGFPE that root queues with sigqueue(3) looks to the runtime like a
// fault of the program and ends it all the same. Root of a zone may end its zone.
func Survive() {
	sink := make(chan os.Signal, 1) // never read: the sender drops what does not fit
	signal.Notify(sink)
}

// Every is the set of all signals.
func Every() (all unix.Sigset_t) {
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	return all
}

// kernelSigaction is struct sigaction as rt_sigaction(2) has it on amd64 and arm64.
type kernelSigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	sigDefault   = 0
	sigIgnored   = 1
	sigsetLength = 8
)

// resetSignals gives the next image default dispositions and an empty mask. The caller's
// goroutine is locked to its thread, whose mask is the one that an exec hands on. Caught
// signals need nothing: the kernel resets them.
func resetSignals() error {
	for n := uintptr(1); n <= signalMax; n++ {
		var old kernelSigaction
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, 0,
			uintptr(unsafe.Pointer(&old)), sigsetLength, 0, 0); errno != 0 {
			continue // SIGKILL, SIGSTOP
		}
		if old.handler != sigIgnored {
			continue
		}
		reset := kernelSigaction{handler: sigDefault}
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(unsafe.Pointer(&reset)), 0, sigsetLength, 0, 0)
	}
	var none unix.Sigset_t
	return os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil))
}
