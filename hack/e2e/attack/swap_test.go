package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// swapNames exchanges directories of a share with links to the host, over and over: shared is where
// the share lies in the zone, target what the links lead to.
func swapNames(args []string) error {
	shared, target := args[0], args[1]
	for _, n := range args[2:] {
		_ = os.Symlink(target, filepath.Join(shared, n+".trap"))
	}
	fmt.Println(there)
	swaps := 0
	for !ended() {
		for _, n := range args[2:] {
			p := filepath.Join(shared, n)
			if unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, p+".trap", unix.RENAME_EXCHANGE) == nil {
				swaps++
			}
		}
		if swaps%64 == 0 {
			time.Sleep(time.Duration(swaps%5) * time.Millisecond)
		}
	}
	fmt.Println("swapped", swaps)
	return nil
}

// exchanged: a running zone shares a directory for writing with another, and exchanges names in it
// with links to the host while that one is built, which mounts below it. The other boots, or is
// refused in a line; no mount of it lies on the host's directory, and the host's has nothing of it.
func exchanged(t *testing.T) {
	z := testenv.Instance(t)
	shared, victim := filepath.Join(z.Root, "shared"), filepath.Join(z.Root, "victim")
	for _, d := range []string{shared, victim, filepath.Join(shared, "deep/in"), filepath.Join(shared, "data"), filepath.Join(victim, "in")} {
		must(t, os.MkdirAll(d, 0o777))
		must(t, os.Chmod(d, 0o777))
	}
	must(t, os.WriteFile(filepath.Join(victim, "sentinel"), []byte("the host's\n"), 0o600))
	share := func(dir, special, kind string) []string {
		return []string{"add fs", "set dir=" + dir, "set special=" + special, "set type=" + kind, "end"}
	}
	booted(t, z, "a", share("/srv/shared", shared, "lofs")...)
	commands := append(share("/srv/shared", shared, "lofs"), share("/srv/shared/data", "swap", "tmpfs")...)
	z.Sparse("b", append(commands, share("/srv/shared/deep/in", "swap", "tmpfs")...)...)
	before := testenv.HashTree(t, victim)
	r := start(t, z, "a", as("swap", "/srv/shared", victim, "data", "deep"))
	ran := 0
	for range testenv.Rounds(12, 4) {
		out, errs, exit := z.Zoneadm("-z", "b", "boot")
		if exit != 0 && (exit != 1 || !strings.Contains(errs, "zone 'b'")) {
			t.Errorf("boot: %v", said{out, errs, exit})
		}
		if s := z.Status("b"); s.State == "running" {
			ran++
			if got := zlogin(t, z, "b", "cat /srv/shared/*/sentinel; touch /srv/shared/data/was-here /srv/shared/deep/in/was-here").out; strings.Contains(got, "the host's") {
				t.Error("the zone sees the host's file")
			}
			halted(t, z, "b")
		}
	}
	lines := r.stop()
	t.Logf("%d boots; %s", ran, strings.Join(lines, " "))
	var swaps int
	for _, line := range lines {
		_, _ = fmt.Sscanf(line, "swapped %d", &swaps)
	}
	if swaps < 100 {
		t.Errorf("only %d swaps: the names did not move", swaps)
	}
	for _, line := range before.Diff(testenv.HashTree(t, victim)) {
		t.Errorf("the host was changed: %s", line)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(table), victim) {
		t.Error("something is mounted on the host's directory")
	}
	halted(t, z, "a")
}
