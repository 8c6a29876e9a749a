package events

import "golang.org/x/sys/unix"

// What signal(7) says of default actions, written down here again: the product has its own.

// harmless signals do not kill.
var harmless = map[unix.Signal]bool{
	unix.SIGCHLD: true, unix.SIGCONT: true, unix.SIGURG: true, unix.SIGWINCH: true,
	unix.SIGSTOP: true, unix.SIGTSTP: true, unix.SIGTTIN: true, unix.SIGTTOU: true,
}

// dumping signals write a core.
var dumping = map[unix.Signal]bool{
	unix.SIGQUIT: true, unix.SIGILL: true, unix.SIGTRAP: true, unix.SIGABRT: true, unix.SIGBUS: true,
	unix.SIGFPE: true, unix.SIGSEGV: true, unix.SIGXCPU: true, unix.SIGXFSZ: true, unix.SIGSYS: true,
}

// deadly says whether a signal's default action is the process's end. 32 and 33 are the C
// library's own, and kill all the same.
func deadly(sig int) bool { return sig >= 1 && sig <= 64 && !harmless[unix.Signal(sig)] }

// deadlySignals are all of them.
func deadlySignals() (list []int) {
	for sig := 1; sig <= 64; sig++ {
		if deadly(sig) {
			list = append(list, sig)
		}
	}
	return list
}
