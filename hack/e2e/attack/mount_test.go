package attack

import (
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// mounted: root of a zone that may mount, and root of a user namespace in it, try what mounts can
// give: file systems of the host's, what lies under the masks, settings, hierarchies of cgroups,
// devices, layers over the host's programs. Nothing of it gets beyond the zone.
func mounted(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a", "set limitpriv=default,sys_mount")
	sentinel := sentinelOf(t, z)
	s := zlogin(t, z, "a", as("mounter", sentinel, "first"))
	judge(t, strings.Split(s.out, "\n"))
	for _, how := range []string{"attacked first", "attacked nested"} {
		if !strings.Contains(s.out, how) {
			t.Errorf("the attack was not made to its end: %v", s)
		}
	}
	nowhere(t)
	halted(t, z, "a")
	nowhere(t)
}

// nowhere: what the zone mounts is not among the host's mounts.
func nowhere(t *testing.T) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, mine) {
			t.Errorf("the host has a mount of the zone's: %s", line)
		}
	}
}

// deceived: root of a zone that may mount puts a false /proc over the zone's. Who enters then, and
// whoever the host sends, neither writes nor reads there, and the zone is ended as any other.
func deceived(t *testing.T) {
	z := testenv.Instance(t)
	z.Setenv("ATTACK_SECRET", secret)
	booted(t, z, "a", "set limitpriv=default,sys_mount")
	z.ServicesUp("a")
	z.In("a", as("falseproc"))
	before := z.Status("a")
	for range 3 {
		for _, args := range [][]string{{"a", "echo in"}, {"-S", "a", "echo in"}, {"-l", "nobody", "a", "true"}} {
			if s := zlogin(t, z, args...); s.exit == 0 && args[len(args)-1] == "echo in" && s.out != "in\n" || s.exit != 0 && strings.Count(s.err, "\n") > 1 {
				t.Errorf("zlogin %q: %v", args, s)
			}
		}
		if _, _, _, err := z.Try("", "svcs", "-z", "a", "-H"); err != nil {
			t.Error(err)
		}
		z.KillZoned("a")
	}
	if text, err := os.ReadFile(inside(z, "a", canary)); err != nil || string(text) != "canary\n" {
		t.Errorf("somebody was led to write %q, %v", text, err)
	}
	for _, name := range []string{"exec", "current"} {
		if _, err := os.Stat(inside(z, "a", "/var/tmp/"+name)); err == nil {
			t.Errorf("somebody was led to make %s", name)
		}
	}
	testenv.Eventually(t, func() bool { return z.Status("a").Zoned.Pid != before.Zoned.Pid }, "a successor")
	if now := z.Status("a"); now.Init != before.Init {
		t.Errorf("init was %+v and is %+v", before.Init, now.Init)
	}
	halted(t, z, "a")
}
