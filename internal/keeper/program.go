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
	pid, err = syscall.ForkExec(path, k.cfg.Args, &syscall.ProcAttr{
		Dir: "/", Env: k.cfg.Env, Files: files, Sys: &syscall.SysProcAttr{PidFD: &pidfd},
	})
	return pid, pidfd, err
}

// served holds the file of a supervisor that serves.
func (k *Keeper) served() {
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
	if !p.good.Valid() || p.tried == (fileID{}) || p.tried == p.known {
		return false
	}
	p.bad = p.tried
	return true
}
