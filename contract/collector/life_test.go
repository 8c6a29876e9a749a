package collector_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
	"github.com/linuxzones/zones/internal/testenv"
)

// place is where a collector may come, and a maker of zones' cgroups.
func place(t *testing.T) (dir string, zone func() (string, uint64)) {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.BTF)
	base := testenv.Cgroup(t)
	var n atomic.Int64
	dir = filepath.Join(t.TempDir(), "bpf")
	t.Cleanup(func() {
		for _, left := range []string{dir, dir + ".lock"} {
			if _, err := os.Lstat(left); err == nil {
				t.Errorf("%s is left", left)
			}
		}
	})
	return dir, func() (string, uint64) {
		path := fmt.Sprintf("%s/g%d", base, n.Add(1))
		check(t, os.Mkdir(path, 0o755))
		return path, inode(t, path)
	}
}

// The first loads, the others find; the last takes it away.
func TestEnsureAndLeave(t *testing.T) {
	dir, newZone := place(t)
	_, first := newZone()
	_, second := newZone()
	if _, err := collector.Open(dir); err != collector.ErrAbsent {
		t.Errorf("there is none: %v", err)
	}
	check(t, collector.Leave(dir, first))
	loads := 0
	loader := func(dir string) error {
		loads++
		return load.Into(dir)
	}
	for range 2 {
		a, err := collector.Ensure(dir, first, loader)
		check(t, err)
		b, err := collector.Ensure(dir, second, loader)
		check(t, err)
		again, err := collector.Ensure(dir, first, loader)
		check(t, err)
		for _, c := range []*collector.Collector{a, b, again} {
			check(t, c.Close())
			check(t, c.Close())
		}
		check(t, collector.Leave(dir, first))
		check(t, collector.Leave(dir, first))
		c, err := collector.Open(dir)
		check(t, err)
		check(t, c.Close())
		check(t, collector.Leave(dir, second))
		if _, err := collector.Open(dir); err != collector.ErrAbsent {
			t.Errorf("the last has left: %v", err)
		}
	}
	if loads != 2 {
		t.Errorf("loaded %d times", loads)
	}
}

// A zone that died without a word does not keep the collector, nor its ring and contracts.
func TestDeadUser(t *testing.T) {
	dir, newZone := place(t)
	deadPath, dead := newZone()
	_, living := newZone()
	_, leaver := newZone()
	c, err := collector.Ensure(dir, dead, load.Into)
	check(t, err)
	defer c.Close()
	ring, err := collector.NewRing(collector.RingBytes)
	check(t, err)
	check(t, c.AddZone(dead, ring))
	check(t, ring.Close())
	check(t, c.AddContract(collector.Contract{Cgroup: 1 << 40, Zone: dead}))
	check(t, c.AddContract(collector.Contract{Cgroup: 1<<40 + 1, Zone: living}))
	for _, zone := range []uint64{living, leaver} {
		d, err := collector.Ensure(dir, zone, nil)
		check(t, err)
		check(t, d.Close())
	}
	check(t, unix.Rmdir(deadPath))
	check(t, collector.Leave(dir, leaver))
	if has, err := c.HasZone(dead); has || err != nil {
		t.Errorf("the dead zone's ring is there: %v", err)
	}
	if _, err := c.Counts(1 << 40); err != collector.ErrUnknown {
		t.Errorf("the dead zone's contract is there: %v", err)
	}
	if _, err := c.Counts(1<<40 + 1); err != nil {
		t.Errorf("the living zone's contract: %v", err)
	}
	if _, _, err := c.Lost(dead); err != collector.ErrUnknown {
		t.Errorf("the dead zone is a user: %v", err)
	}
	check(t, collector.Leave(dir, living))
}

// Who quits is no user any more at once; the rest of it has a grace period, and others wait for it.
func TestQuit(t *testing.T) {
	dir, newZone := place(t)
	_, quitter := newZone()
	_, stays := newZone()
	c, err := collector.Ensure(dir, quitter, load.Into)
	check(t, err)
	defer c.Close()
	d, err := collector.Ensure(dir, stays, nil)
	check(t, err)
	defer d.Close()
	ring, err := collector.NewRing(collector.RingBytes)
	check(t, err)
	defer ring.Close()
	// One that quit and died before the rest was done has left its ring.
	for _, zone := range []uint64{quitter, stays, 1 << 41} {
		check(t, c.AddZone(zone, ring))
	}
	check(t, c.AddContract(collector.Contract{Cgroup: 1 << 40, Zone: quitter}))
	rest, err := collector.Quit(dir, quitter)
	check(t, err)
	if is, err := collector.Registered(dir, quitter); is || err != nil {
		t.Errorf("who quit is a user: %v", err)
	}
	if _, err := c.Counts(1 << 40); err != collector.ErrUnknown {
		t.Errorf("the contract of who quit is there: %v", err)
	}
	others := make(chan error, 1)
	go func() {
		e, err := collector.Ensure(dir, quitter, nil)
		if err == nil {
			err = e.Close()
		}
		others <- err
	}()
	select {
	case err := <-others:
		t.Errorf("another one did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if has, err := c.HasZone(quitter); !has || err != nil {
		t.Errorf("the ring is gone before the rest: %v", err)
	}
	check(t, rest())
	check(t, <-others)
	for zone, want := range map[uint64]bool{quitter: false, stays: true, 1 << 41: false} {
		if has, err := c.HasZone(zone); has != want || err != nil {
			t.Errorf("ring of %d: %v, %v", zone, has, err)
		}
	}
	check(t, collector.Leave(dir, quitter))
	rest, err = collector.Quit(dir, stays)
	check(t, err)
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("behind the last one: %v", err)
	}
	check(t, rest())
	rest, err = collector.Quit(dir, stays)
	check(t, err)
	check(t, rest())
}

// Many come and go at the same time: who is there has a whole collector, and nothing is left.
func TestComeAndGo(t *testing.T) {
	dir, newZone := place(t)
	var wg sync.WaitGroup
	var loads atomic.Int64
	loader := func(dir string) error {
		loads.Add(1)
		return load.Into(dir)
	}
	for range 6 {
		_, zone := newZone()
		wg.Go(func() {
			for range testenv.Rounds(8, 2) {
				c, err := collector.Ensure(dir, zone, loader)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Level(); err != nil {
					t.Error(err)
				}
				if _, _, err := c.Lost(zone); err != nil {
					t.Errorf("a user is not known: %v", err)
				}
				other, err := collector.Open(dir)
				if err != nil {
					t.Errorf("while it is used: %v", err)
				} else {
					other.Close()
				}
				c.Close()
				if err := collector.Leave(dir, zone); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("loaded %d times", loads.Load())
}

// A loader that fails, does nothing, or dies half way.
func TestBadLoader(t *testing.T) {
	dir, newZone := place(t)
	_, zone := newZone()
	mine := errors.New("mine")
	if _, err := collector.Ensure(dir, zone, func(string) error { return mine }); err != mine {
		t.Errorf("%v", err)
	}
	if _, err := collector.Ensure(dir, zone, func(string) error { return nil }); err != collector.ErrLoad {
		t.Errorf("%v", err)
	}
	half := func(dir string) error {
		if err := load.Into(dir); err != nil {
			return err
		}
		return os.Remove(filepath.Join(collector.VersionDir(dir), collector.PinReady))
	}
	if _, err := collector.Ensure(dir, zone, half); err != collector.ErrLoad {
		t.Errorf("%v", err)
	}
	// The next clears that away.
	c, err := collector.Ensure(dir, zone, load.Into)
	check(t, err)
	check(t, c.Close())
	check(t, os.Remove(filepath.Join(collector.VersionDir(dir), "moved_link")))
	if _, err := collector.Open(dir); err != collector.ErrAbsent {
		t.Errorf("a collector that lacks a part: %v", err)
	}
	check(t, collector.Leave(dir, zone))
	// Half of one goes too.
	if _, err := collector.Ensure(dir, zone, half); err != collector.ErrLoad {
		t.Errorf("%v", err)
	}
	check(t, collector.Leave(dir, zone))
}

// Another version's collector stands beside ours, and goes with its last user.
func TestOtherVersion(t *testing.T) {
	dir, newZone := place(t)
	_, zone := newZone()
	_, other := newZone()
	c, err := collector.Ensure(dir, other, load.Into)
	check(t, err)
	check(t, c.Close())
	check(t, os.Rename(collector.VersionDir(dir), dir+"/v999"))
	c, err = collector.Ensure(dir, zone, load.Into)
	check(t, err)
	check(t, c.Close())
	check(t, collector.Leave(dir, other))
	if _, err := os.Lstat(dir + "/v999"); err == nil {
		t.Error("the other version's last user has left and it is there")
	}
	c, err = collector.Open(dir)
	check(t, err)
	check(t, c.Close())
	check(t, collector.Leave(dir, zone))
}

// Somebody unmounts the bpffs: who has the collector open goes on, and the next makes another.
func TestUnmounted(t *testing.T) {
	dir, newZone := place(t)
	_, zone := newZone()
	c, err := collector.Ensure(dir, zone, load.Into)
	check(t, err)
	check(t, unix.Unmount(dir, 0))
	if _, err := c.Level(); err != nil {
		t.Error(err)
	}
	check(t, c.Close())
	c, err = collector.Ensure(dir, zone, load.Into)
	check(t, err)
	check(t, c.Close())
	check(t, unix.Unmount(dir, 0))
	check(t, collector.Leave(dir, zone))
}

// Members that had been there before their contract was known are counted on demand.
func TestAdopt(t *testing.T) {
	r := newRig(t)
	k := r.zone.directory()
	var old []*member
	for range 5 {
		m := k.run("hold", "2")
		m.line()
		old = append(old, m)
	}
	threads := k.run("leaderless")
	threads.line()
	check(t, r.AddContract(collector.Contract{Cgroup: k.id, Zone: r.zone.id, CT: k.ct, Want: everything}))
	fresh := k.run("hold", "0")
	fresh.line()
	for range 2 {
		check(t, r.Adopt())
		if n, err := r.Members(k.id); n != 7 || err != nil {
			t.Errorf("%d members, %v", n, err)
		}
	}
	for _, m := range append(old, threads, fresh) {
		m.release()
		m.wait()
	}
	list := r.zone.empty(k)
	forks := only(list, collector.Fork)
	adopted := 0
	for _, f := range forks {
		if f.Flags&collector.Adopted != 0 {
			adopted++
		}
	}
	if len(forks) != 7 || adopted != 6 || len(only(list, collector.Exit)) != 7 {
		t.Errorf("%d adopted of %d: %+v", adopted, len(forks), list)
	}
}

// Adopted while they are born and end: nobody is counted twice or for ever.
func TestAdoptRace(t *testing.T) {
	r := newRig(t)
	for range testenv.Rounds(20, 4) {
		k := r.zone.directory()
		stays := k.run("hold", "0") // the tree may have ended before anybody looks
		stays.line()
		m := k.run("tree", "3", "5")
		check(t, r.AddContract(collector.Contract{Cgroup: k.id, Zone: r.zone.id, CT: k.ct}))
		for range 5 {
			check(t, r.Adopt())
		}
		m.finish()
		if n, err := r.Members(k.id); err != nil || n != 1 {
			t.Errorf("%d members, %v", n, err)
		}
		stays.release()
		stays.wait()
		n, err := r.Counts(k.id)
		check(t, err)
		if n.Members != 0 || n.Forks != n.Exits || n.Forks == 0 {
			t.Errorf("%+v", n)
		}
	}
}
