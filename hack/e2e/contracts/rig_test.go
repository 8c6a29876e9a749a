package contracts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	testenv.Main(m)
}

// count is how often a heavy test repeats: fully, or with -short a tenth of it.
func count(full int) int {
	if testing.Short() {
		return max(2, full/10)
	}
	return full
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

// silent runs a zoneadm command that has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, zone string, args ...string) {
	t.Helper()
	out, errs, exit := z.Zoneadm(append([]string{"-z", zone}, args...)...)
	if exit != 0 || out+errs != "" {
		t.Fatalf("zoneadm -z %s %s: %v", zone, strings.Join(args, " "), said{out, errs, exit})
	}
}

func login(t *testing.T, z *testenv.Zones, zone, command string) said {
	t.Helper()
	out, errs, exit := z.Zlogin(zone, command)
	return said{out, errs, exit}
}

// inZone runs a command that has to succeed and gives what it wrote.
func inZone(t *testing.T, z *testenv.Zones, zone, command string) string {
	t.Helper()
	s := login(t, z, zone, command)
	if s.exit != 0 {
		t.Fatalf("in zone %s: %s: %v", zone, command, s)
	}
	return s.out
}

// booted makes and boots a sparse zone with this program in it.
func booted(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	z.Sparse(zone, commands...)
	install(t, z, zone)
	silent(t, z, zone, "boot")
}

// inside is a file of a zone as the host sees it.
func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}

// install puts this program into the zone.
func install(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.CopyProgram(t, testenv.Self(t), inside(z, zone, actor))
}

// run starts a command in the zone that goes on when its login has ended.
func run(t *testing.T, z *testenv.Zones, zone, command string) {
	t.Helper()
	inZone(t, z, zone, "setsid sh -c '"+command+"' </dev/null >/dev/null 2>&1 & :")
}

// awaitFile waits until a file of the zone has a text that satisfies.
func awaitFile(t *testing.T, z *testenv.Zones, zone, path, what string, satisfies func(text string) bool) string {
	t.Helper()
	var text string
	testenv.EventuallyWithin(t, 60*time.Second, func() bool {
		b, _ := os.ReadFile(inside(z, zone, path))
		text = string(b)
		return satisfies(text)
	}, what)
	return text
}

// generation is the directory of the zone's incarnation in the cgroup file system.
func generation(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	mount, err := testenv.Cgroup2Mount()
	must(t, err)
	return filepath.Join(mount, filepath.Dir(filepath.Dir(filepath.Dir(z.Cgroup(zone)))))
}

// nothingRuns checks that nothing of the instance's zones is left, supervisors included.
func nothingRuns(t *testing.T, z *testenv.Zones) {
	t.Helper()
	testenv.Eventually(t, func() bool { return len(z.Leftovers()) == 0 }, "nothing to be left of the instance's zones")
	if entries, err := os.ReadDir(z.Run); err != nil {
		t.Error(err)
	} else {
		for _, e := range entries {
			switch e.Name() {
			case "state", "status", "contract.ids":
			default:
				t.Errorf("%s is left in %s", e.Name(), z.Run)
			}
		}
	}
}

// successor waits for another supervisor of the zone than the one of pid old.
func successor(t *testing.T, z *testenv.Zones, zone string, old int) {
	t.Helper()
	testenv.EventuallyWithin(t, 40*time.Second, func() bool {
		pid := z.PID(zone, "zoned")
		return pid != 0 && pid != old && z.Status(zone).Zoned.Pid == pid
	}, "a successor of supervisor "+strconv.Itoa(old))
}

// processState is a process's state letter, empty for none.
func processState(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:min(1, len(rest))]
}

// hasOpen says whether a process has a file of that name open. It asks the kernel, which asks
// no file system.
func hasOpen(pid int, name string) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if link, err := os.Readlink(dir + "/" + e.Name()); err == nil && strings.HasSuffix(link, name) {
			return true
		}
	}
	return false
}

// members are the processes of a cgroup directory and below.
func members(t *testing.T, dir string) []int {
	t.Helper()
	var pids []int
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return nil
		}
		b, _ := os.ReadFile(path)
		for w := range strings.FieldsSeq(string(b)) {
			n, _ := strconv.Atoi(w)
			pids = append(pids, n)
		}
		return nil
	}))
	return pids
}

// hostPid finds the process of the zone whose command line has these words.
func hostPid(t *testing.T, z *testenv.Zones, zone, words string) int {
	t.Helper()
	found := 0
	testenv.Eventually(t, func() bool {
		for _, pid := range members(t, generation(t, z, zone)) {
			b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			if strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " ")) == words {
				found = pid
			}
		}
		return found != 0
	}, "the process "+words)
	return found
}
