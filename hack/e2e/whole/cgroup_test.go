package whole

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestCgroup: the directory of init is the zone's, what is above and beside is not.
func TestCgroup(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2)
	z := testenv.Instance(t)
	sparseZone(t, z, "a")
	sparseZone(t, z, "b")
	own := ""
	for line := range strings.Lines(inZone(t, z, "a", "cat /proc/1/cgroup")) {
		if path, unified := strings.CutPrefix(line, "0::"); unified {
			own = strings.TrimSpace(path)
		}
	}
	if !regexp.MustCompile(`^/ct/[1-9][0-9]*/d$`).MatchString(own) {
		t.Fatalf("init sees itself in %q", own)
	}
	dir := "/sys/fs/cgroup" + own
	// A service's directory is open to the zone for the moment of a birth.
	z.ServicesUp("a")
	// Below its own directory the zone's root does as it likes.
	inZone(t, z, "a", "cd "+dir+" && mkdir -p x/y && ls x/y/cgroup.procs && rmdir x/y x")
	got := inZone(t, z, "a", as("writable", "/sys/fs/cgroup"))
	for line := range strings.Lines(got) {
		name := strings.TrimSpace(line)
		base := filepath.Base(name)
		if name != dir+"/" && (filepath.Dir(name) != dir || base != "cgroup.procs" && base != "cgroup.threads" && base != "cgroup.subtree_control") {
			t.Errorf("the zone can write %s", name)
		}
	}
	if !strings.Contains(got, dir+"/\n") || !strings.Contains(got, dir+"/cgroup.procs\n") {
		t.Errorf("the zone can not use its own directory: %q", got)
	}
	// Its own limits, its siblings and what is above are the host's.
	for _, c := range []string{
		"echo max >/sys/fs/cgroup/cgroup.max.descendants", "echo 1 >/sys/fs/cgroup/cgroup.kill", "echo 1 >/sys/fs/cgroup/cgroup.freeze",
		"echo 1 >" + dir + "/cgroup.kill", "echo 1 >" + dir + "/cgroup.freeze", "echo 0 >/sys/fs/cgroup/cgroup.procs",
		"mkdir /sys/fs/cgroup/x", "mkdir /sys/fs/cgroup/ct/x", "mkdir /sys/fs/cgroup/admin/x", "mkdir " + filepath.Dir(dir) + "/x",
		"echo 0 >" + filepath.Dir(dir) + "/cgroup.procs", "d=$(ls -d /sys/fs/cgroup/admin/l* | head -n 1); echo 1 >$d/cgroup.procs",
	} {
		if s := zlogin(t, z, "a", c); s.exit == 0 {
			t.Errorf("%s succeeded: %v", c, s)
		}
	}
	// The other zone's tree is not below the same root at all.
	if got := inZone(t, z, "a", "find /sys/fs/cgroup -name '*.*' -prune -o -type d -print | sort | head -n 20"); strings.Contains(got, "zones") || strings.Contains(got, "/b") {
		t.Errorf("the zone sees %s", got)
	}
	mount, err := testenv.Cgroup2Mount()
	must(t, err)
	if state, err := os.ReadFile(filepath.Join(mount, z.Cgroup("b"), "cgroup.procs")); err != nil || !strings.Contains(string(state), strconv.Itoa(z.Status("b").Init.Pid)) {
		t.Errorf("zone b's init is not where it was: %q %v", state, err)
	}
	silent(t, z, "a", "halt")
}
