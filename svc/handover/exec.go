package handover

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec becomes path with clean signals. It returns only when that was not possible, with the
// errno of execve(2), and the program may go on: what it gave up are signals that were
// ignored or blocked before it started.
//
// The limit of open files needs no care: the Go runtime raises it for itself and puts it
// back here.
func Exec(path string, argv, env []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := resetSignals(); err != nil {
		return err
	}
	return syscall.Exec(path, argv, env)
}

// ExecBlocked is Exec of a program that expects to be started with every signal blocked: what is sent
// to it before it listens waits until then. The kernel would not keep it for a pid 1 without a
// handler.
func ExecBlocked(path string, argv, env []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := resetSignals(); err != nil {
		return err
	}
	all := Every()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	err := syscall.Exec(path, argv, env)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	return err
}

// DropInheritable empties the inheritable and ambient sets, which a change of user does not
// touch: what the caller of a login happened to hold is not what the user may gain through
// the capabilities of a file.
func DropInheritable() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	return unix.Capset(&header, &data[0])
}
