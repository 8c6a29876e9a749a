package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// replaced kills the supervisor and waits for the next one; the zone must not have noticed.
func replaced(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	before := z.Status(zone)
	successor(t, z, zone, z.KillZoned(zone))
	after := z.Status(zone)
	if after.Init != before.Init || after.ID != before.ID || after.State != before.State {
		t.Fatalf("zone %s was %+v, is %+v under the successor", zone, before, after)
	}
	if !alive(after.Init) {
		t.Fatalf("init of zone %s is dead", zone)
	}
}

// TestTakeoverInstalled: a console client of a halted zone goes on under the next supervisor.
func TestTakeoverInstalled(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	old := z.KillZoned("a")
	testenv.Eventually(t, func() bool { pid := z.PID("a", "zoned"); return pid != 0 && pid != old }, "another supervisor")
	silent(t, z, "a", "boot")
	console.Expect(`NOTICE: Zone booting up`)
	console.Send("\r")
	console.Expect(`[#$] `)
	console.Send("echo $((6*7))-there\r")
	console.Expect(`42-there`)
	silent(t, z, "a", "halt")
	console.Expect(`NOTICE: Zone halted`)
	console.Send("\r~.")
	if exit := console.Wait(); exit != 0 {
		t.Errorf("zlogin -C: exit %d\n%s", exit, console.Output())
	}
}

// TestTakeoverReady: the waiting trampoline is booted by a successor.
func TestTakeoverReady(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "ready")
	replaced(t, z, "a")
	silent(t, z, "a", "boot")
	if s := zlogin(t, z, "a", "exit 5"); s.exit != 5 {
		t.Errorf("a command: %v", s)
	}
	silent(t, z, "a", "ready")
	replaced(t, z, "a")
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// TestTakeoverRunning: logins of both kinds and the console live on, and then so do commands.
func TestTakeoverRunning(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	console.Send("\r")
	console.Expect(`[#$] `)
	login := z.Pty("zlogin", "a")
	login.Expect(`[#$] `)
	piped := z.Cmd("zlogin", "a", "while read l; do echo got $l; echo err $l >&2; done; exit 9")
	input, err := piped.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs output
	piped.Stdout, piped.Stderr = &out, &errs
	if err := piped.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = piped.Process.Kill() }()
	_, _ = io.WriteString(input, "0\n")
	testenv.Eventually(t, func() bool { return out.has("got 0") }, "the piped login to run")
	for i := 1; i <= 5; i++ {
		replaced(t, z, "a")
		login.Send(fmt.Sprintf("echo login-$((%d*1000))\r", i))
		login.Expect(fmt.Sprintf("login-%d000", i))
		console.Send(fmt.Sprintf("echo console-$((%d*1000))\r", i))
		console.Expect(fmt.Sprintf("console-%d000", i))
		_, _ = io.WriteString(input, fmt.Sprintf("%d\n", i))
	}
	input.Close()
	if err := piped.Wait(); piped.ProcessState.ExitCode() != 9 {
		t.Errorf("the piped login: %v, stderr %q", err, errs.String())
	}
	wantOut, wantErr := "", ""
	for i := range 6 {
		wantOut += fmt.Sprintf("got %d\n", i)
		wantErr += fmt.Sprintf("err %d\n", i)
	}
	if out.String() != wantOut || errs.String() != wantErr {
		t.Errorf("the piped login said %q, %q", out.String(), errs.String())
	}
	login.Send("exit 3\r")
	login.Expect(`\[Connection to zone 'a' pts/\d+ closed\]`)
	login.Wait()
	before := z.Status("a")
	silent(t, z, "a", "reboot")
	if after := z.Status("a"); after.ID == before.ID {
		t.Errorf("reboot under a successor: %+v", after)
	}
	replaced(t, z, "a")
	silent(t, z, "a", "halt")
	console.Expect(`NOTICE: Zone halted`)
	console.Send("\r~.")
	console.Wait()
	nothingRuns(t, z)
}

// TestStatusWhileAway: statuses of processes that ended while no supervisor was there are not lost.
func TestStatusWhileAway(t *testing.T) {
	z := testenv.Instance(t)
	// Services that nobody can stop, since contracts are served by a supervisor that is stopped too,
	// have a second.
	z.Sparse("a", "add attr; set name=shutdown-timeout; set type=uint; set value=2; end")
	silent(t, z, "a", "boot")
	// The supervisor is stopped, so that it can not be what took the status, then killed.
	flag := inside(z, "a", "/var/tmp/go")
	piped := background(t, z, "zlogin", "a", "touch /var/tmp/there; while [ ! -e /var/tmp/go ]; do sleep 0.01; done; touch /var/tmp/gone; exit 77")
	appears(t, z, "a", "/var/tmp/there")
	pid, _ := tryKillZoned(z, "a", unix.SIGSTOP)
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	appears(t, z, "a", "/var/tmp/gone")
	z.KillZoned("a")
	successor(t, z, "a", pid)
	if s := <-piped; s.exit != 77 {
		t.Errorf("a login that ended while nobody was there: %v", s)
	}
	// The same with init: halted from inside, and killed.
	before := z.Status("a")
	pid, _ = tryKillZoned(z, "a", unix.SIGSTOP)
	if err := unix.Kill(before.Init.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool { return !alive(before.Init) }, "init to be dead")
	z.KillZoned("a")
	awaitNewIncarnation(t, z, "a", before)
	before = z.Status("a")
	s := background(t, z, "zlogin", "a", "touch /var/tmp/halting; while [ ! -e /var/tmp/halt ]; do sleep 0.01; done; halt")
	appears(t, z, "a", "/var/tmp/halting")
	tryKillZoned(z, "a", unix.SIGSTOP)
	if err := os.WriteFile(inside(z, "a", "/var/tmp/halt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool { return !alive(before.Init) }, "init to be dead")
	z.KillZoned("a")
	awaitListed(t, z, "a", "installed")
	<-s
	nothingRuns(t, z)
}

// TestRevivalSurvives: a boot that waits for its time is not lost with the supervisor, and a
// halt from outside makes it void.
func TestRevivalSurvives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	var before testenv.Status
	die := func(s testenv.Status) {
		t.Helper()
		before = s
		if err := unix.Kill(before.Init.Pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the first is booted at once, the second after a second, then two
		die(z.Status("a"))
		awaitNewIncarnation(t, z, "a", before)
	}
	inTheDelay(t, z, "a", die, func() bool {
		z.KillZoned("a")
		awaitNewIncarnation(t, z, "a", before)
		// One that was killed too late had booted the zone already.
		b, err := os.ReadFile(z.Log + "/a.log")
		return err == nil && strings.Contains(string(b), "the zone waits to be booted again")
	})
	inTheDelay(t, z, "a", die, func() bool { // four seconds now
		s := zoneadm(t, z, "a", "halt")
		if s.exit != 0 {
			t.Errorf("halt: %v", s)
		}
		held := strings.Contains(s.err, "zone is already halted")
		if !held {
			silent(t, z, "a", "boot")
		}
		return held
	})
	nothingRuns(t, z) // the supervisor leaves: nothing waits
	wantState(t, z, "a", "installed")
}

// TestSupervisorStopped: a supervisor that hangs holds up its callers, not the zone.
func TestSupervisorStopped(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	counter := inside(z, "a", "/var/tmp/counter")
	busy := detached("i=0; while :; do i=$((i+1)); echo line $i >/dev/console; echo $i >/var/tmp/counter; done")
	if s := zlogin(t, z, "a", busy); s.exit != 0 {
		t.Fatal(s)
	}
	if _, ok := tryKillZoned(z, "a", unix.SIGSTOP); !ok {
		t.Fatal("no supervisor")
	}
	read := func() string { b, _ := os.ReadFile(counter); return string(b) }
	for range 5 { // far more than a terminal's or the ring's buffer would take if nobody read
		seen := read()
		testenv.Eventually(t, func() bool { return len(read()) > 0 && read() != seen }, "the zone to go on")
	}
	if s := listed(t, z, "a"); s != "running" {
		t.Errorf("listed as %s", s)
	}
	halt := background(t, z, "zoneadm", "-z", "a", "halt")
	time.Sleep(200 * time.Millisecond)
	wantState(t, z, "a", "running")
	z.KillZoned("a")
	if s := <-halt; s.exit != 0 || s.err != "" {
		t.Errorf("halt: %v", s)
	}
	nothingRuns(t, z)
	// One that is only slow goes on by itself.
	silent(t, z, "a", "boot")
	pid, _ := tryKillZoned(z, "a", unix.SIGSTOP)
	halt = background(t, z, "zoneadm", "-z", "a", "halt")
	time.Sleep(200 * time.Millisecond)
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if s := <-halt; s.exit != 0 || s.err != "" {
		t.Errorf("halt: %v", s)
	}
}

// unstarted says whether a caller was told that the supervisor died at its very start, when
// there was nobody yet to start another.
func unstarted(s said) bool {
	return s.exit == 1 && strings.Contains(s.err, "died before signaling startup")
}

// TestUpgrade: the program is replaced and the old supervisor killed or asked to go; its
// successor is the new one.
func TestUpgrade(t *testing.T) {
	z := testenv.Instance(t)
	z.PrivateBin(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	login := z.Pty("zlogin", "a")
	login.Expect(`[#$] `)
	for i, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM} {
		name := filepath.Join(z.Bin, "zoned")
		if out, err := exec.Command("sh", "-c", "cp "+name+" "+name+".new && mv "+name+".new "+name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		before := z.Status("a")
		old, _ := tryKillZoned(z, "a", sig)
		pid := successor(t, z, "a", old)
		want, err1 := os.Stat(name)
		got, err2 := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
		if err1 != nil || err2 != nil || !os.SameFile(want, got) {
			t.Errorf("the successor runs another file: %v %v", err1, err2)
		}
		if after := z.Status("a"); after.Init != before.Init || !alive(after.Init) {
			t.Errorf("init was %+v, is %+v", before.Init, after.Init)
		}
		login.Send(fmt.Sprintf("echo still-$((%d+40))\r", i))
		login.Expect(fmt.Sprintf("still-%d", i+40))
	}
	login.Send("exit\r")
	login.Wait()
	silent(t, z, "a", "halt")
}

// TestTerminatedAtWork: a supervisor that is asked to go in the middle of a boot or halt ends
// it first, or leaves it to its successor; its caller notices nothing.
func TestTerminatedAtWork(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	random := rand.New(rand.NewPCG(1, 2))
	state := "installed"
	for i := range count(20) {
		verb, want := "boot", "running"
		if state == "running" {
			verb, want = "halt", "installed"
		}
		done := background(t, z, "zoneadm", "-z", "a", verb)
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		tryKillZoned(z, "a", unix.SIGTERM)
		s := <-done
		if unstarted(s) && verb == "boot" {
			wantState(t, z, "a", state)
			continue
		}
		if s.exit != 0 || s.err != "" {
			t.Fatalf("round %d: %s: %v", i, verb, s)
		}
		wantState(t, z, "a", want)
		state = want
	}
	if s := zoneadm(t, z, "a", "halt"); s.exit != 0 {
		t.Error(s)
	}
	nothingRuns(t, z)
}

// TestKeeperKilled: without its keeper a zone can not be kept; it is brought down in order,
// nothing is left, and the next boot works. With both dead it is told to be down.
func TestKeeperKilled(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "a", "boot")
	kill := func(pid int) {
		t.Helper()
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	kill(z.Status("a").Zsched.Pid)
	awaitListed(t, z, "a", "installed")
	nothingRuns(t, z)
	silent(t, z, "a", "boot")
	s := z.Status("a")
	testenv.Eventually(t, func() bool { return terminal(s.Init.Pid) == "0" }, "init to give up its terminal, which goes with the keeper")
	tryKillZoned(z, "a", unix.SIGSTOP) // it must not have the time to halt
	testenv.Eventually(t, func() bool { state, _ := procStat(s.Zoned.Pid); return state == "T" }, "the supervisor to stop")
	kill(s.Zsched.Pid)
	kill(s.Zoned.Pid)
	testenv.Eventually(t, func() bool { return !alive(s.Zoned) && !alive(s.Zsched) }, "both to be dead")
	if alive(s.Init) {
		wantState(t, z, "a", "down")
		if n := zoneadm(t, z, "a", "boot"); n.exit != 0 || !strings.Contains(n.err, "restarted zoneadmd to recover") || !strings.Contains(n.err, "already booted") {
			t.Errorf("boot in state down: %v", n)
		}
		wantState(t, z, "a", "down")
	}
	if n := zoneadm(t, z, "a", "halt"); n.exit != 0 {
		t.Errorf("halt: %v", n)
	}
	wantState(t, z, "a", "installed")
	silent(t, z, "a", "boot")
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// terminal is the number of a process's controlling terminal, 0 for none.
func terminal(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return f[4]
}

// TestKilledAtRandom kills the supervisor at random instants of requests: each completes, or
// says why not, and the state told is the true one.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	random := rand.New(rand.NewPCG(3, 4))
	lost := 0
	for i := range count(60) {
		state := listed(t, z, "a")
		verbs := map[string][]string{
			"installed": {"boot", "ready"}, "ready": {"boot", "halt"}, "running": {"reboot", "halt", "login", "login", "ready"},
		}[state]
		if verbs == nil {
			t.Fatalf("round %d: state %s", i, state)
		}
		verb := verbs[random.IntN(len(verbs))]
		var done <-chan said
		if verb == "login" {
			done = background(t, z, "zlogin", "a", "echo x; exit 4")
		} else {
			done = background(t, z, "zoneadm", "-z", "a", verb)
		}
		time.Sleep(time.Duration(random.IntN(80)) * time.Millisecond)
		tryKillZoned(z, "a", unix.SIGKILL)
		s := <-done
		switch {
		case verb == "login" && s.exit == 4 && s.out == "x\n":
		case state == "installed" && unstarted(s):
			lost++ // there was no supervisor yet to be replaced
			wantState(t, z, "a", state)
		case verb != "login" && s.exit == 0 && s.err == "":
			want := map[string]string{"boot": "running", "reboot": "running", "halt": "installed", "ready": "ready"}[verb]
			wantState(t, z, "a", want)
		default:
			t.Fatalf("round %d: %s in state %s: %v", i, verb, state, s)
		}
		truth(t, z, "a")
	}
	t.Logf("%d requests were undone, and said so", lost)
	if s := zoneadm(t, z, "a", "halt"); s.exit != 0 {
		t.Error(s)
	}
	nothingRuns(t, z)
}

// truth holds what is told of a zone against the kernel.
func truth(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	state, s := listed(t, z, zone), z.Status(zone)
	switch state {
	case "running":
		if n := zlogin(t, z, zone, "true"); n.exit != 0 || !alive(s.Init) {
			t.Fatalf("a zone that is told to run: %v, init %v", n, alive(s.Init))
		}
	case "ready":
		if !alive(s.Init) {
			t.Fatal("a zone that is told to be ready has no process that waits")
		}
	case "installed":
		if left, _ := filepath.Glob(filepath.Join(cgroupMount(t), "zones"+z.Tag(), zone, "g*")); len(left) > 0 {
			t.Fatalf("a zone that is told to be halted has %q", left)
		}
	}
}

// TestRoomForDescriptors: nobody in supervisor or restarter waits for the kernel to make the table of
// descriptors larger when a zone boots.
func TestRoomForDescriptors(t *testing.T) {
	z := running(t)
	z.ServicesUp("a")
	zoned := z.Status("a").Zoned.Pid
	startd := zlogin(t, z, "a", "grep FDSize: /proc/$(pgrep -x svc.startd)/status")
	text, err := os.ReadFile("/proc/" + strconv.Itoa(zoned) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for program, c := range map[string]struct {
		text string
		want int
	}{"zoned": {string(text), 256}, "svc.startd": {startd.out, 512}} {
		_, rest, _ := strings.Cut(c.text, "FDSize:")
		if n, err := strconv.Atoi(strings.Fields(rest + " none")[0]); err != nil || n < c.want {
			t.Errorf("%s has room for %d descriptors, want %d (%v)", program, n, c.want, err)
		}
	}
}
