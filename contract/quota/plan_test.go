package quota

import (
	"maps"
	"testing"

	"github.com/linuxzones/zones/contract"
)

func TestSettings(t *testing.T) {
	all := &contract.Project{Processes: 20, Memory: 1 << 20, Weight: 1, Percent: 150}
	none := &contract.Project{}
	for _, v := range []struct {
		p    *contract.Project
		old  bool
		want map[string]string
	}{
		{all, false, map[string]string{"pids.max": "20", "memory.max": "1048576", "cpu.weight": "1", "cpu.max": "150000 100000"}},
		{none, false, map[string]string{"pids.max": "max", "memory.max": "max", "cpu.weight": "100", "cpu.max": "max 100000"}},
		{all, true, map[string]string{"pids.max": "20", "memory.limit_in_bytes": "1048576", "cpu.shares": "10", "cpu.cfs_quota_us": "150000"}},
		{none, true, map[string]string{"pids.max": "max", "memory.limit_in_bytes": "-1", "cpu.shares": "1024", "cpu.cfs_quota_us": "-1"}},
	} {
		got := map[string]string{}
		for _, controller := range []string{pids, memory, cpu, cpuset} {
			list := settings(v.p, controller, v.old)
			for _, s := range list {
				got[s.file] = s.text
				if s.controller != controller || s.unbounded != (v.p == none) {
					t.Errorf("%+v", s)
				}
			}
			if bounds(list) != (v.p == all && controller != cpuset) {
				t.Errorf("%s: %+v", controller, list)
			}
		}
		if !maps.Equal(got, v.want) {
			t.Errorf("%+v, old %v: %q", v.p, v.old, got)
		}
	}
}

func TestOldMounts(t *testing.T) {
	const text = `24 1 0:5 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
25 1 0:6 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
26 1 0:7 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
27 1 0:7 / /other/pids rw - cgroup cgroup rw,pids
28 1 0:8 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
29 1 0:9 / /a\040b rw - cgroup cgroup rw,cpuset
30 1 0:9 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
31 1 0:10 / /x rw - tmpfs pids rw,pids
garbage
 - cgroup
`
	want := map[string]string{cpu: "/sys/fs/cgroup/cpu,cpuacct", pids: "/sys/fs/cgroup/pids"}
	if got := oldMounts(text); !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestLookElsewhere(t *testing.T) {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/", "/sys/fs/cgroupx", "/x", "", "/sys/fs/cgroup/a/../b", "/sys/fs/cgroup/a/"} {
		if _, err := Look("/sys/fs/cgroup", root); err == nil {
			t.Errorf("%q was looked at", root)
		}
	}
}

func TestContains(t *testing.T) {
	for _, v := range []struct {
		all, some string
		want      bool
	}{
		{"0-3", "0-3", true}, {"0-3,8", "2,8", true}, {"0-3", "", false}, {"0-3", "4", false}, {"0-3", "2-4", false}, {"", "0", false},
		{"0", "x", false}, {"0-999999999", "0", false}, {"3-1", "2", false},
	} {
		if got := contains(v.all, v.some); got != v.want {
			t.Errorf("%q in %q: %v", v.some, v.all, got)
		}
	}
}
