package tool

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// passedOn are the signals that ctrun hands to its command.
var passedOn = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}

// catch has signals told. Those that ctrun was started with as ignored (nohup) stay so, for
// the command too. A writer's SIGPIPE must not be the end of who holds the contract; it is
// caught and not ignored, so that the command does not begin with it ignored.
func (r *runner) catch() {
	for _, sig := range append(passedOn, syscall.SIGPIPE) {
		if !signal.Ignored(sig) {
			signal.Notify(r.signals, sig)
		}
	}
}

// signal hands a signal to the command. When that has ended, and ctrun waits for others, the
// signal means ctrun itself.
func (r *runner) signal(sig os.Signal) {
	switch {
	case sig == syscall.SIGPIPE:
	case r.proc == nil:
		dieOf(sig.(syscall.Signal))
	case (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground():
		// The terminal has sent it to all of its foreground, the command included.
	default:
		_ = r.proc.Signal(sig)
	}
}

// inForeground says whether this process is in the foreground of its terminal.
func inForeground() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// dieOf ends the program as the signal would have.
func dieOf(sig syscall.Signal) {
	if sig != syscall.SIGQUIT { // for which the runtime prints stacks
		signal.Reset(sig)
		if self, err := sys.PidfdOpen(os.Getpid()); err == nil {
			_ = sys.PidfdSignal(self.Int(), unix.Signal(sig))
			select {}
		}
	}
	os.Exit(128 + int(sig))
}
