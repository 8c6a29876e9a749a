package kernel

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// stat is what matters here of /proc/PID/stat.
type stat struct {
	state      byte
	ppid, pgrp int32
	start      uint64
	exiting    bool // it has begun to end, and may not be a zombie yet
	exitCode   uint32
	hasExit    bool
}

// Fields behind the command of /proc/PID/stat, counted from 0; proc(5) counts the first 3.
const (
	fieldState    = 0
	fieldPPid     = 1
	fieldPgrp     = 2
	fieldFlags    = 6
	fieldStart    = 19
	fieldExitCode = 49
)

// pfExiting is PF_EXITING among a task's flags.
const pfExiting = 0x4

// statBytesMax is more than any line of /proc/PID/stat.
const statBytesMax = 2048

func readStat(pid int32) (stat, error) {
	var buf [statBytesMax]byte
	b, err := readProc(pid, "stat", buf[:])
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (s stat, err error) {
	// The command, in parentheses, may hold anything, parentheses included.
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return s, errors.New("/proc/PID/stat has no command")
	}
	field := 0
	for word := range bytes.FieldsSeq(b[end+1:]) {
		switch field {
		case fieldState:
			s.state = word[0]
		case fieldPPid:
			s.ppid = int32(number(word))
		case fieldPgrp:
			s.pgrp = int32(number(word))
		case fieldFlags:
			s.exiting = number(word)&pfExiting != 0
		case fieldStart:
			s.start = number(word)
		case fieldExitCode:
			s.exitCode, s.hasExit = uint32(number(word)), true
		}
		field++
	}
	if field <= fieldStart {
		return s, errors.New("/proc/PID/stat is cut short")
	}
	return s, nil
}

func number(word []byte) uint64 {
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil {
		return 0
	}
	return uint64(n)
}

// readProc reads the beginning of a file of a process. ErrGone: there is no such process.
func readProc(pid int32, name string, buf []byte) ([]byte, error) {
	path := append(strconv.AppendInt(append(make([]byte, 0, 64), "/proc/"...), int64(pid), 10), '/')
	return readFile(string(append(path, name...)), buf)
}

func readFile(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, goneOr(err)
	}
	defer unix.Close(fd)
	var n int
	err = sys.Retry(func() (e error) { n, e = unix.Read(fd, buf); return })
	return buf[:max(n, 0)], goneOr(err)
}

// goneOr is ErrGone for what the kernel says of a process that is not there.
func goneOr(err error) error {
	if err == unix.ENOENT || err == unix.ESRCH {
		return ErrGone
	}
	return err
}

// status is what matters here of /proc/PID/status.
type status struct {
	tgid             int32
	ruid, euid, suid uint32
}

// statusBytes are enough for all that is read: the list of groups, which may be long and is
// not looked at, comes later in the file.
const statusBytes = 1024

func readStatus(pid int32) (status, error) {
	var buf [statusBytes]byte
	b, err := readProc(pid, "status", buf[:])
	if err != nil {
		return status{}, err
	}
	return parseStatus(b)
}

func parseStatus(b []byte) (s status, err error) {
	var tgid, uid bool
	for line := range bytes.Lines(b) {
		switch key, rest, _ := bytes.Cut(line, []byte(":\t")); string(key) {
		case "Tgid":
			s.tgid, tgid = int32(number(bytes.TrimSpace(rest))), true
		case "Uid":
			w := bytes.Fields(rest)
			if uid = len(w) == 4; uid {
				s.ruid, s.euid, s.suid = uint32(number(w[0])), uint32(number(w[1])), uint32(number(w[2]))
			}
		}
		if tgid && uid {
			return s, nil
		}
	}
	return s, errors.New("/proc/PID/status lacks a field")
}

// zonePid is the process's number in the zone: the second of its numbers, from the host down.
// 0: it has none.
func zonePid(pidfd *sys.FD) int32 { return nthPid(pidfd, 1) }

// fdinfoBytes are enough: a process has at most 33 numbers.
const fdinfoBytes = 1024

// nthPid is the n-th of the process's numbers in nested pid namespaces, 0 where it has none.
// A pidfd's own notes have them, where /proc/PID/status may be as long as a process likes.
func nthPid(pidfd *sys.FD, n int) int32 {
	var buf [fdinfoBytes]byte
	b, err := readFile("/proc/self/fdinfo/"+strconv.Itoa(pidfd.Int()), buf[:])
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("NSpid:\t")); ok {
			if w := bytes.Fields(rest); n < len(w) {
				return int32(number(w[n]))
			}
		}
	}
	return 0
}

// depth is how many numbers a process has.
func depth(pidfd *sys.FD) int {
	n := 0
	for nthPid(pidfd, n) > 0 {
		n++
	}
	return n
}

// hold is the process that has this number now, with a pidfd of it. ErrGone.
func hold(pid int32) (stat, *sys.FD, error) {
	fd, err := sys.PidfdOpen(int(pid))
	if err != nil {
		if isAny(err, unix.ESRCH, unix.EINVAL, unix.ENOENT) {
			err = ErrGone
		}
		return stat{}, nil, err
	}
	s, err := readStat(pid)
	if err == nil && sys.PidfdSignal(fd.Int(), 0) != nil {
		err = ErrGone // the number may be another's by now
	}
	if err != nil {
		fd.Close()
		return stat{}, nil, err
	}
	return s, fd, nil
}

// identify is hold with the process's number in the zone.
func identify(pid int32) (table.Proc, *sys.FD, error) {
	s, fd, err := hold(pid)
	if err != nil {
		return table.Proc{}, nil, err
	}
	return table.Proc{Pid: pid, Start: s.start, ZPid: zonePid(fd)}, fd, nil
}

func isAny(err error, errnos ...unix.Errno) bool {
	for _, e := range errnos {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// cgroupOf is the process's cgroup as /proc/PID/cgroup names it.
func cgroupOf(pid int32) (string, error) {
	path, err := cgroup2.Of(int(pid))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		err = ErrGone
	}
	return path, err
}

// coreSignals are those whose default action is to dump core (signal(7)). A death by one of
// them counts as CORE whether or not a file was written.
var coreSignals = map[unix.Signal]bool{
	unix.SIGQUIT: true, unix.SIGILL: true, unix.SIGTRAP: true, unix.SIGABRT: true, unix.SIGBUS: true, unix.SIGFPE: true,
	unix.SIGSEGV: true, unix.SIGXCPU: true, unix.SIGXFSZ: true, unix.SIGSYS: true,
}
