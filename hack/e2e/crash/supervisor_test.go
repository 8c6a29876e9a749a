package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// operation is something that a supervisor is killed during.
type operation struct {
	name, from, to string
	args           []string // of zoneadm
	inside         string   // or a command in the zone; what comes of it has no caller
	login          bool     // or a login
	init           bool     // or the death of the zone's init
	fails          string   // what is said by one that is to fail
}

var operations = []operation{
	{name: "ready", from: "installed", to: "ready", args: []string{"ready"}},
	{name: "boot", from: "installed", to: "running", args: []string{"boot"}},
	{name: "boot of a ready zone", from: "ready", to: "running", args: []string{"boot"}},
	{name: "boot that fails", from: "installed", to: "installed", args: []string{"boot", "--", "-i", "/nonexistent"}, fails: "could not stat /nonexistent"},
	{name: "halt", from: "running", to: "installed", args: []string{"halt"}},
	{name: "halt of a ready zone", from: "ready", to: "installed", args: []string{"halt"}},
	{name: "reboot", from: "running", to: "running", args: []string{"reboot"}},
	{name: "ready of a running zone", from: "running", to: "ready", args: []string{"ready"}},
	{name: "shutdown", from: "running", to: "installed", args: []string{"shutdown"}},
	{name: "shutdown -r", from: "running", to: "running", args: []string{"shutdown", "-r"}},
	{name: "halt from inside", from: "running", to: "installed", inside: "halt"},
	{name: "reboot from inside", from: "running", to: "running", inside: "reboot"},
	{name: "init dies", from: "running", to: "running", init: true},
	{name: "login", from: "running", to: "running", login: true},
	{name: "uninstall", from: "installed", to: "configured", args: []string{"uninstall", "-F"}},
	{name: "install", from: "configured", to: "installed", args: []string{"install"}},
}

// ranFile has a line for each login that has begun.
const ranFile = "/var/tmp/ran"

func ran(z *testenv.Zones, zone string) int {
	text, _ := os.ReadFile(inside(z, zone, ranFile))
	return strings.Count(string(text), "ran\n")
}

// do carries the operation out and waits for its end.
func (o operation) do(t *testing.T, z *testenv.Zones, zone string) said {
	t.Helper()
	before := z.Status(zone)
	switch {
	case o.login:
		return ask(z, "zlogin", zone, "echo ran >>"+ranFile+"; echo x; exit 4")
	case o.args != nil:
		return ask(z, "zoneadm", append([]string{"-z", zone}, o.args...)...)
	case o.init:
		must(t, unix.Kill(before.Init.Pid, unix.SIGKILL))
	default:
		ask(z, "zlogin", zone, o.inside)
	}
	testenv.EventuallyWithin(t, ended, func() bool {
		s := z.Status(zone)
		return listed(t, z, zone) == o.to && s.Init != before.Init && (o.to != "running" || s.State == "running" && alive(s.Init))
	}, o.name+" to come to its end")
	return said{}
}

// outcome is what became of an operation, in a word; empty when it is none that is allowed.
func (o operation) outcome(s said) string {
	switch {
	case o.login && s.exit == 4 && s.out == "x\n" && s.err == "":
		return "completed"
	case o.fails != "" && s.exit == 1 && strings.Contains(s.err, o.fails):
		return "completed"
	case o.fails == "" && !o.login && s.exit == 0 && s.err == "":
		return "completed"
	}
	return ""
}

// passed are the points that a supervisor passes meanwhile, in their order.
func (o operation) passed(t *testing.T, z *testenv.Zones, zone string) []string {
	t.Helper()
	o.lead(t, z, zone)
	file := filepath.Join(z.ZoneState(zone), "crashpoints")
	must(t, os.MkdirAll(z.ZoneState(zone), 0o700))
	must(t, os.WriteFile(file, nil, 0o600))
	if s := o.do(t, z, zone); o.outcome(s) == "" {
		t.Fatalf("%s, where nobody is killed: %v", o.name, s)
	}
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil // the zone's directory went with it
	}
	must(t, err)
	must(t, os.Remove(file))
	if len(text) == 0 {
		return nil // it is no business of the supervisor
	}
	return distinct(strings.Split(strings.TrimSpace(string(text)), "\n"))
}

// lead brings the zone to where the operation begins. Its supervisor is a new one where init
// dies or reboots: it waits longer each time.
func (o operation) lead(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	if o.init || o.inside == "reboot" {
		lead(t, z, zone, "installed")
		departed(t, z, zone)
	}
	lead(t, z, zone, o.from)
	if o.inside != "" || o.init {
		z.For(t).ServicesUp(zone) // before, one does not hear of it
	}
}

// killed does it with a supervisor that dies at the point.
func (o operation) killed(t *testing.T, z *testenv.Zones, zone, point string) {
	t.Helper()
	o.lead(t, z, zone)
	deaths, begun := inits(z, zone), ran(z, zone)
	file := filepath.Join(z.ZoneState(zone), "crash")
	must(t, os.MkdirAll(z.ZoneState(zone), 0o700))
	must(t, os.WriteFile(file, []byte("1 "+point), 0o600))
	s := o.do(t, z, zone)
	// Whoever has no caller is not waited for, and some points lie behind an answer.
	for end := time.Now().Add(testenv.Deadline(lookedFor)); ; pause() {
		if _, err := os.Stat(file); err != nil {
			break
		}
		if time.Now().After(end) {
			_ = os.Remove(file)
			t.Errorf("the supervisor did not come to the point")
			break
		}
	}
	what := o.outcome(s)
	if what == "" {
		t.Errorf("%v", s)
	}
	if is := listed(t, z, zone); is != o.to {
		t.Errorf("the zone is %s, want %s", is, o.to)
	}
	if n := ran(z, zone) - begun; o.login && n != map[string]int{"completed": 1}[what] {
		t.Errorf("the command began %d times, and its caller is told: %v", n, s)
	}
	truth(t, z.For(t), zone)
	if o.init && inits(z, zone) == deaths {
		t.Errorf("init's end and its status stand nowhere in the log")
	}
	if !t.Failed() {
		row(t, "zoned", "SIGKILL", o.name, point, what)
	}
}

// inits counts what the log says of inits that were killed.
func inits(z *testenv.Zones, zone string) int {
	text, _ := os.ReadFile(filepath.Join(z.Log, zone+".log"))
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "init died") && strings.Contains(line, "SIGKILL") {
			n++
		}
	}
	return n
}

// TestSupervisorKilled kills the supervisor at each point of each operation: the next one completes
// it, and the caller hears nothing. Afterwards the host is as it was before the first.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // is there longer than the instance
	z := testenv.Instance(t)
	withPoints(t, z, dir)
	// A keeper whose supervisor dies more than ten times in ten seconds waits before the next.
	zones := []string{"a", "b", "c", "d", "e", "f"}
	z.Sparse("keep") // the collector of the host's first zone is another matter
	silent(t, z, "keep", "boot")
	z.ServicesUp("keep")
	for _, zone := range zones {
		z.Sparse(zone)
	}
	for _, zone := range zones { // what is made once
		lead(t, z, zone, "running")
		lead(t, z, zone, "installed")
	}
	for _, zone := range zones {
		departed(t, z, zone)
	}
	before := measure(t, z)
	all := map[string]bool{}
	n := 0
	for _, o := range operations {
		points := o.passed(t, z, zones[0])
		for _, p := range points {
			all[p] = true
		}
		for _, point := range turn(points, 1) {
			zone := zones[n%len(zones)]
			n++
			t.Run(o.name+"/"+point, func(t *testing.T) { o.killed(t, z, zone, point) })
		}
		for _, zone := range zones {
			if o.to == "configured" || o.from == "configured" {
				lead(t, z, zone, "running") // what only a boot makes
			}
			lead(t, z, zone, "installed")
		}
		before.same(t, z, o.name)
	}
	figure(t, "points of zoned", fmt.Sprintf("%d, in %d operations; killed %d times", len(all), len(operations), n))
	covers(t, all)
}
