package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// race runs two zoneadm commands at once.
func race(t *testing.T, z *testenv.Zones, zone, first, second string) (a, b said) {
	t.Helper()
	one := background(t, z, "zoneadm", "-z", zone, first)
	two := background(t, z, "zoneadm", "-z", zone, second)
	return <-one, <-two
}

// TestTwoCallers: whoever loses a race to the state he wanted has succeeded, with a note at
// most; who wanted another is carried out after, or refused in words.
func TestTwoCallers(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	fine := func(s said, notes ...string) bool {
		if s.exit != 0 {
			return false
		}
		return s.err == "" || slices.ContainsFunc(notes, func(n string) bool { return s.err == "zoneadm: zone 'a': "+n+"\n" })
	}
	for i := range count(8) {
		a, b := race(t, z, "a", "boot", "boot")
		if !fine(a, "zone is already booted") || !fine(b, "zone is already booted") || a.err != "" && b.err != "" {
			t.Errorf("round %d: boot, boot:\n%v\n%v", i, a, b)
		}
		wantState(t, z, "a", "running")
		a, b = race(t, z, "a", "halt", "halt")
		if !fine(a, "zone is already halted") || !fine(b, "zone is already halted") || a.err != "" && b.err != "" {
			t.Errorf("round %d: halt, halt:\n%v\n%v", i, a, b)
		}
		wantState(t, z, "a", "installed")
		a, b = race(t, z, "a", "boot", "halt")
		if !fine(a) || !fine(b, "zone is already halted") {
			t.Errorf("round %d: boot, halt:\n%v\n%v", i, a, b)
		}
		want := "installed" // unless the halt came first
		if strings.Contains(b.err, "already") {
			want = "running"
		}
		wantState(t, z, "a", want)
		lead(t, z, "a", "running")
		a, b = race(t, z, "a", "reboot", "halt")
		late := a.exit == 1 && (strings.Contains(a.err, "not running") || strings.Contains(a.err, "invalid for zones in state 'installed'"))
		if !fine(a) && !late || !fine(b) {
			t.Errorf("round %d: reboot, halt:\n%v\n%v", i, a, b)
		}
		wantState(t, z, "a", "installed")
		truth(t, z, "a")
	}
	nothingRuns(t, z)
}

// TestManyCallers: a crowd of one mind at one zone.
func TestManyCallers(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	for verb, state := range map[string]string{"boot": "running", "halt": "installed"} {
		lead(t, z, "a", map[string]string{"boot": "installed", "halt": "running"}[verb])
		var answers []<-chan said
		for range 20 {
			answers = append(answers, background(t, z, "zoneadm", "-z", "a", verb))
		}
		did := 0
		for _, c := range answers {
			s := <-c
			if s.exit != 0 || s.err != "" && !strings.Contains(s.err, "already") {
				t.Errorf("%s: %v", verb, s)
			}
			if s.err == "" {
				did++
			}
		}
		if did != 1 {
			t.Errorf("%d of 20 callers were told that they did the %s", did, verb)
		}
		wantState(t, z, "a", state)
	}
	lead(t, z, "a", "installed")
	nothingRuns(t, z)
}

// TestTwentyAtOnce boots twenty zones in parallel.
func TestTwentyAtOnce(t *testing.T) {
	z := testenv.Instance(t)
	var zones []string
	for i := range count(8) {
		zone := fmt.Sprintf("z%d", i)
		zones = append(zones, zone)
		z.Sparse(zone)
	}
	all := func(program string, args func(zone string) []string) time.Duration {
		t.Helper()
		began := time.Now()
		var group sync.WaitGroup
		for _, zone := range zones {
			group.Go(func() {
				out, errs, exit, err := z.Try("", program, args(zone)...)
				if err != nil || exit != 0 || errs != "" {
					t.Errorf("%s: %s %q: exit %d, %v\n%s%s", zone, program, args(zone), exit, err, out, errs)
				}
			})
		}
		group.Wait()
		return time.Since(began)
	}
	verb := func(v string) func(string) []string {
		return func(zone string) []string { return []string{"-z", zone, v} }
	}
	t.Logf("%d zones booted at once: %v", len(zones), all("zoneadm", verb("boot")))
	ids, inits := map[int]bool{}, map[int]bool{}
	for _, zone := range zones {
		s := z.Status(zone)
		if s.State != "running" || ids[s.ID] || inits[s.Init.Pid] || !alive(s.Init) {
			t.Errorf("zone %s: %+v", zone, s)
		}
		ids[s.ID], inits[s.Init.Pid] = true, true
	}
	all("zlogin", func(zone string) []string { return []string{zone, "test $(hostname) = " + zone} })
	t.Logf("rebooted at once: %v", all("zoneadm", verb("reboot")))
	t.Logf("halted at once: %v", all("zoneadm", verb("halt")))
	nothingRuns(t, z)
}

// footprint is what a host has of an instance's zones, counted outside of the product.
type footprint struct {
	mounts, cgroups, netdevs, processes, zoned, zsched int
}

// more says whether there is more of anything.
func (f footprint) more(than footprint) bool {
	return f.mounts > than.mounts || f.cgroups > than.cgroups || f.netdevs > than.netdevs ||
		f.processes > than.processes || f.zoned > than.zoned || f.zsched > than.zsched
}

func measure(t *testing.T, z *testenv.Zones, zone string) footprint {
	t.Helper()
	var f footprint
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, z.Root) {
			f.mounts++
		}
	}
	_ = filepath.WalkDir(filepath.Join(cgroupMount(t), "zones"+z.Tag()), func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			f.cgroups++
		}
		return nil
	})
	devices, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if strings.Contains(d.Name(), strings.TrimPrefix(z.Tag(), ".")[:6]) {
			f.netdevs++
		}
	}
	for _, l := range z.Leftovers() {
		if strings.HasPrefix(l, "process ") {
			f.processes++
		}
	}
	f.zoned, f.zsched = fds(t, z.PID(zone, "zoned")), fds(t, z.PID(zone, "zsched"))
	return f
}

// TestManyLives: dozens of boots and halts under one supervisor leave everything as before.
func TestManyLives(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	console := z.Pty("zlogin", "-C", "a") // keeps the supervisor
	console.Expect(`\[Connected to zone 'a' console\]`)
	life := func() {
		silent(t, z, "a", "boot")
		silent(t, z, "a", "halt")
	}
	life() // what is made once
	// A halt is answered before the supervisor let go of all that it had of the incarnation.
	settled := func() (f footprint) {
		t.Helper()
		testenv.Eventually(t, func() bool {
			open := links(z.PID("a", "zoned"))
			return open["/dev/fuse"]+open["anon_inode:bpf-link"]+open["anon_inode:bpf-map"]+open["anon_inode:bpf-prog"] == 0
		}, "file systems and collector to be let go of")
		for same := 0; same < 20; same++ {
			time.Sleep(20 * time.Millisecond)
			if now := measure(t, z, "a"); now != f {
				f, same = now, 0
			}
		}
		return f
	}
	before, supervisor := settled(), z.PID("a", "zoned")
	began := time.Now()
	for range count(40) {
		life()
	}
	t.Logf("a boot and a halt: %v", time.Since(began)/time.Duration(count(40)))
	await(t, func() (string, bool) {
		after := measure(t, z, "a")
		return fmt.Sprintf("%+v before, %+v after; the supervisor has %v", before, after, links(z.PID("a", "zoned"))), !after.more(before)
	})
	if pid := z.PID("a", "zoned"); pid != supervisor {
		t.Errorf("the supervisor was replaced: %d, %d", supervisor, pid)
	}
	console.Send("\r~.")
	console.Wait()
	nothingRuns(t, z)
}
