package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// running makes an instance with the running zone a.
func running(t *testing.T, commands ...string) *testenv.Zones {
	t.Helper()
	z := testenv.Instance(t)
	z.Sparse("a", commands...)
	silent(t, z, "a", "boot")
	return z
}

// TestCommands: exit status, standard streams, words.
func TestCommands(t *testing.T) {
	z := running(t)
	for _, c := range []struct {
		args []string
		in   string
		want said
	}{
		{[]string{"a", "true"}, "", said{}},
		{[]string{"a", "exit", "42"}, "", said{exit: 42}},
		{[]string{"a", "echo out; echo err >&2; exit 255"}, "", said{"out\n", "err\n", 255}},
		{[]string{"a", "kill -TERM $$"}, "", said{exit: 128 + 15}},
		{[]string{"a", "kill -KILL $$"}, "", said{exit: 128 + 9}},
		{[]string{"a", "cat"}, "hello\n", said{out: "hello\n"}},
		{[]string{"a", "cat; echo end"}, strings.Repeat("0123456789abcdef", 1<<16), said{out: strings.Repeat("0123456789abcdef", 1<<16) + "end\n"}},
		{[]string{"a", "echo", "$((6*7))", "two  words"}, "", said{out: "42 two words\n"}},
		{[]string{"-n", "a", "cat; echo end"}, "not for you\n", said{out: "end\n"}},
		{[]string{"a", "head -c 1 /dev/zero | wc -c"}, "", said{out: "1\n"}},
		{[]string{"a", "no-such-command 2>/dev/null"}, "", said{exit: 127}},
		{[]string{"-l", "nobody", "a", "id -un"}, "", said{exit: 1}}, // its shell is nologin
		{[]string{"-l", "root", "a", "id -un"}, "", said{out: "root\n"}},
		{[]string{"-S", "a", "echo failsafe"}, "", said{out: "failsafe\n"}},
		{[]string{"-l", "no-such-user", "a", "true"}, "", said{exit: 1}},
	} {
		out, errs, exit := z.RunInput(c.in, "zlogin", c.args...)
		if exit != c.want.exit || c.want.exit == 0 && errs != c.want.err || out != c.want.out && c.args[0] != "-l" {
			t.Errorf("zlogin %q: exit %d, %d bytes %.100q, %.200q; want %d, %d bytes, %q",
				c.args, exit, len(out), out, errs, c.want.exit, len(c.want.out), c.want.err)
		}
	}
	for _, args := range [][]string{{}, {"-x", "a"}, {"-d", "a"}, {"-C", "a", "ls"}, {"-C", "-l", "root", "a"}, {"-S", "-l", "root", "a"}} {
		if out, errs, exit := z.Zlogin(args...); exit != 2 {
			t.Errorf("zlogin %q: exit %d %q %q, want 2", args, exit, out, errs)
		}
	}
	for zone, why := range map[string]string{
		"nosuch": "zone 'nosuch' unknown", "global": "'global' not applicable to the global zone",
	} {
		if s := zlogin(t, z, zone, "true"); s.exit != 1 || s.err != "zlogin: "+why+"\n" {
			t.Errorf("zlogin %s: %v", zone, s)
		}
	}
	silent(t, z, "a", "ready")
	if s := zlogin(t, z, "a", "true"); s.exit != 1 || s.err != "zlogin: login allowed only to running zones (a is 'ready').\n" {
		t.Errorf("a ready zone: %v", s)
	}
}

// TestUsers logs in as users of the zone's own.
func TestUsers(t *testing.T) {
	z := running(t)
	for _, cmd := range []string{"useradd -m -s /bin/sh alice", "useradd -M -d /nonexistent -s /bin/sh bob"} {
		if s := zlogin(t, z, "a", cmd); s.exit != 0 {
			t.Fatalf("%s: %v", cmd, s)
		}
	}
	for user, want := range map[string]string{
		"alice":  "alice /home/alice /home/alice\n",
		"daemon": "", // nologin
	} {
		out, errs, exit := z.Zlogin("-l", user, "a", "echo $(id -un) $HOME $(pwd)")
		if (exit == 0) != (want != "") || exit == 0 && out != want || strings.Contains(out, user) != (want != "") {
			t.Errorf("-l %s: exit %d %q %q", user, exit, out, errs)
		}
	}
	if out, errs, exit := z.Zlogin("-l", "bob", "a", "id -un"); exit != 0 || out != "bob\n" {
		t.Errorf("-l bob, who has no home: exit %d %q %q", exit, out, errs)
	}
	// A user can not do what root can.
	if out, _, exit := z.Zlogin("-l", "alice", "a", "touch /etc/x 2>/dev/null; halt 2>/dev/null; id -u"); exit != 0 || strings.TrimSpace(out) == "0" {
		t.Errorf("alice: exit %d %q", exit, out)
	}
	wantState(t, z, "a", "running")
	if _, err := os.Stat(inside(z, "a", "/etc/x")); err == nil {
		t.Error("alice wrote to /etc")
	}
}

// TestNothingLeaksIn: no descriptor, environment or directory of the host's gets in.
func TestNothingLeaksIn(t *testing.T) {
	z := running(t)
	z.Setenv("E2E_SECRET", "of the host")
	dir := t.TempDir()
	secret, err := os.CreateTemp(dir, "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	cmd := z.Cmd("zlogin", "a", "ls -l /proc/self/fd; env; pwd; umask; cat /proc/self/cgroup; ulimit -c; tr '\\0' ' ' </proc/self/cmdline")
	cmd.Dir = dir
	cmd.ExtraFiles = []*os.File{secret, secret, secret}
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	for _, bad := range []string{"E2E_SECRET", "secret", dir, z.Root, "ZONES_", "LISTEN_FDS"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q got in:\n%s", bad, out)
		}
	}
	// 0, 1, 2 and ls's own directory.
	if n := len(regexp.MustCompile(`(?m)^[-lrwx.]+ .* (\d+) -> `).FindAllString(out, -1)); n != 4 {
		t.Errorf("%d descriptors:\n%s", n, out)
	}
	// The same of a login on a terminal, and of init.
	login := z.Cmd("zlogin", "a")
	login.ExtraFiles = []*os.File{secret}
	p := testenv.StartPty(t, login)
	p.Expect(`[#$] `)
	p.Send("echo $E2E_SECRET-none; ls /proc/self/fd | wc -w; pwd; exit\r")
	p.Expect(`[^-\w]-none\r\n4\r\n/root\r\n`)
	p.Wait()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", z.Status("a").Init.Pid))
	if err != nil || strings.Contains(string(environ), "E2E_SECRET") || strings.Contains(string(environ), "ZONES_") {
		t.Errorf("init's environment: %q, %v", environ, err)
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", z.Status("a").Init.Pid))
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"/memfd:orphans (deleted)"} // the list of ended processes, and where services say that they are ready
	sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", z.Status("a").Init.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sockets)) {
		if f := strings.Fields(line); len(f) == 8 && f[7] == "/run/svc/notify" {
			own = append(own, "socket:["+f[6]+"]")
		}
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && !slices.Contains(own, to) && (strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/dev/") || strings.HasPrefix(to, "socket:")) {
			t.Errorf("init has descriptor %s", to)
		}
	}
}

// TestSignals: a signal to zlogin reaches the command, whose death is zlogin's status.
func TestSignals(t *testing.T) {
	z := running(t)
	for sig, want := range map[unix.Signal]int{
		unix.SIGINT: 128 + 2, unix.SIGTERM: 128 + 15, unix.SIGHUP: 128 + 1, unix.SIGUSR1: 128 + 10,
	} {
		cmd := z.Cmd("zlogin", "a", "echo here; exec sleep 100")
		var out output
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, func() bool { return out.has("here") }, "the command to run")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%v: exit %d, want %d", sig, got, want)
		}
	}
	cmd := z.Cmd("zlogin", "a", "trap 'echo caught; exit 5' INT; echo here; while :; do sleep 0.05; done")
	var out output
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool { return out.has("here") }, "the command to run")
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 5 || !out.has("caught") {
		t.Errorf("a trapped signal: %v, %q", cmd.ProcessState, out.String())
	}
	sleeping(t, z, 0)
}

// sleeping waits until so many processes of zone a sleep: one that was forked is not yet, one that has
// ended may not be reaped yet.
func sleeping(t *testing.T, z *testenv.Zones, n int) {
	t.Helper()
	await(t, func() (string, bool) {
		s := zlogin(t, z, "a", "ps -e -o args= | grep -c '[s]leep 100'")
		return fmt.Sprintf("not %d that sleep: %v", n, s), strings.TrimSpace(s.out) == strconv.Itoa(n)
	})
}

// TestTerminal: an interactive login, its window, job control and end.
func TestTerminal(t *testing.T) {
	z := running(t)
	p := z.Pty("zlogin", "a")
	p.Expect(`\[Connected to zone 'a' pts/\d+\]`)
	p.Expect(`[#$] `)
	p.Send("stty size; tty\r")
	p.Expect(`24 80\r\n/dev/pts/\d+`)
	p.Resize(50, 132)
	p.Send("until stty size | grep 132; do sleep 0.05; done\r") // the signal may come after the line
	p.Expect(`50 132`)
	p.Send("sh -c 'trap \"echo resized-\\$(stty size)\" WINCH; echo armed-$((1+1)); while :; do sleep 0.05; done'\r")
	p.Expect(`armed-2`)
	p.Resize(33, 99)
	p.Expect(`resized-33 99`)
	p.Send("\x03")
	p.Expect(`[#$] `)
	foreground := func() { // what speaks has been put in the foreground, and gets the key's signal
		p.Send("sh -c 'echo s''leeps; exec sleep 100'\r")
		p.Expect(`sleeps\r\n`)
	}
	foreground()
	p.Send("\x03")
	p.Expect(`\^C`)
	p.Send("echo status-$?\r")
	p.Expect(`status-130`)
	foreground()
	p.Send("\x1a")
	p.Expect(`Stopped`)
	p.Send("kill -KILL %1; while jobs &>/dev/null; kill -0 %1 2>/dev/null; do sleep 0.05; done; echo ~. is not an escape in a line; echo key-$((40+2))\r")
	p.Expect(`key-42`)
	p.Send("exit 3\r")
	p.Expect(`\[Connection to zone 'a' pts/\d+ closed\]`)
	if exit := p.Wait(); exit != 0 {
		t.Errorf("exit %d", exit)
	}
	p = z.Pty("zlogin", "-Q", "a")
	p.Expect(`[#$] `)
	p.Send("\r~.")
	if p.Wait(); strings.Contains(p.Output(), "Connect") {
		t.Errorf("-Q: %q", p.Output())
	}
	// What ran there is hung up.
	testenv.Eventually(t, func() bool {
		s := zlogin(t, z, "a", "ps -e -o tty= | sort -u | grep -c pts/[1-9]")
		return strings.TrimSpace(s.out) == "0"
	}, "the terminal's processes to be gone")
}

// TestBackground: a child that keeps standard output open holds nobody.
func TestBackground(t *testing.T) {
	t.Parallel()
	z := running(t)
	began := time.Now()
	if s := zlogin(t, z, "a", "sleep 1000 & echo started"); s.exit != 0 || s.out != "started\n" {
		t.Errorf("%v", s)
	}
	t.Logf("zlogin ended after %v", time.Since(began))
	sleeping(t, z, 1)
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// TestManyLogins: twenty at once, and hundreds in a row that leave nothing.
func TestManyLogins(t *testing.T) {
	z := running(t)
	z.ServicesUp("a")
	var answers []<-chan said
	for i := range 20 {
		answers = append(answers, background(t, z, "zlogin", "a", fmt.Sprintf("echo %d; exit %d", i, i)))
	}
	for i, c := range answers {
		if s := <-c; s.exit != i || s.out != strconv.Itoa(i)+"\n" {
			t.Errorf("login %d: %v", i, s)
		}
	}
	zoned, zsched := z.Status("a").Zoned.Pid, z.Status("a").Zsched.Pid
	open := func() []int {
		dirs := 0
		_ = filepath.WalkDir(generation(t, z, "a"), func(_ string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs++
			}
			return nil
		})
		return []int{fds(t, zoned), fds(t, zsched), dirs}
	}
	// What a login had is let go of soon after its answer, not before it.
	settled := func() []int {
		least := open()
		for range 20 {
			time.Sleep(25 * time.Millisecond)
			for i, n := range open() {
				least[i] = min(least[i], n)
			}
		}
		return least
	}
	zlogin(t, z, "a", "true")
	testenv.Eventually(t, func() bool {
		logins, err := filepath.Glob(filepath.Join(generation(t, z, "a"), "admin/l*"))
		return err == nil && len(logins) == 0
	}, "the logins' cgroups to go")
	before := settled()
	began := time.Now()
	n := count(120)
	for i := range n {
		if s := zlogin(t, z, "a", "exit "+strconv.Itoa(i%200)); s.exit != i%200 {
			t.Fatalf("login %d: %v", i, s)
		}
	}
	t.Logf("a login: %v", time.Since(began)/time.Duration(n))
	await(t, func() (string, bool) {
		after := open()
		left := false
		for i := range after {
			left = left || after[i] > before[i]
		}
		return fmt.Sprintf("descriptors of zoned and zsched, cgroups: %v before %d logins, %v after", before, n, after), !left
	})
	if pid := z.Status("a").Zoned.Pid; pid != zoned {
		t.Errorf("the supervisor was replaced: %d, %d", zoned, pid)
	}
}

// TestKeyrings: neither init nor logins take of the keys that the host allows the zone's users,
// which a zone could use up so that nobody logs in any more.
func TestKeyrings(t *testing.T) {
	z := running(t)
	const logins = 3
	var answers []<-chan said
	for range logins {
		answers = append(answers, background(t, z, "zlogin", "a", "echo >>/tmp/here; until test -e /tmp/go; do sleep 0.1; done"))
	}
	testenv.Eventually(t, func() bool {
		return zlogin(t, z, "a", "wc -l </tmp/here").out == strconv.Itoa(logins)+"\n"
	}, "the logins")
	users, err := os.ReadFile("/proc/key-users")
	if err != nil {
		t.Fatal(err)
	}
	base := z.Status("a").IDBase
	for line := range strings.Lines(string(users)) {
		var uid, usage, keys uint32
		if n, err := fmt.Sscanf(line, "%d: %d %d/", &uid, &usage, &keys); n != 3 {
			t.Fatalf("%q: %v", line, err)
		}
		if uid >= base && uid < base+65536 && keys > 0 {
			t.Errorf("user %d of the zone has keys: %s", uid-base, line)
		}
	}
	zlogin(t, z, "a", "touch /tmp/go")
	for _, c := range answers {
		if s := <-c; s.exit != 0 {
			t.Errorf("a login: %v", s)
		}
	}
}
