package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/request"
)

// zombies counts the zone's, and all its processes.
func (z *Zone) processes() (all, zombies int) {
	var out []byte
	testenv.Eventually(z.t, func() bool { // who enters may come before init's proc does
		out, _ = z.Enter("/bin/sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null").Output()
		return len(out) > 0
	}, "a list of processes")
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		if len(f) > 0 && f[0] == "Z" {
			zombies++
		}
		all++
	}
	return all, zombies
}

// Ten thousand processes lose their parent and end at the same moment.
func TestOrphans(t *testing.T) {
	z := Booted(t, Options{})
	before, _ := z.processes()
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	count := strconv.Itoa(n)
	z.Type(`mkfifo /tmp/f; sh -c 'i=0; while [ $i -lt ` + count + ` ]; do (read x </tmp/f) & i=$((i+1)); done'; echo orphans are $((` + count + `+0))` + "\n")
	z.ExpectWithin(3*time.Minute, `orphans are `+count+`\r\n`)
	if all, _ := z.processes(); all < n {
		t.Fatalf("%d processes", all)
	}
	z.Type("> /tmp/f; echo the door is $((0))pen\n")
	z.Expect(`the door is 0pen`)
	testenv.Eventually(t, func() bool {
		// Who had not come to the door yet when it was open finds it closed.
		_ = z.Enter("/bin/sh", "-c", ": <>/tmp/f").Run()
		all, zombies := z.processes()
		return zombies == 0 && all <= before+1
	}, "the orphans' reaping")
	z.Type(ours + "reboot\n")
	ended(t, z, syscall.SIGHUP)
}

// limit makes the zone's pid namespace small, where the kernel can (6.14), so that a fork
// bomb fills it and not the host.
func limit(t *testing.T, z *Zone, pids int) {
	t.Helper()
	testenv.Need(t, smallPIDNamespace)
	if out, err := z.Enter("/bin/sh", "-c", "echo "+strconv.Itoa(pids)+" > /proc/sys/kernel/pid_max").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// smallPIDNamespace is there when pid_max belongs to the pid namespace.
var smallPIDNamespace = testenv.Feature{Name: "pid_max of a pid namespace", Probe: func() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	major, rest, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(strings.TrimRight(minor, "-+abcdefghijklmnopqrstuvwxyz"))
	if a < 6 || a == 6 && b < 14 {
		return unix.ENOSYS
	}
	return nil
}}

// forks gives a zone with the program that fills it.
func forks(t *testing.T) *Zone {
	t.Helper()
	root := testenv.BusyboxRoot(t)
	cmd := exec.Command("go", "build", "-o", filepath.Join(root, "bin/forks"), "./testdata/forks")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	z := Booted(t, Options{Root: root})
	limit(t, z, 600)
	return z
}

// full waits until the zone has no room.
func (z *Zone) full() {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool {
		list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(z.PID()), "root/proc"))
		pids := 0
		for _, e := range list {
			if _, err := strconv.Atoi(e.Name()); err == nil {
				pids++
			}
		}
		return err == nil && pids > 290
	}, "a full zone")
}

func TestForkBomb(t *testing.T) {
	z := forks(t)
	z.Type("forks bomb &\n")
	z.full()
	time.Sleep(time.Second)
	if !z.Running() {
		t.Fatalf("pid 1 has died: %#x\n%s", int(z.Wait()), z.Output())
	}
	begin := time.Now()
	must(t, z.cmd.Process.Signal(syscall.Signal(39)))
	ended(t, z, syscall.SIGHUP)
	d := time.Since(begin)
	t.Logf("the bombed zone took %v to end", d)
	if d < 4*time.Second {
		t.Errorf("it took %v", d)
	}
}

// The shell ends while there is no room for another: init comes back once there is.
func TestNoRoomForAShell(t *testing.T) {
	z := forks(t)
	z.Type("forks fill &\n")
	z.full()
	testenv.Eventually(t, func() bool {
		out, err := z.Enter("/bin/true").CombinedOutput()
		return err != nil && strings.Contains(string(out), "fork")
	}, "a zone in which nobody can fork")
	z.killShell()
	z.Expect(`init: cannot start the console's shell: resource temporarily unavailable`)
	time.Sleep(3 * time.Second)
	if !z.Running() {
		t.Fatal("pid 1 has died")
	}
	must(t, os.WriteFile(filepath.Join("/proc", strconv.Itoa(z.PID()), "root/tmp/stop"), nil, 0o644))
	z.Expect(prompt)
}

// killShell kills the console's shell from outside: there may be no room for a process that
// could do it inside. It is the child of whichever of pid 1's threads has forked.
func (z *Zone) killShell() {
	z.t.Helper()
	lists, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(z.PID()), "task/*/children"))
	must(z.t, err)
	for _, list := range lists {
		children, err := os.ReadFile(list)
		must(z.t, err)
		for _, word := range strings.Fields(string(children)) {
			pid, err := strconv.Atoi(word)
			must(z.t, err)
			must(z.t, unix.Kill(pid, unix.SIGKILL))
		}
	}
}

// Root of the zone may send pid 1 what it likes.
func TestSignalStorm(t *testing.T) {
	z := Booted(t, Options{})
	for sig := 1; sig <= 64; sig++ {
		if request.Of(unix.Signal(sig)).Action() == 0 {
			must(t, unix.Kill(z.PID(), 0))
			z.Type("kill -" + strconv.Itoa(sig) + " 1; echo sent $((" + strconv.Itoa(sig) + "+1000))\n")
			z.Expect("sent " + strconv.Itoa(sig+1000))
		}
	}
	z.Type("for n in 1 2 3 4; do (while :; do kill -HUP 1; kill -WINCH 1; kill -41 1; kill -64 1; done) & done 2>/dev/null; echo storm $((1))\n")
	z.Expect(`storm 1`)
	time.Sleep(time.Second)
	if !z.Running() {
		t.Fatalf("pid 1 has died: %#x\n%s", int(z.Wait()), z.Output())
	}
	z.Type(ours + "init 6\n")
	ended(t, z, syscall.SIGHUP)
}

// A console that nobody reads holds up who writes to it, and neither init nor a halt.
func TestFullConsole(t *testing.T) {
	z := Booted(t, Options{})
	z.StandStill(true)
	z.Type("yes & yes & while :; do echo full; done\n")
	time.Sleep(200 * time.Millisecond)
	for range 200 {
		must(t, z.cmd.Process.Signal(syscall.Signal(35))) // each wants a line on the console
	}
	begin := time.Now()
	must(t, z.cmd.Process.Signal(syscall.Signal(37)))
	ended(t, z, syscall.SIGINT)
	t.Logf("ended after %v", time.Since(begin))
}

// Who ignores SIGTERM is killed when its time is over; who does not has time to end.
func TestGrace(t *testing.T) {
	z := Booted(t, Options{})
	z.Type("(trap 'echo soft ends; sleep 1; echo soft has ended; exit' TERM; echo armed $((40+1)); while :; do sleep 100 & wait; done) & (trap '' TERM HUP; echo armed $((40+1)); while :; do sleep 100; done) &\n")
	z.Expect(`armed 41`)
	z.Expect(`armed 41`)
	begin := time.Now()
	must(t, z.cmd.Process.Signal(syscall.Signal(37)))
	z.Expect(`going down: halt`)
	must(t, z.cmd.Process.Signal(syscall.Signal(39)))
	ended(t, z, syscall.SIGINT)
	if d := time.Since(begin); d < 4*time.Second {
		t.Errorf("who ignores SIGTERM had %v, less than the time of grace", d)
	}
	out := z.Output()
	for _, want := range []string{"going down: halt", "soft ends", "soft has ended", "already going down"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	z = Booted(t, Options{})
	z.Type("(trap '' TERM HUP; echo armed $((40+1)); while :; do sleep 100; done) &\n")
	z.Expect(`armed 41`)
	begin = time.Now()
	must(t, z.cmd.Process.Signal(syscall.Signal(47)))
	ended(t, z, syscall.SIGINT)
	t.Logf("at once took %v", time.Since(begin))
}

// A process that came in from outside is none of pid 1's children, and still is waited for.
func TestGraceForLogins(t *testing.T) {
	z := Booted(t, Options{})
	cmd := z.Enter("/bin/sh", "-c", "trap 'echo ends; sleep 1; echo has ended; exit' TERM; echo here; while :; do sleep 100 & wait; done")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	must(t, err)
	must(t, z.cmd.Process.Signal(syscall.Signal(37)))
	ended(t, z, syscall.SIGINT)
	text := string(buf[:n])
	for err == nil {
		n, err = out.Read(buf)
		text += string(buf[:n])
	}
	cmd.Wait()
	if text != "here\nends\nhas ended\n" {
		t.Errorf("%q", text)
	}
}

// Root hangs the console up, again and again: what was open is dead, and a shell comes back.
func TestHangup(t *testing.T) {
	z := forks(t)
	held := z.Slave()
	defer held.Close()
	for range 3 {
		z.Type("forks hangup\n")
		testenv.Eventually(t, func() bool { _, err := held.Write([]byte{0}); return err != nil }, "the hangup")
		z.Expect(prompt)
		z.Type("echo back on $(tty)\n")
		z.Expect(`back on /dev/console`)
		z.Expect(prompt)
	}
	z.Type(ours + "reboot\n")
	ended(t, z, syscall.SIGHUP)
	z.Expect(`going down: reboot`)
}
