package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// grafted: a zone that shares a directory for writing puts a link to the host in the place of a
// directory in it, below which lies what another zone, or the same at its next boot, is to be given.
// What the link leads to is given to nobody.
func grafted(t *testing.T) {
	z := testenv.Instance(t)
	shared, victim := filepath.Join(z.Root, "shared"), filepath.Join(z.Root, "victim")
	for _, d := range []string{filepath.Join(shared, "web/log"), filepath.Join(victim, "log")} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(victim, "log/sentinel"), []byte("the host's\n"), 0o600))
	share := func(dir, special string, options ...string) string {
		return "add fs; set dir=" + dir + "; set special=" + special + "; set type=lofs; " + strings.Join(append(options, "end"), "; ")
	}
	z.Sparse("a", share("/srv/shared", shared), share("/srv/log", shared+"/web/log"))
	z.Sparse("b", share("/srv/log", shared+"/web/log", "add options ro"))
	boot(t, z, "a")
	boot(t, z, "b") // as it is meant to be
	if s := zlogin(t, z, "b", "ls /srv/log"); s.exit != 0 || s.out != "" {
		t.Errorf("what is shared: %v", s)
	}
	halted(t, z, "b")
	before := testenv.HashTree(t, victim)
	z.In("a", "cd /srv/shared && mv web away && ln -s "+victim+" web")
	halted(t, z, "a")
	for _, zone := range []string{"a", "b"} {
		out, errs, exit := z.Zoneadm("-z", zone, "boot")
		if exit != 1 || !strings.Contains(errs, shared+"/web/log") || !strings.Contains(errs, "link") {
			t.Errorf("boot of %s: %v\nwant a refusal that names the link", zone, said{out, errs, exit})
		}
		if z.Status(zone).State == "running" {
			got := zlogin(t, z, zone, "cat /srv/log/sentinel; touch /srv/log/was-here").out
			t.Errorf("zone %s runs, and reads of the host %q", zone, got)
			halted(t, z, zone)
		}
	}
	for _, line := range before.Diff(testenv.HashTree(t, victim)) {
		t.Errorf("the host was changed: %s", line)
	}
}

// moved: the same with a zone's own root: its zonepath lies in what another zone writes to.
func moved(t *testing.T) {
	z := testenv.Instance(t)
	shared, victim := filepath.Join(z.Root, "shared"), filepath.Join(z.Root, "victim")
	must(t, os.MkdirAll(filepath.Join(victim, "root"), 0o700))
	must(t, os.MkdirAll(shared, 0o755))
	z.Sparse("a", "add fs", "set dir=/srv/shared", "set special="+shared, "set type=lofs", "end")
	z.Must("zonecfg", "-z", "b", "create; set brand=sparse; set zonepath="+shared+"/b")
	z.Must("zoneadm", "-z", "b", "install")
	boot(t, z, "a")
	before := testenv.HashTree(t, victim)
	z.In("a", "cd /srv/shared && mv b away && ln -s "+victim+" b")
	out, errs, exit := z.Zoneadm("-z", "b", "boot")
	if exit != 1 || !strings.Contains(errs, "link") {
		t.Errorf("boot: %v", said{out, errs, exit})
	}
	for _, line := range before.Diff(testenv.HashTree(t, victim)) {
		t.Errorf("the host was changed: %s", line)
	}
	z.In("a", "cd /srv/shared && rm b && mv away b")
	boot(t, z, "b")
	halted(t, z, "b")
	halted(t, z, "a")
}
