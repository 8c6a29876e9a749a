package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// sleeper is a command line that nobody else has.
const sleeper = "sleep 98766"

// contractOf waits for the contract of a zone in which the command runs, and the host's number of
// its process.
func contractOf(t *testing.T, z *testenv.Zones, zone, command string) (id, pid int) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		out, err := z.Cmd("ctstat", "-z", zone, "-o", "json").Output()
		var list []struct {
			CTID    int   `json:"ctid"`
			Members []int `json:"members"`
		}
		if err != nil || json.Unmarshal(out, &list) != nil {
			return false
		}
		for _, c := range list {
			for _, m := range c.Members {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m))
				if strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ") == command {
					id, pid = c.CTID, m
				}
			}
		}
		return id != 0
	}, command)
	return id, pid
}

// watched is a zone with a service that is online with a contract, in which a command runs. It is
// looked after by nobody that there is, so that svc.startd leaves its state alone.
type watched struct {
	*testenv.Zones
	t       *testing.T
	id, pid int // of the contract, and of its process on the host
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse, testenv.UserNS)
	z := &watched{Zones: testenv.Instance(t), t: t}
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	z.ServicesUp("web")
	z.in("(ctrun -l none " + sleeper + " >/dev/null 2>&1 &)")
	z.id, z.pid = contractOf(t, z.Zones, "web", sleeper)
	z.in(`svccfg -f - <<EOF
add site/x
select site/x
add y
select y
addpg general framework
setprop general/restarter = fmri: svc:/site/other:default
addpg restarter framework P
setprop restarter/state = astring: online
setprop restarter/next_state = astring: none
setprop restarter/state_timestamp = time: 1000000000.5
setprop restarter/contract = count: ` + strconv.Itoa(z.id) + `
setprop general/enabled = boolean: true
EOF`)
	return z
}

// in runs a command in the zone, and host svcs on the host; both have to succeed.
func (z *watched) in(command string) string {
	z.t.Helper()
	out, errs, code := z.Zlogin("web", command)
	if code != 0 {
		z.t.Fatalf("%s: %d %s%s", command, code, out, errs)
	}
	return out
}

func (z *watched) host(args ...string) string {
	z.t.Helper()
	out, err := z.Cmd("svcs", args...).CombinedOutput()
	if err != nil {
		z.t.Fatalf("svcs %q: %v %s", args, err, out)
	}
	return string(out)
}

// withMember is what svcs -Hpo state prints of a service with one process.
var withMember = regexp.MustCompile("^online\n {15}[ 0-9:]{8} +(\\d+) sleep\n$")

// TestSvcsInZone: svcs of a zone, in it and from the host: by root and by others, with the members
// of a contract, each with the numbers of who looks.
func TestSvcsInZone(t *testing.T) {
	z := newWatched(t)
	id := strconv.Itoa(z.id)
	if out := z.in("ls -l /usr/bin/svcs"); !strings.HasSuffix(out, "-> /lib/svc/bin/svcs\n") {
		t.Error(out)
	}
	inside := withMember.FindStringSubmatch(z.in("svcs -Hpo state site/x"))
	if inside == nil || z.in("tr '\\0' ' ' </proc/"+inside[1]+"/cmdline") != sleeper+" " {
		t.Fatalf("in the zone: %q", inside)
	}
	for _, user := range []string{"", "setpriv --reuid 65534 --regid 65534 --clear-groups "} {
		if out := z.in(user + "svcs -Ho zone,fmri,stime,ctid x"); out != "web\tsvc:/site/x:y\t2001\t"+id+"\n" {
			t.Errorf("%s: %q", user, out)
		}
		if out := z.in(user + "svcs -lp x"); !strings.Contains(out, "\nprocess      "+inside[1]+" "+sleeper+"\n") {
			t.Errorf("%s: %s", user, out)
		}
	}
	outside := withMember.FindStringSubmatch(z.host("-z", "web", "-Hpo", "state", "x"))
	if outside == nil || outside[1] != strconv.Itoa(z.pid) {
		t.Errorf("on the host: %q, want process %d", outside, z.pid)
	}
	if out := z.host("-ZHo", "zone,fmri", "x"); out != "web\tsvc:/site/x:y\n" {
		t.Errorf("%q", out)
	}
	z.visible()
	z.in("pkill -f '" + sleeper + "'")
	testenv.Eventually(t, func() bool { return z.in("svcs -Hpo state x") == "online\n" }, "no member to be left")
	if out, errs, code := z.Zlogin("web", "svcs -z web x"); code != 1 || out != "" || errs != "svcs: svcs -z may only be used from the global zone\n" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	// Whatever svc.startd has said of the services of the boot, each can be told of.
	if out := z.in("svcs -a && svcs -xv && svcs -L"); !strings.HasPrefix(out, "STATE  ") || strings.Count(out, "svc:/") < 3 {
		t.Error(out)
	}
}

// visible: what the zone calls its service does not get to the host's terminal as it is.
func (z *watched) visible() {
	z.t.Helper()
	z.in(`svccfg -s x:y addpg tm_common_name template && svccfg -s x:y addpropvalue tm_common_name/C ustring: "$(printf '\033]0;evil\007')"`)
	for _, args := range [][]string{{"-z", "web", "-l", "x"}, {"-z", "web", "-xv", "x"}, {"-z", "web", "-o", "desc", "x"}, {"-z", "web", "-o", "json", "x"}} {
		p := z.Pty("svcs", args...)
		p.Expect(`evil`)
		if p.Wait(); strings.ContainsAny(p.Output(), "\x1b\x07") {
			z.t.Errorf("%q: %q", args, p.Output())
		}
	}
}
