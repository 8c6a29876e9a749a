package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

var (
	full = flag.Bool("full", false, "every point, and a thousand of each of what is random; an hour")
	seed = flag.Uint64("seed", 0, "which part is taken; 0: another one each time")
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	fmt.Printf("crash: seed %d\n", *seed)
	testenv.Main(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// amount is how often something is done: fully, or as often as there is time for each day.
func amount(whole, part int) int {
	if *full {
		return testenv.Rounds(whole, part)
	}
	return testenv.Rounds(part, min(part, 2))
}

// turn takes some of a list, others each time by the seed; all of it in full.
func turn[T any](list []T, most int) []T {
	if *full || len(list) <= most {
		return list
	}
	var chosen []T
	from := int(*seed % uint64(len(list)))
	for i := range most {
		chosen = append(chosen, list[(from+i*len(list)/most)%len(list)])
	}
	return chosen
}

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

func ask(z *testenv.Zones, program string, args ...string) said {
	out, errs, exit, err := z.Try("", program, args...)
	if err != nil {
		errs += "\n" + err.Error()
		exit = -1
	}
	return said{out, errs, exit}
}

// beside runs a program while something else is done.
func beside(z *testenv.Zones, program string, args ...string) <-chan said {
	ch := make(chan said, 1)
	go func() { ch <- ask(z, program, args...) }()
	return ch
}

// silent runs a zoneadm command that has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, zone string, args ...string) {
	t.Helper()
	if s := ask(z, "zoneadm", append([]string{"-z", zone}, args...)...); s.exit != 0 || s.out+s.err != "" {
		t.Fatalf("zoneadm -z %s %s: %v", zone, strings.Join(args, " "), s)
	}
}

// listed is the zone's state as zoneadm tells it.
func listed(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	s := ask(z, "zoneadm", "-z", zone, "list", "-p")
	f := strings.Split(s.out, ":")
	if s.exit != 0 || len(f) < 3 {
		t.Fatalf("zoneadm -z %s list -p: %v", zone, s)
	}
	return f[2]
}

// lead brings the zone into a state.
func lead(t *testing.T, z *testenv.Zones, zone, state string) {
	t.Helper()
	was := listed(t, z, zone)
	if was == state {
		return
	}
	switch {
	case state == "configured":
		lead(t, z, zone, "installed")
		silent(t, z, zone, "uninstall", "-F")
	case was == "configured":
		silent(t, z, zone, "install")
		lead(t, z, zone, state)
	case was == "incomplete":
		silent(t, z, zone, "uninstall", "-F")
		lead(t, z, zone, state)
	default:
		silent(t, z, zone, map[string]string{"installed": "halt", "ready": "ready", "running": "boot"}[state])
	}
	if is := listed(t, z, zone); is != state {
		t.Fatalf("zone %s is %s, want %s", zone, is, state)
	}
}

// alive says whether the process of the status file is there and has not ended.
func alive(p testenv.Process) bool {
	fd, err := sys.PidfdOpenStarted(p.Pid, p.Start)
	if err != nil {
		return false
	}
	defer fd.Close()
	return !sys.PidfdExited(fd.Int())
}

// truth holds what is told of a zone in its three ways against the kernel and each other.
func truth(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	state, s := listed(t, z, zone), z.Status(zone)
	dirs := generations(t, z, zone)
	switch state {
	case "running", "ready":
		if s.State != state || !alive(s.Init) || !alive(s.Zsched) || len(dirs) != 1 {
			t.Fatalf("listed as %s; status %+v, init lives: %v, keeper lives: %v, cgroups %q", state, s, alive(s.Init), alive(s.Zsched), dirs)
		}
		if state == "running" {
			if n := ask(z, "zlogin", zone, "echo here; exit 3"); n.exit != 3 || n.out != "here\n" {
				t.Fatalf("a login in a zone that is told to run: %v", n)
			}
		}
	case "installed", "configured", "incomplete":
		if len(dirs) > 0 {
			t.Fatalf("listed as %s, and has %q", state, dirs)
		}
		if s.State != "" && s.State != state && s.State != "installed" {
			t.Fatalf("listed as %s; status %+v", state, s)
		}
	default:
		t.Fatalf("listed as %s, where nothing is under way", state)
	}
}

// generations are the cgroups of a zone's incarnations.
func generations(t *testing.T, z *testenv.Zones, zone string) []string {
	t.Helper()
	m, err := testenv.Cgroup2Mount()
	must(t, err)
	dirs, _ := filepath.Glob(filepath.Join(m, "zones"+z.Tag(), zone, "g*"))
	return dirs
}

// supervisor is the zone's, if there is one. A pid file may be stale.
func supervisor(z *testenv.Zones, zone, program string) int {
	pid := z.PID(zone, program)
	if pid == 0 || !runs(pid, program) {
		return 0
	}
	return pid
}

// departed waits until nothing of a zone's supervisor and keeper is left. Their pid files go before they do.
func departed(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	theirs := regexp.MustCompile(`zsched ` + zone + `:|zoned -z ` + zone + `(\s|$)`)
	testenv.Eventually(t, func() bool {
		return supervisor(z, zone, "zsched") == 0 && !slices.ContainsFunc(z.Leftovers(), theirs.MatchString)
	}, "the supervisor to leave")
}

// runs says whether the process is one of this program.
func runs(pid int, program string) bool {
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	return err == nil && filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == program
}

// send sends a process a signal, if it still is one of this program.
func send(pid int, program string, sig unix.Signal) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return runs(pid, program) && unix.PidfdSendSignal(fd, sig, nil, 0) == nil
}

// stopped waits until all threads of a process are.
func stopped(t *testing.T, pid int) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.HasPrefix(string(b[strings.LastIndexByte(string(b), ')')+1:]), " T")
	}, fmt.Sprintf("process %d to stop", pid))
}

// member finds the process of the zone that runs a program; 0 for none.
func member(t *testing.T, z *testenv.Zones, zone, program string) (pid int) {
	t.Helper()
	for _, dir := range generations(t, z, zone) {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil
			}
			text, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(text)) {
				if n, _ := strconv.Atoi(f); runs(n, program) {
					pid = n
				}
			}
			return nil
		})
	}
	return pid
}

// inside is a file of a zone as the host sees it.
func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}

// withPoints gives the instance a supervisor that was built to be killed at a point.
func withPoints(t *testing.T, z *testenv.Zones, dir string) {
	t.Helper()
	dir = filepath.Join(dir, "bin")
	if out, err := exec.Command("cp", "-a", z.Bin, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the programs: %v\n%s", err, out)
	}
	z.Bin = dir
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "crashpoints", "-o", filepath.Join(z.Bin, "zoned"), "./cmd/zoned")
	cmd.Dir = testenv.Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build zoned with crash points: %v\n%s", err, out)
	}
}

// row says one thing that was found out, for the table: who was hit how, during what, where, and
// what became of it.
func row(t *testing.T, program, signal, during, point, outcome string) {
	t.Helper()
	t.Attr("crash", strings.Join([]string{program, signal, during, point, outcome}, "|"))
}

// figure is a line of the page's second table.
func figure(t *testing.T, what, value string) {
	t.Helper()
	t.Attr("figure", what+"|"+value)
	t.Logf("%s: %s", what, value)
}

func distinct(list []string) []string {
	var all []string
	for _, s := range list {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
