package main

import (
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// sleeping is a service of one process, for which nothing is enabled yet.
const sleeping = `svccfg -f - <<EOF
add site/sleeper
select site/sleeper
addpg start method
setprop start/type = astring: method
setprop start/exec = astring: "sleep 98764 >/dev/null 2>&1 &"
setprop start/timeout_seconds = count: 30
addpg stop method
setprop stop/type = astring: method
setprop stop/exec = astring: ":kill"
setprop stop/timeout_seconds = count: 30
add default
select default
addpg general framework
setprop general/enabled = boolean: false
setprop general/action_authorization = astring: site.sleeper
EOF
svcadm refresh site/sleeper:default`

// needing has it depend on a file that is not there.
const needing = `svccfg -f - <<EOF
select sleeper:default
addpg file dependency
setprop file/grouping = astring: require_all
setprop file/restart_on = astring: none
setprop file/type = astring: path
setprop file/entities = fmri: file:///etc/not-there
refresh
EOF`

// TestSvcadmInZone: svcadm asks, and svc.startd does it, in a zone and from the host, by root and by a
// user who may.
func TestSvcadmInZone(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse, testenv.UserNS)
	z := testenv.Instance(t)
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	says := func(command, out, errs string, code int) {
		t.Helper()
		o, e, c := z.Zlogin("web", command)
		if o != out || e != errs || c != code {
			t.Errorf("%s: %d %q %q", command, c, o, e)
		}
	}
	in := func(command string) string {
		t.Helper()
		out, errs, code := z.Zlogin("web", command)
		if code != 0 || errs != "" {
			t.Fatalf("%s: %d %s%s", command, code, out, errs)
		}
		return out
	}
	testenv.Eventually(t, func() bool {
		_, _, code := z.Zlogin("web", "test -e /etc/svc/volatile/.startd-late-import")
		return code == 0
	}, "the imports of the boot")
	in(sleeping)
	const name, sleepers = "svc:/site/sleeper:default", "pgrep -fx 'sleep 98764'"
	state := func(want string) {
		t.Helper()
		testenv.Eventually(t, func() bool { return in("svcprop -p restarter/state sleeper") == want+"\n" }, "state "+want)
	}
	if out := in("ls -l /usr/sbin/svcadm"); !strings.HasSuffix(out, "-> /lib/svc/bin/svcadm\n") {
		t.Error(out)
	}
	says("svcadm -v enable -s sleeper", name+" enabled.\n", "", 0)
	first := in(sleepers)
	in("svcadm restart sleeper")
	testenv.Eventually(t, func() bool {
		out, _, code := z.Zlogin("web", sleepers)
		return code == 0 && out != first
	}, "another process")
	state("online")
	in("svcadm mark maintenance sleeper")
	state("maintenance")
	says("svcadm enable -s sleeper", "", "svcadm: Instance \""+name+"\" is in maintenance state.\n", 3)
	says("svcadm clear sleeper; svcadm enable -s sleeper", "", "", 0)
	// Others may when they have the authorization that the instance names.
	const user = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	says(user+"svcadm disable -s sleeper", "", "svcadm: "+name+": Permission denied.\n", 1)
	in("echo 'nobody::::auths=site.sleeper' >>/etc/user_attr")
	says(user+"svcadm -v disable -st -c 'not now' sleeper", name+" temporarily disabled.\n", "", 0)
	if out, _, code := z.Zlogin("web", sleepers); code == 0 {
		t.Errorf("left is %s", out)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{name + " enabled.\n", []string{"-v", "-z", "web", "enable", "-s", "sleeper"}},
		{"Action refresh set for " + name + ".\n", []string{"-vZ", "refresh", "sleeper"}},
		{name + " disabled.\n", []string{"-v", "-z", "web", "disable", "-s", "sleeper"}},
	} {
		if out, err := z.Cmd("svcadm", c.args...).CombinedOutput(); err != nil || string(out) != c.want {
			t.Errorf("%q: %v %s", c.args, err, out)
		}
	}
	state("disabled")
	in(needing)
	says("svcadm enable -s sleeper", "", "svcadm: Instance \""+name+"\" has unsatisfied dependencies: file:///etc/not-there is not there.\n", 4)
	in("touch /etc/not-there")
	says("svcadm enable -s sleeper", "", "", 0)
}
