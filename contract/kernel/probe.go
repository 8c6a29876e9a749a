package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/sys"
)

// Probes try what a source needs, for `zoneadm check`, and leave nothing behind. nil: it is
// there. Those of BPF and of the connector need root.

// ProbeBPF tries whether the collector can be loaded: the kernel describes its types, and lets
// us make a ring buffer.
func ProbeBPF() error {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return errors.New("the kernel does not describe its types (BTF)")
	}
	ring, err := collector.NewRing(unix.Getpagesize())
	if err != nil {
		return err
	}
	return ring.Close()
}

// ProbeConnector tries whether the process connector answers.
func ProbeConnector() error {
	c, err := openConnector(connectorBytes)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

// ProbePidfdInfo tries whether a process's identity is told by its pidfd (Linux 6.13).
func ProbePidfdInfo() error {
	fd, err := sys.PidfdOpen(os.Getpid())
	if err != nil {
		return err
	}
	defer fd.Close()
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID | unix.PIDFD_INFO_CREDS | unix.PIDFD_INFO_CGROUPID}
	return pidfdInfo(fd, &info)
}

func pidfdInfo(fd *sys.FD, info *unix.PidfdInfo) error {
	switch err := unix.IoctlPidfdInfo(fd.Int(), info); {
	case err == unix.ENOTTY || err == unix.EINVAL:
		return errors.New("the kernel has no PIDFD_GET_INFO")
	case err != nil:
		return fmt.Errorf("PIDFD_GET_INFO: %w", err)
	}
	return nil
}

// probeProgram ends at once.
const probeProgram = "/bin/true"

// ProbePidfdExit tries whether the exit status of a process that was reaped is told by its
// pidfd (Linux 6.15).
func ProbePidfdExit() error {
	n := -1
	pid, err := syscall.ForkExec(probeProgram, []string{probeProgram}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{PidFD: &n}})
	if err != nil {
		return fmt.Errorf("start %s: %w", probeProgram, err)
	}
	fd := sys.Own(n)
	defer fd.Close()
	err = sys.Retry(func() error { _, e := unix.Wait4(pid, nil, 0, nil); return e })
	if err != nil {
		return err
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := pidfdInfo(fd, &info); err != nil {
		return err
	}
	if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return errors.New("PIDFD_GET_INFO does not tell it")
	}
	return nil
}
