package cgroup2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMountAndOf(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	mount, err := Mount()
	check(t, err)
	var st unix.Statfs_t
	check(t, unix.Statfs(mount, &st))
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		t.Errorf("%s is no cgroup2", mount)
	}
	own, err := Own()
	check(t, err)
	b, err := os.ReadFile(filepath.Join(mount, own, "cgroup.procs"))
	check(t, err)
	if !strings.Contains("\n"+string(b), fmt.Sprintf("\n%d\n", os.Getpid())) {
		t.Errorf("this process is not in %s", own)
	}
	if _, err := Of(1 << 30); err == nil {
		t.Error("a process that there is not has a cgroup")
	}
	mounts = []string{"/proc", "/nonexistent"}
	defer func() { mounts = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} }()
	if _, err := Mount(); err != ErrNone {
		t.Errorf("a host without: %v", err)
	}
}

func TestMake(t *testing.T) {
	dir := testenv.Cgroup(t)
	for range 2 {
		check(t, Make(dir+"/a/b/c"))
	}
	if _, err := os.Stat(dir + "/a/b/c/cgroup.procs"); err != nil {
		t.Error(err)
	}
	if err := Make(dir + "/a/cgroup.procs/b"); err == nil {
		t.Error("a directory below a file was made")
	}
	if err := Make(""); err == nil {
		t.Error("a directory without a name was made")
	}
}

// Zones of one instance come and go at the same time: each makes its directories and takes
// away those above that are empty then, as a keeper does at its end.
func TestMakeWhileOthersRemove(t *testing.T) {
	dir := testenv.Cgroup(t) + "/instance"
	var wg sync.WaitGroup
	for zone := range 8 {
		wg.Go(func() {
			mine := fmt.Sprintf("%s/z%d", dir, zone)
			for range 500 {
				if err := Make(mine + "/sup"); err != nil {
					t.Error(err)
					return
				}
				if err := unix.Rmdir(mine + "/sup"); err != nil {
					t.Errorf("what was made is not there: %v", err)
					return
				}
				_ = unix.Rmdir(mine)
				_ = unix.Rmdir(dir)
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(dir); err == nil {
		t.Error("the instance's directory is left")
	}
}

// The delegatee owns what it needs, and nothing that decides about its limits or its life.
func TestDelegate(t *testing.T) {
	dir := testenv.Cgroup(t)
	const uid, gid = 1400000000, 1400000001
	check(t, Delegate(dir, uid, gid))
	entries, err := os.ReadDir(dir)
	check(t, err)
	owned := map[string]bool{"cgroup.procs": true, "cgroup.threads": true, "cgroup.subtree_control": true}
	for _, e := range entries {
		info, err := e.Info()
		check(t, err)
		st := info.Sys().(*syscall.Stat_t)
		if got := st.Uid == uid && st.Gid == gid; got != owned[e.Name()] {
			t.Errorf("%s belongs to %d:%d", e.Name(), st.Uid, st.Gid)
		}
	}
	// A process of that user makes a child and moves within, and can not kill or freeze all.
	p := born(t, dir, &syscall.Credential{Uid: uid, Gid: gid}, "/bin/sh", "-c", fmt.Sprintf(
		`mkdir %[1]s/in && echo $$ > %[1]s/in/cgroup.procs && (echo 1 > %[1]s/cgroup.kill) 2>/dev/null; (echo 1 > %[1]s/cgroup.freeze) 2>/dev/null; exit 5`, dir))
	if code := p.exit(); code != 5 {
		t.Errorf("a process of the delegatee ended with %d", code)
	}
	if _, err := os.Stat(dir + "/in"); err != nil {
		t.Error(err)
	}
	if err := Delegate(dir+"/nothing", 1, 1); err == nil {
		t.Error("nothing was delegated")
	}
}

func TestEnableAll(t *testing.T) {
	dir := testenv.Cgroup(t)
	check(t, Make(dir+"/child"))
	check(t, EnableAll(dir))
	has, err := os.ReadFile(dir + "/cgroup.controllers")
	check(t, err)
	given, err := os.ReadFile(dir + "/child/cgroup.controllers")
	check(t, err)
	for c := range strings.FieldsSeq(string(has)) {
		if c != "cpuset" && !strings.Contains(string(given), c) {
			t.Errorf("%s is not enabled in %q", c, given)
		}
	}
	if err := EnableAll(dir + "/nothing"); err == nil {
		t.Error("nothing was enabled")
	}
}

func TestEnter(t *testing.T) {
	dir := testenv.Cgroup(t)
	p := born(t, dir, nil, "/bin/sleep", "1000")
	check(t, Make(dir+"/to"))
	check(t, Enter(dir+"/to", p.pid))
	mount, err := Mount()
	check(t, err)
	if of, err := Of(p.pid); err != nil || mount+of != dir+"/to" {
		t.Errorf("the process is in %s: %v", of, err)
	}
	if err := Enter(dir+"/to", 1<<30); err == nil {
		t.Error("a process that there is not has moved")
	}
	// Nor the host's init: a supervisor that has lost its keeper takes it for its parent.
	for _, pid := range []int{1, 0, -1} {
		before, err := Of(1)
		check(t, err)
		if err := Enter(dir+"/to", pid); !errors.Is(err, unix.EINVAL) {
			t.Errorf("process %d: %v", pid, err)
		}
		if after, err := Of(1); err != nil || after != before {
			t.Fatalf("the host's init is in %s, and was in %s: %v", after, before, err)
		}
	}
	check(t, Kill(dir))
	p.exit()
}

func TestIsScope(t *testing.T) {
	for dir, want := range map[string]bool{
		"/zones.slice/zone-a-12345678.scope": true, "/zones.slice/zone-a-12345678.scope/sup": false, "/user.slice/session-1.scope": false,
		"/zones.slice/a": false, "/zones.1234/a": false, "/zones.slice": false, "/": false, "": false,
	} {
		if IsScope(dir) != want {
			t.Errorf("%q: %v", dir, !want)
		}
	}
}
