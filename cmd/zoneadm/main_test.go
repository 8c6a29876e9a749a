package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/api/doortest"
)

// asZoneadm makes the test binary zoneadm itself.
const asZoneadm = "ZONEADM_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asZoneadm) != "" {
		main()
	}
	testenv.Main(m)
}

// host is an instance with zones of our own making, served by this process.
type host struct {
	t     *testing.T
	l     layout.Layout
	store *configs.Store
	self  string // the program
}

func newHost(t *testing.T) *host {
	testenv.NeedRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := layout.At(t.TempDir())
	return &host{t, l, configs.Open(l), self}
}

// installed puts the program where it finds its helpers beside itself.
func (h *host) installed() {
	h.t.Helper()
	dir := h.t.TempDir()
	b, err := os.ReadFile(h.self)
	if err == nil {
		h.self = filepath.Join(dir, "zoneadm")
		err = os.WriteFile(h.self, b, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "zsched"), []byte("#!/bin/sh\nexit 9\n"), 0o755)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "inzone/svc/bin"), 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) zone(name string, state configs.State, change ...func(*configs.Zone)) {
	h.t.Helper()
	z := configs.New(name)
	z.Path = h.l.ZonePath(name)
	for _, f := range change {
		f(z)
	}
	if _, err := h.store.Create(z); err != nil {
		h.t.Fatal(err)
	}
	if err := h.store.SetState(name, min(state, configs.Installed)); err != nil {
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
	cmd := exec.Command(h.self, args...)
	cmd.Env = append(os.Environ(), asZoneadm+"=1", layout.EnvRoot+"="+h.l.Root)
	return cmd
}

func (h *host) run(args ...string) (exit int, stdout, stderr string) {
	h.t.Helper()
	return h.finish(h.cmd(args...))
}

func (h *host) finish(cmd *exec.Cmd) (exit int, stdout, stderr string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestBadInput: one clear line, the right exit code, and nothing changed.
func TestBadInput(t *testing.T) {
	h := newHost(t)
	h.zone("up", configs.Running)
	h.zone("new", configs.Configured)
	h.zone("old", configs.Installed)
	h.zone("half", configs.Incomplete)
	h.zone("big", configs.Configured, func(z *configs.Zone) { z.Brand = "whole" })
	index := func() string {
		b, err := os.ReadFile(filepath.Join(h.l.Etc, "index"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := index()
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"", 2, "no subcommand given"},
		{"fly", 2, `unknown subcommand "fly"`},
		{"-z old console-log x", 2, `unexpected operand "x"`},
		{"-z old console-log -r", 2, "unknown option -r"},
		{"-z old console-log", 1, "there is no console log yet"},
		{"-z none console-log", 1, "No such zone configured"},
		{"-z global console-log", 1, "invalid for the global zone"},
		{"-z old console-record", 2, "an operand is missing"},
		{"-z old console-record a b", 2, `unexpected operand "b"`},
		{"-z new console-record /nowhere/x", 1, "must be installed before console-record."},
		{"-z old console-record /nowhere/x", 1, "no such file or directory"},
		{"-z old console-record /", 1, "/ is there already"},
		{"-z old console-record -f /", 1, "is a directory"},
		{"-x list", 2, "unknown option -x"},
		{"--help", 2, "unknown option --help"},
		{"-z", 2, "option -z needs an argument"},
		{"-z ../../etc list", 2, "zone"},
		{"-z a/b boot", 2, "zone"},
		{"-R relative list", 2, `root path "relative" must be absolute`},
		{"-R /tmp -z up boot", 2, "-R makes no sense with this subcommand"},
		{"list -v -p", 2, "-p, -v and -o are mutually exclusive"},
		{"list -o xml", 2, `unknown format "xml", allowed is json`},
		{"list extra", 2, `unexpected operand "extra"`},
		{"list -q", 2, "unknown option -q"},
		{"check -o yaml", 2, `unknown format "yaml"`},
		{"help fly", 2, `unknown subcommand "fly"`},
		{"help a b", 2, "unexpected operand"},
		{"boot", 1, "zoneadm: no zone specified\n"},
		{"-z nosuch boot", 1, "zoneadm: zone 'nosuch': No such zone configured\n"},
		{"-z nosuch list", 1, "zoneadm: zone 'nosuch': No such zone configured\n"},
		{"-u 00000000-0000-4000-8000-000000000000 boot", 1, "no zone has this uuid"},
		{"-u nonsense boot", 1, "no zone has this uuid"},
		{"-z global halt", 1, "halt operation is invalid for the global zone."},
		{"-z SUNWx boot", 1, "boot operation is invalid for zones starting with SUNW."},
		{"-z new boot", 1, "zoneadm: zone 'new': must be installed before boot.\n"},
		{"-z new ready", 1, "zoneadm: zone 'new': must be installed before ready.\n"},
		{"-z new uninstall -F", 1, "zoneadm: zone 'new': is already in state 'configured'.\n"},
		{"-z new halt", 1, "zoneadm: zone 'new': halt operation is invalid for zones in state 'configured'\n"},
		{"-z old install", 1, "zoneadm: zone 'old': is already installed.\n"},
		{"-z old reboot", 1, "zoneadm: zone 'old': not running\n"},
		{"-z old shutdown", 1, "zoneadm: zone 'old': not running\n"},
		{"-z old uninstall", 1, "Input not from terminal and -F not specified: uninstall not done."},
		{"-z half install", 1, "zoneadm: zone 'half': zone is incomplete; uninstall required.\n"},
		{"-z half verify", 1, "zoneadm: zone 'half': zone is incomplete; uninstall required.\n"},
		{"-z up uninstall -F", 1, "zoneadm: zone 'up': uninstall operation is invalid for running zones.\n"},
		{"-z up install", 1, "zoneadm: zone 'up': install operation is invalid for running zones.\n"},
		{"-z up shutdown -- -s", 2, "boot arguments make sense with -r only"},
		{"-z up boot -- " + strings.Repeat("x", 256), 1, "zoneadm: zone 'up': boot argument string too long\n"},
		{"-z up halt now", 2, `unexpected operand "now"`},
		{"-z up boot -q", 2, "unknown option -q"},
		{"-z old mark installed", 2, `a zone can be marked incomplete, not "installed"`},
		{"-z old mark", 2, "an operand is missing"},
		{"-z new install -a x", 2, "a zone of brand sparse is installed from the host"},
		{"-z big install", 2, "needs an archive (-a FILE) or a directory (-d DIR)"},
		{"-z big install -a /nonexistent.tar", 1, "no such file or directory"},
		{"-z big install -a /etc", 1, "not a regular file"},
		{"-z big install -d /etc/passwd", 1, "not a directory"},
		{"-z big install -a", 2, "option -a needs an argument"},
	} {
		exit, out, errs := h.run(strings.Fields(c.args)...)
		if exit != c.exit || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("zoneadm %.60s: exit %d, %q %q; want %d, one line with %q", c.args, exit, out, errs, c.exit, c.want)
		}
		if !strings.HasPrefix(errs, "zoneadm: ") || c.exit == 2 && !strings.Contains(errs, "; usage: zoneadm ") {
			t.Errorf("zoneadm %.60s: %q", c.args, errs)
		}
	}
	if after := index(); after != before {
		t.Errorf("the index was\n%s\nis\n%s", before, after)
	}
}

func TestWithoutPrivilege(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	// Everything on the way to the instance is open, as /etc/zones and /run/zones are.
	for dir := h.l.Root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self := filepath.Join(h.l.Root, "zoneadm")
	b, err := os.ReadFile(h.self)
	if err == nil {
		err = os.WriteFile(self, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.self = self
	user := func(args ...string) (int, string, string) {
		cmd := h.cmd(args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return h.finish(cmd)
	}
	if exit, out, errs := user("list"); exit != 0 || out != "global\nweb\n" || errs != "" {
		t.Errorf("list: %d %q %q", exit, out, errs)
	}
	if exit, out, _ := user("list", "-p", "-n"); exit != 0 || !strings.HasPrefix(out, "1:web:running:") {
		t.Errorf("list -p: %d %q", exit, out)
	}
	for _, sub := range []string{"boot", "halt", "ready", "reboot", "shutdown", "install", "uninstall", "verify"} {
		want := "zoneadm: zone 'web': only a privileged user may " + sub + " a zone.\n"
		if exit, _, errs := user("-z", "web", sub); exit != 1 || errs != want {
			t.Errorf("%s: %d %q", sub, exit, errs)
		}
	}
	if exit, out, _ := user("check"); exit != 0 || !strings.Contains(out, "cannot tell without root") {
		t.Errorf("check: %d %s", exit, out)
	}
}

func TestDoor(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	s := doortest.Serve(t, h.l, "web",
		func(*doortest.Conn) {}, // the first leaves
		func(c *doortest.Conn) {
			c.Request()
			c.Message(api.LevelNote, "zone is already booted")
			c.Result(0)
		},
		func(c *doortest.Conn) {
			c.Request()
			c.Message(api.LevelError, "unable to destroy zone")
			c.Result(-1)
		})
	if exit, out, errs := h.run("-z", "web", "boot", "--", "-m", "verbose"); exit != 0 || out != "" || errs != "zoneadm: zone 'web': zone is already booted\n" {
		t.Errorf("boot: %d %q %q", exit, out, errs)
	}
	if exit, _, errs := h.run("-z", "web", "halt"); exit != 1 || errs != "zoneadm: zone 'web': unable to destroy zone\n" {
		t.Errorf("halt: %d %q", exit, errs)
	}
	q := s.Requests()
	if q[0].Verb != api.VerbBoot || q[0].BootArgs != "-m verbose" || !q[0].BootArgsGiven || q[1].Verb != api.VerbHalt {
		t.Errorf("asked %+v", q)
	}
}

// TestInterrupt: a person who has waited enough is let go; the supervisor goes on.
func TestInterrupt(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	asked := make(chan struct{})
	doortest.Serve(t, h.l, "web", func(c *doortest.Conn) { c.Request(); close(asked); c.WaitClosed() })
	cmd := h.cmd("-z", "web", "halt")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	exit, errs := cmd.ProcessState.ExitCode(), said.String()
	if exit != 1 || errs != "zoneadm: zone 'web': interrupted (interrupt); the halt goes on in the supervisor if it had begun\n" {
		t.Errorf("%d %q", exit, errs)
	}
}

// TestByUUID: -u beats -z when it matches.
func TestByUUID(t *testing.T) {
	h := newHost(t)
	h.zone("one", configs.Installed)
	h.zone("two", configs.Installed)
	e, err := h.store.Lookup("two")
	if err != nil {
		t.Fatal(err)
	}
	if exit, out, errs := h.run("-z", "one", "-u", e.UUID, "list"); exit != 0 || out != "two\n" {
		t.Errorf("%d %q %q", exit, out, errs)
	}
	if exit, out, errs := h.run("-z", "one", "-u", "00000000-0000-4000-8000-000000000000", "list"); exit != 0 || out != "one\n" {
		t.Errorf("%d %q %q", exit, out, errs)
	}
}

func TestAltRoot(t *testing.T) {
	h := newHost(t)
	h.zone("web", configs.Running)
	cmd := exec.Command(h.self, "-R", h.l.Root, "-z", "web", "list", "-p")
	cmd.Env = append(os.Environ(), asZoneadm+"=1")
	if exit, out, _ := h.finish(cmd); exit != 0 || !strings.HasPrefix(out, "-:web:installed:") {
		t.Errorf("%d %q", exit, out)
	}
	if exit, _, errs := h.run("-R", h.l.Root, "-z", "web", "mark", "incomplete"); exit != 0 {
		t.Errorf("%d %q", exit, errs)
	}
	if e, _ := h.store.Lookup("web"); e.State != configs.Incomplete {
		t.Errorf("the index says %v", e.State)
	}
}

// TestSparseLife installs and uninstalls for real.
func TestSparseLife(t *testing.T) {
	h := newHost(t)
	h.installed()
	h.zone("web", configs.Configured)
	if exit, out, errs := h.run("-z", "web", "install"); exit != 0 || out != "" {
		t.Fatalf("install: %d %q %q", exit, out, errs)
	}
	if _, err := os.Stat(filepath.Join(h.l.ZonePath("web"), "root/etc/passwd")); err != nil {
		t.Error(err)
	}
	if exit, out, _ := h.run("list", "-cv"); exit != 0 || !strings.Contains(out, "   - web              installed  ") {
		t.Errorf("%d %q", exit, out)
	}
	// The supervisor of this host dies at once: the reason is one line.
	want := "zoneadm: zone 'web': call to zoneadmd failed: zsched failed to start (exit code 9)\n"
	if exit, _, errs := h.run("-z", "web", "boot"); exit != 1 || errs != want {
		t.Errorf("boot: %d %q", exit, errs)
	}
	if exit, _, errs := h.run("-z", "web", "uninstall", "-F"); exit != 0 || errs != "" {
		t.Errorf("uninstall: %d %q", exit, errs)
	}
	if _, err := os.Stat(h.l.ZonePath("web")); err == nil {
		t.Error("the zonepath is left")
	}
}

// TestKilledInstall: the zone is incomplete, whenever it happens after the start.
func TestKilledInstall(t *testing.T) {
	h := newHost(t)
	h.installed()
	h.zone("big", configs.Configured, func(z *configs.Zone) { z.Brand = "whole" })
	cmd := h.cmd("-z", "big", "install", "-d", "/usr")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool {
		e, err := h.store.Lookup("big")
		return err == nil && e.State == configs.Incomplete
	}, "the installation to begin")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if exit, _, errs := h.run("-z", "big", "install", "-d", "/usr"); exit != 1 || !strings.Contains(errs, "zone is incomplete; uninstall required.") {
		t.Errorf("install again: %d %q", exit, errs)
	}
	if exit, _, errs := h.run("-z", "big", "uninstall", "-F"); exit != 0 {
		t.Errorf("uninstall: %d %q", exit, errs)
	}
	if e, _ := h.store.Lookup("big"); e.State != configs.Configured {
		t.Errorf("the index says %v", e.State)
	}
}

func TestHelp(t *testing.T) {
	h := newHost(t)
	exit, out, errs := h.run("help")
	if exit != 0 || errs != "" {
		t.Errorf("%d %q", exit, errs)
	}
	for name := range subcommands {
		if !strings.Contains(out, string(name)) {
			t.Errorf("help does not speak of %s", name)
		}
		if exit, one, _ := h.run("help", string(name)); exit != 0 || !strings.HasPrefix(one, "usage:\tzoneadm ") {
			t.Errorf("help %s: %d %q", name, exit, one)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	h := newHost(t)
	exit, out, _ := h.run("check", "-o", "json")
	var doc struct {
		Enough   bool
		Findings []struct{ What, Level, Found string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || exit != 0 != !doc.Enough || len(doc.Findings) < 20 {
		t.Errorf("%d %v %s", exit, err, out)
	}
}
