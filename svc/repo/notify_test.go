package repo

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process does to files is seen here by the kernel's own account: the child filters
// its own system calls (seccomp), and its parent is asked about each that changes a file, before
// it is done. So every write can be counted, recorded, and be the last.

// watched are the calls by which bbolt and this package change files.
var watchedCalls = []uint32{unix.SYS_PWRITE64, unix.SYS_FDATASYNC, unix.SYS_FSYNC, unix.SYS_FTRUNCATE, unix.SYS_RENAMEAT, unix.SYS_UNLINKAT, unix.SYS_LINKAT}

// filterSelf makes the calls of all threads ask, and gives the descriptor that is asked on.
func filterSelf() (int, error) {
	var program []unix.SockFilter
	program = append(program, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS})
	for i, nr := range watchedCalls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(len(watchedCalls) - i)})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// notification is struct seccomp_notif, answer struct seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

const (
	notifReceive  = 0xc0502100
	notifSend     = 0xc0182101
	notifContinue = 1
)

// fileCall is one call that changes a file.
type fileCall struct {
	name string
	path string // of the descriptor, where there is one
	at   int64  // or the new size
	data []byte
}

// script is a child whose file calls are asked about.
type script struct {
	cmd    *exec.Cmd
	lines  *bufio.Reader
	closes []*os.File
	notify int
}

// startScript starts a child in a role, under the filter.
func startScript(t testing.TB, as, dir string) *script {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	s := &script{cmd: exec.Command(exe), notify: -1}
	goAhead, goEnd, err := os.Pipe()
	must(t, err)
	lines, linesEnd, err := os.Pipe()
	must(t, err)
	s.closes = []*os.File{goEnd, lines}
	s.lines = bufio.NewReader(lines)
	s.cmd.Env = append(os.Environ(), role+"="+as, "REPO_TEST_DIR="+dir)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = goAhead, linesEnd, os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pidfd := -1
	s.cmd.SysProcAttr.PidFD = &pidfd
	must(t, s.cmd.Start())
	goAhead.Close()
	linesEnd.Close()
	defer unix.Close(pidfd)
	line, err := s.lines.ReadString('\n')
	must(t, err)
	number, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	s.notify, err = unix.PidfdGetfd(pidfd, number, 0)
	must(t, err)
	_, err = goEnd.Write([]byte{1})
	must(t, err)
	return s
}

// verdict is what becomes of a call.
type verdict int

const (
	goOn verdict = iota
	killIt
	failIt // with EIO
)

func killWhen(kill bool) verdict {
	if kill {
		return killIt
	}
	return goOn
}

// run answers until the child ends or is killed instead of being answered. It gives the lines
// that the child wrote. That it ended badly is an error unless it was told of one.
func (s *script) run(t testing.TB, asked func(fileCall) verdict) (lines []string, killed bool) {
	t.Helper()
	failed := false
	for !killed {
		poll := []unix.PollFd{{Fd: int32(s.notify), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			break
		}
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.notify), notifReceive, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it was gone before it was received
		}
		a := answer{id: n.id, flags: notifContinue}
		switch asked(s.call(t, &n)) {
		case killIt:
			killed = true
			must(t, s.cmd.Process.Kill())
		case failIt:
			failed = true
			a.flags, a.err = 0, -int32(unix.EIO)
		}
		if killed {
			break
		}
		unix.Syscall(unix.SYS_IOCTL, uintptr(s.notify), notifSend, uintptr(unsafe.Pointer(&a)))
	}
	err := s.cmd.Wait()
	if !killed && !failed && err != nil {
		t.Errorf("the child: %v", err)
	}
	var out bytes.Buffer
	_, err = s.lines.WriteTo(&out)
	must(t, err)
	unix.Close(s.notify)
	for _, f := range s.closes {
		f.Close()
	}
	return strings.Fields(out.String()), killed
}

func (s *script) call(t testing.TB, n *notification) fileCall {
	t.Helper()
	c := fileCall{}
	c.path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.cmd.Process.Pid, n.args[0]))
	switch n.nr {
	case unix.SYS_PWRITE64:
		c.name, c.at, c.data = "write", int64(n.args[3]), make([]byte, n.args[2])
		local := []unix.Iovec{{Base: &c.data[0], Len: n.args[2]}}
		remote := []unix.RemoteIovec{{Base: uintptr(n.args[1]), Len: int(n.args[2])}}
		got, err := unix.ProcessVMReadv(int(n.pid), local, remote, 0)
		if err != nil || got != len(c.data) {
			t.Errorf("read what is written: %d of %d, %v", got, len(c.data), err)
		}
	case unix.SYS_FDATASYNC, unix.SYS_FSYNC:
		c.name = "sync"
	case unix.SYS_FTRUNCATE:
		c.name, c.at = "size", int64(n.args[1])
	default:
		c.name, c.path = "name", ""
	}
	return c
}

// childFilter is the child's part: it waits until its parent can be asked.
func childFilter() error {
	fd, err := filterSelf()
	if err != nil {
		return err
	}
	fmt.Println(fd)
	var b [1]byte
	_, err = os.Stdin.Read(b[:])
	return err
}
