package smf

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// service is a manifest with methods of the test's.
type service struct {
	name, duration       string
	start, stop, refresh string
	timeout              int
	needs                []string // FMRIs, require_all
	restartOn            string
	more                 string // elements behind the methods
}

func (s service) manifest() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n<service_bundle type='manifest' name='%s'><service name='%s' type='service' version='1'>\n", s.name, s.name)
	b.WriteString("<create_default_instance enabled='true'/><single_instance/>\n")
	for i, n := range s.needs {
		fmt.Fprintf(&b, "<dependency name='need%d' grouping='require_all' restart_on='%s' type='service'><service_fmri value='%s'/></dependency>\n", i, s.restartOn, n)
	}
	for _, m := range [][2]string{{"start", s.start}, {"stop", s.stop}, {"refresh", s.refresh}} {
		if m[1] != "" {
			fmt.Fprintf(&b, "<exec_method type='method' name='%s' exec='%s' timeout_seconds='%d'/>\n", m[0], m[1], s.timeout)
		}
	}
	if s.duration != "" {
		fmt.Fprintf(&b, "<property_group name='startd' type='framework'><propval name='duration' type='astring' value='%s'/></property_group>\n", s.duration)
	}
	b.WriteString(s.more + "</service></service_bundle>\n")
	return b.String()
}

// daemon is a service that leaves one process behind, and writes down each start.
func daemon(name string) service {
	return service{
		name: name, timeout: 60, stop: ":kill",
		start: "/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/" + strings.ReplaceAll(name, "/", "-") + "; sleep 100000 &amp;&quot;",
	}
}

// add imports services.
func (z *zone) add(list ...service) {
	z.t.Helper()
	for _, s := range list {
		file := "/var/tmp/" + strings.ReplaceAll(s.name, "/", "-") + ".xml"
		z.put(file, s.manifest())
		z.in("svccfg import " + file)
	}
}

// state waits until an instance is in a state, at rest.
func (z *zone) state(fmri, want string) {
	z.t.Helper()
	get := "svcprop -p restarter/state -p restarter/next_state " + fmri
	is := func() bool { return z.try(get).out == want+"\nnone\n" }
	for end := time.Now().Add(testenv.Deadline(90 * time.Second)); !is(); {
		if time.Now().After(end) {
			z.t.Fatalf("%s is not %s:\n%s", fmri, want, z.try("svcs -l "+fmri+"; tail -5 $(svcs -L "+fmri+"); tail -5 /var/svc/log/svc.startd.log").out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// starts is how often a daemon was started.
func (z *zone) starts(name string) int {
	z.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(z.try("grep -c start /var/tmp/" + strings.ReplaceAll(name, "/", "-")).out))
	must(z.t, err)
	return n
}

// begun is starts of one that may not have come to write any down.
func (z *zone) begun(name string) int {
	z.t.Helper()
	if z.try("test -e /var/tmp/"+strings.ReplaceAll(name, "/", "-")).exit != 0 {
		return 0
	}
	return z.starts(name)
}

// settles waits until a command of the zone says so, and no more.
func (z *zone) settles(command, want string) {
	z.t.Helper()
	var got said
	for end := time.Now().Add(testenv.Deadline(time.Minute)); got != (said{out: want}); time.Sleep(20 * time.Millisecond) {
		if got = z.try(command); time.Now().After(end) {
			z.t.Errorf("%s: %v\nwant %q", command, got, want)
			return
		}
	}
}

// contracts is how many contracts there are of services that begin so, but for a dead one that is
// its maker's latest.
func (z *zone) contracts(name string) int {
	z.t.Helper()
	out := z.in("for f in $(grep -l '^svc_fmri svc:/" + name + "' /system/contract/process/*/status); do grep -q '^state dead' $f || echo $f; done | wc -l")
	n, err := strconv.Atoi(strings.TrimSpace(out))
	must(z.t, err)
	return n
}

// member is the one process of a service.
func (z *zone) member(fmri string) string {
	z.t.Helper()
	f := strings.Fields(z.in("svcs -pH -o fmri " + fmri))
	if len(f) != 4 {
		z.t.Fatalf("the processes of %s: %q", fmri, f)
	}
	return f[2]
}

// TestServicesComeUp: a zone that has booted has all its services, with nothing to be told of.
func TestServicesComeUp(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	z.state("multi-user-server:default", "online")
	// Who is no part of the milestone may come after it.
	z.settles("svcs -x", "")
	z.settles("svcs -aH -o nsta | sort -u", "-\n")
	for line := range strings.Lines(z.in("svcs -aH -o sta,nsta,fmri")) {
		f := strings.Fields(line)
		enabled := strings.TrimSpace(z.in("svcprop -p general/enabled " + f[2]))
		if (enabled == "true") != (f[0] == "ON") || f[1] != "-" {
			t.Errorf("enabled %s: %q", enabled, line)
		}
	}
	// Killed, it goes on with all of them: nobody restarts.
	before := z.in("svcs -aH -o fmri,stime,ctid | sort")
	pid := z.startd()
	z.in("kill -9 " + pid)
	testenv.Eventually(t, func() bool { return z.try("pgrep -o svc.startd | grep -vx "+pid).exit == 0 }, "the next svc.startd")
	if after := z.in("svcs -aH -o fmri,stime,ctid | sort"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	z.in("svcadm restart system-log") // it goes on with its work
	testenv.Eventually(t, func() bool {
		return strings.Count(z.try("cat $(svcs -L system-log)").out, "Executing start method") == 2
	}, "the restart")
}

// TestServiceLife: what starts, ends and restarts a service, and what its log and svcs -x say.
func TestServiceLife(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	d := daemon("site/d")
	d.refresh = "/bin/sh -c &quot;echo refreshed &gt;&gt;/var/tmp/refreshes&quot;"
	z.add(d)
	z.state("site/d:default", "online")
	first := z.member("site/d:default")
	z.in("kill -9 " + first)
	testenv.Eventually(t, func() bool { return z.starts("site/d") == 2 }, "a restart")
	z.state("site/d:default", "online")
	if again := z.member("site/d:default"); again == first {
		t.Errorf("process %s was killed, and is a member", again)
	}
	log := z.in("cat $(svcs -L site/d)")
	for _, want := range []string{"Executing start method (", "Method \"start\" exited with status 0.", "Stopping because process received fatal signal from outside the service."} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log\n%s", want, log)
		}
	}
	z.in("svcadm refresh site/d")
	testenv.Eventually(t, func() bool { return z.try("cat /var/tmp/refreshes").out == "refreshed\n" }, "the refresh method")
	z.in("svcadm restart site/d")
	testenv.Eventually(t, func() bool { return z.starts("site/d") == 3 }, "the restart")
	z.in("svcadm disable -s site/d")
	z.says("svcs -pH -o sta site/d:default", 0, "DIS\n", "")
	z.in("svcadm enable -st site/d")
	z.says("svcprop -p general_ovr/enabled site/d:default", 0, "true\n", "")
	z.state("site/d:default", "online")
	z.in("svcadm mark maintenance site/d")
	z.state("site/d:default", "maintenance")
	if s := z.in("svcs -x site/d"); !strings.Contains(s, "Maintenance requested by an administrator.") {
		t.Errorf("%s", s)
	}
	z.in("svcadm clear site/d")
	z.state("site/d:default", "online")
	z.in("svcadm disable -s site/d && svccfg delete site/d")
	testenv.Eventually(t, func() bool { return z.try("svcs site/d").exit == 1 }, "the service to be gone")
	testenv.Eventually(t, func() bool { return z.contracts("site/d") == 0 }, "its contracts to be gone")
}

// TestMethodsThatFail: how they fail decides what becomes of the service.
func TestMethodsThatFail(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	for _, c := range []struct {
		name, start, aux, log, why string
		timeout, runs              int
	}{
		{"site/config", "exit 96", "method_failed", "exited with status 96", "$SMF_EXIT_ERR_CONFIG", 60, 1},
		{"site/often", "exit 1", "fault_threshold_reached", "exited with status 1", "Start method failed repeatedly", 60, 3},
		{"site/killed", "kill -9 $$", "fault_threshold_reached", "failed due to signal KILL", "Start method failed repeatedly", 60, 3},
		{"site/slow", "sleep 100", "fault_threshold_reached", "Method or service exit timed out.", "Start method failed repeatedly", 1, 3},
		{"site/none", "exec /no/such/program", "fault_threshold_reached", "exited with status 127", "Start method failed repeatedly", 60, 3},
	} {
		s := service{name: c.name, timeout: c.timeout, stop: ":true", start: "/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/" + strings.ReplaceAll(c.name, "/", "-") + "; " + c.start + "&quot;"}
		z.add(s)
		z.state(c.name+":default", "maintenance")
		z.says("svcprop -p restarter/auxiliary_state "+c.name+":default", 0, c.aux+"\n", "")
		log := z.in("cat $(svcs -L " + c.name + ")")
		if !strings.Contains(log, c.log) || strings.Count(log, "Executing start method") != c.runs {
			t.Errorf("%s: %q is not in its log, or not %d starts\n%s", c.name, c.log, c.runs, log)
		}
		// One that has a second may be over before its program has begun.
		if n := z.begun(c.name); n != c.runs && (c.timeout > 1 || n > c.runs) {
			t.Errorf("%s was tried %d times, want %d", c.name, n, c.runs)
		}
		if x := z.in("svcs -x " + c.name); !strings.Contains(x, c.why) {
			t.Errorf("%s: %q is not in\n%s", c.name, c.why, x)
		}
		testenv.Eventually(t, func() bool { return z.contracts(c.name) == 0 }, c.name+" to have no contracts")
	}
	// Restarted too quickly is the end of it too.
	z.add(service{name: "site/quick", timeout: 60, stop: ":true", start: "/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/site-quick; (sleep 0.05 &amp;)&quot;"})
	z.state("site/quick:default", "maintenance")
	z.says("svcprop -p restarter/auxiliary_state site/quick:default", 0, "restarting_too_quickly\n", "")
	z.in("svcadm clear site/quick; svcadm disable site/quick")
}

// TestDependents: who depends on what restarts, or stops, does what restart_on says.
func TestDependents(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	base, with, without := daemon("site/base"), daemon("site/with"), daemon("site/without")
	with.needs, with.restartOn = []string{"svc:/site/base:default"}, "restart"
	without.needs, without.restartOn = []string{"svc:/site/base:default"}, "none"
	z.add(with, without)
	z.state("site/with:default", "offline")
	if x := z.in("svcs -xv site/with"); !strings.Contains(x, "svc:/site/base:default") || !strings.Contains(x, "absent") {
		t.Errorf("%s", x)
	}
	z.add(base)
	z.state("site/with:default", "online")
	z.state("site/without:default", "online")
	z.in("svcadm restart site/base")
	testenv.Eventually(t, func() bool { return z.starts("site/base") == 2 && z.starts("site/with") == 2 }, "the dependent to restart")
	z.state("site/with:default", "online")
	z.in("svcadm disable -s site/base")
	z.state("site/with:default", "offline")
	z.says("svcs -H -o sta site/without", 0, "ON\n", "")
	z.in("svcadm enable -rs site/with")
	z.state("site/with:default", "online")
	z.says("svcs -H -o sta site/base", 0, "ON\n", "")
	if n := z.starts("site/without"); n != 1 {
		t.Errorf("who asked for nothing was started %d times", n)
	}
	// A cycle is told, with its path.
	one, two := daemon("site/one"), daemon("site/two")
	one.needs, one.restartOn = []string{"svc:/site/two:default"}, "none"
	two.needs, two.restartOn = []string{"svc:/site/one:default"}, "none"
	z.add(one, two)
	z.state("site/two:default", "maintenance")
	z.says("svcprop -p restarter/auxiliary_state site/two:default", 0, "dependency_cycle\n", "")
	if log := z.in("cat /var/svc/log/svc.startd.log"); !strings.Contains(log, "svc:/site/two:default > svc:/site/one:default > svc:/site/two:default") {
		t.Errorf("%s", log)
	}
}
