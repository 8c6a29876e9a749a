package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstanceOfTheRealPrograms: the fixtures and the programs agree on files and words.
func TestInstanceOfTheRealPrograms(t *testing.T) {
	z := Instance(t)
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	s := z.AwaitState("web", "running")
	if s.Init.Pid == 0 || s.Zoned.Pid == 0 || s.Zsched.Pid == 0 {
		t.Errorf("the status of a running zone is %+v", s)
	}
	if s.Zoned.Pid != z.PID("web", "zoned") || s.Zsched.Pid != z.PID("web", "zsched") {
		t.Errorf("pid files say zoned %d, zsched %d; the status says %+v", z.PID("web", "zoned"), z.PID("web", "zsched"), s)
	}
	if cgroup := z.Cgroup("web"); !strings.Contains(cgroup, z.Tag()) {
		t.Errorf("init's cgroup %s does not carry the tag %s", cgroup, z.Tag())
	}
	left := strings.Join(z.Leftovers(), "\n")
	for _, want := range []string{"zoned", "zsched", "cgroup "} {
		if !strings.Contains(left, want) {
			t.Errorf("of a running zone, %s is not attributed to the instance:\n%s", want, left)
		}
	}
	killed := z.KillZoned("web")
	Eventually(t, func() bool { pid := z.PID("web", "zoned"); return pid != 0 && pid != killed }, "another zoned")
	if again := z.Status("web"); again.Init != s.Init {
		t.Errorf("init was %+v and is %+v", s.Init, again.Init)
	}
	z.Must("zoneadm", "-z", "web", "halt")
	Eventually(t, func() bool { return len(z.Leftovers()) == 0 }, "nothing to be left after halt")
}

// TestBuild: the programs and the in-zone tree are where the rest expects them.
func TestBuild(t *testing.T) {
	dir := Build(t)
	for _, name := range []string{
		"zoneadm", "zonecfg", "zlogin", "zoned", "zsched", "zrun",
		"inzone/svc/bin/init", "inzone/svc/bin/halt", "inzone/svc/bin/zonename",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s is no program: %v", name, err)
		}
	}
	for _, name := range []string{"usr/sbin/init", "usr/sbin/reboot", "usr/bin/zonename"} {
		want := "/lib/svc/bin/" + filepath.Base(name)
		if target, err := os.Readlink(filepath.Join(dir, "inzone/layer", name)); target != want {
			t.Errorf("layer/%s leads to %q, not %s: %v", name, target, want, err)
		}
	}
}
