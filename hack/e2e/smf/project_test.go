package smf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// pooled is a zone with pools: one of a processor that there is, one of those that there are not.
func pooled(t *testing.T) *zone {
	t.Helper()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := &zone{testenv.Instance(t), t, "a"}
	z.Sparse(z.name, "add attr; set name=pool.first; set type=string; set value=0; end",
		"add attr; set name=pool.far; set type=string; set value=8000-8001; end")
	z.boot()
	z.state("multi-user-server:default", "online")
	return z
}

// within is the context of a service in a project, and a pool.
func within(project, pool string) string {
	return "<property_group name='method_context' type='framework'><propval name='project' type='astring' value='" + project +
		"'/><propval name='resource_pool' type='astring' value='" + pool + "'/></property_group>"
}

// filler takes as many processes as it gets, and goes on with those; a shell that cannot fork ends.
const filler = `#!/bin/sh
echo start >>/var/tmp/$1
( i=0; while test $i -lt 40; do sleep 100000 & i=$((i+1)); done ) 2>/dev/null
exit 0
`

func (z *zone) fills(name, project string) service {
	return service{name: "site/" + name, timeout: 60, stop: ":kill", start: "/bin/sh /var/tmp/filler " + name, more: within(project, ":default")}
}

// processes is how many members a service's contract has.
func (z *zone) processes(name string) int {
	z.t.Helper()
	out := z.in("ct=$(svcprop -p restarter/contract site/" + name + ":default 2>/dev/null); cat /system/contract/process/${ct:-0}/status 2>/dev/null | " +
		"awk 'BEGIN { n = 0 } /^members/ && $2 != \"-\" { n = NF - 1 } END { print n }'")
	n, err := strconv.Atoi(strings.TrimSpace(out))
	must(z.t, err)
	return n
}

// projectDirs are the directories of projects and pools that the host has for the zone, in any hierarchy.
func (z *zone) projectDirs() (found []string) {
	z.t.Helper()
	mount, err := testenv.Cgroup2Mount()
	must(z.t, err)
	generation, _, _ := strings.Cut(strings.TrimPrefix(z.Cgroup(z.name), mount), "/ct/")
	for _, pattern := range []string{"/sys/fs/cgroup" + generation, "/sys/fs/cgroup/*" + generation} {
		for _, name := range []string{"/p[0-9]*", "/pool.*"} {
			dirs, err := filepath.Glob(pattern + name)
			must(z.t, err)
			for _, dir := range dirs {
				if info, err := os.Stat(dir); err == nil && info.IsDir() {
					found = append(found, dir)
				}
			}
		}
	}
	return found
}

// TestProject: what two services of a project take is bounded for both together, whoever is killed; the
// last start says how much; with the last of them all of it goes.
func TestProject(t *testing.T) {
	t.Parallel()
	z := pooled(t)
	const project = "web:100::::project.max-lwps=(privileged,%d,deny);project.cpu-shares=(privileged,5,none);project.cpu-cap=(privileged,150,deny);rcap.max-rss=256M\n"
	z.put("/etc/project", "default:3::::\n"+fmt.Sprintf(project, 16))
	z.put("/var/tmp/filler", filler)
	z.add(z.fills("one", "web"), z.fills("two", "100"), z.fills("free", "default"))
	for _, name := range []string{"one", "two", "free"} {
		testenv.Eventually(t, func() bool { return z.try("test -s /var/tmp/"+name).exit == 0 }, name+" to be started")
	}
	z.state("site/free:default", "online")
	testenv.Eventually(t, func() bool { return z.processes("free") == 40 }, "who is in no project to have 40 processes")
	both := func() int { return z.processes("one") + z.processes("two") }
	// The second finds no place for a process that stays, and is in maintenance or starts again.
	testenv.Eventually(t, func() bool { n := z.processes("one"); return n >= 14 && n <= 16 || z.processes("two") >= 14 }, "the project to be full")
	if n := both(); n > 16 {
		t.Errorf("two services of a project of 16 have %d", n)
	}
	full := "one"
	if z.processes("two") > z.processes("one") {
		full = "two"
	}
	if got := z.in("ctstat -v -i $(svcprop -p restarter/contract site/" + full + ":default)"); !strings.Contains(got, "project:               100 (web)\n") {
		t.Errorf("ctstat says\n%s", got)
	}
	// A supervisor and a restarter that are killed make no difference, and what comes then is bounded too.
	z.KillZoned(z.name)
	z.in("kill -9 " + z.startd())
	testenv.Eventually(t, func() bool { return z.try("svcs -H -o state site/"+full).out == "online\n" }, "the next svc.startd")
	if n := z.processes(full); n < 14 || n > 16 {
		t.Errorf("%d processes behind a restart", n)
	}
	z.in("svcadm disable -s site/one site/two")
	z.in("svcadm clear site/one site/two 2>/dev/null; svcadm disable -s site/one site/two")
	testenv.Eventually(t, func() bool { return len(z.projectDirs()) == 0 }, "the project's directories to go with its last service")
	// The last start says what may be taken.
	z.put("/etc/project", "web:100::::project.max-lwps=(privileged,30,deny)\n")
	z.in("svcadm enable -s site/one")
	testenv.Eventually(t, func() bool { n := z.processes("one"); return n >= 28 && n <= 30 }, "as many processes as the new table allows")
	if s := z.try("svcadm disable -s site/one"); s.exit != 0 {
		t.Errorf("a service that has all of its project cannot be stopped: %v", s)
	}
	z.in("svcadm enable -s site/one")
	dirs := z.projectDirs()
	if len(dirs) == 0 {
		t.Error("nobody has the project's directory")
	}
	z.Must("zoneadm", "-z", z.name, "halt")
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("left behind a halt: %s", dir)
		}
	}
}

// TestStopInAFullProject: the stop method is a program, and the service has all that it may have.
func TestStopInAFullProject(t *testing.T) {
	t.Parallel()
	z := pooled(t)
	z.put("/etc/project", "web:100::::project.max-processes=(privileged,8,deny)\n")
	z.put("/var/tmp/filler", filler)
	s := z.fills("full", "web")
	z.put("/var/tmp/stopper", "echo stopped | cat >>/var/tmp/stopped\npkill sleep\nexit 0\n")
	s.stop = "/bin/sh /var/tmp/stopper"
	z.add(s)
	z.state("site/full:default", "online")
	z.in("svcadm disable -s site/full")
	z.state("site/full:default", "disabled")
	z.says("cat /var/tmp/stopped", 0, "stopped\n", "")
}

// TestMemoryOfAProject: who takes more memory than the project has is killed, and the service says so.
func TestMemoryOfAProject(t *testing.T) {
	t.Parallel()
	z := pooled(t)
	z.put("/etc/project", "small:7::::rcap.max-rss=16M\n")
	// It waits, so that its start is over before it is killed.
	z.put("/var/tmp/eater", "echo start >>/var/tmp/site-eater\nn=$(grep -c start /var/tmp/site-eater)\n"+
		"(while test $(grep -c 'Method \"start\" exited' /var/svc/log/site-eater:default.log) -lt $n; do sleep 0.05; done\nsleep 0.5; x=0123456789abcdef; while test ${#x} -lt 67108864; do x=$x$x; done; echo had it all >/var/tmp/had) &\n")
	z.add(service{name: "site/eater", timeout: 60, stop: ":kill", more: within("small", ":default"), start: "/bin/sh /var/tmp/eater"})
	z.state("site/eater:default", "maintenance") // it is started again and again, and too often
	if n := z.starts("site/eater"); n < 2 {
		t.Errorf("it was started %d times", n)
	}
	if s := z.try("svcs -x site/eater"); !strings.Contains(s.out, "killed by SIGKILL by the kernel, which was out of memory\n") {
		t.Errorf("it is not said why: %v\n%s", s, z.in("cat $(svcs -L site/eater:default)"))
	}
	if s := z.try("cat /var/tmp/had"); s.exit == 0 {
		t.Errorf("it had four times what the project may have")
	}
	z.says("svcs -H -o state multi-user-server", 0, "online\n", "")
}

// TestPool: a service of a pool runs on its processors, and so does what it starts.
func TestPool(t *testing.T) {
	t.Parallel()
	z := pooled(t)
	s := daemon("site/pinned")
	s.more = within(":default", "first")
	other := daemon("site/other")
	other.more = within(":default", "pool_default")
	z.add(s, other)
	z.state("site/pinned:default", "online")
	z.state("site/other:default", "online")
	cpus := func(name string) string {
		return strings.TrimSpace(z.in("sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/" + z.member(name) + "/status"))
	}
	if got := cpus("site/pinned:default"); got != "0" {
		t.Errorf("it runs on %s", got)
	}
	if got, own := cpus("site/other:default"), strings.TrimSpace(z.in("sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status")); got != own {
		t.Errorf("who is in no pool runs on %s, a login on %s", got, own)
	}
	if got := z.in("ctstat -v -i $(svcprop -p restarter/contract site/pinned:default)"); !strings.Contains(got, "pool:                  first\n") {
		t.Errorf("ctstat says\n%s", got)
	}
	z.in("svcadm disable -s site/pinned")
	testenv.Eventually(t, func() bool { return len(z.projectDirs()) == 0 }, "the pool's directories to go")
}

// TestWhatCannotBeHad: a project or a pool that cannot be had fails the start with one line that says
// why, and leaves nothing; when it can be had the service comes up.
func TestWhatCannotBeHad(t *testing.T) {
	t.Parallel()
	z := pooled(t)
	z.put("/etc/project", "bad:100::::project.max-lwps=many\nzero:101::::project.max-lwps=(privileged,0,deny)\nodd:x::::rcap.max-rss=1G\n")
	for name, v := range map[string]struct{ project, pool, says string }{
		"gone": {"gone", ":default", `Project "gone" not found: it is none of /etc/project.`},
		"bad":  {"bad", ":default", `project "bad": project.max-lwps is "many": a value is (privilege,threshold,action).`},
		"zero": {"zero", ":default", `project.max-lwps is "(privileged,0,deny)": with 0 nothing could be started.`},
		"odd":  {"odd", ":default", `project "odd": its number is "x"`},
		"pool": {":default", "none", `pool none: the zone's configuration has no such pool; the host's administrator can add it`},
		"far":  {":default", "far", `pool far: its processors are not there`},
		"form": {":default", "../x", `pool name "../x" is invalid`},
	} {
		s := daemon("site/" + name)
		s.more = within(v.project, v.pool)
		z.add(s)
		z.state("site/"+name+":default", "maintenance")
		log := z.in("cat $(svcs -L site/" + name + ":default)")
		if !strings.Contains(log, v.says) {
			t.Errorf("%s: the log says\n%s", name, log)
		}
		if z.try("test -e /var/tmp/site-"+name).exit == 0 {
			t.Errorf("%s was started", name)
		}
	}
	if left := z.projectDirs(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	z.put("/etc/project", "gone:100::::project.max-lwps=(privileged,50,deny)\n")
	z.in("svcadm clear site/gone")
	z.state("site/gone:default", "online")
}
