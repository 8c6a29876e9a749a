package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
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

// said is what a program answered.
type said struct {
	out, err string
	exit     int
}

func (s said) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", s.exit, s.out, s.err)
}

func zoneadm(t *testing.T, z *testenv.Zones, zone string, args ...string) said {
	t.Helper()
	out, errs, exit := z.Zoneadm(append([]string{"-z", zone}, args...)...)
	return said{out, errs, exit}
}

func zlogin(t *testing.T, z *testenv.Zones, zone string, args ...string) said {
	t.Helper()
	out, errs, exit := z.Zlogin(append([]string{zone}, args...)...)
	return said{out, errs, exit}
}

// silent runs a zoneadm command that has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, zone string, args ...string) {
	t.Helper()
	if s := zoneadm(t, z, zone, args...); s.exit != 0 || s.out+s.err != "" {
		t.Fatalf("zoneadm -z %s %s: %v", zone, strings.Join(args, " "), s)
	}
}

// noted runs one that has to succeed with exactly this line.
func noted(t *testing.T, z *testenv.Zones, zone, note string, args ...string) {
	t.Helper()
	want := fmt.Sprintf("zoneadm: zone '%s': %s\n", zone, note)
	if s := zoneadm(t, z, zone, args...); s.exit != 0 || s.err != want || s.out != "" {
		t.Errorf("zoneadm -z %s %s: %v\nwant success and %q", zone, strings.Join(args, " "), s, want)
	}
}

// refused runs one that has to fail with exactly this line.
func refused(t *testing.T, z *testenv.Zones, zone, why string, args ...string) {
	t.Helper()
	want := fmt.Sprintf("zoneadm: zone '%s': %s\n", zone, why)
	if s := zoneadm(t, z, zone, args...); s.exit != 1 || s.err != want || s.out != "" {
		t.Errorf("zoneadm -z %s %s: %v\nwant exit 1 and %q", zone, strings.Join(args, " "), s, want)
	}
}

// background runs a program beside the test; its answer comes through the channel.
func background(t *testing.T, z *testenv.Zones, program string, args ...string) <-chan said {
	t.Helper()
	ch := make(chan said, 1)
	go func() {
		out, errs, exit, err := z.Try("", program, args...)
		if err != nil {
			t.Errorf("%s %q: %v\n%s%s", program, args, err, out, errs)
		}
		ch <- said{out, errs, exit}
	}()
	return ch
}

// output is what a program prints while one looks.
type output struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) has(s string) bool { return strings.Contains(o.String(), s) }

// listed is the zone's state as zoneadm tells it.
func listed(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	f := strings.Split(z.Must("zoneadm", "-z", zone, "list", "-p"), ":")
	if len(f) < 3 {
		t.Fatalf("zoneadm list -p: %q", f)
	}
	return f[2]
}

func wantState(t *testing.T, z *testenv.Zones, zone, state string) {
	t.Helper()
	if s := listed(t, z, zone); s != state {
		t.Fatalf("zone %s is %s, want %s", zone, s, state)
	}
}

func awaitListed(t *testing.T, z *testenv.Zones, zone, state string) {
	t.Helper()
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool { return listed(t, z, zone) == state }, "zone "+zone+" to be "+state)
}

// await looks until all is well, and fails the test with what is not.
func await(t *testing.T, look func() (string, bool)) {
	t.Helper()
	for end := time.Now().Add(testenv.Deadline(time.Minute)); ; time.Sleep(20 * time.Millisecond) {
		said, ok := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Error(said)
			return
		}
	}
}

// appears waits for a file of the zone's.
func appears(t *testing.T, z *testenv.Zones, zone, path string) {
	t.Helper()
	testenv.Eventually(t, func() bool { _, err := os.Stat(inside(z, zone, path)); return err == nil }, "file "+path+" of zone "+zone)
}

// inTheDelay has the zone die until it is held up before its next boot, and does something while it
// is: act says whether it came in time. The delay doubles each time, so that it does at last.
func inTheDelay(t *testing.T, z *testenv.Zones, zone string, die func(before testenv.Status), act func() bool) {
	t.Helper()
	for range 8 {
		before, held := z.Status(zone), false
		die(before)
		testenv.EventuallyWithin(t, 2*time.Minute, func() bool {
			s := z.Status(zone)
			held = s.State == "installed" || s.State == ""
			return held || s.State == "running" && s.ID != before.ID
		}, "the death of zone "+zone)
		if held && act() {
			return
		}
		testenv.EventuallyWithin(t, 2*time.Minute, func() bool { s := z.Status(zone); return s.State == "running" && s.ID != before.ID }, "zone "+zone+" to be booted again")
	}
	t.Fatal("the zone was never held up for long enough")
}

// awaitNewIncarnation waits until the zone runs under another id than before.
func awaitNewIncarnation(t *testing.T, z *testenv.Zones, zone string, before testenv.Status) testenv.Status {
	t.Helper()
	var s testenv.Status
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool {
		s = z.Status(zone)
		return s.State == "running" && s.ID != before.ID
	}, fmt.Sprintf("another incarnation of %s than %d", zone, before.ID))
	return s
}

// alive says whether the process of the status file is there and has not ended. Its state
// letter would be that of its first thread, which may be a zombie while others still end.
func alive(p testenv.Process) bool {
	fd, err := sys.PidfdOpen(p.Pid)
	if err != nil {
		return false
	}
	defer fd.Close()
	_, start := procStat(p.Pid)
	return start == p.Start && !sys.PidfdExited(fd.Int())
}

// procStat is a process's state letter and start time; empty for none.
func procStat(pid int) (state string, start uint64) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return "", 0
	}
	start, _ = strconv.ParseUint(f[19], 10, 64)
	return f[0], start
}

// successor waits for another supervisor of the zone than the one of pid old.
func successor(t *testing.T, z *testenv.Zones, zone string, old int) int {
	t.Helper()
	pid := 0
	testenv.Eventually(t, func() bool {
		pid = z.PID(zone, "zoned")
		return pid != 0 && pid != old && z.Status(zone).Zoned.Pid == pid
	}, "a successor of supervisor "+strconv.Itoa(old))
	return pid
}

// tryKillZoned kills the zone's supervisor if there is one, and says whether it did.
func tryKillZoned(z *testenv.Zones, zone string, sig unix.Signal) (int, bool) {
	pid := z.PID(zone, "zoned")
	if pid == 0 {
		return 0, false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	// The pid file may be stale; a process of another program is not to be hit.
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "zoned" {
		return 0, false
	}
	return pid, unix.PidfdSendSignal(fd, sig, nil, 0) == nil
}

// fds counts the open descriptors of a process.
func fds(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// links says what a process has open, and how often each.
func links(pid int) map[string]int {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(dir)
	kinds := map[string]int{}
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		kind, _, _ := strings.Cut(to, ":[") // a pipe and a socket each have their own number
		kinds[kind]++
	}
	return kinds
}

// cgroupMount is where the unified hierarchy is.
func cgroupMount(t *testing.T) string {
	t.Helper()
	m, err := testenv.Cgroup2Mount()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// generation is the directory of the zone's incarnation in the cgroup file system.
func generation(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	return filepath.Join(cgroupMount(t), filepath.Dir(filepath.Dir(filepath.Dir(z.Cgroup(zone)))))
}

// nothingRuns checks that a halted zone has no process, mount or cgroup of an incarnation.
// Its supervisor may linger for a console's client, in a cgroup of its own.
func nothingRuns(t *testing.T, z *testenv.Zones) {
	t.Helper()
	var left []string
	defer func() {
		if len(left) > 0 {
			t.Logf("left: %s", strings.Join(left, "\n"))
		}
	}()
	testenv.Eventually(t, func() bool { left = z.Leftovers(); return len(left) == 0 },
		"nothing to be left of the instance's zones")
}

// inside is a file of a zone as the host sees it.
func inside(z *testenv.Zones, zone, path string) string {
	return filepath.Join(z.ZonePath(zone), "root", path)
}
