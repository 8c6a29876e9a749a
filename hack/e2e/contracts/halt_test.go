package contracts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// when is the shell's words that wait until the host says go.
const when = "while [ ! -e /var/tmp/go ]; do sleep 0.05; done; "

// readers starts processes in the zone that wait for the file system of contracts, each in its
// way, and gives their numbers on the host.
func readers(t *testing.T, z *testenv.Zones, zone string) []int {
	t.Helper()
	var pids []int
	for _, c := range []string{"cat /system/contract/process/bundle", "cat /system/contract/process/pbundle"} {
		run(t, z, zone, "exec "+c)
		pid := hostPid(t, z, zone, c)
		testenv.Eventually(t, func() bool { return hasOpen(pid, "bundle") }, c+" to wait")
		pids = append(pids, pid)
	}
	return pids
}

// halts halts the zone, and looks that nothing is left.
func halts(t *testing.T, z *testenv.Zones, zone string, pids []int) {
	t.Helper()
	began := time.Now()
	out, errs, exit := z.Zoneadm("-z", zone, "halt")
	t.Logf("halted after %v", time.Since(began).Round(time.Millisecond))
	if exit != 0 || out+errs != "" {
		t.Errorf("halt: %v", said{out, errs, exit})
	}
	for _, pid := range pids { // out of its cgroup a process still goes through its exit
		testenv.Eventually(t, func() bool { s := processState(pid); return s == "" || s == "Z" || s == "X" }, "process "+itoa(pid)+" to be gone")
	}
}

// TestHaltWithReaders: whoever waits for an event is no obstacle.
func TestHaltWithReaders(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	for range 3 {
		halts(t, z, "a", readers(t, z, "a"))
		silent(t, z, "a", "boot")
	}
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// deadSupervisor kills the zone's supervisor and stops its keeper, so that there is none until that
// goes on.
func deadSupervisor(t *testing.T, z *testenv.Zones, zone string) (back func()) {
	t.Helper()
	zsched := z.PID(zone, "zsched")
	must(t, unix.Kill(zsched, unix.SIGSTOP)) // it starts none, not even of the file that it holds open
	testenv.Eventually(t, func() bool { return stopped(zsched) }, "the keeper to stop")
	pid := z.KillZoned(zone)
	testenv.Eventually(t, func() bool { s := processState(pid); return s == "" || s == "Z" }, "the supervisor's end")
	return func() {
		if err := unix.Kill(zsched, unix.SIGCONT); err != unix.ESRCH {
			must(t, err)
		}
	}
}

// stopped says whether all threads of a process are: the first that hears of it stops the others.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob("/proc/" + itoa(pid) + "/task/*/stat")
	for _, stat := range tasks {
		b, err := os.ReadFile(stat)
		if _, rest, _ := strings.Cut(string(b), ") "); err == nil && !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return len(tasks) > 0
}

// stuck starts a process that asks the file system of contracts for something now that nobody
// answers, and gives its number on the host.
func stuck(t *testing.T, z *testenv.Zones, zone string, command string) int {
	t.Helper()
	must(t, os.WriteFile(inside(z, zone, "/var/tmp/go"), nil, 0o644))
	pid := hostPid(t, z, zone, command)
	testenv.Eventually(t, func() bool { return processState(pid) == "D" || waits(pid) }, command+" to wait")
	return pid
}

// waits says whether a process waits for a FUSE server.
func waits(pid int) bool {
	b, _ := os.ReadFile("/proc/" + itoa(pid) + "/wchan")
	return strings.Contains(string(b), "request_wait_answer") || strings.Contains(string(b), "fuse")
}

// TestHaltWithoutSupervisor: a process asks while no supervisor lives, is killed and can not go,
// and the zone is halted all the same when there is one again.
func TestHaltWithoutSupervisor(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	pids := readers(t, z, "a")
	const command = "cat /system/contract/process/latest"
	run(t, z, "a", when+"exec "+command)
	hostPid(t, z, "a", "sh -c "+when+"exec "+command)
	back := deadSupervisor(t, z, "a")
	pid := stuck(t, z, "a", command)
	must(t, unix.Kill(pid, unix.SIGKILL))
	pids = append(pids, pid)
	back()
	halts(t, z, "a", pids)
	nothingRuns(t, z)
}

// TestHaltWithoutAnybody: the keeper is killed too, and with it goes the file system: nobody
// waits for ever.
func TestHaltWithoutAnybody(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	pids := readers(t, z, "a")
	zsched := z.PID("a", "zsched")
	back := deadSupervisor(t, z, "a")
	must(t, unix.Kill(zsched, unix.SIGKILL))
	for _, pid := range pids {
		testenv.Eventually(t, func() bool { s := processState(pid); return s == "" || s == "Z" }, "the readers to be told that there is nobody")
	}
	back()
	if _, errs, exit := z.Zoneadm("-z", "a", "halt"); exit != 0 {
		t.Errorf("halt: %s", errs)
	}
	nothingRuns(t, z)
}

// TestExitWithoutSupervisor: a process that has files of contracts open ends, and executes
// another program, while no supervisor lives.
func TestExitWithoutSupervisor(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	const open = "exec 3</system/contract/process/bundle 4</system/contract/process/template; "
	for _, c := range []string{"echo gone >/var/tmp/gone", "exec 3<&- 4<&-; exec sleep 4321"} {
		run(t, z, "a", open+when+c)
		pid := hostPid(t, z, "a", "sh -c "+open+when+c)
		testenv.Eventually(t, func() bool { return hasOpen(pid, "/template") }, "the files to be open")
	}
	back := deadSupervisor(t, z, "a")
	must(t, os.WriteFile(inside(z, "a", "/var/tmp/go"), nil, 0o644))
	awaitFile(t, z, "a", "/var/tmp/gone", "the end of a process with files open", func(text string) bool { return text == "gone\n" })
	hostPid(t, z, "a", "sleep 4321")
	back()
	successor(t, z, "a", 0)
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}
