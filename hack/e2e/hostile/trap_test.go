package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// traps are the places in a zone's root where the platform mounts or makes something, or
// through which it gets there.
var traps = []string{
	"/etc", "/etc/mnttab", "/etc/svc", "/etc/svc/volatile", "/dev", "/dev/console", "/dev/pts", "/dev/shm", "/dev/null",
	"/proc", "/sys", "/tmp", "/run", "/run/lock", "/lib", "/lib/svc", "/lib/svc/bin", "/usr", "/usr/lib", "/system", "/system/contract",
	"/var", "/var/svc",
}

// sentinel is what only the victim has.
const sentinel = "this is the host's\n"

// victim is a directory of the host that has whatever a trap may be made for.
func victim(t *testing.T, z *testenv.Zones) string {
	t.Helper()
	dir := filepath.Join(z.Root, "victim")
	for _, d := range []string{"svc/volatile", "svc/bin", "volatile", "bin", "contract", "lock", "pts", "shm", "lib/svc/bin", "fs/cgroup", "self"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"sentinel", "mnttab", "console", "null", "passwd", "svc/sentinel", "bin/sentinel", "svc/bin/sentinel"} {
		must(t, os.WriteFile(filepath.Join(dir, f), []byte(sentinel), 0o644))
	}
	return dir
}

// trapped is a whole zone whose root the test may ruin.
func trapped(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	z.Must("zonecfg", "-z", zone, "create; set brand=whole; set zonepath="+z.ZonePath(zone))
	z.Must("zoneadm", "-z", zone, "install", "-d", testenv.BusyboxRoot(t))
}

// leadOut are ways to write a link out of the root: over the top, and from the top.
func leadOut(target string) []string {
	return []string{target, strings.Repeat("../", 30) + strings.TrimPrefix(target, "/")}
}

// TestTraps: each mount point in turn is a link to the host.
func TestTraps(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	trapped(t, z, "w")
	dir := victim(t, z)
	before := testenv.HashTree(t, dir, "/etc")
	booted := 0
	for _, place := range traps {
		target := dir
		if base := filepath.Base(place); base == "mnttab" || base == "console" || base == "null" {
			target = filepath.Join(dir, base)
		}
		for _, link := range append(leadOut(target), leadOut("/etc")[1]) {
			restore := replace(t, inside(z, "w", place), link)
			if attempt(t, z, "w", dir, place+" -> "+link) {
				booted++
			}
			restore()
			// What a boot made inside of the root for the link's sake is the zone's own affair.
			must(t, os.RemoveAll(inside(z, "w", dir)))
		}
	}
	t.Logf("%d of %d roots booted all the same", booted, 3*len(traps))
	unchanged(t, before, testenv.HashTree(t, dir, "/etc"))
	if !attempt(t, z, "w", dir, "no trap") {
		t.Error("the zone does not boot without traps either")
	}
}

// replace puts a link where something is, and gives the way back.
func replace(t *testing.T, path, link string) (restore func()) {
	t.Helper()
	saved := path + ".saved"
	had := os.Rename(path, saved) == nil
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.Symlink(link, path))
	return func() {
		must(t, os.RemoveAll(path))
		if had {
			must(t, os.Rename(saved, path))
		}
	}
}

// attempt boots the zone, judges how it went, and halts it. It says whether it ran.
func attempt(t *testing.T, z *testenv.Zones, zone, dir, what string) bool {
	t.Helper()
	out, errs, exit := z.Zoneadm("-z", zone, "boot")
	if exit != 0 {
		if exit != 1 || out != "" || !oneLine(errs) || !strings.HasPrefix(errs, "zoneadm: zone '"+zone+"': ") {
			t.Errorf("%s: boot: %v\nwant success, or one line and exit 1", what, said{out, errs, exit})
		}
		if s := listed(t, z, zone); s != "installed" {
			t.Errorf("%s: after a failed boot the zone is %s", what, s)
		}
		return false
	}
	// Its init may have ended by now, for want of a root worth the name; then there is nothing to see.
	if s := z.Status(zone); s.Init.Pid != 0 {
		contained(t, s.Init.Pid, dir, what)
		seen, _, _, _ := z.Try("", "zlogin", "-S", zone, "cat /*/sentinel /*/*/sentinel /*/*/*/sentinel /etc/mnttab /etc/machine-id </dev/null 2>/dev/null")
		if strings.Contains(seen, sentinel) {
			t.Errorf("%s: the zone sees the host's files", what)
		}
		if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) > 0 && strings.Contains(seen, string(id)) {
			t.Errorf("%s: the zone sees the host's /etc", what)
		}
	}
	if out, errs, exit := z.Zoneadm("-z", zone, "halt"); exit != 0 {
		t.Errorf("%s: halt: %v", what, said{out, errs, exit})
	}
	return true
}

// contained: no mount of the zone shows the victim, and none of the host's lies on it.
func contained(t *testing.T, pid int, dir, what string) {
	t.Helper()
	for _, table := range []string{strconv.Itoa(pid), "self"} {
		text, err := os.ReadFile("/proc/" + table + "/mountinfo")
		if err != nil {
			return // the zone is gone
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 5 || f[3] == dir || strings.HasPrefix(f[3], dir+"/") || table == "self" && strings.HasPrefix(f[4], dir) {
				t.Errorf("%s: mount table of %s: %s", what, table, line)
			}
			if table != "self" && (f[3] == "/etc" || f[3] == "/root") && strings.Contains(line, " - ext4 ") {
				t.Errorf("%s: the host's %s is in the zone: %s", what, f[3], line)
			}
		}
	}
}

func unchanged(t *testing.T, before, after testenv.Tree) {
	t.Helper()
	for _, line := range before.Diff(after) {
		if !strings.HasPrefix(line, "/etc/zones") { // the host's own instance
			t.Errorf("the host was changed: %s", line)
		}
	}
}

// TestMovingTraps: the links come and go while the zone is being booted, as its own
// processes could have them do from one boot to the next.
func TestMovingTraps(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	trapped(t, z, "w")
	dir := victim(t, z)
	before := testenv.HashTree(t, dir, "/etc")
	rounds := 26
	if testing.Short() {
		rounds = 5
	}
	booted, swaps := 0, 0
	for round := range rounds {
		link := leadOut(dir)[round%2]
		stop := make(chan struct{})
		var swapper sync.WaitGroup
		// One link, or all: the fewer there are and the slower, the further a boot gets.
		places := moving
		if round%4 != 0 {
			places = moving[round%len(moving):][:1]
		}
		pause := time.Duration(round%5) * time.Millisecond
		swapper.Go(func() { swaps += swap(z, places, link, pause, stop) })
		if attempt(t, z, "w", dir, fmt.Sprintf("round %d", round)) {
			booted++
		}
		close(stop)
		swapper.Wait()
	}
	t.Logf("%d of %d boots succeeded during %d swaps", booted, rounds, swaps)
	if swaps < rounds {
		t.Errorf("only %d swaps: the links did not move", swaps)
	}
	unchanged(t, before, testenv.HashTree(t, dir, "/etc"))
	if out, errs, exit := z.Zoneadm("-z", "w", "uninstall", "-F"); exit != 0 {
		t.Errorf("uninstall: %v", said{out, errs, exit})
	}
	unchanged(t, before, testenv.HashTree(t, dir, "/etc"))
}

// moving are the directories that come and go.
var moving = []string{"/etc", "/dev", "/proc", "/sys", "/run", "/tmp", "/lib", "/system", "/usr", "/var", "/etc/svc", "/lib/svc", "/etc/svc/volatile"}

// swap exchanges directories of the zone's root with links, over and over. It leaves what it
// found.
func swap(z *testenv.Zones, places []string, link string, pause time.Duration, stop <-chan struct{}) int {
	for _, p := range places {
		_ = os.Symlink(link, inside(z, "w", p)+".trap")
	}
	n := 0
	exchange := func(p string) {
		path := inside(z, "w", p)
		if unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, path+".trap", unix.RENAME_EXCHANGE) == nil {
			n++
		}
	}
	for over := false; !over; {
		select {
		case <-stop:
			over = true
		default:
		}
		for range 2 {
			for _, p := range places {
				exchange(p)
			}
			time.Sleep(pause)
		}
	}
	for _, p := range places {
		path := inside(z, "w", p)
		if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSymlink != 0 {
			exchange(p)
		}
		_ = os.RemoveAll(path + ".trap")
	}
	return n
}
