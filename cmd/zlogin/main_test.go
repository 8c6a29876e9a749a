package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/api/doortest"
)

// asZlogin makes the test binary zlogin itself.
const asZlogin = "ZLOGIN_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asZlogin) != "" {
		main()
	}
	testenv.Main(m)
}

// host is an instance with zones of our own making, served by this process.
type host struct {
	t *testing.T
	l layout.Layout
}

func newHost(t *testing.T) *host {
	testenv.NeedRoot(t)
	return &host{t, layout.At(t.TempDir())}
}

// zone makes a zone in a state; from ready on this process stands for its keepers.
func (h *host) zone(name string, state configs.State) {
	h.t.Helper()
	st := configs.Open(h.l)
	z := configs.New(name)
	z.Path = h.l.ZonePath(name)
	if _, err := st.Create(z); err != nil {
		h.t.Fatal(err)
	}
	if err := st.SetState(name, min(state, configs.Installed)); err != nil {
		h.t.Fatal(err)
	}
	if state < configs.Ready {
		return
	}
	boot, err := sys.BootID()
	if err != nil {
		h.t.Fatal(err)
	}
	start, err := sys.StartTime(os.Getpid())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.MkdirAll(h.l.Status(), 0o755); err != nil {
		h.t.Fatal(err)
	}
	text := fmt.Sprintf(`{"state":%q,"boot_id":%q,"id":1,"zsched":{"pid":%d,"start":%d}}`, state, boot, os.Getpid(), start)
	if err := os.WriteFile(h.l.StatusFile(name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) cmd(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asZlogin+"=1", layout.EnvRoot+"="+h.l.Root, "TERM=vt100")
	return cmd
}

func (h *host) run(args ...string) (exit int, stdout, stderr string) {
	h.t.Helper()
	cmd := h.cmd(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// session starts an interactive login in a running zone and waits for its prompt.
func session(t *testing.T, l *doortest.Logins, args ...string) (*testenv.Pty, *host) {
	t.Helper()
	h := newHost(t)
	h.zone("web", configs.Running)
	doortest.Serve(t, h.l, "web", l.Serve)
	p := testenv.StartPty(t, h.cmd(append(args, "web")...))
	p.Expect(`zone\$ `)
	return p, h
}

// cooked are the modes of a terminal as StartPty makes it.
func cooked(t *testing.T) unix.Termios {
	t.Helper()
	p := testenv.StartPty(t, exec.Command("/bin/true"))
	defer p.Wait()
	return p.Modes()
}

func TestBadInput(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	h.zone("new", configs.Configured)
	h.zone("old", configs.Installed)
	h.zone("up", configs.Ready)
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"", 2, "no zone given"},
		{"-d web", 2, "-d may only be specified with console login"},
		{"-C -l joe web", 2, "-l may not be specified with console login"},
		{"-C -n web", 2, "-n may not"},
		{"-r -n web", 2, "-n may not"},
		{"-f web ls", 2, "a command may not"},
		{"-r -l joe web", 2, "-l may not be specified with console login"},
		{"-C -r -f web", 2, "-r and -f are mutually exclusive"},
		{"-rf web", 2, "-r and -f are mutually exclusive"},
		{"--history web", 2, "--history may only be specified with console login"},
		{"-C --histories web", 2, "unknown option"},
		{"-r new", 1, "zlogin: cannot login to a zone which is 'configured'\n"},
		{"-f --history new", 1, "zlogin: cannot login to a zone which is 'configured'\n"},
		{"-C -S web", 2, "-S may not"},
		{"-C -R /x web", 2, "-R may not"},
		{"-C web ls", 2, "a command may not"},
		{"-S -l joe web", 2, "-l may not be specified for failsafe login"},
		{"-x web", 2, "unknown option -x"},
		{"--console web", 2, "unknown option --console"},
		{"-e", 2, "option -e needs an argument"},
		{"-e abc web", 2, "invalid escape character"},
		{"-l", 2, "option -l needs an argument"},
		{"-R relative web", 2, "must be absolute"},
		{"nosuch", 1, "zlogin: zone 'nosuch' unknown\n"},
		{"global", 1, "zlogin: 'global' not applicable to the global zone\n"},
		{"../etc", 1, "zlogin: "},
		{"new true", 1, "zlogin: login allowed only to running zones (new is 'configured').\n"},
		{"old true", 1, "zlogin: login allowed only to running zones (old is 'installed').\n"},
		{"up true", 1, "zlogin: login allowed only to running zones (up is 'ready').\n"},
		{"-C new", 1, "zlogin: cannot login to a zone which is 'configured'\n"},
		{"-R /nonexistent web", 1, "zlogin: zone 'web' unknown\n"},
	} {
		exit, out, errs := h.run(strings.Fields(c.args)...)
		if exit != c.exit || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("zlogin %s: exit %d, %q %q; want %d, one line with %q", c.args, exit, out, errs, c.exit, c.want)
		}
	}
}

func TestCommand(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	l := &doortest.Logins{}
	s := doortest.Serve(t, h.l, "web", l.Serve)
	exit, out, errs := h.run("-l", "joe", "web", "echo", "$USER;", "echo err >&2;", "exit 3")
	if exit != 3 || out != "joe\n" || errs != "err\n" {
		t.Errorf("exit %d %q %q", exit, out, errs)
	}
	q := s.Requests()[0].Login
	if !q.Shell || q.TTY || q.Failsafe || q.User != "joe" || len(q.Args) != 4 {
		t.Errorf("asked for %+v", q)
	}
	if exit, _, _ := h.run("-S", "web", "true"); exit != 0 || !s.Requests()[1].Login.Failsafe {
		t.Errorf("-S: exit %d, %+v", exit, s.Requests()[1].Login)
	}
}

func TestCommandGetsSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		h := newHost(t)
		h.zone("web", configs.Running)
		doortest.Serve(t, h.l, "web", (&doortest.Logins{}).Serve)
		cmd := h.cmd("-n", "web", fmt.Sprintf("trap 'exit %d' %d; echo ready; while :; do sleep 0.02; done", 40+sig, sig))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var b [6]byte
		_, _ = out.Read(b[:])
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 40+int(sig) {
			t.Errorf("%v: exit %d, want %d", sig, got, 40+int(sig))
		}
	}
}

// TestInsistentSignals: a command that ignores them does not keep zlogin for ever.
func TestInsistentSignals(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	doortest.Serve(t, h.l, "web", (&doortest.Logins{}).Serve)
	end := filepath.Join(t.TempDir(), "end")
	cmd := h.cmd("-n", "web", "trap '' 2; echo ready; while [ ! -e "+end+" ]; do sleep 0.02; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var b [6]byte
	_, _ = out.Read(b[:])
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	// Two that come before zlogin looks are one.
	for insisting := true; insisting; {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-ended:
			insisting = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := os.WriteFile(end, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit %d, want 130", got)
	}
}

func TestInteractive(t *testing.T) {
	p, _ := session(t, &doortest.Logins{})
	first := regexp.MustCompile(`^\[Connected to zone 'web' pts/\d+\]\r\n`)
	if !first.MatchString(p.Output()) {
		t.Errorf("began with %q", p.Output())
	}
	p.Send("stty size; echo term=$TERM\r")
	p.Expect(`24 80\r\nterm=vt100\r\n`)
	p.Expect(`zone\$ `)
	p.Resize(30, 100)
	p.Send("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.02; done; echo resized $?\r")
	p.Expect(`resized 0`)
	// What speaks has been put in the foreground: before that the shell would get the signal.
	p.Send("sh -c 'echo s''leeps; exec sleep 100'\r")
	p.Expect(`sleeps\r\n`)
	p.Send("\x03")
	p.Expect(`zone\$ `)
	p.Send("exit 3\r")
	p.Expect(`\n\[Connection to zone 'web' pts/\d+ closed\]\r\n`)
	if exit := p.Wait(); exit != 0 {
		t.Errorf("exit %d, want 0", exit)
	}
}

// TestTerminalIsRestored on every way out that a program has.
func TestTerminalIsRestored(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(p *testenv.Pty)
		exit  int
		last  string
	}{
		"the shell's end":     {func(p *testenv.Pty) { p.Send("exit\r") }, 0, `closed\]`},
		"escape":              {func(p *testenv.Pty) { p.Send("\r~.") }, 0, `~\..*\n\[Connection to zone 'web' pts/\d+ closed\]`},
		"escape with EOF":     {func(p *testenv.Pty) { p.Send("\r~\x04") }, 0, `~\^D.*\n\[Connection to zone 'web' pts/\d+ closed\]`},
		"SIGTERM":             {func(p *testenv.Pty) { p.Signal(syscall.SIGTERM) }, 143, ``},
		"SIGHUP":              {func(p *testenv.Pty) { p.Signal(syscall.SIGHUP) }, 129, ``},
		"SIGINT":              {func(p *testenv.Pty) { p.Signal(syscall.SIGINT) }, 130, ``},
		"SIGQUIT":             {func(p *testenv.Pty) { p.Signal(syscall.SIGQUIT) }, 131, ``},
		"the shell is killed": {func(p *testenv.Pty) { p.Send("kill -9 $$\r") }, 0, `closed\]`},
	} {
		t.Run(name, func(t *testing.T) {
			before := cooked(t)
			p, _ := session(t, &doortest.Logins{})
			if m := p.Modes(); m.Lflag&unix.ICANON != 0 || m.Lflag&unix.ECHO != 0 {
				t.Error("the terminal is not raw during the session")
			}
			c.leave(p)
			if exit := p.Wait(); exit != c.exit {
				t.Errorf("exit %d, want %d; output %q", exit, c.exit, p.Output())
			}
			if m := p.Modes(); m != before {
				t.Errorf("the terminal is left as %+v, was %+v", m, before)
			}
			if !regexp.MustCompile(`(?s)` + c.last).MatchString(p.Output()) {
				t.Errorf("output %q, want %s", p.Output(), c.last)
			}
		})
	}
}

// TestSessionSurvivesSupervisor: bytes do not go through it.
func TestSessionSurvivesSupervisor(t *testing.T) {
	p, _ := session(t, &doortest.Logins{Lose: true, LoseEarly: 2})
	p.Send("echo still $((20+22))\r")
	p.Expect(`still 42\r\n`)
	p.Send("exit\r")
	p.Expect(`closed\]`)
	if exit := p.Wait(); exit != 0 || p.Modes() != cooked(t) {
		t.Errorf("exit %d", exit)
	}
}

// TestHangupEndsTheSession: the person's terminal goes away, as a lost connection makes it.
func TestHangupEndsTheSession(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	doortest.Serve(t, h.l, "web", (&doortest.Logins{}).Serve)
	mark := filepath.Join(h.l.Root, "shell")
	// The master stays out of the runtime's poller and nobody reads it at the end, so that
	// closing it is the hang-up.
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.cmd("web")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	until := func(word string) {
		seen, buf := "", make([]byte, 4096)
		for !strings.Contains(seen, word) {
			n, err := master.Read(buf)
			if err != nil {
				t.Fatalf("%v after %q", err, seen)
			}
			seen += string(buf[:n])
		}
	}
	until("zone$ ")
	if _, err := master.WriteString("echo $$ >" + mark + "; echo mar''ked\r"); err != nil {
		t.Fatal(err)
	}
	until("marked")
	shell, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	_ = master.Close()
	_ = cmd.Wait()
	if exit := cmd.ProcessState.ExitCode(); exit != 129 {
		t.Errorf("exit %d, want 129", exit)
	}
	proc := "/proc/" + strings.TrimSpace(string(shell))
	testenv.Eventually(t, func() bool { _, err := os.Stat(proc); return err != nil }, "the shell in the zone to end")
}

func TestStopAndContinue(t *testing.T) {
	before := cooked(t)
	p, _ := session(t, &doortest.Logins{})
	p.Signal(syscall.SIGTSTP)
	testenv.Eventually(t, func() bool { return p.Modes() == before }, "the terminal to be put back")
	// It puts the terminal back before it stops: one that is not stopped is not continued.
	testenv.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		return err == nil && strings.Contains(string(stat), ") T ")
	}, "zlogin to stop")
	p.Signal(syscall.SIGCONT)
	testenv.Eventually(t, func() bool { return p.Modes().Lflag&unix.ICANON == 0 }, "the terminal to be raw again")
	p.Send("exit\r")
	p.Expect(`closed\]`)
	p.Wait()
}

func TestQuietAndOtherEscape(t *testing.T) {
	p, _ := session(t, &doortest.Logins{}, "-Q", "-e", "^]")
	p.Send("echo a~.b\r")
	p.Expect(`\na~\.b`)
	p.Send("\r\x1d.")
	if exit := p.Wait(); exit != 0 || strings.Contains(p.Output(), "onnect") {
		t.Errorf("exit %d, %q", exit, p.Output())
	}
}

func TestNoEscape(t *testing.T) {
	p, _ := session(t, &doortest.Logins{}, "-E")
	p.Send("\r~.\r")
	p.Expect(`~\.`)
	p.Send("exit\r")
	p.Expect(`closed\]`)
	p.Wait()
}

// TestTypedAheadIsTheShells: a login that fails has read nothing.
func TestTypedAheadIsTheShells(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	doortest.Serve(t, h.l, "web", func(c *doortest.Conn) {
		c.Request()
		<-time.After(200 * time.Millisecond)
		c.Message(api.LevelError, "no such user")
		c.Result(-1)
	})
	cmd := h.cmd("web")
	line := strings.Join([]string{cmd.Path, "web; echo exit $?; read x; echo shell got $x"}, " ")
	shell := exec.Command("/bin/sh", "-c", line)
	shell.Env = cmd.Env
	p := testenv.StartPty(t, shell)
	p.Send("ahead\r")
	p.Expect(`zlogin: no such user\r\nexit 1\r\nshell got ahead\r\n`)
	p.Wait()
}

// Which console is meant by the options, and that --history behind the zone is a command's.
func TestConsoleOptions(t *testing.T) {
	for args, want := range map[string]struct {
		console, history bool
		role             wire.Role
		args             int
	}{
		"-C web":                    {true, false, wire.Writer, 0},
		"-C --history web":          {true, true, wire.Writer, 0},
		"--history -r web":          {true, true, wire.Reader, 0},
		"-e ^x --history -Cf web":   {true, true, wire.Taker, 0},
		"-Ce # --history web":       {true, true, wire.Writer, 0},
		"-r web":                    {true, false, wire.Reader, 0},
		"-Crd web":                  {true, false, wire.Reader, 0},
		"-f web":                    {true, false, wire.Taker, 0},
		"web bash --history":        {false, false, wire.Writer, 2},
		"-l joe web bash --history": {false, false, wire.Writer, 2},
		"-- web --history":          {false, false, wire.Writer, 1},
	} {
		w, err := parse(strings.Fields(args))
		if err != nil || w.console != want.console || w.history != want.history || w.role != want.role || len(w.args) != want.args || w.zone != "web" {
			t.Errorf("%s: %+v, %v", args, w, err)
		}
	}
}
