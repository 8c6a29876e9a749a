package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// ended holds how pid 1 ended against what the host makes of it.
func ended(t *testing.T, z *Zone, want syscall.Signal) {
	t.Helper()
	if s := z.Wait(); !s.Signaled() || s.Signal() != want {
		t.Errorf("pid 1 ended with %#x, want signal %d; its console:\n%s", int(s), want, z.Output())
	}
}

// ours is where our commands are: busybox's shell prefers its own halt to the PATH's, and
// that one means SIGTERM by reboot.
const ours = "/lib/svc/bin/"

func TestLife(t *testing.T) {
	z := Booted(t, Options{}, "-m", "verbose", "-x", "stray\x1b")
	out := z.Output()
	for _, want := range []string{"Zones for Linux, kernel ", "Hostname: ", "Boot arguments: -m verbose -x stray?", "unknown boot argument '-x' ignored", "unknown boot argument 'stray?' ignored"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%q stands %d times in:\n%s", want, strings.Count(out, want), out)
		}
	}
	z.Type("echo shell $0 on $(tty), zone $(zonename), $USER in $PWD, PATH $PATH\n")
	z.Expect(`shell -sh on /dev/console, zone testzone, root in /root, PATH /lib/svc/bin:/usr/local/sbin:`)
	z.Type("stat -c '%n %a' /run/lock /run/user /etc/svc/volatile/zonename; umask; cat /proc/1/comm\n")
	z.Expect(`/run/lock 1777\r\n/run/user 755\r\n/etc/svc/volatile/zonename 644\r\n0022\r\ninit\r\n`)
	z.Type("grep Sig[BI] /proc/self/status; ls /proc/self/fd; ls /proc/1/fd\n")
	z.Expect(`SigBlk:\t0+\r\nSigIgn:\t0+\r\n.*0 .*1 .*2 .*3.*\r\n`)
	z.Type(ours + "halt\n")
	ended(t, z, syscall.SIGINT)
	z.Expect(`init: the zone is going down: halt\r\n`)
}

func TestWaysToEnd(t *testing.T) {
	for _, c := range []struct {
		command string
		want    syscall.Signal
	}{
		{"halt", syscall.SIGINT}, {"poweroff", syscall.SIGINT}, {"reboot", syscall.SIGHUP},
		{"init 0", syscall.SIGINT}, {"init 5", syscall.SIGINT}, {"telinit 6", syscall.SIGHUP},
		{"halt -f", syscall.SIGINT}, {"reboot -fn", syscall.SIGHUP}, {"poweroff -q", syscall.SIGINT}, {"reboot -- -s", syscall.SIGHUP},
		{"shutdown now", syscall.SIGINT}, {"shutdown -r now bye", syscall.SIGHUP}, {"shutdown -y -g0 -i6", syscall.SIGHUP}, {"shutdown -y -g 1 -i 0", syscall.SIGINT},
		{"kill -37 1", syscall.SIGINT}, {"kill -TERM 1", syscall.SIGINT}, {"kill -USR1 1", syscall.SIGINT}, {"kill -PWR 1", syscall.SIGINT},
		{"kill -39 1", syscall.SIGHUP}, {"kill -49 1", syscall.SIGHUP}, {"kill -47 1", syscall.SIGINT},
	} {
		t.Run(c.command, func(t *testing.T) {
			z := Booted(t, Options{})
			command := c.command
			if !strings.HasPrefix(command, "kill") {
				command = ours + command
			}
			begin := time.Now()
			z.Type(command + "\n")
			ended(t, z, c.want)
			t.Logf("ended after %v", time.Since(begin))
		})
	}
}

// The host asks as well: that is how an orderly shutdown from outside works.
func TestAskedFromOutside(t *testing.T) {
	z := Booted(t, Options{})
	must(t, z.cmd.Process.Signal(syscall.Signal(39)))
	ended(t, z, syscall.SIGHUP)
	z = Booted(t, Options{})
	// Who asks may be ended by the end it asks for before it can say that it has asked.
	_ = z.Enter("/lib/svc/bin/init", "0").Run()
	ended(t, z, syscall.SIGINT)
}

// Who asks at the moment at which the zone is told to run is heard: init does not listen yet, and the
// request waits for it.
func TestAskedAtOnce(t *testing.T) {
	for range testenv.Rounds(10, 5) {
		z := Make(t, Options{})
		z.Boot()
		must(t, z.cmd.Process.Signal(syscall.Signal(39)))
		ended(t, z, syscall.SIGHUP)
	}
}

func TestSingleUser(t *testing.T) {
	bin := binWith(t, "svc.startd", "#!/bin/sh\nwhile :; do sleep 1000; done\n")
	z := Booted(t, Options{Bin: bin}, "-s")
	z.Expect(`^`)
	if out := z.Output(); !strings.Contains(out, "Single-user mode") || strings.Contains(out, "unknown") {
		t.Errorf("%s", out)
	}
	// What serves the repository is told, and the shell is there.
	testenv.Eventually(t, func() bool {
		ps := z.Run("ps")
		return strings.Contains(ps, "svc.startd -s") && strings.Contains(ps, "-sh")
	}, "both to run")
}

// binWith gives a directory of the program with one more.
func binWith(t *testing.T, name, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bin")
	if out, err := exec.Command("cp", "-a", Bin(t), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	return dir
}

func TestStartdIsStartedAgain(t *testing.T) {
	bin := binWith(t, "svc.startd", "#!/bin/sh\necho startd $* in $$ > /dev/console\ntrap 'echo startd ends > /dev/console; exit 0' PWR; trap : TERM\nwhile :; do sleep 1000 & wait; done\n")
	z := Make(t, Options{Bin: bin})
	z.Boot("-m", "milestone=all")
	z.Expect(`startd -m milestone=all in \d+`)
	sleeps := func(n int) {
		t.Helper()
		testenv.Eventually(t, func() bool { return strings.Count(z.Run("ps"), "sleep 1000") == n }, fmt.Sprintf("%d to sleep", n))
	}
	sleeps(1)
	// The sleep is an orphan by then, and lives on.
	z.Run("sh", "-c", "for p in /proc/[0-9]*; do grep -qs '[s]vc.startd' $p/cmdline && kill -9 ${p##*/}; done; true")
	z.Expect(`init: svc.startd ended \(signal 9\), it is started again`)
	z.Expect(`startd -m milestone=all in \d+`)
	sleeps(2)
	must(t, z.cmd.Process.Signal(syscall.Signal(37)))
	ended(t, z, syscall.SIGINT)
	z.Expect(`startd ends`)
}

func TestShellIsStartedAgain(t *testing.T) {
	z := Booted(t, Options{})
	for range 2 {
		z.Type("stty raw -echo; exit\r")
		z.Expect(prompt)
		z.Type("stty -a | grep -o ' echo '; tty\n")
		z.Expect(` echo \r\n/dev/console\r\n`)
		z.Expect(prompt)
	}
}

// ^C reaches what the shell runs, and neither the shell nor init.
func TestControllingTerminal(t *testing.T) {
	z := Booted(t, Options{})
	z.Type("sleep 1000; echo ended with $?\n")
	z.Expect(`ended with \$\?\r\n`)
	testenv.Eventually(t, func() bool { return z.foreground() == "sleep 1000" }, "the sleep")
	z.Type("\x03")
	z.Expect(`\^C`)
	z.Expect(prompt)
	z.Type("echo still $$; sleep 1000 & jobs\n")
	z.Expect(`still \d+`)
	z.Expect(`Running +sleep 1000`)
	z.Type("fg\n")
	z.Expect(`sleep 1000\r\n`)
	testenv.Eventually(t, func() bool { return z.foreground() == "sleep 1000" }, "the sleep to have the terminal")
	z.Type("\x1a")
	z.Expect(`Stopped`)
	z.Type(ours + "halt\n") // a stopped process does not hold it up
	ended(t, z, syscall.SIGINT)
}

// foreground is the command line of who gets the terminal's signals.
func (z *Zone) foreground() string {
	group, err := unix.IoctlGetInt(z.master, unix.TIOCGPGRP)
	if err != nil {
		return ""
	}
	words, _ := os.ReadFile(procPath(group, "cmdline"))
	return strings.TrimRight(strings.ReplaceAll(string(words), "\x00", " "), " ")
}

func TestNoShell(t *testing.T) {
	root := testenv.BusyboxRoot(t)
	must(t, os.Rename(filepath.Join(root, "bin"), filepath.Join(root, "gone")))
	z := Make(t, Options{Root: root})
	z.Boot()
	z.Expect(`init: this zone has no shell that could be started on its console\r\n`)
	must(t, os.Rename(filepath.Join(root, "gone"), filepath.Join(root, "bin")))
	z.Run("/lib/svc/bin/telinit", "q")
	z.Expect(prompt)
}

func TestOddShells(t *testing.T) {
	for name, passwd := range map[string]string{
		"no file":        "",
		"no root":        "alice:x:1:1::/:/bin/sh\n",
		"missing shell":  "root:x:0:0::/nowhere:/bin/zsh\n",
		"shell is a dir": "root:x:0:0::/root:/etc\n",
		"empty shell":    "root:x:0:0::/root:\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := testenv.BusyboxRoot(t)
			path := filepath.Join(root, "etc/passwd")
			must(t, os.Remove(path))
			if passwd != "" {
				must(t, os.WriteFile(path, []byte(passwd), 0o644))
			}
			z := Booted(t, Options{Root: root})
			z.Type("echo I am $(id -u) in $PWD\n")
			z.Expect(`I am 0 in /`)
		})
	}
}

// Without CAP_SYS_BOOT pid 1 exits, and the status says what was wanted.
func TestWithoutRebootCapability(t *testing.T) {
	for command, want := range map[string]int{"halt": 0, "poweroff": 0, "reboot": 6} {
		t.Run(command, func(t *testing.T) {
			z := Booted(t, Options{Wrap: []string{"/usr/bin/setpriv", "--bounding-set=-sys_boot", "--inh-caps=-all"}})
			z.Type(ours + command + " -f\n")
			z.Expect(`cannot (halt|power off|reboot) at once: operation not permitted`)
			z.Type(ours + command + "\n")
			if s := z.Wait(); !s.Exited() || s.ExitStatus() != want {
				t.Errorf("status %#x", int(s))
			}
			z.Expect(`is refused \(operation not permitted\)`)
		})
	}
}

// The same life in a user namespace, where a zone's root is nobody outside.
func TestUserNamespace(t *testing.T) {
	z := Booted(t, Options{User: true})
	z.Type("cat /proc/self/uid_map; zonename; id\n")
	z.Expect(`0 +2000000 +65536\r\ntestzone\r\nuid=0\(root\)`)
	if out := z.Run("/lib/svc/bin/enter", "-l", "alice", "exec", "--", "id"); !strings.Contains(out, "uid=1001(alice) gid=1001(alice)") {
		t.Errorf("%s", out)
	}
	z.Type(ours + "reboot\n")
	ended(t, z, syscall.SIGHUP)
}

func TestReexamineWithoutNeed(t *testing.T) {
	z := Booted(t, Options{})
	must(t, z.cmd.Process.Signal(unix.SIGHUP))
	z.Type(ours + "init s; " + ours + "init 3\n")
	z.Expect(`init: single-user: there is no svc.startd`)
	z.Expect(`init: multi-user-server: there is no svc.startd`)
	z.Type("\n") // init's words may have come behind the last prompt
	z.Expect(prompt)
	if ps := z.Run("ps"); strings.Count(ps, "-sh") != 1 {
		t.Errorf("%s", ps)
	}
}

// Root may take /proc away: that is its own loss, and the zone's end all the same.
func TestWithoutProc(t *testing.T) {
	testenv.Need(t, pidfdTells)
	z := Booted(t, Options{Script: `umount "$ROOT/proc"`})
	z.Type("exit\n")
	z.Expect(prompt)
	must(t, z.cmd.Process.Signal(syscall.Signal(39)))
	ended(t, z, syscall.SIGHUP)
}

// pidfdTells is there when the kernel names a pid namespace without /proc (Linux 6.11).
var pidfdTells = testenv.Feature{Name: "PIDFD_GET_PID_NAMESPACE", Probe: func() error {
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.IoctlRetInt(pidfd, 0xFF05)
	if err == nil {
		unix.Close(fd)
	}
	return err
}}
