package attack

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// restless: a zone whose init does nothing but boot the zone again. It is held up, longer each time;
// another zone is used meanwhile, the host halts the restless one when it likes, and it stays halted.
func restless(t *testing.T) {
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "r", "create -b; set brand=linux; set zonepath="+z.ZonePath("r"))
	z.Must("zoneadm", "-z", "r", "install", "-d", testenv.BusyboxRoot(t))
	must(t, os.RemoveAll(inside(z, "r", "/sbin/init")))
	must(t, os.MkdirAll(inside(z, "r", "/sbin"), 0o755))
	must(t, os.WriteFile(inside(z, "r", "/sbin/init"), []byte("#!/bin/busybox sh\nexec /bin/busybox reboot -f\n"), 0o755))
	booted(t, z, "other")
	boot(t, z, "r")
	log := func() string {
		b, _ := os.ReadFile(filepath.Join(z.Log, "r.log"))
		return string(b)
	}
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool { return strings.Contains(log(), "it is booted again after 4s") }, "the zone to boot itself again and again")
	for _, delay := range []string{"1s", "2s"} {
		if n := strings.Count(log(), "it is booted again after "+delay); n != 1 {
			t.Errorf("it was held up for %s %d times:\n%s", delay, n, log())
		}
	}
	if s := zlogin(t, z, "other", "echo in"); s.exit != 0 || s.out != "in\n" {
		t.Errorf("the other zone: %v", s)
	}
	// It waits for its next boot: that is what is called off.
	calledOff := regexp.MustCompile(`^(zoneadm: zone 'r': the restart that was due in [0-4]s is cancelled\nzoneadm: zone 'r': zone is already halted\n)?$`)
	if out, errs, exit := z.Zoneadm("-z", "r", "halt"); exit != 0 || out != "" || !calledOff.MatchString(errs) {
		t.Errorf("halt: %v", said{out, errs, exit})
	}
	last := z.Status("r")
	if last.State == "running" || last.Init.Pid != 0 {
		t.Errorf("halted, it is %+v", last)
	}
	halted(t, z, "other")
	if now := z.Status("r"); now.State == "running" || now.Init.Pid != 0 {
		t.Errorf("the halted zone has booted itself: %+v", now)
	}
}
