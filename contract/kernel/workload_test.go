package kernel

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/testenv"
)

const countVariable = "KERNEL_TEST_COUNT"

// deaths are the ways in which the workload's children end.
var deaths = []string{"exit 0", "exit 3", "kill -SEGV $$", "kill -KILL $$", "kill -ABRT $$; sleep 9", "exit 255", "kill -TERM $$"}

// workloadMain is a program that starts children and logs, as their parent, who they were and
// how they ended: the truth that sources are held against.
func workloadMain() {
	n, _ := strconv.Atoi(os.Getenv(countVariable))
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "self", os.Getpid())
	running := 0
	for i := range n {
		// Not by package os, which forks once for itself, to try pidfds.
		_, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", deaths[i%len(deaths)]}, nil)
		if err != nil {
			fmt.Fprintln(out, "failed", err)
			continue
		}
		if running++; running < 8 && i < n-1 {
			continue
		}
		for ; running > 0; running-- {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, 0, nil)
			if err == syscall.EINTR {
				running++
				continue
			}
			fmt.Fprintln(out, "exit", pid, uint32(status))
		}
	}
	out.Flush()
	os.Exit(7)
}

// A goroutine is on the first thread for certain only while packages are initialized: later the main
// one may have moved to another thread.
func init() {
	if role := os.Getenv(roleVariable); role == "headless" || role == "execute" {
		runtime.LockOSThread()
	}
}

// headlessMain ends its first thread, and when its input ends, by another one, itself.
func headlessMain() {
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		close(ready)
		// Not a raw call: one that blocks keeps its processor, and the first thread takes one with it.
		var b [1]byte
		for {
			if _, err := unix.Read(0, b[:]); err != unix.EINTR {
				break
			}
		}
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 5, 0, 0)
	}()
	<-ready
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 9, 0, 0)
}

// headless starts such a process, whose first thread has ended when it returns.
func headless(t *testing.T, dir string) (p table.Proc, end func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=headless", "GOMAXPROCS=4", "GOGC=off")
	in, err := cmd.StdinPipe()
	check(t, err)
	startIn(t, dir, nil, cmd)
	pid := int32(cmd.Process.Pid)
	testenv.Eventually(t, func() bool { s, err := readStat(pid); return err == nil && s.state == 'Z' }, "the first thread to end")
	return procOf(t, cmd.Process.Pid), func() {
		in.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 5 {
			t.Errorf("it ended with %d", code)
		}
	}
}

// executeMain executes a shell by another than its first thread: that ends, and the process goes
// on.
func executeMain() {
	go func() {
		runtime.LockOSThread()
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "read x; (exit 3); exit 4"}, nil)
		os.Exit(1)
	}()
	select {}
}

// truth is the workload's own log: pids to wait statuses.
type truth struct {
	self  int32
	exits map[int32]uint32
}

// workload runs in the directory and gives its log.
func workload(t *testing.T, dir string, n int) truth {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=workload", countVariable+"="+fmt.Sprint(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	startIn(t, dir, nil, cmd)
	w := truth{exits: map[int32]uint32{}}
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		var pid int32
		var status uint32
		switch word, rest, _ := strings.Cut(sc.Text(), " "); word {
		case "self":
			_, _ = fmt.Sscan(rest, &w.self)
		case "exit":
			_, _ = fmt.Sscan(rest, &pid, &status)
			if _, twice := w.exits[pid]; twice {
				t.Fatalf("the workload had number %d twice: make it smaller", pid)
			}
			w.exits[pid] = status
		case "failed":
			t.Errorf("workload: %s", rest)
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Fatalf("the workload ended with %d", code)
	}
	w.exits[w.self] = 7 << 8
	return w
}

// compare holds what was told against the workload's log. Every birth is told before the exit,
// every exit has its status, a core before the exit, and at the end, once, the contract is
// empty.
func (w truth) compare(t *testing.T, got []Report, id contract.ID) {
	t.Helper()
	forked, cored, exited := map[int32]bool{}, map[int32]int32{}, map[int32]bool{}
	empty := 0
	for _, r := range got {
		if r.What != Happened || r.CT != id {
			continue
		}
		pid := r.Fact.Member.Pid
		if empty > 0 {
			t.Errorf("after Empty: %+v", r.Fact)
		}
		switch r.Fact.Event {
		case contract.Fork:
			if forked[pid] {
				t.Errorf("%d was born twice", pid)
			}
			forked[pid] = true
			if pid != w.self && r.Fact.Parent.Pid != w.self {
				t.Errorf("%d's parent is %d, not %d", pid, r.Fact.Parent.Pid, w.self)
			}
		case contract.Core:
			cored[pid] = r.Fact.Sig
		case contract.Exit:
			want, there := w.exits[pid]
			if !there || exited[pid] || !forked[pid] || r.Fact.Status&^0x80 != want&^0x80 {
				t.Errorf("exit of %d with %#x; the log says %#x (%v), born %v, again %v", pid, r.Fact.Status, want, there, forked[pid], exited[pid])
			}
			exited[pid] = true
			if sig := unix.Signal(want & 0x7f); coreSignals[sig] != (cored[pid] != 0) || cored[pid] != 0 && cored[pid] != int32(sig) {
				t.Errorf("%d ended with %#x and was told to dump core of %d", pid, want, cored[pid])
			}
		case contract.Empty:
			empty++
		case contract.Lost:
			t.Errorf("%d events were lost", r.Fact.Count)
		}
	}
	for pid := range w.exits {
		if !exited[pid] {
			t.Errorf("the exit of %d was not told", pid)
		}
	}
	if empty != 1 || len(forked) != len(w.exits) {
		t.Errorf("empty was told %d times; %d births of %d", empty, len(forked), len(w.exits))
	}
}
