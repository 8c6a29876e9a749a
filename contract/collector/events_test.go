package collector_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

// verify holds what was told of a contract against the workload's own log: each process born
// once, by whom, ended once, with the status that its parent was given, and after all of them
// the contract empty, once.
func verify(t testing.TB, list []collector.Record, l log) {
	t.Helper()
	born, ended, living := 0, 0, map[int]bool{}
	for i, r := range list {
		pid := int(r.Pid)
		switch r.Kind {
		case collector.Fork:
			if p := l.forks[pid]; len(p) == 0 || living[pid] || int(r.PPid) != p[0] {
				t.Fatalf("birth %d of %d by %d; the log says %d; lives already: %v", i, pid, r.PPid, p, living[pid])
			}
			l.forks[pid] = l.forks[pid][1:]
			living[pid] = true
			born++
		case collector.Exit:
			if s := l.exits[pid]; len(s) == 0 || !living[pid] || r.Status != s[0] {
				t.Fatalf("end %d of %d with %#x; the log says %#x; lives: %v", i, pid, r.Status, s, living[pid])
			}
			l.exits[pid] = l.exits[pid][1:]
			delete(living, pid)
			ended++
		case collector.Empty:
			if i != len(list)-1 || len(living) != 0 {
				t.Errorf("empty at record %d of %d, by %d, with %v", i, len(list), pid, living)
			}
		}
	}
	if born != l.n || ended != l.n {
		t.Errorf("told %d births and %d ends; the log has %d", born, ended, l.n)
	}
	if n := len(only(list, collector.Empty)); n != 1 {
		t.Errorf("empty %d times", n)
	}
}

// One process: what is told of it, field by field.
func TestOneProcess(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	var before, after unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &before))
	m := k.run("hold", "3")
	m.line()
	if n, err := r.Members(k.id); err != nil || n != 1 {
		t.Errorf("%d members, %v", n, err)
	}
	m.release()
	m.wait()
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &after))
	list := r.zone.empty(k)
	if len(list) != 3 {
		t.Fatalf("%d records: %+v", len(list), list)
	}
	want := []collector.Record{
		{Kind: collector.Fork, Flags: collector.First, PPid: int32(os.Getpid())},
		{Kind: collector.Exit, Status: 3 << 8},
		{Kind: collector.Empty},
	}
	for i, rec := range list {
		if rec.Time < uint64(before.Nano()) || rec.Time > uint64(after.Nano()) {
			t.Errorf("the time %d is not between %d and %d", rec.Time, before.Nano(), after.Nano())
		}
		want[i].Time, want[i].CT, want[i].Pid, want[i].Start = rec.Time, k.ct, int32(m.pid), m.start
		if rec.Kind != collector.Fork {
			want[i].Pgrp = int32(unix.Getpgrp())
		}
		if rec != want[i] {
			t.Errorf("record %d\n got %+v\nwant %+v", i, rec, want[i])
		}
	}
	n, err := r.Counts(k.id)
	check(t, err)
	if n != (collector.Counts{CT: k.ct, Zone: r.zone.id, Forks: 1, Exits: 1}) {
		t.Errorf("%+v", n)
	}
}

// A family: everybody in it, with parents and statuses.
func TestFamily(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	l := k.run("tree", "3", "4").finish()
	if l.n != 1+4+16+64 {
		t.Fatalf("the workload tells of %d processes", l.n)
	}
	verify(t, r.zone.empty(k), l)
}

// Two leave together, again and again: each contract is empty once, after both ends.
func TestTwoLeaveTogether(t *testing.T) {
	r := newRig(t)
	path, err := work()
	check(t, err)
	for range testenv.Rounds(200, 30) {
		k := r.zone.contract()
		read, write, err := os.Pipe()
		check(t, err)
		var both []*member
		for range 2 {
			cmd := exec.Command(path, "hold", "0")
			cmd.Stdin = read
			both = append(both, start(t, k.dir+"/d", nil, cmd))
		}
		read.Close()
		for _, m := range both {
			m.line()
		}
		write.Close()
		for _, m := range both {
			m.wait()
		}
		list := r.zone.empty(k)
		r.zone.quiet()
		if n := len(only(list, collector.Exit)); n != 2 || len(list) != 5 {
			t.Fatalf("%d ends: %+v", n, list)
		}
		if n, err := r.Counts(k.id); err != nil || n.Forks != 2 || n.Exits != 2 || n.Members != 0 {
			t.Errorf("%+v, %v", n, err)
		}
	}
}

// Of what is not wanted only that it is empty is told, and everything is counted.
func TestWants(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		want  collector.Events
		kinds []collector.Kind
	}{
		{0, []collector.Kind{collector.Empty}},
		{collector.WantFork, []collector.Kind{collector.Fork, collector.Empty}},
		{collector.WantExit, []collector.Kind{collector.Exit, collector.Empty}},
		{collector.WantCore, []collector.Kind{collector.Core, collector.Empty}},
		{collector.WantSignal | collector.WantHwerr, []collector.Kind{collector.Empty}},
		{everything, []collector.Kind{collector.Fork, collector.Core, collector.Exit, collector.Empty}},
	} {
		// Asked for when it is made, and afterwards.
		for _, k := range []*ct{r.zone.wanting(c.want, 0), r.zone.contract()} {
			check(t, r.SetWants(k.id, c.want, 0))
			k.run("self", "6", "1").wait()
			list := r.zone.empty(k)
			var kinds []collector.Kind
			for _, rec := range list {
				kinds = append(kinds, rec.Kind)
			}
			if fmt.Sprint(kinds) != fmt.Sprint(c.kinds) {
				t.Errorf("%#x wanted: told %v, not %v", c.want, kinds, c.kinds)
			}
			if n, _ := r.Counts(k.id); n.Forks != 1 || n.Exits != 1 || n.Members != 0 {
				t.Errorf("%+v", n)
			}
		}
	}
}

// The bits are the vocabulary's.
func TestEventBits(t *testing.T) {
	for ours, theirs := range map[collector.Events]contract.Events{
		collector.WantFork: contract.Fork, collector.WantExit: contract.Exit, collector.WantCore: contract.Core,
		collector.WantSignal: contract.Signal, collector.WantHwerr: contract.Hwerr,
	} {
		if uint32(ours) != uint32(theirs) {
			t.Errorf("%#x is not %#x", ours, theirs)
		}
	}
}

// The process group is that at the end, for a fatal event with PGRPONLY.
func TestProcessGroup(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	m := r.runIn(k.dir+"/d", &syscall.SysProcAttr{Setpgid: true}, "exit", "0")
	m.wait()
	for _, rec := range r.zone.empty(k) {
		if rec.Kind != collector.Fork && int(rec.Pgrp) != m.pid {
			t.Errorf("process group %d, not %d", rec.Pgrp, m.pid)
		}
	}
}

// Who lives a hundred directories down is a member all the same.
func TestNested(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	deep := k.dir + "/d"
	for range 100 {
		deep = filepath.Join(deep, "n")
		check(t, os.Mkdir(deep, 0o755))
	}
	l := r.runIn(deep, nil, "tree", "1", "3").finish()
	verify(t, r.zone.empty(k), l)
	for ; deep != k.dir+"/d"; deep = filepath.Dir(deep) {
		check(t, os.Remove(deep))
	}
}

// What lives in no contract's directory is nobody's, above, beside and in one that was removed.
func TestOutside(t *testing.T) {
	r := newRig(t)
	k, gone := r.zone.contract(), r.zone.contract()
	check(t, r.RemoveContract(gone.id))
	check(t, r.RemoveContract(gone.id))
	for _, dir := range []string{"", r.base, r.zone.dir, r.zone.dir + "/ct", gone.dir + "/d", r.zone.directory().dir} {
		r.runIn(dir, nil, "tree", "1", "2").finish()
	}
	r.zone.quiet()
	if _, err := r.Counts(gone.id); err != collector.ErrUnknown {
		t.Errorf("a removed contract: %v", err)
	}
	if err := r.SetWants(gone.id, 0, 0); err != collector.ErrUnknown {
		t.Errorf("a removed contract: %v", err)
	}
	if n, _ := r.Counts(k.id); n.Forks != 0 {
		t.Errorf("%+v", n)
	}
}

// A contract that is removed while it has members says no more of them, and does not disturb
// the one that comes after.
func TestRemovedWithMembers(t *testing.T) {
	r := newRig(t)
	for range 50 {
		k := r.zone.contract()
		m := k.run("hold", "0")
		m.line()
		check(t, r.RemoveContract(k.id))
		next := r.zone.contract()
		m.release()
		m.wait()
		if n, err := r.Counts(next.id); err != nil || n.Forks+n.Exits != 0 {
			t.Fatalf("%+v, %v", n, err)
		}
		next.run("exit", "0").wait()
		verifyQuietly(t, r, next)
	}
}

func verifyQuietly(t *testing.T, r *rig, k *ct) {
	t.Helper()
	for _, rec := range r.zone.empty(k) {
		if rec.CT == k.ct && rec.Kind == collector.Exit && rec.Status != 0 {
			t.Errorf("%+v", rec)
		}
	}
	if n, _ := r.Counts(k.id); n.Members != 0 || n.Forks != 1 || n.Exits != 1 {
		t.Errorf("%+v", n)
	}
}

// Two zones: each is told of its own alone.
func TestTwoZones(t *testing.T) {
	r := newRig(t)
	other := r.addZone("g2", collector.RingBytes)
	a, b := r.zone.contract(), other.contract()
	one, two := a.run("tree", "2", "5"), b.run("tree", "2", "7")
	verify(t, r.zone.empty(a), one.finish())
	verify(t, other.empty(b), two.finish())
	r.zone.quiet()
	other.quiet()
}

// Contracts live at several levels; more than there is room for are refused.
func TestLevels(t *testing.T) {
	r := newRig(t)
	first := r.level(r.zone.dir) + 2
	for _, level := range []int{first + 1, first + 2, first + 3, first, first + 1} {
		check(t, r.AddLevel(level))
	}
	for _, level := range []int{first + 4, 0, -1, 1 << 20} {
		if err := r.AddLevel(level); err != collector.ErrLevel {
			t.Errorf("level %d: %v", level, err)
		}
	}
	k := r.zone.directory()
	deep := &ct{zone: r.zone, ct: k.ct, dir: k.dir + "/d", id: inode(t, k.dir+"/d")}
	check(t, os.Mkdir(deep.dir+"/d", 0o755))
	check(t, r.AddContract(collector.Contract{Cgroup: deep.id, Zone: r.zone.id, CT: deep.ct, Want: everything}))
	l := deep.run("tree", "1", "2").finish()
	verify(t, r.zone.empty(deep), l)
	check(t, os.Remove(deep.dir+"/d"))
}

// Level is the caller's own place, whatever a cgroup namespace shows it.
func TestLevel(t *testing.T) {
	r := newRig(t)
	out, err := exec.Command("cat", "/proc/self/cgroup").Output()
	check(t, err)
	t.Logf("%s", out)
	for depth, dir := range []string{r.base, r.zone.dir, r.zone.dir + "/ct"} {
		got := role(t, dir, nil, "level", r.dir).line()
		if want := fmt.Sprint(r.level(r.base)+depth, " 0"); got != want {
			t.Errorf("in %s: %s, not %s", dir, got, want)
		}
	}
}
