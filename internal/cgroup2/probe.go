package cgroup2

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// KillSeqBug says whether this kernel kills at birth whatever is born into a directory in which
// cgroup.kill was ever written (seen with Linux 6.18). It tries, in a directory of its own, and
// needs the right to make one.
func KillSeqBug() (bool, error) {
	mount, err := Mount()
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp(mount, "zones-probe.")
	if err != nil {
		return false, err
	}
	defer unix.Rmdir(dir)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
		return false, err
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	// A program without a name: who lives long enough to execute it reports ENOENT, and who is
	// killed at birth reports nothing, which counts as success.
	pid, err := syscall.ForkExec("", []string{"probe"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd},
	})
	switch {
	case err == syscall.ENOENT:
		return false, nil
	case err != nil:
		return false, &os.PathError{Op: "clone into cgroup", Path: dir, Err: err}
	}
	var ws syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	return err == nil && ws.Signaled() && ws.Signal() == syscall.SIGKILL, err
}
