package keeper

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// programs are the files that supervisors are started from. The one on disk may have been
// replaced: when the new one does not come to serve, the one before, which is held open,
// is started again, until the file on disk is another one still.
type programs struct {
	good  *sys.FD // the file of the last supervisor that served
	tried fileID  // the file on disk at the last start, zero when the good one was started instead
	bad   fileID  // the file on disk that did not come to serve
	known fileID  // the file on disk that good was once
	until int64   // when a new one must serve, 0 for no limit
}

// newLimit is how long a supervisor of another file than the last one's may take to serve. It
// takes milliseconds, who waits for it gives up after 30 seconds, and there is the one before.
const newLimit = 20 * second

// overdue ends a new supervisor that does not come to serve.
func (k *Keeper) overdue() {
	k.programs.until = 0
	k.cfg.Say("pid " + strconv.Itoa(k.pid) + " of a new " + k.cfg.Program + " does not come to serve: it is killed")
	if err := sys.PidfdSignal(k.pidfd.Int(), unix.SIGKILL); err != nil {
		k.cfg.Say(err.Error())
	}
}

// fileID tells one content of a file from another.
type fileID struct {
	dev, ino    uint64
	size, mtime int64
}

func idOf(path string) fileID {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return fileID{}
	}
	return fileID{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()}
}

// fork starts a supervisor with these descriptors.
func (k *Keeper) fork(files []uintptr) (pid, pidfd int, err error) {
	pidfd = -1
	path := k.cfg.Program
	k.programs.tried = idOf(path)
	if k.programs.good.Valid() && (k.programs.tried == k.programs.bad || k.programs.tried == fileID{}) {
		// In the child the number means the same: descriptors are closed behind execve's look.
		path, k.programs.tried = k.programs.good.Proc(), fileID{}
	}
	k.programs.until = 0
	if k.programs.good.Valid() && (k.programs.tried != fileID{}) && k.programs.tried != k.programs.known {
		k.programs.until = sys.Monotonic() + k.newLimit
	}
	pid, err = syscall.ForkExec(path, k.cfg.Args, &syscall.ProcAttr{
		Dir: "/", Env: k.cfg.Env, Files: files, Sys: &syscall.SysProcAttr{PidFD: &pidfd},
	})
	return pid, pidfd, err
}

// served holds the file of a supervisor that serves.
func (k *Keeper) served() {
	k.programs.until = 0
	if (k.programs.tried == fileID{}) {
		return // it is the one that is held
	}
	n, err := unix.Open("/proc/"+strconv.Itoa(k.pid)+"/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return // then there is no way back, which is worth a supervisor
	}
	k.programs.good.Close()
	k.programs.good, k.programs.known, k.programs.bad = sys.Own(n), k.programs.tried, fileID{}
}

// goBack says whether a supervisor that did not come to serve was of another file than the one
// that did last: then that one is started again, at once.
func (k *Keeper) goBack() bool {
	p := &k.programs
	p.until = 0
	if !p.good.Valid() || p.tried == (fileID{}) || p.tried == p.known {
		return false
	}
	p.bad = p.tried
	return true
}
