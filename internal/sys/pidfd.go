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
	if pidfd < 0 {
		return true // poll would ignore it and wait for nobody
	}
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
			ms = max(0, int((deadline-Monotonic()+1e6-1)/1e6))
		}
	}
}

// StartTime is the process's start in clock ticks since boot. With the pid it names one
// process of this boot for good: a number comes round only after all others. ENOENT or
// ESRCH: there is no such process.
func StartTime(pid int) (uint64, error) {
	var b [512]byte
	stat, name, err := statOf(pid, b[:])
	if err != nil {
		return 0, err
	}
	start, ok := parseStat(stat, startField)
	if !ok {
		return 0, wrap("parse", name, unix.EINVAL)
	}
	return start, nil
}

// Ending says whether the process with this number and start time has ended or is ending: what happens
// to an init's pid namespace happens after that, and before a pidfd or wait4(2) tells of it.
func Ending(pid int, start uint64) bool {
	var b [512]byte
	stat, _, err := statOf(pid, b[:])
	if err != nil {
		e, ok := err.(*Error)
		return ok && (e.Errno == unix.ENOENT || e.Errno == unix.ESRCH)
	}
	flags, _ := parseStat(stat, flagsField)
	now, ok := parseStat(stat, startField)
	return flags&exiting != 0 || ok && now != start
}

// statOf reads the beginning of /proc/PID/stat into buf.
func statOf(pid int, buf []byte) (stat []byte, name string, err error) {
	var path [32]byte
	name = string(append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), "/stat"...))
	n, err := readSmall(name, buf)
	return buf[:max(n, 0)], name, err
}

// Places behind the command of /proc/PID/stat, of proc(5) less two: the kernel's flags of the task, and
// its start. exiting is PF_EXITING.
const (
	flagsField = 9 - 2
	startField = 22 - 2
	exiting    = 4
)

// parseStat finds a number in the first bytes of /proc/PID/stat. The command in parentheses may hold
// anything, parentheses and spaces included, and no later field does.
func parseStat(stat []byte, place int) (number uint64, ok bool) {
	at := len(stat) - 1
	for at >= 0 && stat[at] != ')' {
		at--
	}
	if at < 0 {
		return 0, false
	}
	field := 0
	for _, c := range stat[at+1:] {
		switch {
		case c == ' ':
			if field == place {
				return number, ok
			}
			field++
		case field < place:
		case c < '0' || c > '9' || number > 1<<60:
			return 0, false
		default:
			number, ok = number*10+uint64(c-'0'), true
		}
	}
	return 0, false // cut before the field's end
}

// readSmall reads the beginning of a file into buf.
func readSmall(path string, buf []byte) (n int, err error) {
	var fd int
	err = Retry(func() (e error) { fd, e = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); return })
	if err != nil {
		return 0, wrap("open", path, err)
	}
	defer unix.Close(fd)
	err = Retry(func() (e error) { n, e = unix.Read(fd, buf); return })
	return n, wrap("read", path, err)
}

// PidfdOpenStarted refers to the process with this number and start time. ESRCH: it is gone,
// though another process or thread may have its number.
func PidfdOpenStarted(pid int, start uint64) (*FD, error) {
	if pid <= 0 {
		return nil, wrap("pidfd_open", strconv.Itoa(pid), unix.ESRCH)
	}
	n, err := unix.PidfdOpen(pid, 0)
	if err == unix.EINVAL || err == unix.ENOENT {
		err = unix.ESRCH // the number is a thread's by now
	}
	if err != nil {
		return nil, wrap("pidfd_open", strconv.Itoa(pid), err)
	}
	fd := Own(n)
	// In this order: the number can not change hands to a process that started before.
	now, err := StartTime(pid)
	if err == nil && now == start {
		return fd, nil
	}
	fd.Close()
	if e, ok := err.(*Error); ok && e.Errno != unix.ENOENT && e.Errno != unix.ESRCH {
		return nil, err
	}
	return nil, wrap("pidfd_open", strconv.Itoa(pid), unix.ESRCH)
}

// Monotonic is nanoseconds of CLOCK_MONOTONIC.
func Monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// Boottime is CLOCK_BOOTTIME, in ns.
func Boottime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return ts.Nano()
}

// BootID names this boot of the host. Run-time state of another boot is dead state, and
// /run may be on a disk.
func BootID() (string, error) {
	b, err := ReadFile("/proc/sys/kernel/random/boot_id", 64)
	return strings.TrimSpace(string(b)), err
}
