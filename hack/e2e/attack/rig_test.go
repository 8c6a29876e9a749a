package attack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	testenv.Main(m)
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

// zlogin runs a command in the zone that may fail.
func zlogin(t *testing.T, z *testenv.Zones, args ...string) said {
	t.Helper()
	out, errs, exit := z.Zlogin(args...)
	return said{out, errs, exit}
}

// attacker is where the test program lies in a zone.
const attacker = "/var/tmp/attacker"

// as is the shell command that plays a role.
func as(role string, args ...string) string {
	return roleVariable + "=" + role + " " + attacker + " " + strings.Join(args, " ")
}

func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}

// booted makes a sparse zone with the attacker in it, and boots it.
func booted(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	z.Sparse(zone, commands...)
	arm(t, z, zone)
	boot(t, z, zone)
}

// boot boots a zone; what it warns of is not in question here.
func boot(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	if out, errs, exit := z.Zoneadm("-z", zone, "boot"); exit != 0 {
		t.Fatalf("boot: %v", said{out, errs, exit})
	}
}

// halted ends a zone: whatever it does, that works and leaves nothing to say.
func halted(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	if out, errs, exit := z.Zoneadm("-z", zone, "halt"); exit != 0 || out+errs != "" {
		t.Errorf("halt: %v", said{out, errs, exit})
	}
}

// arm puts this program into the zone.
func arm(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	name := inside(z, zone, attacker)
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, self, 0o755))
	must(t, os.Chmod(name, 0o755))
}

// running is an attack that goes on in a zone until it is stopped.
type running struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
	wait  func() error
}

// start begins an attack, and returns when it says that it is there.
func start(t *testing.T, z *testenv.Zones, zone, command string) *running {
	t.Helper()
	cmd := z.Cmd("zlogin", zone, command)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	r := &running{t: t, in: in, lines: bufio.NewScanner(out), wait: cmd.Wait}
	if !r.lines.Scan() || r.lines.Text() != there {
		t.Fatalf("%s: says %q", command, r.lines.Text())
	}
	return r
}

// stop ends the attack and gives what it printed.
func (r *running) stop() (lines []string) {
	r.t.Helper()
	r.in.Close()
	for r.lines.Scan() {
		lines = append(lines, r.lines.Text())
	}
	if err := r.wait(); err != nil {
		r.t.Errorf("the attack itself: %v", err)
	}
	return lines
}

// judge reports whatever the attack has reached.
func judge(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		if strings.HasPrefix(line, reached) {
			t.Error(line)
		}
	}
}
