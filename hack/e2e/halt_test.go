package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// run starts a command in zone a that goes on when its login has ended.
func run(t *testing.T, z *testenv.Zones, cmd string) {
	t.Helper()
	if s := zlogin(t, z, "a", detached(cmd)); s.exit != 0 {
		t.Fatalf("%s: %v", cmd, s)
	}
}

// halts halts zone a and holds it to what halt promises.
func halts(t *testing.T, z *testenv.Zones) {
	t.Helper()
	dir, began := generation(t, z, "a"), time.Now()
	silent(t, z, "a", "halt")
	t.Logf("halted after %v", time.Since(began).Round(time.Millisecond))
	wantState(t, z, "a", "installed")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the zone's cgroup: %v", err)
	}
	nothingRuns(t, z)
}

// members are the processes of zone a.
func members(t *testing.T, z *testenv.Zones) (pids []int) {
	t.Helper()
	_ = filepath.WalkDir(generation(t, z, "a"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "cgroup.procs" {
			text, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(text)) {
				pid, _ := strconv.Atoi(f)
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// awaitMember waits for a process of zone a with a word in its command line.
func awaitMember(t *testing.T, z *testenv.Zones, word string) (found int) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		for _, pid := range members(t, z) {
			if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(b), "sleep") && strings.Contains(string(b), word) {
				found = pid
			}
		}
		return found != 0
	}, "a process of the zone with "+word)
	return found
}

// TestHaltForkBomb: processes that fork as fast as they die do not outrun it. The bomb is
// bounded by the zone's own limit, for the host's other tenants' sake: without it there is none
// (which letter it has depends on the shell).
func TestHaltForkBomb(t *testing.T) {
	z := running(t)
	run(t, z, "ulimit -u 300 2>/dev/null || ulimit -p 300 || exit; f() { f | f & }; while :; do f; done")
	testenv.Eventually(t, func() bool { return len(members(t, z)) > 100 }, "the bomb to go off")
	if s := listed(t, z, "a"); s != "running" {
		t.Errorf("listed as %s", s)
	}
	halts(t, z)
	silent(t, z, "a", "boot")
}

// TestHaltStopped: processes that are stopped, or frozen from within and from outside.
func TestHaltStopped(t *testing.T) {
	z := running(t)
	run(t, z, "sleep 1000 & sleep 1000 & kill -STOP %1 %2; kill -STOP $$")
	if err := unix.Kill(z.Status("a").Init.Pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	halts(t, z)
	silent(t, z, "a", "boot")
	// Only what was born in init's contract may make cgroups below it: the console's shell.
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`\[Connected to zone 'a' console\]`)
	console.Send("\r")
	console.Expect(`[#$] `)
	console.Send("d=/sys/fs/cgroup$(sed -n s/^0:://p /proc/1/cgroup); mkdir -p $d/f/g; sleep 1000 & echo $! > $d/f/g/cgroup.procs; echo 1 > $d/f/cgroup.freeze; echo frozen-$((40+2))\r")
	console.Expect(`frozen-42`)
	freeze := filepath.Join(cgroupMount(t), z.Cgroup("a"), "f/cgroup.freeze")
	if b, err := os.ReadFile(freeze); err != nil || strings.TrimSpace(string(b)) != "1" {
		t.Errorf("nothing is frozen from within: %q %v\n%s", b, err, console.Output())
	}
	console.Send("\r~.")
	console.Wait()
	halts(t, z)
	silent(t, z, "a", "boot")
	if err := os.WriteFile(filepath.Join(generation(t, z, "a"), "cgroup.freeze"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	halts(t, z)
}

// TestHaltFullConsole: writers saturate the console, its client takes nothing.
func TestHaltFullConsole(t *testing.T) {
	z := running(t)
	client := z.Pty("zlogin", "-C", "a")
	client.Expect(`\[Connected to zone 'a' console\]`)
	client.Signal(unix.SIGSTOP)
	run(t, z, "for i in 1 2 3; do yes full >/dev/console & done; wait")
	// Each is held up in a write of its own when the console takes no more.
	testenv.Eventually(t, func() bool {
		full := 0
		for _, pid := range members(t, z) {
			words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
			if string(words) == "yes\x00full\x00" && strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_WRITE)+" ") {
				full++
			}
		}
		return full == 3
	}, "three who write to a full console")
	// Output that is stopped from within as well: nothing is ever read of it.
	zlogin(t, z, "a", "timeout 1 stty ixon </dev/console; timeout 1 sh -c 'printf \"\\023\" >/dev/console'; true")
	silent(t, z, "a", "halt")
	wantState(t, z, "a", "installed")
	client.Signal(unix.SIGCONT)
	client.Expect(`NOTICE: Zone halted`)
	client.Send("\r~.")
	client.Wait()
	nothingRuns(t, z)
}

// TestHaltBusy: what holds mounts and files open, inside and from outside, holds no halt.
func TestHaltBusy(t *testing.T) {
	z := testenv.Instance(t)
	shared := t.TempDir()
	z.Sparse("a", "add fs; set dir=/shared; set special="+shared+"; set type=lofs; end",
		"add fs; set dir=/memory; set special=swap; set type=tmpfs; end")
	z.Must("zoneadm", "-z", "a", "boot") // it warns of the shared directory
	for _, dir := range []string{"/shared", "/memory", "/var/tmp", "/usr", "/proc", "/sys/fs/cgroup", "/dev/shm"} {
		run(t, z, "cd "+dir+" && exec 9<. && sleep 1000")
	}
	run(t, z, "echo text >/memory/file; echo text >/shared/file; exec sleep 1000 7<>/memory/file 8>>/shared/file")
	if s := zlogin(t, z, "a", "cat /shared/file /memory/file"); s.exit != 0 {
		t.Errorf("the file systems: %v", s)
	}
	pty := z.Pty("zlogin", "a")
	pty.Expect(`[#$] `)
	pty.Send("cd /memory; vi file 2>/dev/null || cat\r")
	cut := z.Cmd("zlogin", "a", "echo here; exec sleep 54321")
	var out output
	cut.Stdout = &out
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	awaitMember(t, z, "54321")
	testenv.Eventually(t, func() bool { return out.has("here") }, "the login to be heard of")
	// A process of the host that looks into the zone.
	held, err := os.Open(fmt.Sprintf("/proc/%d/root/memory", z.Status("a").Init.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	silent(t, z, "a", "halt")
	wantState(t, z, "a", "installed")
	if _ = cut.Wait(); cut.ProcessState.ExitCode() != 128+9 {
		t.Errorf("a login that was cut off: %v", cut.ProcessState)
	}
	pty.Expect(`\[Connection to zone 'a' pts/\d+ closed\]`)
	pty.Wait()
	nothingRuns(t, z)
	if b, err := os.ReadFile(filepath.Join(shared, "file")); string(b) != "text\n" {
		t.Errorf("the shared file: %q %v", b, err)
	}
	z.Must("zoneadm", "-z", "a", "boot")
	silent(t, z, "a", "halt")
	silent(t, z, "a", "uninstall", "-F")
}

// TestHaltTraced: tracers within the zone go with it; one on the host that does not care for
// its zombie is waited for, named, and does not keep the zone for ever.
func TestHaltTraced(t *testing.T) {
	t.Parallel()
	z := running(t)
	install(t, z, "a")
	run(t, z, "exec env "+as("trace"))
	testenv.Eventually(t, func() bool {
		for _, pid := range members(t, z) {
			if state, _ := procStat(pid); state == "t" {
				return true
			}
		}
		return false
	}, "a traced process")
	halts(t, z)
	silent(t, z, "a", "boot")
	run(t, z, "exec sleep 12345")
	victim := awaitMember(t, z, "12345")
	release, released := make(chan bool), make(chan error)
	go func() { released <- hold(victim, release) }()
	if !<-release {
		t.Fatal(<-released)
	}
	before := z.Status("a")
	began := time.Now()
	s := zoneadm(t, z, "a", "halt")
	t.Logf("halt with a tracer that sleeps: %v, %v", time.Since(began).Round(time.Millisecond), s)
	if s.exit == 0 && alive(before.Init) {
		t.Errorf("halted, with init %d in the world", before.Init.Pid)
	}
	if s.exit != 0 {
		wantState(t, z, "a", "down")
		if !strings.Contains(s.err, strconv.Itoa(before.Init.Pid)) {
			t.Errorf("who is left is not named: %v", s)
		}
	}
	release <- true
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	awaitListed(t, z, "a", "installed") // without a word from anybody
	nothingRuns(t, z)
}

// hold traces a process and looks at nothing that happens to it until it is released.
func hold(pid int, release chan bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		release <- false
		return err
	}
	release <- true
	<-release
	_, err := unix.Wait4(pid, nil, unix.WALL, nil)
	if errors.Is(err, unix.ECHILD) {
		err = nil
	}
	return err
}

// TestHaltUninterruptible: a process that no signal reaches, since it waits for a file system
// whose server is silent. The zone is down, whom it waits for is named, other requests are
// answered, and when the process can die the halt is finished.
func TestHaltUninterruptible(t *testing.T) {
	t.Parallel()
	z := running(t)
	server := silentFS(t)
	stuck := stuckIn(t, server.dir)
	// It becomes one of the zone's by its cgroup: for a halt no other counts.
	procs := filepath.Join(generation(t, z, "a"), "admin", "stuck")
	if err := os.Mkdir(procs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(procs, "cgroup.procs"), []byte(strconv.Itoa(stuck.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := zoneadm(t, z, "a", "halt")
	t.Logf("halt said after %v: %s", time.Since(began).Round(time.Millisecond), s.err)
	if s.exit != 1 || !strings.Contains(s.err, strconv.Itoa(stuck.Process.Pid)) || !strings.Contains(s.err, "unable to destroy zone") {
		t.Errorf("halt of a zone that can not end: %v", s)
	}
	wantState(t, z, "a", "down")
	noted(t, z, "a", "zone is already booted", "boot")
	refused(t, z, "a", "uninstall operation is invalid for down zones.", "uninstall", "-F")
	if s := zlogin(t, z, "a", "true"); s.exit != 1 || !strings.Contains(s.err, "'down'") {
		t.Errorf("zlogin: %v", s)
	}
	successor(t, z, "a", z.KillZoned("a"))
	wantState(t, z, "a", "down")
	server.abort()
	_ = stuck.Wait()
	// The supervisor may have found by itself that nobody is left: then it says so.
	if s := zoneadm(t, z, "a", "halt"); s.exit != 0 || s.err != "" && !strings.Contains(s.err, "zone is already halted") {
		t.Errorf("halt of a zone that can end now: %v", s)
	}
	wantState(t, z, "a", "installed")
	nothingRuns(t, z)
	silent(t, z, "a", "boot")
}
