package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// pool is a contract of many processes that sleep, and their numbers in the zone.
func pool(t *testing.T, r *rig, z *zone, id contract.ID, n int) (numbers string) {
	t.Helper()
	r.make(id, 0)
	z.birth(r, id, "/bin/sh", "-c", fmt.Sprintf("for i in $(seq %d); do /bin/sleep 1000 & done; wait", n))
	dir, _ := r.z.Dir(id)
	testenv.Eventually(t, func() bool { return len(pidsIn(t, dir.Path)) == n+1 }, "the pool to fill")
	var words []string
	for _, pid := range pidsIn(t, dir.Path) {
		words = append(words, fmt.Sprint(procOf(t, pid).ZPid))
	}
	return strings.Join(words, " ")
}

// targets are directories of a zone as its root sees them.
var targets = []string{"/ct/1/d", "/ct/1", "/ct", "/", "/ct/5", "/ct/6", "/ct/6/d", "/admin", "/ct/7/d", "/../..", "/ct/1/d/own"}

// hoard has the zone keep a descriptor of everything that can be opened while a window is open.
func hoard(t *testing.T, r *rig, z *zone) {
	t.Helper()
	_, err := r.z.OpenWindow(6, z.caller(r))
	check(t, err)
	opened := 0
	for _, dir := range targets {
		for _, file := range []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cgroup.kill", "cgroup.freeze", "cgroup.type"} {
			if a := z.ask(order{Do: "open", Path: dir + "/" + file}); a.Errno == 0 {
				opened++
			}
		}
	}
	_, err = r.z.CloseWindow()
	check(t, err)
	if opened < 4 {
		t.Errorf("only %d descriptors were opened in the window", opened)
	}
}

// nestedAttack tries moves in namespaces within the zone's.
func nestedAttack(t *testing.T, z *zone, numbers string) {
	t.Helper()
	script := strings.NewReplacer("PIDS", numbers, "MOUNT", cgroupMount).Replace(`
try() { mkdir -p /tmp/again; mount -t cgroup2 none /tmp/again 2>/dev/null
	for d in /tmp/again MOUNT; do for t in / /ct /ct/1/d /ct/6/d /ct/5 /admin /x; do
		mkdir $d/$t/evil 2>/dev/null && [ $t != /ct/1/d ] && echo made $t/evil
		for p in PIDS $$; do echo $p 2>/dev/null >$d/$t/cgroup.procs && echo moved $p to $t; done
	done; done; }
try 2>/dev/null
`)
	for _, ns := range []string{"", "unshare -C", "unshare -UrC", "unshare -UrmC", "unshare -UrmCpf"} {
		command := "cat >/tmp/script; " + ns + " /bin/sh /tmp/script </dev/null"
		a := z.ask(order{Do: "sh", Text: "cat <<'E' >/tmp/script\n" + script + "E\n" + strings.TrimPrefix(command, "cat >/tmp/script; ")})
		if !strings.Contains(a.Text, "to /ct/1/d") {
			t.Errorf("%q: the attack does not work where it may: %q", ns, a.Text)
		}
		for line := range strings.Lines(a.Text) {
			// Init's shell itself, and what it makes, live in what was delegated to it.
			if !strings.Contains(line, "to /ct/1/d") {
				t.Errorf("%q: %s", ns, line)
			}
		}
	}
}

// Outside of windows root in the zone moves nobody out of a contract and nobody in, with any
// file, any descriptor, any namespace.
func TestNobodyWalksOut(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	z.ask(order{Do: "sh", Text: "mkdir " + cgroupMount + "/ct/1/d/own"})
	numbers := pool(t, r, z, 5, 10)
	r.make(6, 0)
	r.make(7, 0)
	hoard(t, r, z)
	z.ask(order{Do: "attack", Text: numbers, Many: targets})
	nestedAttack(t, z, numbers)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		r.settled()
	}
	a := z.ask(order{Do: "attacked"})
	var won map[string]int
	check(t, json.Unmarshal([]byte(a.Text), &won))
	for how, n := range won {
		// The agent's own births where init lives are allowed.
		if how != "clone /ct/1/d" && how != "clone /ct/1/d/own" {
			t.Errorf("%s: %d times", how, n)
		}
	}
	if won["clone /ct/1/d"] == 0 {
		t.Error("the attack does not work where it may")
	}
	t.Logf("%d tries", a.N)
	for _, pid := range pidsIn(t, r.root+"/ct/5") {
		if at := r.placeName(int32(pid)); at != "ct/5/d" {
			t.Errorf("%d lives in %s", pid, at)
		}
	}
	if n := len(pidsIn(t, r.root+"/ct/5")); n != 11 {
		t.Errorf("%d members are left of 11", n)
	}
}

// A process that comes into the directory above, and forks and ends as fast as it can, so that
// nobody can take aim at it, is hunted down: nobody lives between contracts.
func TestComets(t *testing.T) {
	for name, start := range map[string]func() *rig{
		"with the collector": func() *rig { return collecting(t) },
		"without":            func() *rig { return newRig(t, Config{Off: SourceBPF}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := start()
			z := newZone(t, r)
			check(t, r.z.Watch(1, 0, 0))
			r.make(5, 0)
			comet := fmt.Sprintf(`
				sub in { open(my $f, ">", "%s/ct/cgroup.procs") or return 0; syswrite($f, $$) or return 0; return 1 }
				until (in()) { select undef, undef, undef, 0.0005 }
				while (1) { fork and exit }`, cgroupMount)
			for range 3 {
				z.ask(order{Do: "spawn", Argv: []string{"/usr/bin/perl", "-e", comet}})
			}
			got := func() bool {
				_, err := r.z.OpenWindow(5, z.caller(r))
				check(t, err)
				_, _ = unix.Poll(nil, 30)
				n, err := r.z.CloseWindow()
				check(t, err)
				return n > 0 || r.count(1, contract.Left) > 0
			}
			testenv.Eventually(t, func() bool { defer r.pump(); return got() }, "a comet to come in")
			began := time.Now()
			testenv.Eventually(t, func() bool {
				r.pump()
				left, _ := ownProcs(r.root+"/ct/cgroup.procs", 10)
				return len(left) == 0 && !r.z.hunts.running
			}, "the comets to be gone")
			t.Logf("hunted down in %v", time.Since(began))
			r.settled()
			testenv.Eventually(t, func() bool { // one that was on its way in when the window closed is hunted too
				r.pump()
				left, _ := ownProcs(r.root+"/ct/cgroup.procs", 10)
				return len(left) == 0 && !r.z.hunts.running
			}, "nobody to live between contracts")
			if b, _ := os.ReadFile(r.root + "/ct/cgroup.freeze"); strings.TrimSpace(string(b)) != "0" {
				t.Error("everything is left frozen")
			}
		})
	}
}

// While windows open and close as fast as they can, some get through. Those in the directory
// above and in the contract being born are found when the window closes, and killed.
func TestIntrudersOfAWindow(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF})
	z := newZone(t, r)
	numbers := pool(t, r, z, 5, 60)
	end := time.Now().Add(2 * time.Second)
	z.ask(order{Do: "attack", Text: numbers, Many: []string{"/ct", "/ct/6/d", "/ct/7/d", "/"}})
	windows, caught := 0, 0
	for id := contract.ID(6); time.Now().Before(end); id++ {
		if _, ok := r.z.Dir(id); !ok {
			r.make(id, 0)
		}
		_, err := r.z.OpenWindow(id, z.caller(r))
		if err != nil {
			// Somebody is in there by a descriptor from an earlier window: it is no place for a
			// birth any more.
			if !errors.Is(err, ErrUsed) {
				t.Fatal(err)
			}
			r.z.Kill(killOf(id))
			r.awaitKilled(killOf(id))
			r.got = nil
			check(t, r.z.Remove(id))
			id--
			continue
		}
		windows++
		_, _ = unix.Poll(nil, 1)
		n, err := r.z.CloseWindow()
		check(t, err)
		caught += n
		r.pump()
		if id == 7 {
			id = 5
		}
		for _, id := range []contract.ID{6, 7} {
			// Who came into the other one, by a descriptor from its own window, is not looked for.
			if p := r.z.tree.places[id]; p != nil && p.watch.populated {
				r.z.Kill(killOf(id))
				r.awaitKilled(killOf(id))
				r.got = nil
				check(t, r.z.Remove(id))
			}
		}
	}
	a := z.ask(order{Do: "attacked"})
	t.Logf("%d windows, %d tries, won %s, %d were caught", windows, a.N, a.Text, caught)
	for _, dir := range []string{"/ct/cgroup.procs", "/cgroup.procs"} {
		testenv.Eventually(t, func() bool { left, _ := ownProcs(r.root+dir, 100); return len(left) == 0 }, "nobody to be left in "+dir)
	}
}
