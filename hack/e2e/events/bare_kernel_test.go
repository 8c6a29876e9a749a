package events

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The workload itself, on the host and without contracts: what it writes down is what the
// kernel says of its children.

func hostHand(t *testing.T) (a *actor, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("/proc/self/exe", filepath.Join(dir, "notes"), filepath.Join(dir, "kills"))
	cmd.Env = append(os.Environ(), roleVariable+"=hand")
	a = startActor(t, "hand", cmd)
	a.meet()
	return a, dir
}

func TestVictimsDieOfWhatTheyAreSent(t *testing.T) {
	a, dir := hostHand(t)
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	must(t, err)
	piped := strings.HasPrefix(string(b), "|")
	want := map[int]unix.WaitStatus{}
	for name, m := range manners {
		if m == flees || m == bombs {
			continue // not their parent's to reap
		}
		for _, pid := range numbers(t, a.ask("born", "spawn 2 %s", name)) {
			want[pid] = victimLeft << 8
			switch name {
			case "faults":
				want[pid] = unix.WaitStatus(unix.SIGSEGV)
			case "aborts":
				want[pid] = unix.WaitStatus(unix.SIGABRT)
			}
		}
	}
	a.ask("released", "release")
	checkReaped(t, a, want, piped)
	var kills []string
	for sig := 1; sig <= 64; sig++ {
		if !deadly(sig) {
			continue
		}
		pid := numbers(t, a.ask("born", "spawn 1 waits"))[0]
		want[pid] = unix.WaitStatus(sig)
		kills = append(kills, fmt.Sprintf("%d:%d:%c", pid, sig, "ktqf"[sig%4]))
	}
	a.ask("killed", "kill %s", strings.Join(kills, " "))
	checkReaped(t, a, want, piped)
	a.end()
	text, err := os.ReadFile(filepath.Join(dir, "kills"))
	must(t, err)
	if n := strings.Count(string(text), "\n"); n != len(kills) {
		t.Errorf("%d kills are written down, not %d", n, len(kills))
	}
	text, err = os.ReadFile(filepath.Join(dir, "notes"))
	must(t, err)
	notes, err := parseNotes(text)
	must(t, err)
	simple := len(manners) - 2
	if len(notes) != 2*simple+len(kills) {
		t.Errorf("%d victims are written down, not %d", len(notes), 2*simple+len(kills))
	}
	for _, n := range notes {
		if n.kind != noteVictim || int(n.ppid) != a.pid || n.pid == 0 || n.time == 0 {
			t.Errorf("note %+v", n)
		}
	}
}

// checkReaped has the hand reap as many as are expected, and empties the list.
func checkReaped(t *testing.T, a *actor, want map[int]unix.WaitStatus, piped bool) {
	t.Helper()
	for _, r := range a.ask("reaped", "reap %d", len(want)) {
		pid, status, _ := strings.Cut(r, ":")
		p, s := int(number(t, pid)), unix.WaitStatus(number(t, status))
		if piped {
			s &^= 0x80 // where cores go to a program, the limit of their size does not count
		}
		if s != want[p] {
			t.Errorf("victim %d has status %#x, want %#x", p, s, want[p])
		}
		delete(want, p)
	}
	if len(want) > 0 {
		t.Errorf("not reaped: %v", want)
	}
	clear(want)
}

// TestDecoys: what is ignored or blocked does not kill, and the first of what was blocked does.
func TestDecoys(t *testing.T) {
	a, _ := hostHand(t)
	deafs := numbers(t, a.ask("born", "spawn 1 deaf"))
	blocked := numbers(t, a.ask("born", "spawn 1 masked"))
	a.ask("killed", "kill %d:15:k %d:1:k %d:12:k %d:10:k", deafs[0], deafs[0], blocked[0], blocked[0])
	a.ask("released", "release")
	checkReaped(t, a, map[int]unix.WaitStatus{deafs[0]: victimLeft << 8, blocked[0]: unix.WaitStatus(unix.SIGUSR1)}, false)
	a.end()
}

func TestStormWritesEveryLife(t *testing.T) {
	a, dir := hostHand(t)
	const n = 200
	a.ask("forked", "fork %d 7", n)
	notes := func() []note {
		text, err := os.ReadFile(filepath.Join(dir, "notes"))
		must(t, err)
		all, err := parseNotes(text)
		must(t, err)
		return all
	}
	a.end()
	count := len(notes())
	pids, tops, orphans := map[int32]note{}, 0, 0
	for _, l := range notes() {
		pids[l.pid] = l
	}
	for _, l := range notes() {
		if l.kind != noteLife || l.status&0xff != 0 {
			t.Errorf("note %+v", l)
		}
		if parent, known := pids[l.ppid]; int(l.ppid) == a.pid {
			tops++
		} else if !known {
			t.Errorf("the parent of %+v is not known", l)
		} else if parent.time < l.time {
			orphans++
		}
	}
	if tops != n || count < n*3/2 {
		t.Errorf("%d lives, %d of them at the top; want %d there, and others", count, tops, n)
	}
	t.Logf("%d lives, %d of them ended behind their parents", count, count-tops-orphans)
}
