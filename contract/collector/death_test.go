package collector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

// Signals of its own doing that dump core are Core, with and without a file.
func TestCore(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		sig  syscall.Signal
		core bool
	}{
		{[]string{"segv"}, unix.SIGSEGV, true},
		{[]string{"ill"}, unix.SIGILL, true},
		{[]string{"abort"}, unix.SIGABRT, true},
		{[]string{"self", "3", "1"}, unix.SIGQUIT, true},
		{[]string{"self", "11", "1"}, unix.SIGSEGV, true},
		{[]string{"self", "24", "1"}, unix.SIGXCPU, true},
		{[]string{"self", "31", "1"}, unix.SIGSYS, true},
		{[]string{"self", "15", "1"}, unix.SIGTERM, false},
		{[]string{"self", "13", "1"}, unix.SIGPIPE, false},
		{[]string{"self", "40", "1"}, 40, false},
		{[]string{"exit", "11"}, -1, false},
		{[]string{"exit", "139"}, -1, false},
	} {
		k := r.zone.contract()
		path, err := work()
		check(t, err)
		// A core file, where the host writes one, is written to a directory of the test's.
		cmd := exec.Command(path, c.args...)
		cmd.Dir = dir
		m := start(t, k.dir+"/d", nil, cmd)
		status := m.wait()
		if status.Signal() != c.sig {
			t.Fatalf("%v: ended with %#x", c.args, status)
		}
		why := told(t, r.zone.empty(k), m, status)
		if c.core != (why != nil) || why != nil && why.Kind != collector.Core {
			t.Errorf("%v: told as %+v", c.args, why)
		}
	}
}

// Memory that failed kills with a bus error of two codes, and no other code is one.
func TestHardwareError(t *testing.T) {
	r := newRig(t)
	for code, kind := range map[string]collector.Kind{"4": collector.Hwerr, "5": collector.Hwerr, "1": collector.Core, "0": collector.Core} {
		k := r.zone.contract()
		m := k.run("mceerr", code)
		status := m.wait()
		if status.Signal() != unix.SIGBUS {
			t.Fatalf("ended with %#x", status)
		}
		if why := told(t, r.zone.empty(k), m, status); why == nil || why.Kind != kind {
			t.Errorf("code %s: told as %+v", code, why)
		}
	}
	// The kernel's own, where it can be had.
	k := r.zone.contract()
	m := k.run("poison")
	word, _ := m.out.ReadString('\n')
	m.release()
	status := m.wait()
	why := told(t, r.zone.empty(k), m, status)
	if strings.HasPrefix(word, "none") {
		t.Logf("this kernel declares no memory failed: %s", strings.TrimSpace(word))
	} else if why == nil || why.Kind != collector.Hwerr {
		t.Errorf("told as %+v", why)
	}
}

// shortOfMemory gives the cgroup that a contract's member joins to have little memory: the
// contract's own where cgroup2 has the controller, else one of the old hierarchy.
func (k *ct) shortOfMemory(bytes int) string {
	t := k.zone.rig.t
	t.Helper()
	limit := []byte(strconv.Itoa(bytes))
	if testenv.Has(testenv.PureCgroup2) {
		mount, err := testenv.Cgroup2Mount()
		check(t, err)
		for _, dir := range []string{mount, k.zone.rig.base, k.zone.dir, k.zone.dir + "/ct"} {
			check(t, os.WriteFile(dir+"/cgroup.subtree_control", []byte("+memory"), 0))
		}
		check(t, os.WriteFile(k.dir+"/memory.max", limit, 0))
		return k.dir + "/d"
	}
	dir, err := os.MkdirTemp("/sys/fs/cgroup/memory", "zones-test-*"+testenv.Tag())
	check(t, err)
	t.Cleanup(func() {
		testenv.Eventually(t, func() bool { return os.Remove(dir) == nil }, "the cgroup to be removed")
	})
	check(t, os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), limit, 0))
	return dir
}

// The OOM killer's work is told as its own.
func TestOOM(t *testing.T) {
	r := newRig(t)
	for range 5 {
		k := r.zone.contract()
		m := k.run("eat", k.shortOfMemory(16<<20))
		status := m.wait()
		if status.Signal() != unix.SIGKILL {
			t.Fatalf("ended with %#x", status)
		}
		why := told(t, r.zone.empty(k), m, status)
		want := collector.Sender{Kind: collector.FromOOM}
		if why == nil || why.Kind != collector.Signal || why.Sender != want {
			t.Errorf("told as %+v", why)
		}
		if n, _ := r.Counts(k.id); n.Killer != want || n.Sig != 9 {
			t.Errorf("%+v", n)
		}
	}
}
