package events

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestDaemonsStay: processes that fork twice, take new sessions and groups, and are given to
// init stay in their contract, and end with it.
func TestDaemonsStay(t *testing.T) { worlds(t, daemonsStay) }

func daemonsStay(t *testing.T, w *world) {
	rs := w.readers()
	nest := w.hand("nest", "informative=fork,exit,signal,core", "critical=empty", "params=noorphan")
	const n = 20
	nest.ask("born", "spawn %d flees", n)
	notes, err := parseNotes([]byte(w.log("nest.notes")))
	must(t, err)
	if len(notes) != n {
		t.Fatalf("%d daemons of %d are there", len(notes), n)
	}
	hosts := w.hostNumbers()
	w.locate(hosts, nest)
	dir := w.directory(nest)
	var members []string
	for _, d := range notes {
		v := &victim{pid: int(d.pid)}
		w.locateVictims(hosts, []*victim{v})
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.host))
		must(t, err)
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		// Parent, group and session; the name is one that it gave itself.
		if f[1] == strconv.Itoa(nest.host) || f[2] != strconv.Itoa(v.host) || f[3] != strconv.Itoa(v.host) || !strings.Contains(string(stat), "(init)") {
			t.Errorf("daemon %d has not fled: %s", d.pid, stat)
		}
		if at := cgroupOf(t, v.host); !strings.HasPrefix(at, dir+"/") {
			t.Errorf("daemon %d is in %s, not below %s", d.pid, at, dir)
		}
		members = append(members, strconv.Itoa(int(d.pid)))
	}
	members = append(members, strconv.Itoa(nest.pid))
	if got := w.members(nest.ct); got != sortedNumbers(members) {
		t.Errorf("members are %q, want %q", got, sortedNumbers(members))
	}
	nest.in.Close() // its owner ends, and with it the contract
	w.awaitGone(dir)
	w.mark(rs, false)
	for _, r := range rs {
		exits := 0
		for _, e := range w.read(r) {
			if e.ct != nest.ct || e.kind != "exit" {
				continue
			}
			for _, d := range notes {
				if r.view == zoneView && e.pid == int(d.pid) && e.status == int(unix.SIGKILL) {
					exits++
				}
			}
		}
		if r.view == zoneView && exits != n {
			t.Errorf("%s: %d daemons of %d were killed", r.name, exits, n)
		}
	}
}

// TestForkBombs: a contract full of processes that do nothing but fork, change their sessions
// and leave orphans is empty soon after its owner was killed.
func TestForkBombs(t *testing.T) { worlds(t, forkBombs) }

// bombTime is for a bomb to fill its room, and to end: it has little of the processors when others
// want them.
const bombTime = 4 * time.Minute

func forkBombs(t *testing.T, w *world) {
	const tasks = 500
	var took []time.Duration
	for i := range amount(10, 3, 1) {
		nest := w.hand("bomb"+strconv.Itoa(i), "informative=none", "critical=empty", "params=noorphan")
		hosts := w.hostNumbers()
		w.locate(hosts, nest)
		dir := w.directory(nest)
		room, mount := limitTasks(t, nest.host, tasks), cgroupMount(t)
		nest.ask("born", "spawn 1 bombs")
		testenv.EventuallyWithin(t, bombTime, func() bool { return room() > tasks*9/10 }, "the bomb to fill its room")
		must(t, unix.Kill(nest.makerHost, unix.SIGKILL))
		// It has to come to a processor to die, among all of these.
		for s := state(nest.makerHost); s != "" && s != "Z"; s = state(nest.makerHost) {
			time.Sleep(50 * time.Microsecond)
		}
		began := time.Now()
		for populated(mount + dir) {
			if time.Since(began) > testenv.Deadline(bombTime) {
				t.Fatalf("%d processes live on", room())
			}
			time.Sleep(200 * time.Microsecond)
		}
		took = append(took, time.Since(began))
		w.awaitGone(dir)
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	t.Logf("a bomb of %d processes: from its owner's end to the last one's %v, %v at most", tasks, took[len(took)/2].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond))
}

// directory is that of a hand's contract, in the unified hierarchy as the host sees it.
func (w *world) directory(a *actor) string {
	w.t.Helper()
	at := cgroupOf(w.t, a.number(hostView))
	dir := filepath.Dir(at)
	if filepath.Base(dir) != strconv.FormatUint(a.ct, 10) {
		w.t.Fatalf("contract %d lives in %s", a.ct, at)
	}
	return dir
}

// cgroupOf is a process's directory in the unified hierarchy.
func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if at, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSpace(at)
		}
	}
	t.Fatalf("process %d has no unified cgroup", pid)
	return ""
}

func cgroupMount(t *testing.T) string {
	t.Helper()
	mount, err := testenv.Cgroup2Mount()
	must(t, err)
	return mount
}

// populated says whether anything lives in a cgroup. What is gone has none.
func populated(dir string) bool {
	text, err := os.ReadFile(dir + "/cgroup.events")
	return err == nil && strings.Contains(string(text), "populated 1")
}

// awaitGone waits until a contract's directory is gone.
func (w *world) awaitGone(dir string) {
	w.t.Helper()
	mount := cgroupMount(w.t)
	testenv.Eventually(w.t, func() bool { _, err := os.Stat(mount + dir); return os.IsNotExist(err) }, "the contract's directory "+dir+" to go")
}

// members are those of a contract as its status has them, in order.
func (w *world) members(ct uint64) string {
	w.t.Helper()
	for line := range strings.Lines(w.sh(fmt.Sprintf("cat %s/process/%d/status", w.ctfs, ct))) {
		if list, ok := strings.CutPrefix(line, "members "); ok {
			return sortedNumbers(strings.Fields(list))
		}
	}
	return ""
}

func sortedNumbers(words []string) string {
	list := append([]string(nil), words...)
	sort.Slice(list, func(i, j int) bool {
		return len(list[i]) < len(list[j]) || len(list[i]) == len(list[j]) && list[i] < list[j]
	})
	return strings.Join(list, " ")
}

// limitTasks bounds how many processes there may be below one, and what they may have of the
// processors when others want them, so that a bomb is the contract's affair alone. It gives how
// many there are.
func limitTasks(t *testing.T, pid, n int) (room func() int) {
	t.Helper()
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	dir := cgroupMount(t) + filepath.Dir(cgroupOf(t, pid))
	_ = os.WriteFile(dir+"/cpu.weight", []byte("1"), 0)
	tasks := dir
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if f[1] != "pids" && f[1] != "cpu" {
			continue
		}
		dir := filepath.Join("/sys/fs/cgroup", f[1], f[2], "bomb"+strconv.Itoa(pid)+testenv.Tag())
		must(t, os.Mkdir(dir, 0o755))
		t.Cleanup(func() {
			testenv.Eventually(t, func() bool { return unix.Rmdir(dir) == nil }, "the group to be empty")
		})
		if f[1] == "pids" {
			tasks = dir
		} else {
			must(t, os.WriteFile(dir+"/cpu.shares", []byte("2"), 0))
		}
		must(t, os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0))
	}
	if tasks == dir {
		handDown(t, dir, "pids")
	}
	t.Cleanup(func() { defuse(tasks) })
	must(t, os.WriteFile(tasks+"/pids.max", []byte(strconv.Itoa(n)), 0))
	return func() int {
		text, _ := os.ReadFile(tasks + "/pids.current")
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n
	}
}

// handDown has the directories above one, of the unified hierarchy, hand a controller down to it.
func handDown(t *testing.T, dir, controller string) {
	t.Helper()
	at := cgroupMount(t)
	rel, err := filepath.Rel(at, dir)
	must(t, err)
	for _, name := range strings.Split(rel, "/") {
		// What hands it down already is not ours: the host's own directories, systemd's.
		has, err := os.ReadFile(at + "/cgroup.subtree_control")
		must(t, err)
		if !slices.Contains(strings.Fields(string(has)), controller) {
			must(t, os.WriteFile(at+"/cgroup.subtree_control", []byte("+"+controller), 0))
		}
		at += "/" + name
	}
}

// defuse ends a bomb that a failed test has left: without room for births it has no defence.
func defuse(dir string) {
	_ = os.WriteFile(dir+"/pids.max", []byte("0"), 0)
	for range 20 {
		text, err := os.ReadFile(dir + "/cgroup.procs")
		if err != nil || len(text) == 0 {
			return
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}
