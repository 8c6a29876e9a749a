package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// errand is a command that is killed while it is at work.
type errand struct {
	name, from, to string
	argv           []string
}

var errands = []errand{
	{"zoneadm boot", "installed", "running", []string{"zoneadm", "-z", "a", "boot"}},
	{"zoneadm ready", "installed", "ready", []string{"zoneadm", "-z", "a", "ready"}},
	{"zoneadm reboot", "running", "running", []string{"zoneadm", "-z", "a", "reboot"}},
	{"zoneadm shutdown", "running", "installed", []string{"zoneadm", "-z", "a", "shutdown"}},
	{"zoneadm halt", "running", "installed", []string{"zoneadm", "-z", "a", "halt"}},
	{"zoneadm install", "configured", "installed", []string{"zoneadm", "-z", "a", "install"}},
	{"zoneadm uninstall", "installed", "configured", []string{"zoneadm", "-z", "a", "uninstall", "-F"}},
	{"zoneadm mark", "installed", "incomplete", []string{"zoneadm", "-z", "a", "mark", "incomplete"}},
	{"zlogin", "running", "running", []string{"zlogin", "a", "echo x; cat; exit 4"}},
}

// run starts the errand, traced, and waits for its end: by itself, or at the point.
func (e errand) run(t *testing.T, z *testenv.Zones, a aim) (*tracer, said) {
	t.Helper()
	if e.from != "running" { // whether one finds a supervisor is not to be chance
		departed(t, z, "a")
	}
	dir := t.TempDir()
	var files []*os.File
	null, err := os.Open(os.DevNull)
	must(t, err)
	files = append(files, null)
	for _, name := range []string{"out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		must(t, err)
		files = append(files, f)
	}
	argv := slices.Clone(e.argv)
	argv[0] = filepath.Join(z.Bin, argv[0])
	tr := spawned(t, argv, z.Env(), files, a)
	for _, f := range files {
		f.Close()
	}
	if !tr.await(time.Minute) {
		t.Fatalf("%s does not come to its end at %s", e.name, a.point)
	}
	out, _ := os.ReadFile(filepath.Join(dir, "out"))
	errs, _ := os.ReadFile(filepath.Join(dir, "err"))
	return tr, said{string(out), string(errs), tr.endStatus.ExitStatus()}
}

// killed does it with a client that dies at the point, then asks again, as anybody would.
func (e errand) killed(t *testing.T, z *testenv.Zones, point string) {
	t.Helper()
	lead(t, z, "a", e.from)
	id := z.Status("a").ID
	tr, s := e.run(t, z, aim{point: point, sig: unix.SIGKILL})
	for n := 1; tr.hit == 0; n++ { // threads have no order
		if n == triesMax {
			t.Fatalf("the client did not come to the point: %v", s)
		}
		lead(t, z, "a", e.from)
		id = z.Status("a").ID
		tr, s = e.run(t, z, aim{point: point, sig: unix.SIGKILL})
	}
	if !tr.endStatus.Signaled() {
		t.Errorf("it is to be killed and ends so: %v", s)
	}
	resting(t, z)
	is, outcome := listed(t, z, "a"), ""
	switch {
	case is == e.to && (e.from != e.to || z.Status("a").ID != id):
		outcome = "went on without it"
	case is == e.from:
		outcome = "nothing was done, or all is undone"
	case is == "incomplete":
		outcome = "incomplete, and uninstalled"
	default:
		t.Errorf("the zone is %s", is)
	}
	if e.argv[0] == "zlogin" {
		outcome = "the login ended with it"
	}
	truth(t, z, "a")
	testenv.Eventually(t, func() bool { return len(logins(t, z)) == 0 }, "logins to be gone")
	lead(t, z, "a", e.from)
	if !t.Failed() {
		row(t, e.argv[0], "SIGKILL", e.name, point, outcome)
	}
}

// resting waits until no transition is under way: the state is one that lasts, and a supervisor's
// answer to another request has come. A halt that is queued behind it would tell, but change too much.
func resting(t *testing.T, z *testenv.Zones) {
	t.Helper()
	lasting := []string{"configured", "incomplete", "installed", "ready", "running"}
	last, same := "", 0
	testenv.EventuallyWithin(t, 2*ended, func() bool { // a shutdown has as much time as ended
		is := listed(t, z, "a")
		if same++; is != last || !slices.Contains(lasting, is) || underWay(t, z, "a") {
			last, same = is, 0
		}
		return same >= 3
	}, "the zone to come to rest")
}

// underWay says whether the zone's journal has an operation without an end, or a shutdown that waits for
// the zone: its command ends before the services have stopped.
func underWay(t *testing.T, z *testenv.Zones, zone string) bool {
	t.Helper()
	for _, dir := range generations(t, z, zone) {
		if some, _ := filepath.Glob(filepath.Join(dir, "admin", "s*")); len(some) > 0 {
			return true
		}
	}
	text, err := os.ReadFile(filepath.Join(z.ZoneState(zone), "journal"))
	if err != nil {
		return false
	}
	begun := max(strings.LastIndex(string(text), `{"t":"op"`), strings.LastIndex(string(text), `{"t":"shutdown"`))
	return begun > strings.LastIndex(string(text), `{"t":"end"`)
}

// logins are the cgroups of logins.
func logins(t *testing.T, z *testenv.Zones) (list []string) {
	t.Helper()
	for _, dir := range generations(t, z, "a") {
		some, _ := filepath.Glob(filepath.Join(dir, "admin", "l*"))
		list = append(list, some...)
	}
	return list
}

// TestClientsKilled kills each client at each call that changes something. What it had asked for
// goes on or was never begun, nothing of it is left, and the next command does all.
func TestClientsKilled(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("keep")
	silent(t, z, "keep", "boot")
	z.ServicesUp("keep")
	z.Sparse("a")
	lead(t, z, "a", "running")
	lead(t, z, "a", "installed")
	departed(t, z, "a")
	before := measure(t, z)
	points, kills := 0, 0
	for _, e := range turn(errands, 3) {
		lead(t, z, "a", e.from)
		tr, s := e.run(t, z, aim{})
		if len(tr.points) < 3 || listed(t, z, "a") != e.to {
			t.Fatalf("%s, where nobody is killed: %v, points %q", e.name, s, tr.points)
		}
		points += len(tr.points)
		for _, point := range turn(tr.points, 2) {
			kills++
			t.Run(e.name+"/"+point, func(t *testing.T) { e.killed(t, z.For(t), point) })
		}
		lead(t, z, "a", "running")
		lead(t, z, "a", "installed")
		// The next writer of a configuration takes away what a killed one has left.
		z.Must("zonecfg", "-z", "keep", "set autoboot=false")
		before.same(t, z, e.name)
	}
	figure(t, "points of zoneadm and zlogin", fmt.Sprintf("%d, in %d commands; killed %d times", points, len(turn(errands, 3)), kills))
}
