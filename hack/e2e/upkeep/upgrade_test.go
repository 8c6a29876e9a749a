package upkeep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// upgradable is an instance with a running zone a, whose programs can be replaced.
func upgradable(t *testing.T) *testenv.Zones {
	t.Helper()
	z := testenv.Instance(t)
	z.PrivateBin(t)
	z.Sparse("a")
	silent(t, z, "-z", "a", "boot")
	return z
}

// builds are what the status says of the zone's programs.
func builds(t *testing.T, z *testenv.Zones) (zoned, zsched string) {
	t.Helper()
	b, err := os.ReadFile(z.StatusFile("a"))
	check(t, err)
	var s struct {
		Build       string `json:"build"`
		KeeperBuild string `json:"keeper_build"`
	}
	check(t, json.Unmarshal(b, &s))
	return s.Build, s.KeeperBuild
}

func wantBuilds(t *testing.T, z *testenv.Zones, zoned, zsched string) {
	t.Helper()
	a, b := builds(t, z)
	if a != zoned || b != zsched {
		t.Errorf("zoned is of build %s and zsched of %s, want %s and %s", a, b, zoned, zsched)
	}
}

// executable says whether a process runs the file that is installed now.
func executable(t *testing.T, z *testenv.Zones, pid int, name string) bool {
	t.Helper()
	want, err := os.Stat(filepath.Join(z.Bin, name))
	check(t, err)
	got, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	check(t, err)
	return os.SameFile(want, got)
}

func upgrade(t *testing.T, z *testenv.Zones) {
	t.Helper()
	if s := zoneadm(z, "-z", "a", "upgrade"); s.exit != 0 || !strings.Contains(s.err, "runs the zone now") || strings.Count(s.err, "\n") != 1 {
		t.Fatalf("upgrade: %+v\n%s", s, keeperLog(z))
	}
}

func keeperLog(z *testenv.Zones) string {
	b, _ := os.ReadFile(filepath.Join(z.ZoneState("a"), "zsched.log"))
	return string(b)
}

// TestUpgrade: new programs take over while the zone saturates its console, an interactive
// login and a piped one go on; not a byte is missing, no pid is another.
func TestUpgrade(t *testing.T) {
	z := upgradable(t)
	next := build(t, "0.2.0", "")
	before := z.Status("a")
	first, _ := builds(t, z)
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	login := z.Pty("zlogin", "a")
	login.Expect(`[#$] `)
	piped := z.Cmd("zlogin", "a", `while read n; do echo "got $n"; done; exit 9`)
	var out, errs bytes.Buffer
	piped.Stdout, piped.Stderr = &out, &errs
	in, err := piped.StdinPipe()
	check(t, err)
	check(t, piped.Start())
	const lines = 60000
	z.In("a", fmt.Sprintf(`setsid sh -c 'i=0; while [ $i -lt %d ]; do echo "line $i."; i=$((i+1)); done >/dev/console; echo "the end" >/dev/console' </dev/null >/dev/null 2>&1 &`, lines))
	console.Expect(`line 100\.`)
	own := written(t, before.Zsched.Pid)
	const rounds = 4
	for i := range rounds {
		install(t, z, next, "zoned", "zsched")
		began := time.Now()
		upgrade(t, z)
		t.Logf("round %d: both were replaced, and answered, after %v", i, time.Since(began).Round(time.Millisecond))
		wantBuilds(t, z, "0.2.0", "0.2.0")
		after := z.Status("a")
		if after.Init != before.Init || after.Zsched != before.Zsched || after.Zoned == before.Zoned || after.ID != before.ID || ended(before.Init.Pid) {
			t.Errorf("round %d: %+v was %+v", i, after, before)
		}
		if !executable(t, z, after.Zoned.Pid, "zoned") || !executable(t, z, after.Zsched.Pid, "zsched") {
			t.Errorf("round %d: an old program runs", i)
		}
		login.Send(fmt.Sprintf("echo still-$((%d+40))\r", i))
		login.Expect(fmt.Sprintf("still-%d", i+40))
		_, err := io.WriteString(in, fmt.Sprintf("%d\n", i))
		if err != nil {
			_ = piped.Wait()
			t.Fatalf("round %d: the piped login has ended (%v): %q, %q", i, piped.ProcessState, out.String(), errs.String())
		}
	}
	check(t, in.Close())
	_ = piped.Wait()
	if piped.ProcessState.ExitCode() != 9 || out.String() != "got 0\ngot 1\ngot 2\ngot 3\n" {
		t.Errorf("the piped login: %d, %q", piped.ProcessState.ExitCode(), out.String())
	}
	console.ExpectWithin(testenv.Deadline(120*time.Second), `the end`)
	contiguous(t, console.Output(), lines)
	login.Send("exit\r")
	login.Wait()
	if kb := written(t, before.Zsched.Pid); kb > 1024 {
		t.Errorf("the keeper has written to %d kB", kb)
	} else {
		t.Logf("the keeper has written to %d kB after %d executions, and to %d kB before the first", kb, rounds, own)
	}
	console.Send("\r~.")
	console.Wait()
	upgraded(t, z, first)
}

// upgraded holds a zone that was upgraded to what it is to be then.
func upgraded(t *testing.T, z *testenv.Zones, first string) {
	t.Helper()
	// What runs is what is installed: then nothing happens, which is said.
	pid := z.Status("a").Zoned.Pid
	if s := zoneadm(z, "upgrade", "-a"); s.exit != 0 || !strings.Contains(s.err, "runs the installed build 0.2.0 already") || z.Status("a").Zoned.Pid != pid {
		t.Errorf("%+v", s)
	}
	// The host's commands, which are of the first build, say that another one runs the zone.
	if s := z.Must("zoneadm", "list", "-v"); !strings.Contains(s, "(run by build 0.2.0, "+first+" is installed; upgrade it)") {
		t.Error(s)
	}
	// The keeper still is the one: its lock has gone with it from program to program.
	if out, errs, exit := z.RunInput("", "zsched", "-z", "a"); exit != 17 {
		t.Errorf("a second keeper: exit %d, %s%s", exit, out, errs)
	}
	// Contracts and services are served on, and everything ends as ever.
	z.ServicesUp("a")
	if out := z.In("a", "ctstat | wc -l"); strings.TrimSpace(out) < "2" {
		t.Errorf("contracts: %q", out)
	}
	if s := zoneadm(z, "-z", "a", "halt", "-v"); s.exit != 0 || !strings.Contains(s.err, nothing) {
		t.Errorf("halt: %+v", s)
	}
}

// contiguous compares the numbers on the console.
func contiguous(t *testing.T, text string, lines int) {
	t.Helper()
	want := 0
	for _, m := range regexp.MustCompile(`line (\d+)\.`).FindAllStringSubmatch(text, -1) {
		if m[1] != fmt.Sprint(want) {
			t.Fatalf("line %s on the console where %d should be", m[1], want)
		}
		want++
	}
	if want != lines {
		t.Errorf("%d of %d lines were on the console", want, lines)
	}
}

// written is the memory of a process that it has written to and shares with nobody, in kB: its
// program's text is shared with other zones' keepers, of which there are none here.
func written(t *testing.T, pid int) (kb int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	check(t, err)
	for line := range strings.Lines(string(b)) {
		var n int
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &n); err == nil {
			kb += n
		}
	}
	return kb
}

// TestUpgradeRefused: an older program, and one that is none, are refused in one line, and the
// supervisor that refuses goes on.
func TestUpgradeRefused(t *testing.T) {
	z := upgradable(t)
	now, _ := builds(t, z)
	older, newer := build(t, "0.0.9", ""), build(t, "0.2.0", "")
	good := filepath.Join(t.TempDir(), "good")
	if out, err := exec.Command("cp", "-a", z.Bin, good).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before := z.Status("a")
	refused := func(why string) {
		t.Helper()
		s := zoneadm(z, "-z", "a", "upgrade")
		if s.exit != 1 || s.out != "" || !strings.HasPrefix(s.err, "zoneadm: zone 'a': not upgraded: ") || !strings.Contains(s.err, why) ||
			!strings.HasSuffix(s.err, "; build "+now+" goes on\n") || strings.Count(s.err, "\n") != 1 {
			t.Errorf("want %q: %+v", why, s)
		}
		if after := z.Status("a"); after != before {
			t.Errorf("%q: %+v was %+v", why, after, before)
		}
		if out := z.In("a", "echo serves"); out != "serves\n" {
			t.Errorf("%q: a login says %q", why, out)
		}
	}
	install(t, z, older, "zoned", "zsched")
	refused("it is of build 0.0.9, and build " + now + " runs: programs do not go back")
	install(t, z, good, "zoned")
	refused("the installed zsched is of an older build")
	install(t, z, newer, "zoned", "zsched")
	for text, why := range map[string]string{
		"#!/bin/sh\nexit 3\n":                      "it does not run: exit status 3",
		"#!/bin/sh\nexit 0\n":                      "it says \"\", which tells no build",
		"#!/bin/sh\nhead -c 100000 /dev/urandom\n": "which tells no build",
		"#!/bin/sh\necho zoned 0.2.0\n":            "it does not know door in version",
		"#!/bin/sh\necho zoned new\n":              `it says to be of build \"new\"`,
		"nothing":                                  "it does not run: fork/exec",
	} {
		put(t, z, "zoned", text)
		refused(strings.ReplaceAll(why, `\"`, `"`))
	}
	check(t, os.Remove(filepath.Join(z.Bin, "zoned")))
	refused("no such file or directory")
	install(t, z, newer, "zoned")
	put(t, z, "zsched", "#!/bin/sh\nkill -11 $$\n")
	refused("the installed zsched does not take over (exit code 139)")
	// -a tells of each zone, and fails.
	if s := zoneadm(z, "upgrade", "-a"); s.exit != 1 || !strings.Contains(s.err, "zone 'a': not upgraded") {
		t.Errorf("%+v", s)
	}
	install(t, z, newer, "zsched")
	upgrade(t, z)
	wantBuilds(t, z, "0.2.0", "0.2.0")
	// One that is killed is not succeeded by an older one, wherever that came from.
	install(t, z, older, "zoned", "zsched")
	z.KillZoned("a")
	testenv.Eventually(t, func() bool {
		a, _ := builds(t, z)
		return a == "0.2.0" && z.Status("a").Zoned.Pid == z.PID("a", "zoned")
	}, "a successor")
	if out := z.In("a", "echo serves"); out != "serves\n" {
		t.Errorf("a login says %q", out)
	}
	if !strings.Contains(keeperLog(z), "does not take over a zone that build 0.2.0 runs: install that one or a newer one") {
		t.Errorf("the keeper's log:\n%s", keeperLog(z))
	}
	install(t, z, newer, "zoned", "zsched")
	silent(t, z, "-z", "a", "halt")
}

// TestUpgradeFails: new programs that say that they can and then fail, before they serve. Those
// before go on, it is said, and the next upgrade is one.
func TestUpgradeFails(t *testing.T) {
	z := upgradable(t)
	now, _ := builds(t, z)
	newer, failing := build(t, "0.2.0", ""), build(t, "0.2.0", "crashpoints")
	install(t, z, newer, "zoned")
	check(t, os.Rename(filepath.Join(z.Bin, "zoned"), filepath.Join(z.Bin, "zoned.real")))
	before := z.Status("a")
	login := z.Pty("zlogin", "a")
	login.Expect(`[#$] `)
	real := filepath.Join(z.Bin, "zoned.real")
	for _, end := range []string{"exit 5", "kill -9 $$", "read x <&3" /* the keeper waits for 20 seconds */} {
		put(t, z, "zoned", "#!/bin/sh\n[ \"$1\" = -V ] && exec "+real+" -V\n"+end+"\n")
		s := zoneadm(z, "-z", "a", "upgrade")
		want := "not upgraded: the supervisor of build 0.2.0 did not come to serve, build " + now + " goes on; see " + z.ZoneState("a") + "/zsched.log\n"
		if s.exit != 1 || s.err != "zoneadm: zone 'a': "+want {
			t.Errorf("%s: %+v", end, s)
		}
		wantBuilds(t, z, now, now)
		after := z.Status("a")
		if after.Init != before.Init || ended(before.Init.Pid) || after.Zsched != before.Zsched {
			t.Errorf("%s: %+v was %+v", end, after, before)
		}
		login.Send("echo on-$((1+1))\r")
		login.Expect(`on-2`)
	}
	if !strings.Contains(keeperLog(z), "exit status 5: going back to the one before") {
		t.Errorf("the keeper's log:\n%s", keeperLog(z))
	}
	// A keeper's program that fails when it has been executed gives the place back.
	install(t, z, newer, "zoned")
	install(t, z, failing, "zsched")
	s := zoneadm(z, "-z", "a", "upgrade")
	if s.exit != 0 || !strings.Contains(keeperLog(z), "build 0.2.0 can not go on (it has failed within): going back to build "+now) {
		t.Errorf("%+v\n%s", s, keeperLog(z))
	}
	wantBuilds(t, z, "0.2.0", now)
	if after := z.Status("a"); after.Init != before.Init || after.Zsched != before.Zsched {
		t.Errorf("%+v was %+v", after, before)
	}
	login.Send("exit\r")
	login.Wait()
	install(t, z, newer, "zsched")
	upgrade(t, z)
	wantBuilds(t, z, "0.2.0", "0.2.0")
	silent(t, z, "-z", "a", "halt")
}

// TestUpgradeKilled: the supervisor is killed at random instants of upgrades. Each is done, or
// not, and says which; the zone never notices.
func TestUpgradeKilled(t *testing.T) {
	z := upgradable(t)
	newer := build(t, "0.2.0", "")
	before := z.Status("a")
	rounds := 25
	if testing.Short() {
		rounds = 6
	}
	random := rand.New(rand.NewPCG(5, 6))
	done := 0
	for i := range rounds {
		install(t, z, newer, "zoned", "zsched")
		end := make(chan said, 1)
		go func() {
			out, errs, exit, err := z.Try("", "zoneadm", "-z", "a", "upgrade")
			if err != nil {
				t.Error(err)
			}
			end <- said{out, errs, exit}
		}()
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		if pid := z.PID("a", "zoned"); pid != 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		s := <-end
		switch {
		case s.exit == 0 && (strings.Contains(s.err, "runs the zone now") || strings.Contains(s.err, "already")):
			done++
		case s.exit == 1 && strings.Contains(s.err, "not upgraded: "):
		default:
			t.Fatalf("round %d: %+v\n%s", i, s, keeperLog(z))
		}
		testenv.Eventually(t, func() bool { return z.PID("a", "zoned") != 0 && z.Status("a").Zoned.Pid == z.PID("a", "zoned") }, "a supervisor")
		if after := z.Status("a"); after.Init != before.Init || after.Zsched != before.Zsched || ended(before.Init.Pid) {
			t.Fatalf("round %d: %+v was %+v", i, after, before)
		}
	}
	t.Logf("%d of %d upgrades were done", done, rounds)
	upgradeOrSame := zoneadm(z, "-z", "a", "upgrade")
	if upgradeOrSame.exit != 0 {
		t.Errorf("%+v", upgradeOrSame)
	}
	wantBuilds(t, z, "0.2.0", "0.2.0")
	silent(t, z, "-z", "a", "halt")
}

// TestUpgradeKeeperKilled: the keeper is killed at random instants of an upgrade, that of its own
// execve among them. The zone is lost, as ever when its keeper is; nothing of it is left.
func TestUpgradeKeeperKilled(t *testing.T) {
	z := upgradable(t)
	newer := build(t, "0.2.0", "")
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	random := rand.New(rand.NewPCG(7, 8))
	for i := range rounds {
		install(t, z, newer, "zoned", "zsched")
		end := make(chan said, 1)
		pid := z.Status("a").Zsched.Pid
		go func() {
			out, errs, exit, err := z.Try("", "zoneadm", "-z", "a", "upgrade")
			if err != nil {
				t.Error(err)
			}
			end <- said{out, errs, exit}
		}()
		time.Sleep(time.Duration(random.IntN(80)) * time.Millisecond)
		check(t, unix.Kill(pid, unix.SIGKILL))
		if s := <-end; s.exit != 0 && s.exit != 1 || strings.Contains(s.err, "panic") {
			t.Fatalf("round %d: %+v\n%s", i, s, keeperLog(z))
		}
		testenv.EventuallyWithin(t, 2*time.Minute, func() bool {
			state := strings.Split(z.Must("zoneadm", "-z", "a", "list", "-p"), ":")[2]
			return state == "installed" || state == "down"
		}, "the zone to be down")
		if s := zoneadm(z, "-z", "a", "halt"); s.exit != 0 {
			t.Errorf("round %d: halt: %+v", i, s)
		}
		testenv.Eventually(t, func() bool { return z.PID("a", "zsched") == 0 }, "the keeper to leave")
		if s := zoneadm(z, "fsck"); s.exit > 1 {
			t.Errorf("round %d: fsck: %+v", i, s)
		}
		clean(t, z)
		silent(t, z, "-z", "a", "boot")
	}
	silent(t, z, "-z", "a", "halt")
}

// TestUpgradeOfNothing: zones that do not run, and words that make no sense.
func TestUpgradeOfNothing(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "upgrade", "-a")
	if s := zoneadm(z, "-z", "a", "upgrade"); s.exit != 0 || s.err != "zoneadm: zone 'a': zone is not ready: whoever boots it starts the programs that are installed\n" {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"upgrade", 1, "no zone specified"},
		{"-z a upgrade -a", 2, "mutually exclusive"},
		{"-z nosuch upgrade", 1, "No such zone configured"},
		{"-z global upgrade", 1, "invalid for the global zone"},
		{"-z a upgrade now", 2, "unexpected operand"},
	} {
		s := zoneadm(z, strings.Fields(c.args)...)
		if s.exit != c.exit || !strings.Contains(s.err, c.want) || strings.Count(s.err, "\n") != 1 {
			t.Errorf("zoneadm %s: %+v", c.args, s)
		}
	}
}
