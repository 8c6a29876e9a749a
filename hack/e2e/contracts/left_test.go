package contracts

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// collectors are the mounts of the instance's collectors that a process sees.
func collectors(t *testing.T, z *testenv.Zones, process string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + process + "/mountinfo")
	must(t, err)
	n := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); strings.HasPrefix(f[4], filepath.Join(z.Run, "bpf")) && strings.Contains(line, " - bpf ") {
			n++
		}
	}
	return n
}

// hostInReach says whether this host lets root look into the namespace of its mounts: a pid 1
// with more capabilities than root has does not.
func hostInReach() bool {
	_, err := os.Readlink("/proc/1/ns/mnt")
	return err == nil
}

// TestCollector: it comes with the first zone and goes with the last, is one for all of them,
// and lies where the host's mounts are, wherever a zone was booted from; where these are out of
// reach, one lies in each mount namespace from which zones were booted.
func TestCollector(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	for _, zone := range []string{"a", "b"} {
		z.Sparse(zone)
	}
	alone := func(args ...string) {
		t.Helper()
		cmd := exec.Command("unshare", append([]string{"-m", filepath.Join(z.Bin, "zoneadm")}, args...)...)
		cmd.Env = z.Env()
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("zoneadm %q in a mount namespace of its own: %v\n%s", args, err, out)
		}
	}
	for round := range 2 {
		if n := collectors(t, z, "self"); n != 0 {
			t.Errorf("without zones there are %d collectors", n)
		}
		alone("-z", "a", "boot")
		silent(t, z, "b", "boot")
		if n := collectors(t, z, "self"); n != 1 {
			t.Errorf("with two zones the host has %d collectors", n)
		}
		own := 1
		if hostInReach() {
			own = 0
		}
		if n := collectors(t, z, itoa(z.Status("a").Zoned.Pid)); n != own {
			t.Errorf("the supervisor's own mount namespace has %d collectors", n)
		}
		for _, zone := range []string{"a", "b"} {
			if got := inZone(t, z, zone, "sed -n 's/^sources //p' /system/contract/process/*/status | sort -u"); got != "bpf\\040cgroup\n" {
				t.Errorf("zone %s is told by %q", zone, got)
			}
		}
		if round == 0 {
			silent(t, z, "b", "halt")
			alone("-z", "a", "halt")
		} else {
			alone("-z", "a", "halt")
			if n := collectors(t, z, "self"); n != 1 {
				t.Errorf("with one zone there are %d collectors", n)
			}
			silent(t, z, "b", "halt")
		}
	}
	nothingRuns(t, z)
}

// TestDescriptors: a supervisor and a keeper that stay have after a halt what they had before
// the boot, also when supervisors died meanwhile.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	silent(t, z, "a", "boot") // what is opened once and kept
	silent(t, z, "a", "halt")
	before := map[string]string{}
	for _, program := range []string{"zsched", "zoned"} {
		before[program] = settled(t, func() string { return descriptors(t, z.PID("a", program)) })
	}
	for range 3 {
		silent(t, z, "a", "boot")
		for range 2 {
			statuses(t, z, "a")
			successor(t, z, "a", z.KillZoned("a"))
		}
		silent(t, z, "a", "halt")
		for program, want := range before {
			got := settled(t, func() string { return descriptors(t, z.PID("a", program)) })
			if got != want {
				t.Errorf("%s had\n%sand has\n%s", program, want, got)
			}
		}
	}
	console.Send("\r~.")
	console.Wait()
	nothingRuns(t, z)
}

// descriptors are the kinds of what a process has open, each with its number. A serial number
// in a name (of a pipe, a socket) is left out: a successor has others.
func descriptors(t *testing.T, pid int) string {
	t.Helper()
	dir := "/proc/" + itoa(pid) + "/fd/"
	entries, err := os.ReadDir(dir)
	must(t, err)
	kinds := map[string]int{}
	for _, e := range entries {
		target, err := os.Readlink(dir + e.Name())
		if os.IsNotExist(err) {
			continue // closed since the list was read
		}
		must(t, err)
		kinds[serial.ReplaceAllString(target, "N")]++
	}
	var text strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&text, "%4d %s\n", kinds[kind], kind)
	}
	return text.String()
}

var serial = regexp.MustCompile(`[0-9]+`)

// settled is what look finds once it has found the same for half a second.
func settled(t *testing.T, look func() string) string {
	t.Helper()
	last, since := look(), time.Now()
	testenv.Eventually(t, func() bool {
		if now := look(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	}, "the same to be seen for a while")
	return last
}
