package contract

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestCgroupMounts(t *testing.T) {
	got := cgroupMounts(`22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
38 31 0:35 / /sys/fs/cgroup/unified rw,relatime shared:4 master:3 - cgroup2 cgroup2 rw,nsdelegate
39 31 0:35 /a/b /mnt/with\040blank\134 rw - cgroup2 none rw
40 31 0:35 /../.. /out rw - cgroup2 none rw
41 - cgroup2
42 31 0:35 / /last rw - cgroup2`)
	want := []cgroupMount{{"/sys/fs/cgroup/unified", "/"}, {`/mnt/with blank\`, "/a/b"}, {"/out", "/../.."}, {"/last", "/"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	for _, c := range []struct {
		m          cgroupMount
		path, want string
	}{
		{want[0], "/", "/sys/fs/cgroup/unified/"}, {want[0], "/ct/5/d", "/sys/fs/cgroup/unified/ct/5/d"},
		{want[1], "/a/b/c", `/mnt/with blank\/c`}, {want[1], "/a/b", `/mnt/with blank\`}, {want[1], "/a/bc", ""}, {want[1], "/a", ""},
		{want[2], "/../../x", "/out/x"}, {want[2], "/x", ""},
	} {
		if got, ok := c.m.below(c.path); got != c.want || ok != (c.want != "") {
			t.Errorf("%s through %v: %q, %v", c.path, c.m, got, ok)
		}
	}
}

func TestOpenCgroup(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	own, err := cgroup2.Own()
	if err != nil {
		t.Fatal(err)
	}
	var p cgroupPlace
	good := func(what string) {
		t.Helper()
		fd, err := p.open(own)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer fd.Close()
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd.Int(), &st); err != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
			t.Errorf("%s: %x, %v", what, st.Type, err)
		}
	}
	good("at first")
	if p.mount == nil {
		t.Error("the place is not remembered")
	}
	good("again")
	if _, err := p.open("/no/such/directory"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a directory that is not there: %v", err)
	}
	good("after one that is not there")
	// What was right once and is not any more: nothing is there, or something else is.
	for _, m := range []cgroupMount{{"/no/such/mount", "/"}, {"/proc", own}, {"/no/such/mount", "/not/ours"}} {
		p.mount = &m
		good("remembered wrongly as " + m.at)
		if p.mount == nil || *p.mount == m {
			t.Errorf("%v is still remembered", m)
		}
	}
}

// TestOpenCgroupAtOnce: several births look for their directories at once.
func TestOpenCgroupAtOnce(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	own, err := cgroup2.Own()
	if err != nil {
		t.Fatal(err)
	}
	var p cgroupPlace
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for i := range 50 {
				path := own
				if wrong := (n+i)%3 == 0; wrong {
					path = "/no/such/directory"
				}
				switch fd, err := p.open(path); {
				case path == own && err != nil:
					t.Error(err)
				case path != own && !errors.Is(err, unix.ENOENT):
					t.Errorf("a directory that is not there: %v", err)
				case err == nil:
					fd.Close()
				}
			}
		})
	}
	group.Wait()
}
