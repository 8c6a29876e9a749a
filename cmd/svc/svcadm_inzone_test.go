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

// others are a service whose start method asks something of the first, and one that takes its time to
// start.
const others = `svccfg -f - <<EOF
add site/caller
select site/caller
addpg startd framework
setprop startd/duration = astring: transient
addpg start method
setprop start/type = astring: method
setprop start/exec = astring: "svcadm mark maintenance sleeper"
setprop start/timeout_seconds = count: 30
add default
select default
addpg general framework
setprop general/enabled = boolean: false
EOF
svccfg -f - <<EOF
add site/slow
select site/slow
addpg startd framework
setprop startd/duration = astring: transient
addpg start method
setprop start/type = astring: method
setprop start/exec = astring: "sleep 3"
setprop start/timeout_seconds = count: 30
add default
select default
addpg general framework
setprop general/enabled = boolean: false
EOF`

// administered is a zone with the services above.
type administered struct {
	*testenv.Zones
	t *testing.T
}

func newAdministered(t *testing.T) *administered {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse, testenv.UserNS)
	z := &administered{testenv.Instance(t), t}
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	z.ServicesUp("web")
	z.in(sleeping)
	return z
}

// says runs a command in the zone, and holds what it says against what it should.
func (z *administered) says(command, out, errs string, code int) {
	z.t.Helper()
	o, e, c := z.Zlogin("web", command)
	if o != out || e != errs || c != code {
		z.t.Errorf("%s: %d %q %q", command, c, o, e)
	}
}

// in runs one that has to succeed.
func (z *administered) in(command string) string {
	z.t.Helper()
	out, errs, code := z.Zlogin("web", command)
	if code != 0 || errs != "" {
		z.t.Fatalf("%s: %d %s%s", command, code, out, errs)
	}
	return out
}

// state waits until the first service is in a state.
func (z *administered) state(want string) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return z.in("svcprop -p restarter/state sleeper") == want+"\n" }, "state "+want)
}

const (
	sleeperFMRI = "svc:/site/sleeper:default"
	// sleepers are its processes.
	sleepers = "pgrep -fx 'sleep 98764'"
)

// TestSvcadmInZone: svcadm asks, and svc.startd does it, in a zone and from the host, by root and by a
// user who may.
func TestSvcadmInZone(t *testing.T) {
	z := newAdministered(t)
	if out := z.in("ls -l /usr/sbin/svcadm"); !strings.HasSuffix(out, "-> /lib/svc/bin/svcadm\n") {
		t.Error(out)
	}
	z.says("svcadm -v enable -s sleeper", sleeperFMRI+" enabled.\n", "", 0)
	// Its method has ended, and what that has forked may not be a sleep yet.
	first := ""
	testenv.Eventually(t, func() bool {
		out, _, code := z.Zlogin("web", sleepers)
		first = out
		return code == 0
	}, "its process")
	z.in("svcadm restart sleeper")
	testenv.Eventually(t, func() bool {
		out, _, code := z.Zlogin("web", sleepers)
		return code == 0 && out != first
	}, "another process")
	z.state("online")
	z.in("svcadm mark maintenance sleeper")
	z.state("maintenance")
	z.says("svcadm enable -s sleeper", "", "svcadm: Instance \""+sleeperFMRI+"\" is in maintenance state.\n", 3)
	z.says("svcadm clear sleeper; svcadm enable -s sleeper", "", "", 0)
	// Others may when they have the authorization that the instance names.
	const user = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	z.says(user+"svcadm disable -s sleeper", "", "svcadm: "+sleeperFMRI+": Permission denied.\n", 1)
	z.in("echo 'nobody::::auths=site.sleeper' >>/etc/user_attr")
	z.says(user+"svcadm -v disable -st -c 'not now' sleeper", sleeperFMRI+" temporarily disabled.\n", "", 0)
	if out, _, code := z.Zlogin("web", sleepers); code == 0 {
		t.Errorf("left is %s", out)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{sleeperFMRI + " enabled.\n", []string{"-v", "-z", "web", "enable", "-s", "sleeper"}},
		{"Action refresh set for " + sleeperFMRI + ".\n", []string{"-vZ", "refresh", "sleeper"}},
		{sleeperFMRI + " disabled.\n", []string{"-v", "-z", "web", "disable", "-s", "sleeper"}},
	} {
		if out, err := z.Cmd("svcadm", c.args...).CombinedOutput(); err != nil || string(out) != c.want {
			t.Errorf("%q: %v %s", c.args, err, out)
		}
	}
	z.state("disabled")
}

// TestSvcadmWaits: for a file that is not there, for what a service has asked, and while svc.startd is
// killed.
func TestSvcadmWaits(t *testing.T) {
	z := newAdministered(t)
	z.in(needing)
	z.says("svcadm enable -s sleeper", "", "svcadm: Instance \""+sleeperFMRI+"\" has unsatisfied dependencies: file:///etc/not-there is not there.\n", 4)
	z.in("touch /etc/not-there")
	z.says("svcadm enable -s sleeper", "", "", 0)
	// A service asks: it is told of by its name.
	z.in(others)
	z.says("svcadm enable -s caller </dev/null", "", "", 0)
	z.state("maintenance")
	if out := z.in("svcprop -p restarter/auxiliary_state -p restarter/auxiliary_fmri sleeper"); out != "service_request\nsvc:/site/caller:default\n" {
		t.Errorf("%q", out)
	}
	// svc.startd is killed while it is waited for.
	z.says("(sleep 1; kill -9 $(pidof svc.startd)) & svcadm enable -s slow; s=$?; wait; exit $s", "", "", 0)
	if out := z.in("svcprop -p restarter/state slow"); out != "online\n" {
		t.Error(out)
	}
}
