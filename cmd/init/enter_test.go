package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// manyUsers is an /etc with what enter has to cope with.
func manyUsers(t *testing.T) string {
	t.Helper()
	root := testenv.BusyboxRoot(t)
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001:Alice:/home/alice:/bin/sh\nbob:x:1002:1002::/nowhere:/bin/zsh\ncarol:x:1003:1003::/nowhere:\ndave:x:1004:1004::/home/alice/closed:/bin/false\n",
		"etc/group":  "root:x:0:\ntty:x:5:\nalice:x:1001:\nwheel:x:10:alice\nstaff:x:50:bob,alice\n",
		"etc/motd":   "welcome to the zone\n",
		"bin/script": "echo script $*\n",
		"bin/text":   "x",
	} {
		mode := os.FileMode(0o644)
		if name == "bin/script" {
			mode = 0o755
		}
		must(t, os.WriteFile(filepath.Join(root, name), []byte(text), mode))
	}
	must(t, os.Mkdir(filepath.Join(root, "home/alice/closed"), 0o700))
	return root
}

// enter runs the program in the zone with pipes, as a zlogin with a command does.
func (z *Zone) enter(args ...string) (stdout, stderr string, status int) {
	z.t.Helper()
	cmd := z.Enter(append([]string{"/lib/svc/bin/enter"}, args...)...)
	cmd.Env = append(cmd.Env, "SECRET=host", "LD_BIND_NOW=1", "IFS=x", "ENV=/evil")
	var out, err strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Run()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func TestEnter(t *testing.T) {
	z := Booted(t, Options{Root: manyUsers(t)})
	for _, c := range []struct {
		line           string // words; "_" is a space within one
		stdout, stderr string // patterns of all that is said
		status         int
	}{
		{"exec -- id", `uid=0\(root\) gid=0\(root\)( groups=0\(root\))?\n`, ``, 0},
		{"-l alice exec -- id", `uid=1001\(alice\) gid=1001\(alice\) groups=10\(wheel\),50\(staff\),1001\(alice\)\n`, ``, 0},
		{"-l 1001 exec -- id -un", `alice\n`, ``, 0},
		{"-l alice exec -- env", `HOME=/home/alice\nSHELL=/bin/sh\nUSER=alice\nLOGNAME=alice\nPATH=/lib/svc/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games\nMAIL=/var/mail/alice\n`, ``, 0},
		{"-t xterm exec -- env", `HOME=/root\nSHELL=/bin/sh\nUSER=root\nLOGNAME=root\nPATH=/lib/svc/bin:/usr/local/sbin:\S+\nMAIL=/var/mail/root\nTERM=xterm\n`, ``, 0},
		{"-t a/b exec -- sh -c echo_[$TERM]", `\[\]\n`, ``, 0},
		{"-l alice exec -- pwd", `/home/alice\n`, ``, 0},
		{"-l alice exec -- grep -E ^(Cap(Inh|Prm|Eff|Amb)|SigBlk|SigIgn) /proc/self/status", `(\w+:\t0+\n){6}`, ``, 0},
		{"exec -- grep -E ^(Cap(Inh|Amb)|SigBlk|SigIgn) /proc/self/status", `(\w+:\t0+\n){4}`, ``, 0},
		{"exec -- ls -1 /proc/self/fd", `0\n1\n2\n3\n`, ``, 0},
		{"shell -- umask; echo $0 $HOME a  b", `0022\n-sh /root a b\n`, ``, 0},
		{"-l alice shell -- echo 'a__b' >&2; exit 7", ``, `a  b\n`, 7},
		{"shell -- kill -9 $$", ``, ``, -1},
		{"-l carol shell -- pwd", `/\n`, `zlogin: no directory /nowhere, logging in with HOME=/\n`, 0},
		{"-l carol exec -- pwd", `/\n`, ``, 0},
		{"-l bob shell -- true", ``, `zlogin: no directory /nowhere, .*\nzlogin: cannot execute /bin/zsh: not found\n`, 1},
		{"-l bob exec -- true", ``, ``, 0},
		{"-l dave shell -- true", ``, `zlogin: no directory /home/alice/closed, .*\n`, 1},
		{"-l nobody exec -- true", ``, `zlogin: unknown user 'nobody'\n`, 1},
		{"-l 4711 exec -- true", ``, `zlogin: unknown user '4711'\n`, 1},
		{"-l \x1b[2J exec -- true", ``, `zlogin: unknown user '\?\[2J'\n`, 1},
		{"exec -- nothing", ``, `zlogin: nothing: not found\n`, 127},
		{"exec -- /no/thing", ``, `zlogin: /no/thing: not found\n`, 127},
		{"exec -- text", ``, `zlogin: text: permission denied\n`, 126},
		{"exec -- /etc", ``, `zlogin: /etc: permission denied\n`, 126},
		{"exec -- script a", `script a\n`, ``, 0},
		{"exec -- zonename", `testzone\n`, ``, 0},
		{"exec", ``, `zlogin: usage: .*\n`, 2},
		{"login x", ``, `zlogin: usage: .*\n`, 2},
	} {
		args := strings.Fields(c.line)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "_", " ")
		}
		out, err, status := z.enter(args...)
		if !regexp.MustCompile(`^`+c.stdout+`$`).MatchString(out) || !regexp.MustCompile(`^`+c.stderr+`$`).MatchString(err) || status != c.status {
			t.Errorf("%s: status %d, %q, %q", c.line, status, out, err)
		}
	}
}

// A login on a terminal of the zone's: it belongs to the user, and ^C goes where it should.
func TestEnterOnATerminal(t *testing.T) {
	z := Booted(t, Options{Root: manyUsers(t)})
	p := testenv.StartPty(t, z.Enter("/lib/svc/bin/enter", "-l", "alice", "-t", "vt220", "login"))
	p.Expect(`welcome to the zone\r\n`)
	p.Expect(`\$ `)
	p.Send("echo $0 $TERM $PWD $(id -un); stat -L -c '%u %g %a' /proc/self/fd/0\n")
	p.Expect(`-sh vt220 /home/alice alice\r\n1001 5 620\r\n`)
	p.Send("sleep 100; echo ended $?\n")
	p.Expect(`ended \$\?\r\n`)
	testenv.Eventually(t, func() bool { return strings.Contains(z.Run("ps"), "sleep 100") }, "the sleep")
	p.Send("\x03")
	p.Expect(`\^C`)
	p.Send("exit 3\n")
	if status := p.Wait(); status != 3 {
		t.Errorf("status %d", status)
	}
	must(t, os.WriteFile(filepath.Join("/proc", strconv.Itoa(z.PID()), "root/home/alice/.hushlogin"), nil, 0o644))
	p = testenv.StartPty(t, z.Enter("/lib/svc/bin/enter", "-l", "alice", "login"))
	p.Expect(`\$ `)
	if strings.Contains(p.Output(), "welcome") {
		t.Errorf("%q", p.Output())
	}
}

func TestNologin(t *testing.T) {
	root := manyUsers(t)
	must(t, os.WriteFile(filepath.Join(root, "etc/nologin"), []byte("back at noon\n"), 0o644))
	z := Booted(t, Options{Root: root})
	if out, err, status := z.enter("-l", "alice", "exec", "--", "true"); status != 1 || out != "" || err != "back at noon\n" {
		t.Errorf("%d, %q, %q", status, out, err)
	}
	if _, err, status := z.enter("exec", "--", "true"); status != 0 {
		t.Errorf("root: %d, %q", status, err)
	}
}

// The zone's root has made traps of the files that enter reads.
func TestEnterHostile(t *testing.T) {
	for name, trap := range map[string]func(path string) error{
		"endless": func(p string) error { return os.Symlink("/dev/zero", p) },
		"fifo":    func(p string) error { return unix.Mkfifo(p, 0o644) },
		"dir":     func(p string) error { return os.Mkdir(p, 0o755) },
		"huge":    func(p string) error { return os.WriteFile(p, make([]byte, 17<<20), 0o644) },
		"loop":    func(p string) error { return os.Symlink("passwd", p) },
		"tty":     func(p string) error { return os.Symlink("/dev/tty", p) },
	} {
		t.Run(name, func(t *testing.T) {
			root := testenv.BusyboxRoot(t)
			z := Booted(t, Options{Root: root})
			for _, file := range []string{"passwd", "group"} {
				must(t, os.Remove(filepath.Join(root, "etc", file)))
				must(t, trap(filepath.Join(root, "etc", file)))
			}
			must(t, trap(filepath.Join(root, "etc/motd")))
			out, err, status := z.enter("exec", "--", "true")
			if status != 1 || out != "" || !strings.Contains(err, "/etc/passwd: ") || strings.Count(err, "\n") != 1 {
				t.Errorf("%d, %q, %q", status, out, err)
			}
		})
	}
}

func TestEnterWithoutPasswd(t *testing.T) {
	root := testenv.BusyboxRoot(t)
	z := Booted(t, Options{Root: root})
	must(t, os.Remove(filepath.Join(root, "etc/passwd")))
	if out, err, status := z.enter("shell", "--", "id -u; pwd"); status != 0 || out != "0\n/\n" {
		t.Errorf("%d, %q, %q", status, out, err)
	}
	if _, err, status := z.enter("-l", "alice", "exec", "--", "true"); status != 1 || !strings.Contains(err, "no such file") {
		t.Errorf("%d, %q", status, err)
	}
}

// What the supervisor's side forgot to close does not reach the user.
func TestEnterClosesDescriptors(t *testing.T) {
	z := Booted(t, Options{})
	cmd := z.Enter("/lib/svc/bin/enter", "-l", "alice", "exec", "--", "ls", "-1", "/proc/self/fd")
	for range 5 {
		f, err := os.Open("/etc")
		must(t, err)
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	out, err := cmd.Output()
	if err != nil || string(out) != "0\n1\n2\n3\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// The mask and the dispositions that a careless caller leaves are not the user's.
func TestEnterResetsSignals(t *testing.T) {
	z := Booted(t, Options{})
	blocked(t, func() {
		args := z.Enter("/lib/svc/bin/enter", "exec", "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status").Args
		cmd := exec.Command("/bin/sh", append([]string{"-c", `trap '' HUP INT QUIT PIPE USR2; exec "$@"`, "sh"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n" {
			t.Errorf("%q, %v", out, err)
		}
	})
}
