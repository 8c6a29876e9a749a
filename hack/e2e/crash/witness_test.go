package crash

import (
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable makes this program a process of a zone rather than a test.
const roleVariable = "ZONES_CRASH_ROLE"

// actor is where the program lies in a zone.
const actor = "/var/tmp/actor"

// pause is between two looks at something.
func pause() { time.Sleep(10 * time.Millisecond) }

func play(role string, args []string) int {
	var err error
	switch role {
	case "witness":
		err = witness(args[0])
	case "count":
		err = count(args[0], args[1])
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		return 1
	}
	return 0
}

// place puts this program into the zone.
func place(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	testenv.CopyProgram(t, testenv.Self(t), inside(z, zone, actor+".new"))
	must(t, os.Rename(inside(z, zone, actor+".new"), inside(z, zone, actor))) // one may be running
}

// act starts a role in the zone, which goes on when its login has ended.
func act(t *testing.T, z *testenv.Zones, zone, role string, args string) {
	t.Helper()
	cmd := fmt.Sprintf("%s=%s setsid %s %s </dev/null >/dev/null 2>/var/tmp/%s.errors &", roleVariable, role, actor, args, role)
	if s := ask(z, "zlogin", zone, cmd); s.exit != 0 {
		t.Fatalf("%s: %v", cmd, s)
	}
}

// record is what the witness has seen: it looks a hundred times a second.
type record struct {
	pid, looks, signals, errors int
	stall                       time.Duration
}

func (r record) String() string {
	return fmt.Sprintf("%d %d %d %d %d", r.pid, r.looks, r.signals, r.errors, r.stall)
}

// witness lives in a zone and notes what it notices: a signal, a terminal that fails, and how
// long it was once kept from going on.
func witness(file string) error {
	tty, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	got := make(chan os.Signal, 64)
	signal.Notify(got) // of the runtime's own none comes here
	r := record{pid: os.Getpid()}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case s := <-got:
			if s != unix.SIGURG { // the runtime's, for its own goroutines
				r.signals++
			}
		case <-tick.C:
			if _, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil {
				r.errors++
			}
			if r.looks%20 == 0 {
				if _, err := tty.WriteString("w"); err != nil {
					r.errors++
				}
			}
			r.looks++
			now := time.Now()
			r.stall, last = max(r.stall, now.Sub(last)), now
		}
		if err := os.WriteFile(file+".new", []byte(r.String()), 0o644); err != nil {
			return err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return err
		}
	}
}

const witnessFile = "/var/tmp/witness"

// watched starts a witness in a running zone.
func watched(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	place(t, z, zone)
	_ = ask(z, "zlogin", zone, "pkill -KILL -x actor; while pgrep -x actor >/dev/null; do sleep 0.05; done; exit 0") // one of an earlier look
	_ = os.Remove(inside(z, zone, witnessFile))
	act(t, z, zone, "witness", witnessFile)
	testenv.EventuallyWithin(t, ended, func() bool { return testimony(z, zone).looks > 0 }, "the witness in zone "+zone)
}

func testimony(z *testenv.Zones, zone string) (r record) {
	text, _ := os.ReadFile(inside(z, zone, witnessFile))
	_, _ = fmt.Sscan(string(text), &r.pid, &r.looks, &r.signals, &r.errors, &r.stall)
	return r
}

// unhurt holds that a zone's processes have noticed nothing, and that they go on.
func unhurt(t *testing.T, z *testenv.Zones, zone string, before record, init testenv.Process) record {
	t.Helper()
	now := record{}
	testenv.Eventually(t, func() bool {
		now = testimony(z, zone)
		return now.looks > before.looks
	}, "the witness in zone "+zone+" to go on")
	now = testimony(z, zone)
	if now.pid != before.pid || now.signals != 0 || now.errors != 0 {
		t.Errorf("the witness in zone %s was %v, is %v", zone, before, now)
	}
	if s := z.Status(zone); s.Init != init || !alive(init) {
		t.Errorf("init of zone %s was %+v, is %+v (lives: %v)", zone, init, s.Init, alive(s.Init))
	}
	return now
}

// What the writer's lines begin with, and its last word: nobody else writes such bytes.
const lineMark, lastMark = "\x02", "\x03"

// count writes numbered lines to the console until the file stop is there; how many is its record.
func count(stop, record string) error {
	tty, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	n := 0
	for {
		if _, err := fmt.Fprintf(tty, "%s%09d\n", lineMark, n); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		n++
		if n%16 == 0 {
			pause()
		}
		if _, err := os.Stat(stop); err == nil {
			break
		}
	}
	if err := os.WriteFile(record, fmt.Appendf(nil, "%d", n), 0o644); err != nil {
		return err
	}
	_, err = tty.WriteString(lastMark)
	return err
}
