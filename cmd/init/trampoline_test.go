package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/trampoline"
)

// report is an init that says what it was given, and stays.
const report = `#!/bin/sh
echo "args: $0 $*"
echo "pid: $$ cwd: $(pwd) umask: $(umask) nofile: $(ulimit -Sn)"
read tty < /dev/tty
echo "typed: $tty"
while :; do sleep 1000; done
`

func withProgram(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	root := testenv.BusyboxRoot(t)
	must(t, os.WriteFile(filepath.Join(root, path), []byte(text), mode))
	return root
}

// blocked runs f on a thread that blocks what a careless parent could have blocked.
func blocked(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.Sigset_t
	set.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGUSR1-1) | 1<<(37-1)
	must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old))
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	f()
}

// unclean starts the trampoline as a careless parent would.
func unclean(t *testing.T) *Zone {
	t.Helper()
	root := withProgram(t, "sbin/report", report, 0o755)
	var z *Zone
	blocked(t, func() {
		z = Make(t, Options{Root: root, Script: `
			trap '' HUP QUIT PIPE ALRM TTOU; umask 077; ulimit -Sn 512
			exec 5</etc 7>/dev/null 8</ 9</proc/self/status`})
	})
	return z
}

// What follows the trampoline has the console and its arguments, and nothing else: neither
// what the trampoline was started with, nor what the Go runtime does.
func TestTrampolineIsClean(t *testing.T) {
	for name, c := range map[string]struct {
		boot trampoline.Boot
		want string // all that it prints
	}{
		"environment": {trampoline.Boot{Path: "/bin/env", Args: []string{"env"}, Env: []string{"A=b c", "Z=ü"}}, `^A=b c\r\nZ=ü\r\n$`},
		"empty":       {trampoline.Boot{Path: "/bin/env", Args: []string{"env"}}, `^$`},
		"descriptors": {trampoline.Boot{Path: "/bin/ls", Args: []string{"ls", "-1", "/proc/self/fd"}}, `^0\r\n1\r\n2\r\n3\r\n$`}, // 3 is ls's own
		"signals": {trampoline.Boot{Path: "/bin/grep", Args: []string{"grep", "-E", "^(Sig|ShdP)", "/proc/self/status"}},
			`^SigQ:\t\d+/\d+\r\nSigPnd:\t0+\r\nShdPnd:\t0+\r\nSigBlk:\t0+\r\nSigIgn:\t0+\r\nSigCgt:\t0+\r\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			z := unclean(t)
			if e := z.Try(c.boot); e != 0 {
				t.Fatal(e)
			}
			if s := z.Wait(); !s.Exited() || s.ExitStatus() != 0 {
				t.Errorf("status %#x", int(s))
			}
			if out := z.Output(); !regexp.MustCompile(c.want).MatchString(out) {
				t.Errorf("%q", out)
			}
		})
	}
	z := unclean(t)
	if e := z.Try(trampoline.Boot{Path: "/sbin/report", Args: []string{"report", "-s", "a b"}}); e != 0 {
		t.Fatal(e)
	}
	z.Expect(`args: /sbin/report -s a b\r\npid: 1 cwd: / umask: 0022 nofile: 512\r\n`)
	z.Type("hello\n")
	z.Expect(`typed: hello`) // the console is still the controlling terminal
}

func TestTrampolineSaysWhyNot(t *testing.T) {
	root := withProgram(t, "etc/text", "just text\n", 0o644)
	must(t, os.WriteFile(filepath.Join(root, "etc/garbage"), []byte("\x00\x01\x02"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc/lost"), []byte("#!/no/such/interpreter\n"), 0o755))
	must(t, os.Symlink("loop", filepath.Join(root, "etc/loop")))
	must(t, unix.Mkfifo(filepath.Join(root, "etc/fifo"), 0o755))
	z := Make(t, Options{Root: root})
	args := []string{"init"}
	for _, c := range []struct {
		boot trampoline.Boot
		want unix.Errno
	}{
		{trampoline.Boot{Path: "/sbin/nothing", Args: args}, unix.ENOENT},
		{trampoline.Boot{Path: "sbin/init", Args: args}, unix.EINVAL},
		{trampoline.Boot{Path: "", Args: args}, unix.EINVAL},
		{trampoline.Boot{Path: "/sbin/init"}, unix.EINVAL},
		{trampoline.Boot{Path: "/etc", Args: args}, unix.EACCES},
		{trampoline.Boot{Path: "/etc/text", Args: args}, unix.EACCES},
		{trampoline.Boot{Path: "/etc/fifo", Args: args}, unix.EACCES},
		{trampoline.Boot{Path: "/dev/console", Args: args}, unix.EACCES},
		{trampoline.Boot{Path: "/etc/garbage", Args: args}, unix.ENOEXEC},
		{trampoline.Boot{Path: "/etc/lost", Args: args}, unix.ENOENT},
		{trampoline.Boot{Path: "/etc/loop", Args: args}, unix.ELOOP},
		{trampoline.Boot{Path: "/etc/text/x", Args: args}, unix.ENOTDIR},
		{trampoline.Boot{Path: "/bin/true", Args: []string{"true", strings.Repeat("x", 128<<10)}}, unix.E2BIG},
	} {
		if got := z.Try(c.boot); got != c.want {
			t.Errorf("%q: %v, want %v", c.boot.Path, got, c.want)
		}
	}
	for _, garbage := range []string{"x", "{}", `{"path":"/bin/true"}`, `{"path":"/bin/true","args":["a\u0000"]}`, "\x00\x00\x00\x00", strings.Repeat("{", 100_000)} {
		z.Send([]byte(garbage))
		if got := z.Reply(); got != unix.EBADMSG && got != unix.EINVAL {
			t.Errorf("%.20q: %v", garbage, got)
		}
	}
	must(t, unix.SetsockoptInt(z.sock, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4*trampoline.MessageBytesMax))
	z.Send(make([]byte, trampoline.MessageBytesMax+1))
	if got := z.Reply(); got != unix.E2BIG {
		t.Errorf("a message that is too long: %v", got)
	}
	z.Boot() // and it still can
	z.Expect(prompt)
}

// Descriptors that come along with the message go nowhere.
func TestTrampolineTakesNoDescriptors(t *testing.T) {
	z := Make(t, Options{})
	message := []byte(`{"path":"/bin/ls","args":["ls","/proc/self/fd"],"env":null}`)
	must(t, unix.Sendmsg(z.sock, message, unix.UnixRights(z.sock, 0, 1), nil, 0))
	if e := z.Reply(); e != 0 {
		t.Fatal(e)
	}
	z.Expect(`^0 +1 +2 +3\r\n`)
}

func TestTrampolineEndsWithoutASupervisor(t *testing.T) {
	z := Make(t, Options{})
	ready(z)
	z.HangUp()
	if s := z.Wait(); !s.Exited() || s.ExitStatus() != 1 {
		t.Errorf("status %#x", int(s))
	}
}

func TestTrampolineByHand(t *testing.T) {
	z := Make(t, Options{Script: "exec 3</dev/null"})
	if s := z.Wait(); !s.Exited() || s.ExitStatus() != 1 {
		t.Errorf("status %#x", int(s))
	}
	z.Expect(`trampoline: cannot prepare: descriptor 3 is not the supervisor's socket`)
}

// ready waits until the maker has become the trampoline, and one of its threads waits for
// the message in poll(2).
func ready(z *Zone) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool {
		comm, err := os.ReadFile(procPath(z.PID(), "comm"))
		if err != nil || string(comm) != "trampoline\n" {
			return false
		}
		threads, _ := filepath.Glob(procPath(z.PID(), "task/*/syscall"))
		for _, thread := range threads {
			call, _ := os.ReadFile(thread)
			nr, _, _ := strings.Cut(string(call), " ")
			if nr == strconv.Itoa(unix.SYS_PPOLL) || nr == sysPoll {
				return true
			}
		}
		return false
	}, "the trampoline")
}

// sysPoll is poll(2) on amd64; arm64 has ppoll(2) alone.
const sysPoll = "7"

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

func TestTrampolineWaitsForNothingAndSurvives(t *testing.T) {
	z := Make(t, Options{})
	ready(z)
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if sig != syscall.SIGKILL && sig != syscall.SIGSTOP && sig != 32 && sig != 33 {
			must(t, z.cmd.Process.Signal(sig))
		}
	}
	// It takes the signals when it gets a processor; then it takes no time any more.
	testenv.Eventually(t, func() bool {
		status, err := os.ReadFile(procPath(z.PID(), "status"))
		return !z.Running() || err == nil && strings.Contains(string(status), "\nShdPnd:\t0000000000000000\n")
	}, "the signals to be taken")
	testenv.Eventually(t, func() bool {
		if !z.Running() {
			t.Fatalf("a signal ended it: %#x", int(z.Wait()))
		}
		before := cpuTicks(t, z.PID())
		time.Sleep(time.Second)
		return z.Running() && cpuTicks(t, z.PID()) == before
	}, "a second in which it takes no processor time while it waits")
	z.Boot()
	z.Expect(prompt)
}

func cpuTicks(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(procPath(pid, "stat"))
	must(t, err)
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	must(t, err)
	system, err := strconv.Atoi(f[12])
	must(t, err)
	return user + system
}
