package smf

import (
	"regexp"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestBooted: the tools stand where the original has them, and the zone's own services are there.
func TestBooted(t *testing.T) {
	for brand, makeZone := range map[string]func(*testing.T) *zone{"sparse": sparse, "whole": whole} {
		t.Run(brand, func(t *testing.T) {
			t.Parallel()
			testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
			z := makeZone(t)
			for _, tool := range []string{"/usr/sbin/svccfg", "/usr/bin/svcprop", "/lib/svc/bin/svc.startd", "/lib/svc/bin/svc.configd", "/usr/bin/ctrun"} {
				z.in("test -x " + tool)
			}
			z.says("/usr/sbin/svccfg list milestone/multi-user", 0, "milestone/multi-user\n", "")
			z.says("/usr/bin/svcprop -p general/enabled milestone/multi-user:default", 0, "true\n", "")
			const snapshots = "initial\nlast-import\nrunning\nstart\n" // the last when it is up
			testenv.Eventually(t, func() bool { return z.in("svccfg -s milestone/multi-user:default listsnap") == snapshots }, "the snapshots of a milestone")
			// Each dependency on a service names one that is there.
			list := strings.Fields(z.in("svccfg list '*'"))
			have := map[string]bool{}
			for _, name := range list {
				have["svc:/"+name] = true
			}
			for _, fmri := range regexp.MustCompile(`svc:/[\w./-]+`).FindAllString(z.in("svcprop -a | grep '/entities fmri'| sed 's/.* fmri //'"), -1) {
				if !have[strings.TrimSuffix(fmri, ":default")] {
					t.Errorf("%s is depended on, and not there", fmri)
				}
			}
			if log := z.in("cat /var/svc/log/svc.startd.log"); !strings.Contains(log, "the repository is served") {
				t.Errorf("the log is %q", log)
			}
			if console := z.Must("zoneadm", "-z", z.name, "list", "-v"); !strings.Contains(console, "running") {
				t.Error(console)
			}
		})
	}
}

// TestLifeOfAService: imported, changed, refreshed, exported, upgraded, rebooted, deleted.
func TestLifeOfAService(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.put("/var/tmp/m.xml", manifest("site/m", "80"))
	z.says("svccfg import /var/tmp/m.xml", 0, "", "")
	z.says("svccfg import /var/tmp/m.xml", 0, "", "")
	z.says("svcprop -p app/port m:default", 0, "80\n", "")
	z.says("svccfg -s m setprop app/port = 81", 0, "", "")
	z.says("svcprop -p app/port m:default", 0, "80\n", "")
	z.says("svcprop -c -p app/port m:default", 0, "81\n", "")
	z.says("svccfg -s m:default refresh", 0, "", "")
	z.says("svcprop -p app/port m:default", 0, "81\n", "")
	// A new manifest does not take away what an administrator has set.
	z.put("/var/tmp/m.xml", manifest("site/m", "8080"))
	if s := z.try("svccfg import /var/tmp/m.xml"); s.exit != 0 || !strings.Contains(s.err+s.out, `Conflict upgrading svc:/site/m (property "app/port" has been customized)`) {
		t.Errorf("%v", s)
	}
	z.says("svcprop -p app/port m:default", 0, "81\n", "")
	// What cannot be is refused, and nothing of it happens.
	for command, words := range map[string]string{
		"svccfg -s m setprop app/port = count: -1":                   "Invalid \"count\" value",
		"svccfg import /etc/passwd":                                  "/etc/passwd, line 1: couldn't parse document",
		"svccfg import /nonexistent":                                 "Could not stat",
		"svccfg -s nothing listprop":                                 "Pattern 'nothing' doesn't match any instances or services",
		"printf 'select m\\nbogus\\nsetprop app/port=9\\n' | svccfg": "Unknown command \"bogus\"",
	} {
		s := z.try(command)
		if s.exit != 1 || !strings.Contains(s.err, words) {
			t.Errorf("%s: %v\nwant %q", command, s, words)
		}
	}
	export := z.in("svccfg export m")
	z.in("svccfg export m >/var/tmp/e.xml; svccfg delete -f m && svccfg import /var/tmp/e.xml")
	if again := z.in("svccfg export m"); again != export {
		t.Errorf("exported again:\n%s\nwas\n%s", again, export)
	}
	// What services are doing is not their configuration.
	const configuration = "svcprop -a | grep -v ':properties/restarter' | sort"
	before := z.in(configuration)
	z.Must("zoneadm", "-z", z.name, "reboot")
	z.imported()
	if after := z.in(configuration); after != before {
		t.Errorf("the boot has changed it:\n%s\nwas\n%s", after, before)
	}
	if n := z.in("ls /etc/svc/repository-boot-* | wc -l"); strings.TrimSpace(n) != "2" {
		t.Errorf("%s backups of two boots", n)
	}
	z.says("svccfg delete m", 0, "", "")
	z.says("svcprop m:default", 1, "", "svcprop: Pattern 'm:default' doesn't match any entities\n")
}

// TestUsers: who is not root reads, and changes what his authorizations let him.
func TestUsers(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.put("/var/tmp/m.xml", manifest("site/m", "80"))
	z.in("svccfg import /var/tmp/m.xml; chmod 755 /var/tmp; echo 'eve:x:1007:1007::/tmp:/bin/sh' >>/etc/passwd")
	as := func(command string) string { return "setpriv --reuid 1007 --regid 1007 --clear-groups " + command }
	z.says(as("svcprop -p app/port m"), 0, "80\n", "")
	denied := func(command string) {
		t.Helper()
		if s := z.try(as(command)); s.exit != 1 || !strings.Contains(strings.ToLower(s.err), "permission denied") {
			t.Errorf("%s: %v", command, s)
		}
	}
	z.put("/var/tmp/n.xml", manifest("site/n", "80"))
	for _, c := range []string{"svccfg -s m setprop app/port=1", "svccfg delete m", "svccfg add x", "svccfg import /var/tmp/n.xml", "svccfg -s m:default refresh"} {
		denied(c)
	}
	z.in("echo 'eve::::auths=test.port' >>/etc/user_attr")
	z.says(as("svccfg -s m setprop app/port=1"), 0, "", "")
	denied("svccfg delete m")
	z.says("svcprop -c -p app/port m", 0, "1\n", "")
	// What lies on the disk is not his to read.
	if s := z.try(as("cat /etc/svc/repository.db")); s.exit == 0 {
		t.Error("the repository's file can be read by everybody")
	}
}
