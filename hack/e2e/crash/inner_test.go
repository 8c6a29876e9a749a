package crash

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// inner is something in which a program is at work that no administrator starts.
type inner struct {
	name, program string
	from, to      string
	// begin gives the process that is traced, or whose child is.
	parent func(t *testing.T, z *testenv.Zones) int
	itself bool
	do     func(t *testing.T, z *testenv.Zones) said
	// word says what became of it; empty: it must not.
	word func(t *testing.T, z *testenv.Zones, s said) string
}

func zonedOf(_ *testing.T, z *testenv.Zones) int { return supervisor(z, "a", "zoned") }

func undoneOrNot(to string) func(*testing.T, *testenv.Zones, said) string {
	return func(t *testing.T, z *testenv.Zones, s said) string {
		switch is := listed(t, z, "a"); {
		case s.exit == 0 && is == to:
			return "completed"
		case s.exit == 1 && is == "installed" && strings.Contains(s.err, "zrun ended without an answer"):
			return "undone, and told"
		}
		return ""
	}
}

var inners = []inner{
	{name: "create", program: "zrun", from: "running", parent: zonedOf,
		do:   func(_ *testing.T, z *testenv.Zones) said { return ask(z, "zoneadm", "-z", "a", "ready") },
		word: undoneOrNot("ready")},
	{name: "exec", program: "zrun", from: "running", parent: zonedOf,
		do: func(_ *testing.T, z *testenv.Zones) said { return ask(z, "zlogin", "a", "echo x; exit 4") },
		word: func(_ *testing.T, _ *testenv.Zones, s said) string {
			switch {
			case s.exit == 4 && s.out == "x\n":
				return "completed"
			case s.exit == 1 && strings.Contains(s.err, "zrun ended without an answer"):
				return "undone, and told"
			}
			return ""
		}},
	{name: "restart of a service", program: "svc.startd", from: "running", itself: true,
		parent: func(t *testing.T, z *testenv.Zones) int { return member(t, z, "a", "svc.startd") },
		do: func(_ *testing.T, z *testenv.Zones) said {
			return ask(z, "zlogin", "a", "svcadm restart site/one")
		},
		word: restarted},
	{name: "taking over", program: "svc.startd", from: "running",
		parent: func(_ *testing.T, z *testenv.Zones) int { return z.Status("a").Init.Pid },
		do: func(t *testing.T, z *testenv.Zones) said {
			send(member(t, z, "a", "svc.startd"), "svc.startd", unix.SIGKILL)
			return said{}
		},
		word: restarted},
	{name: "boot", program: "svc.startd", from: "ready",
		parent: func(_ *testing.T, z *testenv.Zones) int { return z.Status("a").Init.Pid },
		do:     func(_ *testing.T, z *testenv.Zones) said { return ask(z, "zoneadm", "-z", "a", "boot") },
		word:   restarted},
}

// trace does it with the program traced.
func (i inner) trace(t *testing.T, z *testenv.Zones, a aim) (*tracer, said) {
	t.Helper()
	lead(t, z, "a", i.from)
	if i.program == "svc.startd" && i.from == "running" {
		z.ServicesUp("a")
	}
	if !i.itself {
		a.child = i.program
	}
	pid := i.parent(t, z)
	if pid == 0 {
		t.Fatalf("%s: there is nobody to trace", i.name)
	}
	tr := follow(t, pid, a)
	s := i.do(t, z)
	if i.program == "svc.startd" {
		settled(t, z)
	}
	tr.end(t)
	return tr, s
}

const site = `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='site'>
%s</service_bundle>
`

const siteService = `<service name='site/%[1]s' type='service' version='1'>
<create_default_instance enabled='true'/><single_instance/>
<dependency name='fs' grouping='require_all' restart_on='none' type='service'><service_fmri value='svc:/system/filesystem/local'/></dependency>
<exec_method name='start' type='method' exec='/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/%[1]s; exec sleep 100000 &amp;&quot;' timeout_seconds='60'/>
<exec_method name='stop' type='method' exec=':kill' timeout_seconds='60'/>
<property_group name='startd' type='framework'><propval name='critical_failure_period' type='integer' value='1'/></property_group>
</service>
`

// sites adds two services: one that is restarted, and one that must never be.
func sites(t *testing.T, z *testenv.Zones) {
	t.Helper()
	z.Write("a", "/var/tmp/site.xml", fmt.Sprintf(site, fmt.Sprintf(siteService, "one")+fmt.Sprintf(siteService, "two")))
	z.In("a", "svccfg import /var/tmp/site.xml")
	settled(t, z)
}

func starts(z *testenv.Zones, name string) int {
	text, _ := os.ReadFile(inside(z, "a", "/var/tmp/"+name))
	return strings.Count(string(text), "start")
}

// settled waits until all services are as they are to be.
func settled(t *testing.T, z *testenv.Zones) {
	t.Helper()
	var s said
	for range 6000 {
		if s = ask(z, "zlogin", "a", "svcs -Ho state site/one site/two milestone/multi-user-server:default | sort -u; svcs -x"); s.out == "online\n" {
			return
		}
		pause()
	}
	t.Fatalf("the services do not come up: %v", s)
}

func restarted(t *testing.T, z *testenv.Zones, s said) string {
	t.Helper()
	if s.exit != 0 && !strings.Contains(s.err, "svcadm") {
		return ""
	}
	// A service is online when its method has ended: what that has started may be a shell still.
	members := ""
	for end := time.Now().Add(testenv.Deadline(lookedFor)); ; pause() {
		if members = strings.TrimSpace(z.In("a", "pgrep -c -x sleep || true")); members == "2" || time.Now().After(end) {
			break
		}
	}
	if members != "2" {
		t.Errorf("two services have %s processes", members)
	}
	return "went on"
}

// killed does it with the program killed at the point. False: it did not come there, which is chance,
// and no failure where a part of the points is taken.
func (i inner) killed(t *testing.T, z *testenv.Zones, point string) bool {
	t.Helper()
	lead(t, z, "a", i.from)
	one, two := starts(z, "one"), starts(z, "two")
	tr, s := i.trace(t, z, aim{point: point, sig: unix.SIGKILL})
	for n := 1; tr.hit == 0; n++ { // threads have no order, and what there is to adopt is not always as much
		if n == triesMax && !*full {
			t.Logf("%s did not come to the point: %v", i.program, s)
			return false
		}
		if n == triesMax {
			t.Fatalf("%s did not come to the point: %v", i.program, s)
		}
		one, two = starts(z, "one"), starts(z, "two")
		tr, s = i.trace(t, z, aim{point: point, sig: unix.SIGKILL})
	}
	word := i.word(t, z, s)
	if word == "" {
		t.Errorf("%v", s)
	}
	if i.program == "svc.startd" {
		more := map[string]int{"restart of a service": 1, "taking over": 0, "boot": 1}[i.name]
		others := map[string]int{"boot": 1}[i.name]
		if n := starts(z, "one") - one; n != more && !(s.exit != 0 && n == 0) {
			t.Errorf("the service was started %d times, %d had a cause: %v\nit passed %q\n%s", n, more, s, tr.points,
				z.In("a", "tail -n 25 /var/svc/log/site-one:default.log; tail -n 25 /var/svc/log/svc.startd.log"))
		}
		if n := starts(z, "two") - two; n != others {
			t.Errorf("a service that nobody touched was started %d times", n)
		}
	}
	truth(t, z, "a")
	if !t.Failed() {
		row(t, i.program, "SIGKILL", i.name, point, word)
	}
	return true
}

// passed are the points that a program passes where nobody is killed. What it finds to do is not always
// the same: where each point is to be come to, those count that it passed in two of three runs.
func (i inner) passed(t *testing.T, z *testenv.Zones) (points []string) {
	t.Helper()
	runs, least := 1, 1
	if *full {
		runs, least = 3, 2
	}
	times := map[string]int{}
	for range runs {
		tr, s := i.trace(t, z, aim{})
		if len(tr.points) < 5 || i.word(t, z, s) == "" {
			t.Fatalf("%s of %s, where nobody is killed: %v, points %q", i.name, i.program, s, tr.points)
		}
		for _, point := range distinct(tr.points) {
			if times[point]++; times[point] == least {
				points = append(points, point)
			}
		}
	}
	if seldom := len(times) - len(points); seldom > 0 {
		figure(t, "points that "+i.program+" passed in one of three runs of "+i.name, fmt.Sprint(seldom))
	}
	return points
}

// TestInnerKilled kills zrun and svc.startd at each of their calls that change something: a step
// fails and is undone, and that is told; a service is started as often as there was a cause.
func TestInnerKilled(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("keep") // has the collector loaded, which zrun does too
	silent(t, z, "keep", "boot")
	z.Sparse("a")
	lead(t, z, "a", "running")
	z.ServicesUp("keep")
	z.ServicesUp("a")
	lead(t, z, "a", "installed")
	departed(t, z, "a")
	before := measure(t, z)
	lead(t, z, "a", "running")
	z.ServicesUp("a")
	sites(t, z)
	points := map[string]int{}
	kills, missed := 0, 0
	for _, i := range turn(inners, 2) {
		passed := i.passed(t, z)
		points[i.program] += len(passed)
		for _, point := range turn(passed, 2) {
			kills++
			t.Run(i.program+" "+i.name+"/"+point, func(t *testing.T) {
				if !i.killed(t, z.For(t), point) {
					missed++
				}
			})
		}
	}
	if missed*2 > kills {
		t.Errorf("of %d points %d were not come to", kills, missed)
	}
	lead(t, z, "a", "installed")
	before.same(t, z, "all that")
	figure(t, "points of zrun", fmt.Sprint(points["zrun"]))
	figure(t, "points of svc.startd", fmt.Sprint(points["svc.startd"]))
	t.Logf("%d kills", kills)
}
