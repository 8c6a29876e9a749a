package testenv

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is one that belongs to the tests.
type process struct {
	pid   int
	start string // field 22 of stat: with the pid, the process's identity
	state string
	words string // its command line, or its name in brackets
}

func (p process) String() string { return fmt.Sprintf("process %d (%s) %s", p.pid, p.state, p.words) }

// readProcess reads a process's identity; ok is false when it is gone.
func readProcess(pid int) (p process, parent int, ok bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, 0, false
	}
	// The name, in parentheses, may itself hold spaces and parentheses.
	end := bytes.LastIndexByte(stat, ')')
	begin := bytes.IndexByte(stat, '(')
	fields := strings.Fields(string(stat[end+1:]))
	if begin < 0 || end < begin || len(fields) < 20 {
		return process{}, 0, false
	}
	words := "[" + string(stat[begin+1:end]) + "]"
	if cmdline, err := os.ReadFile(dir + "/cmdline"); err == nil && len(cmdline) > 0 {
		words = strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	parent, _ = strconv.Atoi(fields[1])
	return process{pid: pid, start: fields[19], state: fields[0], words: words}, parent, true
}

// AwaitProgram waits until a process runs the program of this name. exec.Cmd's Start returns when
// execve has closed its descriptors, and the kernel gives a process its new name, command line
// and environment after that: on a busy machine long after.
func AwaitProgram(t testing.TB, pid int, name string) {
	t.Helper()
	Eventually(t, func() bool {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		comm, err := os.ReadFile(dir + "/comm")
		words, werr := os.ReadFile(dir + "/cmdline")
		return err == nil && werr == nil && string(comm) == name+"\n" && len(words) > 0
	}, fmt.Sprintf("process %d to run %s", pid, name))
}

// pids lists all processes of the host.
func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var list []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// processesOf lists the processes, this one excepted, that mention one of the marks in
// their environment or command line, run a program below dir, or are members of a cgroup
// with one of tags. Zombies count: somebody did not wait.
func processesOf(dir string, marks, tags []string) []process {
	var list []process
	for _, pid := range pids() {
		if pid == os.Getpid() || !belongs(pid, dir, marks, tags) {
			continue
		}
		if p, _, ok := readProcess(pid); ok {
			list = append(list, p)
		}
	}
	return list
}

func belongs(pid int, dir string, marks, tags []string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if exe, err := os.Readlink(proc + "/exe"); err == nil && strings.HasPrefix(exe, dir+"/") {
		return true
	}
	for _, file := range []string{"/environ", "/cmdline"} {
		text, err := os.ReadFile(proc + file)
		if err != nil {
			continue
		}
		for _, m := range marks {
			if bytes.Contains(text, []byte(m)) {
				return true
			}
		}
	}
	groups, err := os.ReadFile(proc + "/cgroup")
	if err != nil {
		return false
	}
	for _, tag := range tags {
		if bytes.Contains(groups, []byte(tag)) {
			return true
		}
	}
	return false
}

// children lists the children of this process, zombies included.
func children() []process {
	var list []process
	for _, pid := range pids() {
		if p, parent, ok := readProcess(pid); ok && parent == os.Getpid() {
			list = append(list, p)
		}
	}
	return list
}

// killDeadline is for the end of a process that was killed; one that waits for a disk, or for a
// processor, takes a while.
const killDeadline = 60 * time.Second

// kill ends a process if it is still the one that was seen: the pidfd is taken first and
// the start time compared after, so that a reused pid is never hit.
func (p process) kill() {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, _, ok := readProcess(p.pid); !ok || now.start != p.start {
		return
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	waitPidfd(fd, Deadline(killDeadline))
}

// waitPidfd waits for the end of a process; false when the time is over first.
func waitPidfd(fd int, within time.Duration) bool {
	end := time.Now().Add(within)
	for {
		left := time.Until(end)
		if left < 0 {
			left = 0
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if n > 0 {
			return true
		}
		if err != unix.EINTR {
			return false
		}
	}
}
