package collector_test

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
)

// What zones that are gone have left is told apart from what others use, and goes with a Leave of
// nobody.
func TestAbandoned(t *testing.T) {
	dir, newZone := place(t)
	wants := func(when string, idle bool, ids ...uint64) {
		t.Helper()
		gone, is, err := collector.Abandoned(dir)
		slices.Sort(gone)
		if err != nil || is != idle || !slices.Equal(gone, ids) {
			t.Errorf("%s: %v, idle %v, %v", when, gone, is, err)
		}
	}
	registered := func(id uint64, want bool) {
		t.Helper()
		if got, err := collector.Registered(dir, id); err != nil || got != want {
			t.Errorf("%d: %v, %v", id, got, err)
		}
	}
	wants("where nothing is", false)
	registered(1, false)
	if _, err := os.Lstat(dir + ".lock"); err == nil {
		t.Error("a look has made a lock file")
	}
	path, first := newZone()
	_, second := newZone()
	for _, id := range []uint64{first, second} {
		c, err := collector.Ensure(dir, id, load.Into)
		check(t, err)
		check(t, c.Close())
	}
	wants("with two zones", false)
	registered(first, true)
	registered(first+1000, false)
	registered(0, false)
	check(t, os.Remove(path))
	wants("with one that is gone", false, first)
	registered(first, true)
	check(t, collector.Leave(dir, 0))
	wants("when that is taken away", false)
	registered(first, false)
	registered(second, true)
	check(t, collector.Leave(dir, second))
	wants("behind the last", false)
	// A directory of somebody who died before he mounted anything, or loaded.
	check(t, os.Mkdir(dir, 0o700))
	wants("a directory alone", true)
	check(t, unix.Mount("bpf", dir, "bpf", 0, "mode=0700"))
	wants("a file system alone", true)
	check(t, collector.Leave(dir, 0))
	wants("when that is gone", false)
}
