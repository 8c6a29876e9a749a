package initd

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/handover"
)

// unshielded are the signals that the Go runtime unblocks whatever it was started with. When
// somebody sends them to pid 1 they must have no effect.
var unshielded = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE,
	unix.SIGSEGV, unix.SIGTERM, unix.SIGSTKFLT, unix.SIGPROF, unix.SIGSYS,
}

// shield makes signals harmless from pid 1's first instruction on: it executes this program
// once more with every signal blocked. The runtime hands that mask on to all its threads,
// and lets in what os/signal was asked for in one thread that does nothing else. Otherwise
// a storm, of queued real-time signals above all, keeps the thread that runs the loop in
// its signal handler for ever, and until os/signal is asked a signal would end pid 1.
//
// The mask is handed on to children as well: they start as this program, by another name,
// which clears it before it becomes anything else (handover.Exec).
func shield(args []string) {
	signal.Notify(make(chan os.Signal, 1), unshielded...)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all := handover.Every()
	var before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &before); err != nil {
		handover.Survive()
		return
	}
	if isShield(before) {
		takeName()
		return
	}
	syscall.Exec(self(), args, os.Environ())
	// There is no second start: signals do no harm all the same, but a storm may delay.
	unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	handover.Survive()
}

// Shielded says whether this is the second start that shield makes, or a child of it.
func Shielded() bool {
	var mask unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask); err != nil {
		return false
	}
	return isShield(mask)
}

// isShield says whether a mask has what shield blocks, by signals that the runtime leaves as
// they are. Were one of them unblocked by it, this program would execute itself for ever.
func isShield(mask unix.Sigset_t) bool {
	const probe = 1<<(unix.SIGUSR1-1) | 1<<(unix.SIGUSR2-1) | 1<<(unix.SIGALRM-1)
	return mask.Val[0]&probe == probe
}

// takeName puts init's name back, which the second start has made "exe".
func takeName() error { return os.WriteFile("/proc/self/comm", []byte("init"), 0) }
