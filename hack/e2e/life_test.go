package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// shown holds all forms of the list against the state that zone web is in.
func shown(t *testing.T, z *testenv.Zones, state string) {
	t.Helper()
	id := "-"
	if s := z.Status("web"); s.ID != 0 {
		id = fmt.Sprint(s.ID)
	}
	path := z.ZonePath("web")
	table := "  ID NAME             STATUS     PATH                           BRAND    IP    \n" +
		"   0 global           running    /                              native   shared\n" +
		fmt.Sprintf("%4s %-16s %-10s %-30s %-8s %-6s\n", id, "web", state, path, "sparse", "excl")
	if got := z.Must("zoneadm", "list", "-cv"); got != table {
		t.Errorf("list -cv:\n%q\nwant\n%q", got, table)
	}
	line := regexp.MustCompile("^" + id + ":web:" + state + ":" + regexp.QuoteMeta(path) + ":[0-9a-f-]{0,36}:sparse:excl(usive)?\n$")
	if got := z.Must("zoneadm", "-z", "web", "list", "-p"); !line.MatchString(got) {
		t.Errorf("list -p: %q, want %s", got, line)
	}
	if got, want := strings.Contains(z.Must("zoneadm", "list"), "web"), state != "configured" && state != "incomplete" && state != "installed"; got != want {
		t.Errorf("in state %s: listed without options: %v", state, got)
	}
	if got, want := strings.Contains(z.Must("zoneadm", "list", "-i"), "web"), state != "configured" && state != "incomplete"; got != want {
		t.Errorf("in state %s: listed with -i: %v", state, got)
	}
}

// TestLife is the whole life of a zone with what `zoneadm list` shows in each state.
func TestLife(t *testing.T) {
	z := testenv.Instance(t)
	shows := func(state string) {
		t.Helper()
		shown(t, z, state)
	}
	z.Must("zonecfg", "-z", "web", "create; set zonepath="+z.ZonePath("web"))
	shows("configured")
	silent(t, z, "web", "verify")
	z.Must("zoneadm", "-z", "web", "install")
	shows("installed")
	silent(t, z, "web", "verify")
	silent(t, z, "web", "mark", "incomplete")
	shows("incomplete")
	silent(t, z, "web", "uninstall", "-F")
	shows("configured")
	z.Must("zoneadm", "-z", "web", "install")
	silent(t, z, "web", "ready")
	shows("ready")
	trampoline := z.Status("web").Init
	silent(t, z, "web", "boot")
	shows("running")
	if init := z.Status("web").Init; init != trampoline {
		t.Errorf("init is %+v, the process that waited was %+v", init, trampoline)
	}
	if s := zlogin(t, z, "web", "cat /proc/1/comm"); s.exit != 0 || s.out != "init\n" {
		t.Errorf("process 1: %v", s)
	}
	before := z.Status("web")
	silent(t, z, "web", "reboot")
	if after := z.Status("web"); after.ID == before.ID || after.Init.Pid == before.Init.Pid {
		t.Errorf("reboot left %+v", after)
	}
	shows("running")
	refused(t, z, "web", "uninstall operation is invalid for running zones.", "uninstall", "-F")
	silent(t, z, "web", "halt")
	shows("installed")
	silent(t, z, "web", "boot")
	silent(t, z, "web", "shutdown")
	shows("installed")
	nothingRuns(t, z)
	silent(t, z, "web", "uninstall", "-F")
	shows("configured")
	if _, err := os.Stat(inside(z, "web", "")); !os.IsNotExist(err) {
		t.Errorf("the root is left: %v", err)
	}
	z.Must("zonecfg", "-z", "web", "delete -F")
	if s := zoneadm(t, z, "web", "list"); s.exit != 1 {
		t.Errorf("a deleted zone is listed: %v", s)
	}
}

// TestTable asks for everything in every state that can be reached without an accident.
func TestTable(t *testing.T) {
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "a", "create; set zonepath="+z.ZonePath("a"))
	for cmd, why := range map[string]string{
		"ready": "must be installed before ready.", "boot": "must be installed before boot.",
		"halt":   "halt operation is invalid for zones in state 'configured'",
		"reboot": "not running", "shutdown": "not running",
		"uninstall": "is already in state 'configured'.",
	} {
		refused(t, z, "a", why, cmd)
	}
	z.Must("zoneadm", "-z", "a", "install")
	silent(t, z, "a", "mark", "incomplete")
	for cmd, why := range map[string]string{
		"ready": "must be installed before ready.", "boot": "must be installed before boot.",
		"halt":   "halt operation is invalid for zones in state 'incomplete'",
		"reboot": "not running", "shutdown": "not running",
		"verify": "zone is incomplete; uninstall required.", "install": "zone is incomplete; uninstall required.",
	} {
		refused(t, z, "a", why, cmd)
	}
	silent(t, z, "a", "boot", "-f")
	wantState(t, z, "a", "running")
	silent(t, z, "a", "halt")
	silent(t, z, "a", "uninstall", "-F")
	z.Must("zoneadm", "-z", "a", "install")
	for cmd, why := range map[string]string{
		"reboot": "not running", "shutdown": "not running", "install": "is already installed.",
		"uninstall": "Input not from terminal and -F not specified: uninstall not done.",
	} {
		refused(t, z, "a", why, cmd)
	}
	noted(t, z, "a", "zone is already halted", "halt")
	silent(t, z, "a", "ready")
	noted(t, z, "a", "zone is already ready", "ready")
	for cmd, why := range map[string]string{
		"reboot":   "reboot operation is invalid for zones in state 'ready'",
		"shutdown": "shutdown operation is invalid for zones in state 'ready'",
		"install":  "install operation is invalid for ready zones.",
	} {
		refused(t, z, "a", why, cmd)
	}
	refused(t, z, "a", "uninstall operation is invalid for ready zones.", "uninstall", "-F")
	wantState(t, z, "a", "ready")
	silent(t, z, "a", "halt")
	wantState(t, z, "a", "installed")
	silent(t, z, "a", "boot")
	noted(t, z, "a", "zone is already booted", "boot")
	refused(t, z, "a", "install operation is invalid for running zones.", "install")
	silent(t, z, "a", "verify")
	before := z.Status("a")
	silent(t, z, "a", "ready") // a running zone is halted first
	wantState(t, z, "a", "ready")
	if z.Status("a").ID == before.ID {
		t.Error("ready of a running zone kept its incarnation")
	}
	for _, args := range [][]string{{}, {"frobnicate"}, {"boot", "-q"}, {"halt", "now"}, {"shutdown", "--", "-s"}} {
		if s := zoneadm(t, z, "a", args...); s.exit != 2 {
			t.Errorf("zoneadm %q: %v, want exit 2", args, s)
		}
	}
	for args, exit := range map[string]int{"-z b boot": 1, "-z global boot": 1, "-z SUNWx boot": 1, "boot": 1, "-z a/b boot": 2} {
		if out, errs, got := z.Zoneadm(strings.Fields(args)...); got != exit || out != "" || strings.Count(errs, "\n") < 1 {
			t.Errorf("zoneadm %s: exit %d %q %q, want %d and a line", args, got, out, errs, exit)
		}
	}
}

// TestBootFails: a boot that fails leaves the zone installed and says what failed.
func TestBootFails(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	for args, why := range map[string]string{
		"-i /nonexistent":    "could not stat /nonexistent: no such file or directory",
		"-i /etc/passwd":     "/etc/passwd is not executable",
		"-i /etc":            "/etc is not executable",
		"-i /etc/passwd/foo": "could not stat /etc/passwd/foo: not a directory",
	} {
		refused(t, z, "a", why, append([]string{"boot", "--"}, strings.Fields(args)...)...)
		wantState(t, z, "a", "installed")
	}
	nothingRuns(t, z)
	long := strings.Repeat("x", 300)
	refused(t, z, "a", "boot argument string too long", "boot", "--", "-m", long)
	silent(t, z, "a", "ready")
	refused(t, z, "a", "could not stat /nonexistent: no such file or directory", "boot", "--", "-i", "/nonexistent")
	wantState(t, z, "a", "installed")
	noted(t, z, "a", "WARNING: Unused or invalid boot arguments: -x stray", "boot", "--", "kernel", "-x", "stray", "-m", "verbose")
	wantState(t, z, "a", "running")
	if s := zlogin(t, z, "a", "tr '\\0' ' ' </proc/1/cmdline"); strings.TrimSpace(s.out) != "/lib/svc/bin/init -x -m verbose" {
		t.Errorf("init's arguments: %v", s)
	}
	silent(t, z, "a", "halt")
	// The configuration's arguments serve when none are given.
	z.Must("zonecfg", "-z", "a", "set bootargs=\"-m quiet\"")
	silent(t, z, "a", "boot")
	if s := zlogin(t, z, "a", "tr '\\0' ' ' </proc/1/cmdline"); strings.TrimSpace(s.out) != "/lib/svc/bin/init -m quiet" {
		t.Errorf("init's arguments: %v", s)
	}
	silent(t, z, "a", "reboot", "--", "-s")
	if s := zlogin(t, z, "a", "tr '\\0' ' ' </proc/1/cmdline"); strings.TrimSpace(s.out) != "/lib/svc/bin/init -s" {
		t.Errorf("init's arguments: %v", s)
	}
	silent(t, z, "a", "halt")
	if err := os.RemoveAll(inside(z, "a", "")); err != nil {
		t.Fatal(err)
	}
	if s := zoneadm(t, z, "a", "boot"); s.exit != 1 || s.err == "" {
		t.Errorf("boot without a root: %v", s)
	}
	wantState(t, z, "a", "installed")
}

// TestFromInside: what a zone asks for itself happens to it, once, and to no later incarnation.
func TestFromInside(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	for _, c := range []struct {
		command string
		boots   bool
	}{
		{"halt", false}, {"poweroff", false}, {"init 0", false}, {"reboot", true}, {"init 6", true}, {"shutdown -r now", true},
		{"halt -f", false}, {"reboot -f", true}, {"shutdown -y -i5 -g0", false},
	} {
		t.Run(c.command, func(t *testing.T) {
			if listed(t, z, "a") != "running" {
				silent(t, z, "a", "boot")
			}
			before := z.Status("a")
			// The login may end before its command: its status is anything.
			if _, _, _, err := z.Try("", "zlogin", "a", c.command); err != nil {
				t.Fatal(err)
			}
			if !c.boots {
				awaitListed(t, z, "a", "installed")
				nothingRuns(t, z)
				return
			}
			after := awaitNewIncarnation(t, z, "a", before)
			if after.ID != before.ID+1 {
				t.Errorf("incarnation %d after %d", after.ID, before.ID)
			}
			if s := zlogin(t, z, "a", "true"); s.exit != 0 {
				t.Errorf("the rebooted zone: %v", s)
			}
		})
	}
}

// TestShutdown is the graceful end, its limit, and what overtakes it.
func TestShutdown(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a", "add attr; set name=shutdown-timeout; set type=uint; set value=60; end")
	silent(t, z, "a", "boot")
	mark := inside(z, "a", "/var/tmp/said-goodbye")
	trap := detached("trap \"touch /var/tmp/said-goodbye; exit\" TERM; touch /var/tmp/armed; while :; do sleep 0.1; done")
	if s := zlogin(t, z, "a", trap); s.exit != 0 {
		t.Fatal(s)
	}
	appears(t, z, "a", "/var/tmp/armed")
	before := z.Status("a")
	silent(t, z, "a", "shutdown", "-r", "--", "-m", "quiet")
	if after := z.Status("a"); after.State != "running" || after.ID == before.ID {
		t.Fatalf("after shutdown -r: %+v", after)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("a process of the zone got no time to say good-bye: %v", err)
	}
	if s := zlogin(t, z, "a", "tr '\\0' ' ' </proc/1/cmdline"); strings.TrimSpace(s.out) != "/lib/svc/bin/init -m quiet" {
		t.Errorf("init's arguments: %v", s)
	}
	silent(t, z, "a", "halt")
	nothingRuns(t, z) // the next supervisor's journal speaks of no shutdown before
	// An init that is stopped ignores the request.
	deaf := func() {
		t.Helper()
		silent(t, z, "a", "boot")
		if err := unix.Kill(z.Status("a").Init.Pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	deaf()
	first := background(t, z, "zoneadm", "-z", "a", "shutdown")
	asked(t, z, "a")
	refused(t, z, "a", "shutdown already in progress", "shutdown")
	// One that waits is overtaken by halt, and has what it wanted.
	silent(t, z, "a", "halt")
	if s := <-first; s.exit != 0 {
		t.Errorf("a shutdown that was overtaken by halt: %v", s)
	}
	nothingRuns(t, z)
	z.Must("zonecfg", "-z", "a", "select attr name=shutdown-timeout; set value=2; end")
	deaf()
	s := zoneadm(t, z, "a", "shutdown")
	if s.exit != 1 || !strings.Contains(s.err, "unable to shutdown zone") || !strings.Contains(s.err, "2s") {
		t.Errorf("shutdown of a zone that ignores it: %v", s)
	}
	wantState(t, z, "a", "running")
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// TestInitDies: the brand says what the death of init means.
func TestInitDies(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	deaths := 0
	die := func(before testenv.Status) {
		t.Helper()
		if err := unix.Kill(before.Init.Pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		deaths++
	}
	for range 3 {
		before := z.Status("a")
		die(before)
		awaitNewIncarnation(t, z, "a", before)
	}
	wantState(t, z, "a", "running")
	if s := zlogin(t, z, "a", "true"); s.exit != 0 {
		t.Error(s)
	}
	// While the next start waits, a word from outside counts more.
	inTheDelay(t, z, "a", die, func() bool { return bootsAtOnce(t, z, "a") })
	wantState(t, z, "a", "running")
	silent(t, z, "a", "halt")
	log, err := os.ReadFile(z.Log + "/a.log")
	if err != nil || strings.Count(string(log), "init died; the zone is booted again") != deaths {
		t.Errorf("the log of the supervisor: %v\n%s", err, log)
	}
}

// bootsAtOnce boots a zone that is to be booted later, and says whether it was not booted before.
func bootsAtOnce(t *testing.T, z *testenv.Zones, zone string) bool {
	t.Helper()
	s := zoneadm(t, z, zone, "boot")
	late := strings.Contains(s.err, "zone is already booted")
	if s.exit != 0 || s.out != "" || s.err != "" && !late {
		t.Errorf("boot: %v", s)
	}
	return !late
}

// TestRebootLoop: a zone that reboots itself again and again is held up, each time longer; its
// console says so and stays; who asks from outside is not.
func TestRebootLoop(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	console := z.Pty("zlogin", "-C", "-d", "a")
	console.Expect("Connected")
	again := func() testenv.Status {
		t.Helper()
		before := z.Status("a")
		if _, _, _, err := z.Try("", "zlogin", "a", "reboot", "-f"); err != nil {
			t.Fatal(err)
		}
		return before
	}
	for range 2 {
		awaitNewIncarnation(t, z, "a", again())
	}
	console.Expect("NOTICE: Zone reboots again and again; the next boot is in 1s")
	console.Expect("NOTICE: Zone booting up")
	seconds := 1
	inTheDelay(t, z, "a", func(testenv.Status) {
		again()
		seconds *= 2
		console.Expect(fmt.Sprintf("the next boot is in %ds", seconds))
	}, func() bool { return bootsAtOnce(t, z, "a") })
	wantState(t, z, "a", "running")
	for range 3 {
		before := z.Status("a")
		silent(t, z, "a", "reboot")
		if after := z.Status("a"); after.State != "running" || after.ID != before.ID+1 {
			t.Fatalf("after a reboot from outside: %+v, before %+v", after, before)
		}
	}
	var before testenv.Status
	inTheDelay(t, z, "a", func(testenv.Status) { before = again() }, func() bool { z.KillZoned("a"); return true })
	awaitNewIncarnation(t, z, "a", before)
	silent(t, z, "a", "halt")
	console.Expect("NOTICE: Zone halted.  Disconnecting...")
	if code := console.Wait(); code != 0 {
		t.Errorf("the console ended with %d", code)
	}
	nothingRuns(t, z)
}

// TestInitDiesLinux: a brand with an init of its own is halted.
func TestInitDiesLinux(t *testing.T) {
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "b", "create -b; set brand=linux; set zonepath="+z.ZonePath("b"))
	z.Must("zoneadm", "-z", "b", "install", "-d", testenv.BusyboxRoot(t))
	silent(t, z, "b", "boot")
	if s := zlogin(t, z, "b", "echo $((6*7)); exit 3"); s.exit != 3 || s.out != "42\n" {
		t.Errorf("a command: %v", s)
	}
	if err := unix.Kill(z.Status("b").Init.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitListed(t, z, "b", "installed")
	nothingRuns(t, z)
	silent(t, z, "b", "boot")
	silent(t, z, "b", "halt")
}
