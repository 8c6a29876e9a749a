package attack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	name := inside(z, zone, attacker)
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	testenv.CopyProgram(t, testenv.Self(t), name)
}

// running is an attack that goes on in a zone until it is stopped.
type running struct {
	t    *testing.T
	in   io.WriteCloser
	wait func() error
	over chan struct{} // closed when it has said its last

	mu    sync.Mutex // guards lines
	lines []string
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
	r := &running{t: t, in: in, wait: cmd.Wait, over: make(chan struct{})}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		<-r.over
		_ = cmd.Wait()
	})
	go r.read(out)
	testenv.EventuallyWithin(t, time.Minute, func() bool { return len(r.said()) > 0 || r.ended() }, command+" to be there")
	if said := r.said(); len(said) == 0 || said[0] != there {
		t.Fatalf("%s: says %q", command, said)
	}
	return r
}

func (r *running) read(out io.Reader) {
	defer close(r.over)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		r.mu.Lock()
		r.lines = append(r.lines, lines.Text())
		r.mu.Unlock()
	}
}

func (r *running) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// said is what the attack has printed so far.
func (r *running) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// stop ends the attack and gives what it printed behind its first word.
func (r *running) stop() (lines []string) {
	r.t.Helper()
	r.in.Close()
	<-r.over
	if err := r.wait(); err != nil {
		r.t.Errorf("the attack itself: %v", err)
	}
	return r.said()[1:]
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
