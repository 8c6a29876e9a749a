package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// crashing gives the instance a supervisor that was built to be killed at a point.
func crashing(t *testing.T, z *testenv.Zones) {
	t.Helper()
	z.PrivateBin(t)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "crashpoints", "-o", filepath.Join(z.Bin, "zoned"), "./cmd/zoned")
	cmd.Dir = testenv.Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build zoned with crash points: %v\n%s", err, out)
	}
}

// request is one that a supervisor is killed during.
type request struct {
	name, from, to string
	args           []string // of zoneadm; none: a login
}

var requests = []request{
	{"boot", "installed", "running", []string{"boot", "--", "-m", "quiet"}},
	{"boot of a ready zone", "ready", "running", []string{"boot"}},
	{"reboot", "running", "running", []string{"reboot"}},
	{"ready of a running zone", "running", "ready", []string{"ready"}},
	{"halt", "running", "installed", []string{"halt"}},
	{"shutdown -r", "running", "running", []string{"shutdown", "-r"}},
	{"shutdown", "running", "installed", []string{"shutdown"}},
	{"boot that fails", "installed", "installed", []string{"boot", "--", "-i", "/nonexistent"}},
	{"login", "running", "running", nil},
}

// lead brings the zone into a state.
func lead(t *testing.T, z *testenv.Zones, zone, state string) {
	t.Helper()
	if listed(t, z, zone) == state {
		return
	}
	verb := map[string]string{"installed": "halt", "ready": "ready", "running": "boot"}[state]
	silent(t, z, zone, verb)
	wantState(t, z, zone, state)
}

func (r request) ask(t *testing.T, z *testenv.Zones, zone string) said {
	t.Helper()
	if r.args == nil {
		return zlogin(t, z, zone, "echo x; exit 4")
	}
	return zoneadm(t, z, zone, r.args...)
}

// points are the places that a supervisor passes while it serves the request.
func (r request) points(t *testing.T, z *testenv.Zones, zone string) []string {
	t.Helper()
	lead(t, z, zone, r.from)
	file := filepath.Join(z.ZoneState(zone), "crashpoints")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.ask(t, z, zone)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}

// killed asks with a supervisor that dies at the point, so often.
func (r request) killed(t *testing.T, z *testenv.Zones, zone string, times int, point string) said {
	t.Helper()
	lead(t, z, zone, r.from)
	file := filepath.Join(z.ZoneState(zone), "crash")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d %s", times, point), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.ask(t, z, zone)
	if times == 1 { // what comes behind the answer comes when it comes
		await(t, func() (string, bool) {
			left, err := os.ReadFile(file)
			return fmt.Sprintf("the supervisor did not pass the point: %q is left", left), os.IsNotExist(err)
		})
	}
	if _, err := os.ReadFile(file); err == nil {
		_ = os.Remove(file)
	}
	return s
}

// crashZones share the kills: a keeper whose supervisor dies more than ten times in ten seconds
// waits before it starts the next.
var crashZones = []string{"a", "b", "c", "d", "e", "f"}

// TestKilledAtEveryPoint kills the supervisor once at every point of every request. The
// successor completes it, and the caller hears nothing of all that.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	crashing(t, z)
	for _, zone := range crashZones {
		z.Sparse(zone)
		silent(t, z, zone, "boot")
	}
	covered := 0
	for _, r := range requests {
		points := r.points(t, z, crashZones[0])
		if len(points) < 3 {
			t.Fatalf("%s passes %q only", r.name, points)
		}
		for i, point := range points {
			if testing.Short() && i%5 != 0 {
				continue
			}
			zone := crashZones[covered%len(crashZones)]
			covered++
			t.Run(r.name+"/"+point, func(t *testing.T) {
				s := r.killed(t, z, zone, 1, point)
				if !r.kept(s) {
					t.Errorf("%v", s)
				}
				wantState(t, z, zone, r.to)
				truth(t, z, zone)
				if r.to != "installed" && i%3 == 0 { // what the successor wrote is read by the next
					successor(t, z, zone, z.KillZoned(zone))
					wantState(t, z, zone, r.to)
					truth(t, z, zone)
				}
			})
		}
	}
	t.Logf("%d points", covered)
	for _, zone := range crashZones {
		lead(t, z, zone, "installed")
	}
	nothingRuns(t, z)
}

// kept says whether the answer is what it would be if nobody had been killed. A login that was undone
// is started by the successor.
func (r request) kept(s said) bool {
	switch {
	case r.args == nil:
		return s.exit == 4 && s.out == "x\n" && s.err == ""
	case r.to == "installed" && r.from == "installed":
		return s.exit == 1 && strings.Contains(s.err, "could not stat /nonexistent")
	}
	return s.exit == 0 && s.err == ""
}

// TestKilledAgain kills the successors too: two deaths are one too few to give up, after a
// third the zone is brought down, and the caller told.
func TestKilledAgain(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	crashing(t, z)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	boot := requests[0]
	for _, point := range []string{"after do cgroup", "within do platform", "before done platform"} {
		if s := boot.killed(t, z, "a", 2, point); s.exit != 0 || s.err != "" {
			t.Errorf("killed twice %s: %v", point, s)
		}
		wantState(t, z, "a", "running")
		s := boot.killed(t, z, "a", 99, point)
		if s.exit != 1 || !strings.Contains(s.err, "the supervisor was interrupted 3 times during boot; given up") {
			t.Errorf("killed each time %s: %v", point, s)
		}
		wantState(t, z, "a", "installed")
		truth(t, z, "a")
	}
	nothingRuns(t, z)
}
