package sys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func sleeper(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestPidfd(t *testing.T) {
	interrupt(t)
	cmd := sleeper(t)
	fd, err := PidfdOpen(cmd.Process.Pid)
	check(t, err)
	defer fd.Close()
	if !cloexec(t, fd.Int()) || PidfdExited(fd.Int()) {
		t.Error("handed on, or a living process has ended")
	}
	began := time.Now()
	if PidfdWait(fd.Int(), 50) {
		t.Error("waited for the end of one that lives")
	}
	if took := time.Since(began); took < 50*time.Millisecond || took > testenv.Deadline(time.Minute) {
		t.Errorf("50 ms took %v", took)
	}
	check(t, PidfdSignal(fd.Int(), 0))
	check(t, PidfdSignal(fd.Int(), unix.SIGKILL))
	if !PidfdWait(fd.Int(), -1) || !PidfdExited(fd.Int()) {
		t.Error("the end is not seen")
	}
	check(t, PidfdSignal(fd.Int(), 0)) // of a zombie
	_ = cmd.Wait()
	if err := PidfdSignal(fd.Int(), 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("of one that was reaped: %v", err)
	}
	if !PidfdExited(-1) || !PidfdWait(-1, -1) || !PidfdWait(1<<20, -1) {
		t.Error("nobody can be waited for")
	}
	if _, err := PidfdOpen(1 << 30); err == nil {
		t.Error("nobody was opened")
	}
}

func TestPidfdOpenStarted(t *testing.T) {
	cmd := sleeper(t)
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	check(t, err)
	fd, err := PidfdOpenStarted(pid, start)
	check(t, err)
	check(t, fd.Close())
	for _, other := range []uint64{0, start - 1, start + 1} {
		if fd, err := PidfdOpenStarted(pid, other); !errors.Is(err, unix.ESRCH) {
			fd.Close()
			t.Errorf("start %d of %d: %v", other, start, err)
		}
	}
	_ = cmd.Process.Kill()
	fd, err = PidfdOpen(pid)
	check(t, err)
	PidfdWait(fd.Int(), -1)
	fd.Close()
	fd, err = PidfdOpenStarted(pid, start) // a zombie is still itself
	check(t, err)
	check(t, fd.Close())
	_ = cmd.Wait()
	for _, gone := range []int{pid, 0, -1, 1 << 30} {
		if _, err := PidfdOpenStarted(gone, start); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%d: %v", gone, err)
		}
	}
	// A number that a thread has is a process's no more.
	tasks, err := os.ReadDir("/proc/self/task")
	check(t, err)
	for _, task := range tasks {
		var tid int
		_, _ = fmt.Sscan(task.Name(), &tid)
		if tid == os.Getpid() {
			continue
		}
		start, err := StartTime(tid)
		check(t, err)
		if fd, err := PidfdOpenStarted(tid, start); !errors.Is(err, unix.ESRCH) {
			fd.Close()
			t.Errorf("a thread: %v", err)
		}
	}
}

// A number comes round: the process that has it now is not the one that had it. The kernel is
// told which number to give next, in numbers of the test's own: nobody else takes it, and nobody
// else's come round.
func TestRecycledNumber(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Feature{Name: lastNumber, Probe: func() error { _, err := os.Stat(lastNumber); return err }})
	cmd := player(t, "recycler")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.Output(); err != nil || len(out) != 0 {
		t.Errorf("%s%v", out, err)
	}
}

const lastNumber = "/proc/sys/kernel/ns_last_pid"

// recyclerMain is the first process of numbers of its own. It says what is wrong.
func recyclerMain() int {
	if err := recycle(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func recycle() error {
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, "")); err != nil {
		return err
	}
	old := exec.Command("/bin/sleep", "1000")
	if err := old.Start(); err != nil {
		return err
	}
	pid := old.Process.Pid
	start, err := StartTime(pid)
	_, _ = old.Process.Kill(), old.Wait()
	if err != nil {
		return err
	}
	time.Sleep(30 * time.Millisecond) // another tick
	again := exec.Command("/bin/sleep", "1000")
	for range 100 { // a thread of this process may take it
		if err := os.WriteFile(lastNumber, fmt.Append(nil, pid-1), 0); err != nil {
			return err
		}
		again = exec.Command("/bin/sleep", "1000")
		if err := again.Start(); err != nil {
			return err
		}
		defer again.Wait()
		defer again.Process.Kill()
		if again.Process.Pid == pid {
			break
		}
	}
	if again.Process.Pid != pid {
		return fmt.Errorf("number %d does not come round on this machine: %d", pid, again.Process.Pid)
	}
	if fd, err := PidfdOpenStarted(pid, start); !errors.Is(err, unix.ESRCH) {
		fd.Close()
		return fmt.Errorf("another process answers for the dead: %v", err)
	}
	if now, err := StartTime(pid); err != nil || now <= start {
		return fmt.Errorf("started at %d, the one before at %d: %v", now, start, err)
	}
	return nil
}

func TestStartTime(t *testing.T) {
	for stat, want := range map[string]uint64{
		"1 (sh) S" + strings.Repeat(" 1", 18) + " 4711 5 6\n":           4711,
		"1 (a) b (c)) d) S" + strings.Repeat(" -1", 18) + " 0 5\n":      0,
		"1 () 20 30) S" + strings.Repeat(" 9", 18) + " 1152921504606 5": 1152921504606,
	} {
		if got, ok := parseStat([]byte(stat), startField); !ok || got != want {
			t.Errorf("%q: %d %v", stat, got, ok)
		}
	}
	for _, stat := range []string{
		"", ")", "1 (sh", "1 (sh) S 1 2 3", "1 (sh) S" + strings.Repeat(" 1", 18) + " 47", // may be cut
		"1 (sh) S" + strings.Repeat(" 1", 18) + "  5", "1 (sh) S" + strings.Repeat(" 1", 18) + " x 5",
		"1 (sh) S" + strings.Repeat(" 1", 18) + " 99999999999999999999999 5",
	} {
		if got, ok := parseStat([]byte(stat), startField); ok {
			t.Errorf("%q: %d", stat, got)
		}
	}
	if _, err := StartTime(1 << 30); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
	// A command may be called anything.
	exe := t.TempDir() + "/) 1 2 (x"
	b, err := os.ReadFile("/bin/sleep")
	check(t, err)
	check(t, os.WriteFile(exe, b, 0o700))
	cmd := exec.Command(exe, "1000")
	check(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	got, err := StartTime(cmd.Process.Pid)
	check(t, err)
	mine, err := StartTime(os.Getpid())
	check(t, err)
	if got < mine || got > mine+100*3600 {
		t.Errorf("started at %d, this test at %d", got, mine)
	}
}

func TestClockAndBoot(t *testing.T) {
	a := Monotonic()
	b := Monotonic()
	if a <= 0 || b < a {
		t.Errorf("%d, then %d", a, b)
	}
	id, err := BootID()
	want, rerr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	check(t, rerr)
	if err != nil || id != string(bytes.TrimSpace(want)) || len(id) != 36 {
		t.Errorf("%q %v", id, err)
	}
}

func FuzzParseStart(f *testing.F) {
	f.Add([]byte("1 (sh) S 1 1 1 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 4711 1 1"))
	f.Fuzz(func(t *testing.T, b []byte) { parseStat(b, startField) })
}

func TestEnding(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	check(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	check(t, err)
	if Ending(pid, start) || Ending(os.Getpid(), mustStart(t, os.Getpid())) {
		t.Error("one that lives is ending")
	}
	if !Ending(pid, start+1) {
		t.Error("another one with its number is taken for it")
	}
	check(t, unix.Kill(pid, unix.SIGSTOP))
	if Ending(pid, start) {
		t.Error("one that is stopped is ending")
	}
	check(t, unix.Kill(pid, unix.SIGKILL))
	testenv.Eventually(t, func() bool { return Ending(pid, start) }, "one that was killed, and is not waited for, to be ending")
	_ = cmd.Wait()
	if !Ending(pid, start) {
		t.Error("one that is gone is not ending")
	}
}

func mustStart(t *testing.T, pid int) uint64 {
	t.Helper()
	start, err := StartTime(pid)
	check(t, err)
	return start
}
