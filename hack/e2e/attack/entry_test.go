package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// secret is in the environment of the host's programs, and nowhere else.
const secret = "a-word-of-the-host"

// sentinelOf is a file of the host that no zone has.
func sentinelOf(t *testing.T, z *testenv.Zones) string {
	t.Helper()
	name := filepath.Join(z.Root, "sentinel")
	must(t, os.WriteFile(name, []byte("the host's\n"), 0o644))
	return name
}

// entries are whoever the host sends into a zone, a few of each.
func entries(t *testing.T, z *testenv.Zones, zone string, rounds int) {
	t.Helper()
	for range rounds {
		for _, args := range [][]string{{"zlogin", zone, "true"}, {"zlogin", "-S", zone, "true"}, {"zlogin", "-l", "nobody", zone, "true"}, {"svcs", "-z", zone, "-H"}} {
			if _, _, _, err := z.Try("", args[0], args[1:]...); err != nil {
				t.Fatalf("%q: %v", args, err)
			}
		}
		p := z.Pty("zlogin", zone)
		p.Send("exit\n")
		p.Wait()
	}
}

// searched holds what a racer says against what it must have seen to be worth anything.
func searched(t *testing.T, lines []string, processesMin int) {
	t.Helper()
	judge(t, lines)
	var looks, processes, guarded, traced int
	for _, line := range lines {
		_, _ = fmt.Sscanf(line, "searched %d times, processes %d, guarded %d, traced %d", &looks, &processes, &guarded, &traced)
	}
	t.Log(strings.Join(lines, "\n"))
	if processes < processesMin || traced == 0 || guarded == 0 {
		t.Errorf("%d processes were searched (want %d), %d not yet to be traced, %d traced: the race was not run", processes, processesMin, guarded, traced)
	}
}

// enough has others enter, beyond those who have, until so many processes were searched, and some were met
// before and after they could be traced: on a busy machine the racer comes too late to many.
func enough(t *testing.T, r *running, processesMin int, enter func()) {
	t.Helper()
	searched := func() bool {
		for _, line := range r.said() {
			var processes, guarded, traced int
			if n, _ := fmt.Sscanf(line, "so far %d %d %d", &processes, &guarded, &traced); n == 3 && processes >= processesMin && guarded > 0 && traced > 0 {
				return true
			}
		}
		return r.ended()
	}
	for end := time.Now().Add(testenv.Deadline(2 * time.Minute)); !searched() && time.Now().Before(end); {
		enter()
	}
}

// entered: root of the zone searches whoever enters, from the first moment that he can be seen:
// there is no descriptor, directory, namespace, word or right of the host to be had.
func entered(t *testing.T) {
	z := testenv.Instance(t)
	z.Setenv("ATTACK_SECRET", secret)
	booted(t, z, "a")
	z.ServicesUp("a")
	r := start(t, z, "a", as("racer", sentinelOf(t, z), secret))
	rounds := testenv.Rounds(12, 4)
	entries(t, z, "a", rounds)
	z.KillZoned("a") // the next supervisor sends in no other
	entries(t, z, "a", 1)
	enough(t, r, 4*rounds, func() { entries(t, z, "a", 1) })
	searched(t, r.stop(), 4*rounds)
	halted(t, z, "a")
}

// overwritten: all shells of the zone execute whoever executes them (CVE-2019-5736), while the
// zone's root waits for the file of that program to be free for writing.
func overwritten(t *testing.T) {
	z := testenv.Instance(t)
	z.Setenv("ATTACK_SECRET", secret)
	z.Must("zonecfg", "-z", "w", "create; set brand=whole; set zonepath="+z.ZonePath("w"))
	z.Must("zoneadm", "-z", "w", "install", "-d", testenv.BusyboxRoot(t))
	arm(t, z, "w")
	boot(t, z, "w")
	before := testenv.HashTree(t, z.Bin)
	r := start(t, z, "w", as("racer", sentinelOf(t, z), secret))
	shell := inside(z, "w", "/bin/sh")
	must(t, os.Remove(shell))
	must(t, os.WriteFile(shell, []byte("#!/proc/self/exe\n"), 0o755))
	entries(t, z, "w", testenv.Rounds(6, 3))
	enough(t, r, 6, func() { entries(t, z, "w", 1) })
	lines := r.stop()
	searched(t, lines, 6)
	if all := strings.Join(lines, "\n"); !strings.Contains(all, "runc") && !strings.Contains(all, "zrun") && !strings.Contains(all, "memfd") && !strings.Contains(all, "/proc/self/exe") {
		t.Log("the program that enters was never seen by its file")
	}
	for _, line := range before.Diff(testenv.HashTree(t, z.Bin)) {
		t.Errorf("a program of the host was changed: %s", line)
	}
	halted(t, z, "w")
}
