package main

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestSupervisorDirs(t *testing.T) {
	for in, want := range map[string][]string{
		"0::/zones/web/sup\n":                      {"/zones/web/sup", "/zones/web", "/zones"},
		"4:memory:/\n0::/zones.00c0ffee/web/sup\n": {"/zones.00c0ffee/web/sup", "/zones.00c0ffee/web", "/zones.00c0ffee"},
		"0::/zones.slice/zone-web-1.scope/sup\n":   nil,
		"0::/user.slice/web/sup\n":                 nil,
		"0::/zones/web\n":                          nil,
		"0::/\n":                                   nil,
		"0::/zones.slice/web/sup\n":                nil,
		"0::/zones.a/b/web/sup\n":                  nil,
		"0::/sup\n":                                nil,
		"1:name=systemd:/zones/web/sup\n":          nil,
		"":                                         nil,
	} {
		if got := supervisorDirs(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func (i *instance) cgroup(t *testing.T, path string) string {
	t.Helper()
	mount, err := cgroup2.Mount()
	check(t, err)
	return mount + "/zones" + i.lay.Tag() + path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Nothing of a zone's cgroup is left, and of the instance's behind the last zone.
func TestCgroupIsLeft(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	i := newInstance(t, "place", "serve")
	t.Cleanup(func() { _ = cgroup2.Remove(i.cgroup(t, "")) })
	web, mail := i.serving("web"), i.serving("mail")
	own, err := cgroup2.Of(web.cmd.Process.Pid)
	if err != nil || own != "/zones"+i.lay.Tag()+"/web/sup" {
		t.Fatalf("it is in %s: %v", own, err)
	}
	// Something of the other zone stays: what is in use is left alone.
	check(t, cgroup2.Make(i.cgroup(t, "/mail/g1")))
	web.leave()
	mail.leave()
	if exists(i.cgroup(t, "/web")) || exists(i.cgroup(t, "/mail/sup")) || !exists(i.cgroup(t, "/mail/g1")) {
		t.Error("what was the keeper's is there, or what was not is gone")
	}
	check(t, cgroup2.Remove(i.cgroup(t, "/mail/g1")))
	i.serving("mail").leave()
	if exists(i.cgroup(t, "")) {
		t.Error("the instance's directory is left behind its last zone")
	}
}

// Zones of one instance come and go: whoever makes directories finds or makes those above.
func TestCgroupsOfManyZones(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	i := newInstance(t, "place", "exit 3")
	t.Cleanup(func() { _ = cgroup2.Remove(i.cgroup(t, "")) })
	for range 10 {
		var all []*zsched
		for n := range 6 {
			all = append(all, i.command("z"+strconv.Itoa(n)).start())
		}
		for _, z := range all {
			if code := z.wait(); code != 3 || z.words() != "" {
				t.Errorf("%s ended with %d and said %q", z.zone, code, z.words())
			}
		}
	}
	if exists(i.cgroup(t, "")) {
		t.Error("the instance's directory is left")
	}
}

func TestSupervisor(t *testing.T) {
	for zone, want := range map[string]string{"web": "zoned", "global": "contractd", "globe": "zoned"} {
		if got := supervisor(zone); got != want {
			t.Errorf("%s: %s", zone, got)
		}
	}
}
