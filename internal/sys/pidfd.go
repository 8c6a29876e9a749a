package sys

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PidfdOpen refers to the process that has this number now.
func PidfdOpen(pid int) (*FD, error) {
	n, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, wrap("pidfd_open", strconv.Itoa(pid), err)
	}
	return Own(n), nil
}

// PidfdSignal sends a signal to the process of a pidfd; 0 only asks whether it is there.
func PidfdSignal(pidfd int, sig unix.Signal) error {
	return wrap("pidfd_send_signal", "", unix.PidfdSendSignal(pidfd, sig, nil, 0))
}

// PidfdExited says whether the process has ended (it may still be a zombie).
func PidfdExited(pidfd int) bool { return PidfdWait(pidfd, 0) }

// PidfdWait waits up to ms milliseconds (-1: for ever) for the process to end and says
// whether it has.
func PidfdWait(pidfd, ms int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	deadline := Monotonic() + int64(ms)*1e6
	for {
		n, err := unix.Poll(fds, ms)
		if err == nil {
			return n > 0
		}
		if err != unix.EINTR {
			return true // the descriptor is not one: nobody can be waited for
		}
		if ms > 0 {
			ms = max(0, int((deadline-Monotonic())/1e6))
		}
	}
}

// StartTime is the process's start in clock ticks since boot. With the pid it names one
// process of this boot for good.
func StartTime(pid int) (uint64, error) {
	b, err := ReadFile("/proc/"+strconv.Itoa(pid)+"/stat", 4096)
	if err != nil {
		return 0, err
	}
	// The command in parentheses may hold anything, parentheses and spaces included.
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 20 {
		return 0, wrap("parse", "/proc/"+strconv.Itoa(pid)+"/stat", unix.EINVAL)
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return 0, wrap("parse", "/proc/"+strconv.Itoa(pid)+"/stat", unix.EINVAL)
	}
	return n, nil
}

// PidfdOpenStarted refers to the process with this number and start time. ESRCH: it is gone,
// though another may have its number.
func PidfdOpenStarted(pid int, start uint64) (*FD, error) {
	fd, err := PidfdOpen(pid)
	if err != nil {
		return nil, err
	}
	now, err := StartTime(pid)
	if err == nil && now != start {
		err = unix.ESRCH
	}
	if err != nil {
		fd.Close()
		return nil, wrap("pidfd_open", strconv.Itoa(pid), unix.ESRCH)
	}
	return fd, nil
}

// Monotonic is nanoseconds of CLOCK_MONOTONIC.
func Monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// BootID names this boot of the host. Run-time state of another boot is dead state, and
// /run may be on a disk.
func BootID() (string, error) {
	b, err := ReadFile("/proc/sys/kernel/random/boot_id", 64)
	return strings.TrimSpace(string(b)), err
}
