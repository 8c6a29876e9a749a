package initd

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// selfPath is this program, whatever its name: it is on a read-only mount that cannot block.
const selfPath = "/proc/self/exe"

// self is selfPath, or where the program stands in every zone when root has taken /proc away.
func self() string {
	if unix.Access(selfPath, unix.X_OK) != nil {
		return zoneBin + "/init"
	}
	return selfPath
}

// started is what came of a start.
type started struct {
	pid      int
	pidfd    int
	contract contract.ID // 0: it has none of its own
	lost     bool        // what the one before left behind has nobody who looks after it
	err      error
}

// start runs in a goroutine of its own: an exec may block.
func start(p program) started {
	reopenConsole()
	if p.fmri != "" {
		if s, ok := startInContract(p); ok {
			return s
		}
	}
	pidfd := -1
	attr := attributes(p, &pidfd)
	files := make([]uintptr, 0, len(attr.Files))
	for _, f := range attr.Files {
		files = append(files, f.Fd())
	}
	pid, err := syscall.ForkExec(self(), p.argv, &syscall.ProcAttr{Dir: attr.Dir, Env: attr.Env, Files: files, Sys: attr.Sys})
	return started{pid: pid, pidfd: pidfd, err: err}
}

// attributes are those of a kept program.
func attributes(p program, pidfd *int) *os.ProcAttr {
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for _, f := range p.files {
		if f == nil { // the others keep their numbers; this one is not taken for what it is not
			f = os.Stdin
		}
		files = append(files, f)
	}
	return &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: pidfd}}
}

// reopenConsole puts the console back as init's own descriptors, which vhangup(2) makes
// useless. (The end of a session alone does not: its terminal is a pty.) While nobody has
// the slave open, its master reads EIO.
func reopenConsole() {
	fd, err := unix.Open(consolePath, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	for std := range 3 {
		if fd != std {
			unix.Dup3(fd, std, 0)
		}
	}
	if fd > 2 {
		unix.Close(fd)
	}
	unix.SetNonblock(0, false)
}

// gone says whether the child behind pidfd has ended already, perhaps reaped before its pid
// was known.
func gone(pidfd int) bool {
	err := unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == unix.ECHILD
}

// threadsReserved: the loop, the scribe, two starts, the hangup, the signal receiver, the
// collector, and two to spare.
const threadsReserved = 9

// reserveThreads makes the runtime create the threads that it may ever need. Later there may
// be no room for one, and a Go program that cannot have a thread dies. A thread once made is
// kept; the one processor that is left needs no more than one for each blocked goroutine.
func reserveThreads(group func(func())) {
	runtime.GOMAXPROCS(1)
	ready, release := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	for range threadsReserved {
		group(func() {
			// A locked goroutine that waits keeps its thread, so the next needs another.
			runtime.LockOSThread()
			ready <- struct{}{}
			<-release
			runtime.UnlockOSThread()
			done <- struct{}{}
		})
	}
	for range threadsReserved {
		<-ready
	}
	close(release)
	for range threadsReserved {
		<-done
	}
}
