package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// asked waits until the zone's supervisor has taken a shutdown up.
func asked(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join(z.ZoneState(zone), "journal"))
		return err == nil && strings.Contains(string(b), `"t":"shutdown"`)
	}, "the shutdown to be in the journal")
}

// TestShutdownSurvives: what a shutdown means, and what its caller is told, does not depend on
// which supervisor sees the zone go down, nor on the caller's being there. What he is told when a
// supervisor dies at any line: TestKilledAtEveryPoint.
func TestShutdownSurvives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")

	t.Run("nobody waits for the boot that follows", func(t *testing.T) {
		silent(t, z, "a", "boot")
		mark := inside(z, "a", "/var/tmp/asked")
		if s := zlogin(t, z, "a", detached("trap \"touch /var/tmp/asked; sleep 1; exit\" TERM; touch /var/tmp/armed; while :; do sleep 0.1; done")); s.exit != 0 {
			t.Fatal(s)
		}
		appears(t, z, "a", "/var/tmp/armed")
		before := z.Status("a")
		cmd := z.Cmd("zoneadm", "-z", "a", "shutdown", "-r", "--", "-m", "quiet")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, func() bool { _, err := os.Stat(mark); return err == nil }, "the zone to go down")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		z.KillZoned("a")
		awaitNewIncarnation(t, z, "a", before)
		if s := zlogin(t, z, "a", "tr '\\0' ' ' </proc/1/cmdline"); strings.TrimSpace(s.out) != "/lib/svc/bin/init -m quiet" {
			t.Errorf("init's arguments: %v", s)
		}
		silent(t, z, "a", "halt")
	})

	t.Run("init that dies is not booted again", func(t *testing.T) {
		silent(t, z, "a", "boot")
		init := z.Status("a").Init
		if err := unix.Kill(init.Pid, unix.SIGSTOP); err != nil { // it does not hear
			t.Fatal(err)
		}
		cmd := z.Cmd("zoneadm", "-z", "a", "shutdown")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		asked(t, z, "a")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		successor(t, z, "a", z.KillZoned("a"))
		refused(t, z, "a", "shutdown already in progress", "shutdown")
		if err := unix.Kill(init.Pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitListed(t, z, "a", "installed")
		nothingRuns(t, z) // no supervisor either, who would boot it
		wantState(t, z, "a", "installed")
	})
}

// TestShutdownLimitSurvives: a zone that does not go down is told of once, when the time of the
// first supervisor is over.
func TestShutdownLimitSurvives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a", "add attr; set name=shutdown-timeout; set type=uint; set value=3; end")
	silent(t, z, "a", "boot")
	if err := unix.Kill(z.Status("a").Init.Pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	done := background(t, z, "zoneadm", "-z", "a", "shutdown")
	asked(t, z, "a")
	successor(t, z, "a", z.KillZoned("a"))
	s := <-done
	want := "zoneadm: zone 'a': shutdown: the zone's processes did not end within 3s: use halt\nzoneadm: zone 'a': unable to shutdown zone\n"
	if s.exit != 1 || s.err != want {
		t.Errorf("%v\nwant %s", s, want)
	}
	wantState(t, z, "a", "running")
	successor(t, z, "a", z.KillZoned("a")) // it is over: the next one waits for nothing
	await(t, func() (string, bool) {
		b, err := os.ReadFile(filepath.Join(z.ZoneState("a"), "journal"))
		return fmt.Sprintf("the journal still speaks of it: %v\n%s", err, b), err == nil && !strings.Contains(string(b), `"t":"shutdown"`)
	})
	silent(t, z, "a", "halt")
}
