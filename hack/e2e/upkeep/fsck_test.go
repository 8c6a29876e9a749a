package upkeep

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/internal/testenv"
)

const nothing = "0 mounts, 0 cgroups, 0 network devices, 0 BPF entries, 0 sockets, 0 processes, 0 descriptors, 0 files, 0 leases left"

// TestHaltProves: halt says what it has checked, and fails when something is left, in whatever
// state it found the zone and however often its supervisor was replaced.
func TestHaltProves(t *testing.T) {
	z := running(t)
	z.KillZoned("a")
	want := said{err: "zoneadm: zone 'a': " + nothing + "\n"}
	if s := zoneadm(z, "-z", "a", "halt", "-v"); s != want {
		t.Errorf("%+v", s)
	}
	silent(t, z, "-z", "a", "ready")
	if s := zoneadm(z, "-z", "a", "halt", "-v"); s != want {
		t.Errorf("from ready: %+v", s)
	}
	silent(t, z, "-z", "a", "boot")
	living := generation(t, z, "a")
	dead := plant(t, living, mark(t, living), 999)
	plant(t, living, "", 998) // somebody else's
	hidden := filepath.Join(z.ZoneState("a"), "x\ny")
	check(t, os.Mkdir(hidden, 0o700))
	check(t, unix.Mount("tmpfs", hidden, "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { _ = unix.Unmount(hidden, unix.MNT_DETACH); _ = os.Remove(hidden) })
	s := zoneadm(z, "-z", "a", "halt", "-v")
	counted, left, _ := strings.Cut(s.err, "\n")
	if s.exit != 1 || s.out != "" || !strings.Contains(counted, ": 1 mount, 1 cgroup, 0 network devices") {
		t.Errorf("%+v", s)
	}
	wantLeft := "zoneadm: zone 'a': the zone is halted, but not gone: mount " + z.ZoneState("a") + `/x\x0ay, cgroup ` + dead + " of generation 999; try zoneadm -z a fsck\n"
	if left != wantLeft {
		t.Errorf("%q\nwant\n%q", left, wantLeft)
	}
	if b, err := os.ReadFile(filepath.Join(z.Log, "a.log")); err != nil || !strings.Contains(string(b), "left behind by the zone") || !strings.Contains(string(b), "g999") {
		t.Errorf("the log does not speak of it: %v", err)
	}
	// Who asks again is told again, for as long as it is true.
	if s := zoneadm(z, "-z", "a", "halt"); s.exit != 1 || s.err != "zoneadm: zone 'a': zone is already halted\n"+wantLeft {
		t.Errorf("halted again: %+v", s)
	}
	// It is halted all the same, and a boot that undoes and does again is not kept from anything.
	if s := zoneadm(z, "-z", "a", "boot"); s.exit != 0 {
		t.Errorf("boot: %+v", s)
	}
	if s := zoneadm(z, "-z", "a", "reboot"); s.exit != 0 || !strings.Contains(s.err, "not gone") {
		t.Errorf("reboot: %+v", s)
	}
	// fsck takes it away while the zone lives, but for the mount, which might be the zone's own.
	init := z.Status("a").Init
	if s := zoneadm(z, "-z", "a", "fsck"); s.exit != 1 || s.err != "zoneadm: zone 'a': taken away: cgroup "+dead+" of generation 999\n" {
		t.Errorf("fsck: %+v", s)
	}
	if exists(dead) || !exists(filepath.Join(filepath.Dir(living), "g998")) || ended(init.Pid) {
		t.Error("what was dead is there, or what was not is gone")
	}
	if s := zoneadm(z, "-z", "a", "halt"); s.exit != 1 {
		t.Errorf("halt with the mount: %+v", s)
	}
	testenv.Eventually(t, func() bool { return z.PID("a", "zsched") == 0 }, "the keeper to leave")
	if s := zoneadm(z, "-z", "a", "halt"); s.exit != 1 || !strings.Contains(s.err, "but not gone: mount ") {
		t.Errorf("halt with the mount, by another supervisor: %+v", s)
	}
	testenv.Eventually(t, func() bool { return z.PID("a", "zsched") == 0 }, "the keeper to leave again")
	if s := zoneadm(z, "fsck"); s.exit != 1 || !strings.Contains(s.err, `x\x0ay`) || strings.Count(s.err, "\n") != 1 {
		t.Errorf("fsck of the mount: %+v", s)
	}
	if s := zoneadm(z, "-z", "a", "halt", "-v"); s.exit != 0 || s.err != "zoneadm: zone 'a': zone is already halted\n"+want.err {
		t.Errorf("halted again, with nothing left: %+v", s)
	}
	testenv.Eventually(t, func() bool { return z.PID("a", "zsched") == 0 }, "the last keeper to leave")
	clean(t, z)
}

// TestFsckAfterDeath: keeper and supervisor were killed. As long as processes of the zone live
// it is for halt; then everything that it had is found and taken away, and it boots again.
func TestFsckAfterDeath(t *testing.T) {
	z := running(t)
	dir, base := generation(t, z, "a"), z.Status("a").IDBase
	killBoth(t, z, "a")
	if populated(t, dir) {
		s := zoneadm(z, "fsck")
		if s.exit != 4 || s.err != "zoneadm: zone 'a': it is down and its processes live: end it with zoneadm -z a halt\n" || !populated(t, dir) {
			t.Errorf("down: %+v", s)
		}
	}
	killAll(t, dir)
	s := zoneadm(z, "-z", "a", "fsck", "-n")
	for _, want := range []string{
		"cgroup " + dir, "state/a/journal\n", "state/a/oci\n", "state/a/snapshot.xml\n", "state/a/plan.json\n", "socket state/a/door\n", "socket state/a/console\n",
		"status/a.json\n", fmt.Sprintf("lease of user ids from %d\n", base), "zsched.pid of process", "zoned.pid of process",
	} {
		if !strings.Contains(s.err, ": left: ") || !strings.Contains(s.err, want) {
			t.Errorf("fsck -n does not speak of %s:\n%s", want, s.err)
		}
	}
	if s.exit != 4 || !exists(dir) || zoneadm(z, "-z", "a", "fsck", "-n") != s {
		t.Errorf("fsck -n ended with %d, or has changed something", s.exit)
	}
	took := zoneadm(z, "fsck")
	if took.exit != 1 || exists(dir) || strings.Count(took.err, "taken away: ") != strings.Count(took.err, "\n") {
		t.Errorf("fsck: %+v", took)
	}
	if testenv.Has(testenv.BTF) && !strings.Contains(took.err, "taken away: BPF entry of a zone that is gone") {
		t.Errorf("fsck does not speak of the collector:\n%s", took.err)
	}
	clean(t, z)
	if out := z.Must("zoneadm", "-z", "a", "list", "-p"); !strings.Contains(out, ":a:installed:") {
		t.Error(out)
	}
	silent(t, z, "-z", "a", "boot")
	silent(t, z, "-z", "a", "halt")
}

// TestFsckForgotten: the zone's configuration is gone, its processes are not.
func TestFsckForgotten(t *testing.T) {
	z := running(t)
	dir := generation(t, z, "a")
	killBoth(t, z, "a")
	index := filepath.Join(z.Etc, "index")
	before, err := os.ReadFile(index)
	check(t, err)
	var after []string
	for line := range strings.Lines(string(before)) {
		if !strings.HasPrefix(line, "a:") {
			after = append(after, line)
		}
	}
	check(t, os.WriteFile(index, []byte(strings.Join(after, "")), 0o644))
	t.Cleanup(func() { _ = os.WriteFile(index, before, 0o644) })
	if s := zoneadm(z, "-z", "a", "fsck", "-n"); s.exit != 4 || !exists(dir) {
		t.Errorf("%+v", s)
	}
	if s := zoneadm(z, "fsck"); s.exit != 1 || exists(dir) || exists(z.ZoneState("a")) || exists(z.StatusFile("a")) {
		t.Errorf("%+v", s)
	}
	clean(t, z)
	if s := zoneadm(z, "-z", "a", "fsck"); s.exit != 8 || !strings.Contains(s.err, "No such zone configured") {
		t.Errorf("a zone that never was: %+v", s)
	}
}

// TestFsckAfterCrash: files of another boot of the host, as a run-time directory on a disk has
// them, are dead, whatever they say.
func TestFsckAfterCrash(t *testing.T) {
	z := running(t)
	state := z.ZoneState("a")
	kept := map[string][]byte{}
	for _, name := range []string{"snapshot.xml", "plan.json", "journal"} {
		b, err := os.ReadFile(filepath.Join(state, name))
		check(t, err)
		kept[name] = b
	}
	status, err := os.ReadFile(z.StatusFile("a"))
	check(t, err)
	silent(t, z, "-z", "a", "halt")
	testenv.Eventually(t, func() bool { return z.PID("a", "zsched") == 0 }, "the keeper to leave")
	for name, b := range kept {
		if name == "journal" {
			b = []byte("00000000 what a torn disk holds\n" + string(b))
		}
		check(t, os.WriteFile(filepath.Join(state, name), b, 0o600))
	}
	check(t, os.WriteFile(z.StatusFile("a"), status, 0o644))
	lease := filepath.Join(idrange.Dir, fmt.Sprint(idrange.First+4095*idrange.Count))
	check(t, os.Symlink("11111111-2222-3333-4444-555555555555 "+z.Root+" a", lease))
	t.Cleanup(func() { _ = os.Remove(lease) })
	s := zoneadm(z, "fsck")
	// Another instance that leases ids takes away the dead leases that it meets.
	if n := strings.Count(s.err, "taken away: "); s.exit != 1 || strings.Count(s.err, "taken away: file ") != 4 || n != 4 && n != 5 || exists(lease) {
		t.Errorf("%+v", s)
	}
	silent(t, z, "-z", "a", "boot")
	silent(t, z, "-z", "a", "halt")
}

// TestFsckOfOthers: nothing of another instance is seen, dead or living.
func TestFsckOfOthers(t *testing.T) {
	one, two := running(t), running(t)
	dir := generation(t, one, "a")
	killBoth(t, one, "a")
	killAll(t, dir)
	init := two.Status("a").Init
	silent(t, two, "fsck")
	if !exists(dir) {
		t.Error("another instance's cgroup is gone")
	}
	if s := zoneadm(one, "fsck"); s.exit != 1 || strings.Contains(s.err, two.Root) || ended(init.Pid) {
		t.Errorf("%+v", s)
	}
	silent(t, two, "-z", "a", "halt")
	clean(t, two)
}

// TestFsckRace: it runs without a pause while zones boot and halt and dead generations come up
// beside them: those go, and nothing else is ever named.
func TestFsckRace(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	z.Sparse("b")
	silent(t, z, "-z", "b", "boot") // keeps the instance's directories
	living := generation(t, z, "b")
	var stop atomic.Bool
	looks := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			_, errs, exit, err := z.Try("", "zoneadm", "fsck")
			if err != nil || exit != 0 && exit != 1 {
				t.Errorf("fsck: %v, exit %d, %s", err, exit, errs)
			}
			for line := range strings.Lines(errs) {
				if !strings.Contains(line, "taken away: cgroup ") || !strings.Contains(line, "of generation 9") {
					t.Errorf("fsck says %q", line)
				}
			}
		}
		looks <- n
	}()
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	var planted []string
	for i := range rounds {
		silent(t, z, "-z", "a", "boot")
		planted = append(planted, plant(t, living, mark(t, living), 9000+i))
		if i%3 == 0 {
			z.KillZoned("a")
		}
		silent(t, z, "-z", "a", "halt")
	}
	stop.Store(true)
	t.Logf("%d looks in %d rounds", <-looks, rounds)
	zoneadm(z, "fsck")
	for _, dir := range planted {
		if exists(dir) {
			t.Errorf("%s is left", dir)
		}
	}
	if ended(z.Status("b").Init.Pid) {
		t.Error("the other zone has died")
	}
	silent(t, z, "-z", "b", "halt")
	clean(t, z)
}

// TestFsckBadInput: one line, and the exit codes of fsck(8).
func TestFsckBadInput(t *testing.T) {
	z := testenv.Instance(t)
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"fsck -x", 16, "unknown option -x"},
		{"fsck now", 16, `unexpected operand "now"`},
		{"-R / fsck", 16, "-R makes no sense"},
		{"-z global fsck", 8, "invalid for the global zone"},
		{"-z nosuch fsck", 8, "No such zone configured"},
	} {
		s := zoneadm(z, strings.Fields(c.args)...)
		if s.exit != c.exit || !strings.Contains(s.err, c.want) || strings.Count(s.err, "\n") != 1 || s.out != "" {
			t.Errorf("zoneadm %s: %+v", c.args, s)
		}
	}
}
