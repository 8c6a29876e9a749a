package crash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// The main thread never traces: the runtime does not end it with the goroutine that is locked to
// it, and the end of its thread is what a tracer lets go by.
func init() { runtime.LockOSThread() }

// aim is what is traced, and where it ends.
type aim struct {
	point string      // at which it is sent sig; empty: it only says what it passes
	sig   unix.Signal // SIGKILL or SIGSTOP
	// child is the program that is followed, as a child of the process that is traced; empty: that
	// process itself.
	child string
}

// tracer follows one process through its system calls. All of it is in one thread, which the
// kernel wants; whoever waits for its end may ask for it by closing stop.
type tracer struct {
	aim
	points []string
	seen   counter
	hit    int // pid of who was sent the signal

	target    int // process that is followed, 0 while there is none
	known     map[int]bool
	ofTarget  map[int]bool        // threads, as far as it was asked
	parents   map[int]bool        // threads of the process whose child is waited for
	endStatus *syscall.WaitStatus // of a program that was spawned
	err       error
	ready     chan struct{} // closed when it is attached
	over      chan struct{} // closed when it has let go
	stop      *os.File      // the end of this pipe ends a child that the tracer waits for
}

const (
	followChildren = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC
	followThreads  = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE
	getSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO
	syscallStop    = unix.SIGTRAP | 0x80
)

// triesMax is how often a run may miss the point at which a program was to be hit.
const triesMax = 4

func newTracer(a aim) *tracer {
	return &tracer{aim: a, seen: counter{}, known: map[int]bool{}, ofTarget: map[int]bool{}, parents: map[int]bool{}, ready: make(chan struct{}), over: make(chan struct{})}
}

// follow traces a process that is there.
func follow(t *testing.T, pid int, a aim) *tracer {
	t.Helper()
	tr := newTracer(a)
	tr.begin(t, func() error { return tr.seize(pid) })
	return tr
}

// spawned traces a program from its first instruction. Nobody else may wait for it.
func spawned(t *testing.T, argv, env []string, files []*os.File, a aim) *tracer {
	t.Helper()
	tr := newTracer(a)
	tr.endStatus = new(syscall.WaitStatus)
	tr.begin(t, func() error {
		p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Dir: "/", Env: env, Files: files, Sys: &syscall.SysProcAttr{Ptrace: true}})
		if err != nil {
			return err
		}
		tr.target = p.Pid
		_ = p.Release()
		var ws unix.WaitStatus
		if _, err := unix.Wait4(tr.target, &ws, unix.WALL, nil); err != nil || !ws.Stopped() {
			return fmt.Errorf("the program does not stop at its start: %w", err)
		}
		tr.known[tr.target] = true
		options := followThreads
		if a.sig != unix.SIGSTOP { // that one is let go by the end of this thread
			options |= unix.PTRACE_O_EXITKILL
		}
		if err := unix.PtraceSetOptions(tr.target, options); err != nil {
			return err
		}
		return unix.PtraceSyscall(tr.target, 0)
	})
	return tr
}

// begin runs the tracer in a thread of its own, which ends with it.
func (tr *tracer) begin(t *testing.T, attach func() error) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	tr.stop = w
	go func() {
		defer close(tr.over)
		runtime.LockOSThread()
		// Who waits in wait4 is woken by the end of a child.
		bell, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "read x"}, &os.ProcAttr{Files: []*os.File{r, nil, nil}})
		r.Close()
		if err != nil {
			tr.err = err
			close(tr.ready)
			return
		}
		number := bell.Pid
		_ = bell.Release()
		tr.err = attach()
		close(tr.ready)
		if tr.err == nil {
			tr.loop(number)
		}
		tr.stop.Close()
		var ws unix.WaitStatus
		_, _ = unix.Wait4(number, &ws, unix.WALL, nil)
	}()
	<-tr.ready
	if tr.err != nil {
		t.Fatalf("trace: %v", tr.err)
	}
	t.Cleanup(func() { tr.end(t) })
}

// end lets go of who is still traced.
func (tr *tracer) end(t *testing.T) {
	t.Helper()
	_ = tr.stop.Close()
	select {
	case <-tr.over:
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Errorf("the tracer does not end")
	}
}

// await waits until the signal was sent, or the traced process has ended.
func (tr *tracer) await(within time.Duration) bool {
	select {
	case <-tr.over:
		return true
	case <-time.After(testenv.Deadline(within)):
		return false
	}
}

// seize attaches to all threads of a process; those that are made meanwhile are looked for again.
func (tr *tracer) seize(pid int) error {
	options := followChildren
	if tr.child == "" {
		options, tr.target = followThreads, pid
	}
	for again := true; again; {
		again = false
		tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
		if err != nil {
			return err
		}
		for _, e := range tasks {
			tid, _ := strconv.Atoi(e.Name())
			if tr.known[tid] {
				continue
			}
			if err := ptrace(unix.PTRACE_SEIZE, tid, 0, uintptr(options)); err != nil {
				if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EPERM) && again {
					continue
				}
				return fmt.Errorf("seize thread %d: %w", tid, err)
			}
			tr.known[tid], again = true, true
			if tr.child != "" {
				tr.parents[tid] = true
			} else if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

func ptrace(request, pid int, addr, data uintptr) error {
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), addr, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// othersTime is how long a child that has ended is left to whoever waits for it. Nobody waits for
// those that other tracers have killed.
const othersTime = 2 * time.Second

// next waits for who is traced by this thread, and for the bell. The thread may have started children
// for others before it was this tracer's: they are left to whoever waits for them.
func (tr *tracer) next(bell int) (pid int, ws unix.WaitStatus, err error) {
	seen := map[int]time.Time{}
	for {
		var info siginfo
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		pid := int(info.pid)
		if pid != bell && !tr.known[pid] && info.code != cldTrapped && parentOf(pid) == os.Getpid() {
			if seen[pid].IsZero() {
				seen[pid] = time.Now()
			}
			if info.code == cldStopped || time.Since(seen[pid]) > othersTime { // for which nobody waits
				_, _ = unix.Wait4(pid, &ws, unix.WUNTRACED|unix.WNOHANG, nil)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		pid, err = unix.Wait4(pid, &ws, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return pid, ws, err
	}
}

// siginfo is the part of siginfo_t that waitid(2) fills, on 64 bit.
type siginfo struct {
	_    [8]byte
	code int32
	_    int32
	pid  int32
	_    [108]byte
}

const (
	cldTrapped = 4
	cldStopped = 5
)

// parentOf is who a process, perhaps a dead one, was started by; 0 when it is gone.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var state string
	var parent int
	_, _ = fmt.Sscan(string(text[strings.LastIndexByte(string(text), ')')+1:]), &state, &parent)
	return parent
}

// loop takes stops until the bell rings, the target is gone, or it was sent its signal.
func (tr *tracer) loop(bell int) {
	for {
		pid, ws, err := tr.next(bell)
		if err != nil || pid == bell {
			return
		}
		if !ws.Stopped() {
			delete(tr.known, pid)
			if pid == tr.target {
				if tr.endStatus != nil {
					*tr.endStatus = syscall.WaitStatus(ws)
				}
				return
			}
			continue
		}
		if tr.stopped(pid, ws) {
			return
		}
	}
}

// stopped takes one stop; true: that was all.
func (tr *tracer) stopped(pid int, ws unix.WaitStatus) bool {
	sig, event := ws.StopSignal(), int(ws)>>16
	first := !tr.known[pid]
	tr.known[pid] = true
	switch {
	case sig == syscallStop:
		if tr.call(pid) {
			return true
		}
		tr.resume(pid, 0)
	case event == unix.PTRACE_EVENT_EXEC && !tr.isTarget(pid):
		tr.execed(pid)
	case event == unix.PTRACE_EVENT_STOP && sig != unix.SIGTRAP:
		_ = ptrace(unix.PTRACE_LISTEN, pid, 0, 0) // it is stopped by a signal, and stays so
	case event != 0, first && sig == unix.SIGSTOP:
		tr.resume(pid, 0)
	default:
		tr.resume(pid, int(sig))
	}
	return false
}

// isTarget says whether a thread is of the process that is followed.
func (tr *tracer) isTarget(tid int) bool {
	if tr.target == 0 || tr.parents[tid] {
		return false
	}
	is, asked := tr.ofTarget[tid]
	if !asked {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", tr.target, tid))
		is = err == nil
		tr.ofTarget[tid] = is
	}
	return is
}

func (tr *tracer) resume(tid, sig int) {
	if tr.isTarget(tid) {
		_ = unix.PtraceSyscall(tid, sig)
		return
	}
	_ = unix.PtraceCont(tid, sig)
}

// execed takes a child that has become a program: the one, or another.
func (tr *tracer) execed(pid int) {
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if tr.target == 0 && !tr.parents[pid] && filepath.Base(exe) == tr.child {
		tr.target = pid
		clear(tr.ofTarget)
		if err := unix.PtraceSetOptions(pid, followThreads); err == nil {
			_ = unix.PtraceSyscall(pid, 0)
			return
		}
	}
	_ = unix.PtraceCont(pid, 0) // it may yet become the one, as init's children do
}

// call takes the beginning of a system call; true: the tracer's work is done.
func (tr *tracer) call(tid int) bool {
	var info struct {
		op   uint8
		_    [3]uint8
		arch uint32
		ip   uint64
		sp   uint64
		nr   uint64
		args [6]uint64
	}
	const entry = 1
	err := ptrace(getSyscallInfo, tid, unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
	if err != nil || info.op != entry || tr.hit != 0 || !tr.isTarget(tid) {
		return false
	}
	name := tr.seen.at(tid, info.nr, info.args)
	if name == "" {
		return false
	}
	if !slices.Contains(tr.points, name) {
		tr.points = append(tr.points, name)
	}
	if name != tr.point {
		return false
	}
	// The call is not made: who is killed at its entry does not come so far.
	tr.hit = tr.target
	_ = unix.Kill(tr.target, tr.sig)
	return tr.sig == unix.SIGSTOP
}
