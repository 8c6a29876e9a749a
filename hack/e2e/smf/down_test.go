package smf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// slow is a service whose stop takes a while, and writes its beginning and its end down.
func slow(name string, needs ...string) service {
	base := filepath.Base(name)
	return service{
		name: name, duration: "transient", start: ":true", timeout: 60, needs: needs, restartOn: "restart",
		stop: fmt.Sprintf("/bin/sh -c &quot;echo %[1]s{ &gt;&gt;/var/tmp/order; sleep 0.3; echo }%[1]s &gt;&gt;/var/tmp/order&quot;", base),
	}
}

// order is what slow services have written down, read from the host.
func (z *zone) order() string {
	z.t.Helper()
	b, err := os.ReadFile(filepath.Join(z.ZonePath(z.name), "root/var/tmp/order"))
	if err != nil && !os.IsNotExist(err) {
		z.t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

const downOrder = "c{ }c b{ }b a{ }a"

// TestServicesStopInOrder: a zone that is shut down or rebooted stops its services, users before
// what they use, once each, whatever happens to svc.startd meanwhile; and what was enabled comes up
// at the next boot.
func TestServicesStopInOrder(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.add(slow("site/a"), slow("site/b", "svc:/site/a"), slow("site/c", "svc:/site/b"), daemon("site/d"))
	up := func() {
		t.Helper()
		z.imported()
		z.state("site/c:default", "online")
		z.state("site/d:default", "online")
	}
	up()
	z.Must("zoneadm", "-z", z.name, "shutdown")
	if got := z.order(); got != downOrder {
		t.Errorf("shut down: %q", got)
	}
	z.Must("zoneadm", "-z", z.name, "boot")
	up()
	for round, kills := range []int{0, 1, 4} {
		z.in("rm /var/tmp/order; : >/run/this-boot")
		z.try("init 6")
		for range kills {
			testenv.Eventually(t, func() bool { return strings.Contains(z.order(), "c{") }, "the stops to begin")
			z.try("test -e /run/this-boot && kill -9 $(pgrep -o svc.startd)")
			time.Sleep(150 * time.Millisecond)
		}
		testenv.Eventually(t, func() bool { return z.try("test ! -e /run/this-boot && pgrep svc.startd").exit == 0 }, "the next boot")
		up()
		if got := z.order(); got != downOrder {
			t.Errorf("reboot %d, svc.startd killed %d times: %q", round, kills, got)
		}
	}
	if n := z.starts("site/d"); n != 5 {
		t.Errorf("site/d was started %d times in 5 boots", n)
	}
}

// TestServiceThatDoesNotStop: a stop method that never ends does not keep the zone up beyond its
// limit, and what comes after it is ended too.
func TestServiceThatDoesNotStop(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := &zone{testenv.Instance(t), t, "a"}
	z.Sparse(z.name, "add attr; set name=shutdown-timeout; set type=uint; set value=20; end")
	z.boot()
	stuck := slow("site/stuck")
	stuck.stop, stuck.timeout = "/bin/sh -c &quot;echo stuck &gt;&gt;/var/tmp/order; exec sleep 100000&quot;", 0
	z.add(stuck, daemon("site/d"))
	z.state("site/stuck:default", "online")
	z.state("site/d:default", "online")
	if s := z.host("zoneadm", "-z", z.name, "shutdown"); s != (said{}) {
		t.Errorf("shutdown: %v", s)
	}
	if got := z.order(); got != "stuck" {
		t.Errorf("%q", got)
	}
	if s := z.host("zoneadm", "-z", z.name, "list", "-p"); !strings.Contains(s.out, ":a:installed:") {
		t.Errorf("%v", s)
	}
}
