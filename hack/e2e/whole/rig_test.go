package whole

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	testenv.Main(m)
}

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

func zlogin(t *testing.T, z *testenv.Zones, args ...string) said {
	t.Helper()
	out, errs, exit := z.Zlogin(args...)
	return said{out, errs, exit}
}

// inZone runs a command that has to succeed and gives what it wrote.
func inZone(t *testing.T, z *testenv.Zones, zone, command string) string {
	t.Helper()
	s := zlogin(t, z, zone, command)
	if s.exit != 0 {
		t.Fatalf("in zone %s: %s: %v", zone, command, s)
	}
	return s.out
}

// fails runs a command that must fail with words among what it says.
func fails(t *testing.T, z *testenv.Zones, zone, command, words string) {
	t.Helper()
	s := zlogin(t, z, zone, command)
	if s.exit == 0 || !strings.Contains(s.out+s.err, words) {
		t.Errorf("in zone %s: %s: %v\nwant failure and %q", zone, command, s, words)
	}
}

// silent runs a zoneadm command that has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, zone string, args ...string) {
	t.Helper()
	out, errs, exit := z.Zoneadm(append([]string{"-z", zone}, args...)...)
	if exit != 0 || out+errs != "" {
		t.Fatalf("zoneadm -z %s %s: %v", zone, strings.Join(args, " "), said{out, errs, exit})
	}
}

// configure makes a zone's configuration; commands of zonecfg may follow.
func configure(t *testing.T, z *testenv.Zones, zone, brand string, commands ...string) {
	t.Helper()
	all := append([]string{"create", "set brand=" + brand, "set zonepath=" + z.ZonePath(zone)}, commands...)
	z.Must("zonecfg", "-z", zone, strings.Join(all, "; "))
}

// wholeZone makes and boots a zone of brand whole with the tests' Debian tree.
func wholeZone(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	configure(t, z, zone, "whole", commands...)
	z.Must("zoneadm", "-z", zone, "install", "-d", testenv.DebianRoot(t))
	install(t, z, zone)
	z.Must("zoneadm", "-z", zone, "boot")
}

// sparseZone makes and boots a zone of brand sparse.
func sparseZone(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	z.Sparse(zone, commands...)
	install(t, z, zone)
	z.Must("zoneadm", "-z", zone, "boot")
}

// atRest waits until the services of a zone have come up, or failed: a small tree has not all programs.
func atRest(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.EventuallyWithin(t, 3*time.Minute, func() bool {
		up, _, exit, err := z.Try("", "svcs", "-z", zone, "-Ho", "state", "milestone/multi-user-server:default")
		if err != nil || exit != 0 || up != "online\n" {
			return false
		}
		next, _, exit, err := z.Try("", "svcs", "-z", zone, "-aHo", "nstate")
		return err == nil && exit == 0 && strings.Trim(next, "-\n") == ""
	}, "the services of zone "+zone+" to be at rest")
}

// inside is a file of a zone as the host sees it.
func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}

// actor is where the test program lies in a zone.
const actor = "/var/tmp/actor"

// install puts this program into the zone.
func install(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.CopyProgram(t, testenv.Self(t), inside(z, zone, actor))
}

// as is the shell command that plays a role.
func as(role string, args ...string) string {
	return roleVariable + "=" + role + " " + actor + " " + strings.Join(args, " ")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostCommand runs a program of the host that has to succeed.
func hostCommand(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// field is the value of a line "name:<tab>value" of a file like /proc/PID/status.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// each runs f for 0 to n-1, a few at a time.
func each(n int, f func(i int)) {
	const width = 4
	next := make(chan int)
	var workers sync.WaitGroup
	for range width {
		workers.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// owner is the owner and mode of a file on the host's disk.
func owner(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode&0o7777)
}
