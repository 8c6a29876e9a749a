package cgroup2

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// A zone nests directories until no path can name the last, and hides a process there.
func TestDeeperThanPathsGo(t *testing.T) {
	const depth = 100
	dir := testenv.Cgroup(t) + "/zone"
	check(t, Make(dir))
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(t, err)
	name := strings.Repeat("x", 200)
	for range depth {
		check(t, unix.Mkdirat(fd, name, 0o755))
		down, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		check(t, err)
		unix.Close(fd)
		fd = down
	}
	p := born(t, dir, nil, "/bin/sleep", "1000")
	procs, err := unix.Openat(fd, "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	_, err = unix.Write(procs, []byte(strconv.Itoa(p.pid)))
	unix.Close(procs)
	unix.Close(fd)
	check(t, err)
	if pids, err := Procs(dir); err != nil || !slices.Equal(pids, []int{p.pid}) {
		t.Errorf("%d is hidden: %v, %v", p.pid, pids, err)
	}
	check(t, Kill(dir))
	check(t, AwaitEmpty(within(t), dir))
	check(t, Remove(dir))
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is left")
	}
}

func TestManyDirectories(t *testing.T) {
	dir := testenv.Cgroup(t) + "/zone"
	for i := range 20 {
		for j := range 20 {
			check(t, Make(fmt.Sprintf("%s/a%d/b%d", dir, i, j)))
		}
	}
	check(t, Remove(dir))
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is left")
	}
}

// Somebody makes directories as fast as he can where others are removed.
func TestRemoveWhileOthersMake(t *testing.T) {
	for range 20 {
		dir := testenv.Cgroup(t) + "/zone"
		check(t, Make(dir))
		var stop atomic.Bool
		var made atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if os.Mkdir(fmt.Sprintf("%s/x%d", dir, i%50), 0o755) == nil {
					made.Add(1)
				}
			}
		})
		testenv.Eventually(t, func() bool { return made.Load() > 10 }, "directories to be made")
		err := Remove(dir)
		stop.Store(true)
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Fatal("the directory is left")
		}
	}
}

// A process that lives there is not removed, and the error says where it lives.
func TestRemoveWithAProcess(t *testing.T) {
	dir := testenv.Cgroup(t) + "/zone"
	check(t, Make(dir+"/a/b"))
	check(t, Make(dir+"/c"))
	p := born(t, dir+"/a/b", nil, "/bin/sleep", "1000")
	err := Remove(dir)
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "/b") {
		t.Errorf("%v", err)
	}
	check(t, p.cmd.Process.Kill())
	check(t, AwaitEmpty(within(t), dir))
	check(t, Remove(dir))
}

// What is no directory, or a link to one, is not followed.
func TestRemoveFollowsNothing(t *testing.T) {
	base := t.TempDir()
	check(t, os.MkdirAll(base+"/elsewhere/precious", 0o755))
	check(t, os.Symlink(base+"/elsewhere", base+"/link"))
	if err := Remove(base + "/link"); err == nil {
		t.Error("a link was removed")
	}
	check(t, os.Mkdir(base+"/dir", 0o755))
	check(t, os.Symlink(base+"/elsewhere", base+"/dir/link"))
	if err := Remove(base + "/dir"); err == nil {
		t.Error("a directory with a link in it was removed")
	}
	if _, err := os.Stat(base + "/elsewhere/precious"); err != nil {
		t.Error(err)
	}
}

// A visitor ends the walk when it has seen enough.
func TestEach(t *testing.T) {
	dir := testenv.Cgroup(t) + "/zone"
	check(t, Make(dir+"/a/b"))
	for _, d := range []string{"", "/a", "/a/b", "/a/b"} {
		born(t, dir+d, nil, "/bin/sleep", "1000")
	}
	for most := 1; most <= 5; most++ {
		seen := 0
		all, err := Each(dir, 0, func(int) bool { seen++; return seen < most })
		check(t, err)
		if seen != min(most, 4) || all != (most > 4) {
			t.Errorf("%d of 4 were seen, %d were wanted, all: %v", seen, most, all)
		}
	}
	for dirs, want := range map[int]int{1: 2, 2: 3, 3: 4, 4: 4} {
		seen := 0
		all, err := Each(dir, dirs, func(int) bool { seen++; return true })
		check(t, err)
		if seen != want || all != (dirs > 2) {
			t.Errorf("%d were seen in %d directories, all: %v", seen, dirs, all)
		}
	}
	_, err := Each(dir+"/none", 0, func(int) bool { t.Error("somebody was seen nowhere"); return true })
	check(t, err)
	check(t, Kill(dir))
	check(t, AwaitEmpty(within(t), dir))
}
