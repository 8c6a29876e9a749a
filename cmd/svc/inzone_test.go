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

// TestSvcsInZone: svcs of a zone, in it and from the host: by root and by others, with the members
// of a contract, each with the numbers of who looks. The service is looked after by nobody that
// there is, so that svc.startd leaves its state alone.
func TestSvcsInZone(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse, testenv.UserNS)
	z := testenv.Instance(t)
	z.Sparse("web")
	z.Must("zoneadm", "-z", "web", "boot")
	in := func(command string) string {
		t.Helper()
		out, errs, code := z.Zlogin("web", command)
		if code != 0 {
			t.Fatalf("%s: %d %s%s", command, code, out, errs)
		}
		return out
	}
	testenv.Eventually(t, func() bool {
		_, _, code := z.Zlogin("web", "test -e /etc/svc/volatile/.startd-late-import")
		return code == 0
	}, "the imports of the boot")
	if out := in("ls -l /usr/bin/svcs"); !strings.HasSuffix(out, "-> /lib/svc/bin/svcs\n") {
		t.Error(out)
	}
	in("(ctrun -l none " + sleeper + " >/dev/null 2>&1 &)")
	id, pid := contractOf(t, z, "web", sleeper)
	in(`svccfg -f - <<EOF
add site/x
select site/x
add y
select y
addpg general framework
setprop general/enabled = boolean: true
setprop general/restarter = fmri: svc:/site/other:default
addpg restarter framework P
setprop restarter/state = astring: online
setprop restarter/next_state = astring: none
setprop restarter/state_timestamp = time: 1000000000.5
setprop restarter/contract = count: ` + strconv.Itoa(id) + `
EOF`)
	want := "online\n" + regexp.QuoteMeta(strings.Repeat(" ", 15)) + `[ 0-9:]{8} +(\d+) sleep\n`
	inside := regexp.MustCompile("^" + want + "$").FindStringSubmatch(in("svcs -Hpo state site/x"))
	if inside == nil || in("tr '\\0' ' ' </proc/"+inside[1]+"/cmdline") != sleeper+" " {
		t.Errorf("in the zone: %q", inside)
	}
	for _, user := range []string{"", "setpriv --reuid 65534 --regid 65534 --clear-groups "} {
		if out := in(user + "svcs -Ho zone,fmri,stime,ctid x"); strings.Join(strings.Fields(out), " ") != "web svc:/site/x:y 2001 "+strconv.Itoa(id) {
			t.Errorf("%s: %q", user, out)
		}
		if out := in(user + "svcs -lp x"); !strings.Contains(out, "\nprocess      "+inside[1]+" "+sleeper+"\n") {
			t.Errorf("%s: %s", user, out)
		}
	}
	host := func(args ...string) string {
		t.Helper()
		out, err := z.Cmd("svcs", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("svcs %q: %v %s", args, err, out)
		}
		return string(out)
	}
	outside := regexp.MustCompile("^" + want + "$").FindStringSubmatch(host("-z", "web", "-Hpo", "state", "x"))
	if outside == nil || outside[1] != strconv.Itoa(pid) {
		t.Errorf("on the host: %q, want process %d", outside, pid)
	}
	if out := host("-ZHo", "zone,fmri", "x"); strings.Join(strings.Fields(out), " ") != "web svc:/site/x:y" {
		t.Errorf("%q", out)
	}
	// What the zone calls its service does not get to the host's terminal as it is.
	in(`svccfg -s x:y addpg tm_common_name template && svccfg -s x:y addpropvalue tm_common_name/C ustring: "$(printf '\033]0;evil\007')"`)
	for _, args := range [][]string{{"-z", "web", "-l", "x"}, {"-z", "web", "-xv", "x"}, {"-z", "web", "-o", "desc", "x"}, {"-z", "web", "-o", "json", "x"}} {
		p := z.Pty("svcs", args...)
		p.Expect(`evil`)
		if p.Wait(); strings.ContainsAny(p.Output(), "\x1b\x07") {
			t.Errorf("%q: %q", args, p.Output())
		}
	}
	in("pkill -f '" + sleeper + "'")
	testenv.Eventually(t, func() bool { return in("svcs -Hpo state x") == "online\n" }, "no member to be left")
	if out, errs, code := z.Zlogin("web", "svcs -z web x"); code != 1 || out != "" || errs != "svcs: svcs -z may only be used from the global zone\n" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	// Whatever svc.startd has said of the services of the boot, each can be told of.
	if out := in("svcs -a && svcs -xv && svcs -L"); !strings.HasPrefix(out, "STATE  ") || strings.Count(out, "svc:/") < 3 {
		t.Error(out)
	}
}
