package attack

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// restless: a zone whose init does nothing but boot the zone again. Another zone is used meanwhile,
// the host halts the restless one when it likes, and it stays halted.
func restless(t *testing.T) {
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "r", "create -b; set brand=linux; set zonepath="+z.ZonePath("r"))
	z.Must("zoneadm", "-z", "r", "install", "-d", testenv.BusyboxRoot(t))
	must(t, os.RemoveAll(inside(z, "r", "/sbin/init")))
	must(t, os.MkdirAll(inside(z, "r", "/sbin"), 0o755))
	must(t, os.WriteFile(inside(z, "r", "/sbin/init"), []byte("#!/bin/busybox sh\nexec /bin/busybox reboot -f\n"), 0o755))
	booted(t, z, "other")
	boot(t, z, "r")
	first := z.Status("r").ID
	testenv.Eventually(t, func() bool { return z.Status("r").ID >= first+5 }, "the zone to boot itself again and again")
	if s := zlogin(t, z, "other", "echo in"); s.exit != 0 || s.out != "in\n" {
		t.Errorf("the other zone: %v", s)
	}
	halted(t, z, "r")
	last := z.Status("r")
	if last.State == "running" || last.Init.Pid != 0 {
		t.Errorf("halted, it is %+v", last)
	}
	halted(t, z, "other")
	if now := z.Status("r"); now.State == "running" || now.Init.Pid != 0 {
		t.Errorf("the halted zone has booted itself: %+v", now)
	}
}
