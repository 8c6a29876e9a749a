package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

// waitDelay is for a program's last words after SIGQUIT, and for whoever else holds its output.
// What they wrote is read by a goroutine of the test's, which may have to wait for a processor.
var waitDelay = 20 * time.Second

// Zones is a private instance of the zones software: configuration, run-time state and
// zone roots below one temporary directory.
type Zones struct {
	layout.Layout
	// Bin is the directory of the programs under test.
	Bin string

	t   testing.TB
	env []string // added to the environment of every program
}

// Process is how the status file names a process.
type Process struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot
}

// Status is what a zone's world-readable status file says. It is read here anew rather than
// with the product's own type: the file is an interface, and this its independent reader.
type Status struct {
	State  string  `json:"state"`
	ID     int     `json:"id"`
	Zsched Process `json:"zsched"`
	Zoned  Process `json:"zoned"`
	Init   Process `json:"init"`
	IDBase uint32  `json:"id_base"`
}

// Instance makes a private instance, with the programs built. When the test ends its zones
// are halted, uninstalled and deleted through the programs themselves; what is left then
// fails the test and is removed.
func Instance(t testing.TB) *Zones {
	t.Helper()
	NeedRoot(t)
	return newInstance(t, Build(t))
}

func newInstance(t testing.TB, bin string) *Zones {
	t.Helper()
	dir, err := os.MkdirTemp(ownDir(), "z")
	must(t, err)
	// World-readable as the real directories are; the software's own modes are under test.
	must(t, os.Chmod(dir, 0o755))
	z := &Zones{Layout: layout.At(dir), Bin: bin, t: t}
	for _, d := range []string{z.Etc, z.Run, z.Lib} {
		must(t, os.MkdirAll(d, 0o755))
	}
	addTag(z.Tag())
	t.Cleanup(z.cleanup)
	return z
}

// Setenv adds a variable to the environment of every program run after it.
func (z *Zones) Setenv(name, value string) { z.env = append(z.env, name+"="+value) }

// Env is the environment of the instance's programs.
func (z *Zones) Env() []string {
	env := append(os.Environ(), layout.EnvRoot+"="+z.Root, "LC_ALL=C.UTF-8")
	return append(env, z.env...)
}

// Cmd prepares a program of the instance, neither started nor bounded in time.
func (z *Zones) Cmd(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(z.Bin, program), args...)
	cmd.Env = z.Env()
	cmd.Dir = "/"
	return cmd
}

// RunInput runs a program with input as its standard input, and gives its output and exit
// status: 128 and the signal's number when one killed it. A program that has not ended
// after two minutes (times ZONES_TEST_SLOW) shows its goroutines and fails the test, and so
// does one that leaves its output open in a process of its own.
func (z *Zones) RunInput(input string, program string, args ...string) (stdout, stderr string, exit int) {
	z.t.Helper()
	stdout, stderr, exit, err := z.Try(input, program, args...)
	if err != nil {
		z.t.Fatalf("%s %q: %v\nstdout: %s\nstderr: %s", program, args, err, stdout, stderr)
	}
	return stdout, stderr, exit
}

// Try is RunInput for goroutines other than the test's: what went wrong with the run itself,
// as against the program's exit status, is returned.
func (z *Zones) Try(input, program string, args ...string) (stdout, stderr string, exit int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline(commandDeadline))
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(z.Bin, program), args...)
	cmd.Env, cmd.Dir = z.Env(), "/"
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGQUIT) } // Go prints its stacks
	cmd.WaitDelay = Deadline(waitDelay)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	err = cmd.Run()
	exit = exitStatus(cmd.ProcessState)
	var exitErr *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = errors.New("no end within " + Deadline(commandDeadline).String())
	case errors.Is(err, exec.ErrWaitDelay):
		err = errors.New("it ended, but a process that it left holds its output open")
	case errors.As(err, &exitErr):
		err = nil
	}
	return out.String(), errs.String(), exit, err
}

func exitStatus(state *os.ProcessState) int {
	if state == nil {
		return -1
	}
	if ws, ok := state.Sys().(interface {
		Signaled() bool
		Signal() unix.Signal
	}); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// Zoneadm runs zoneadm with the arguments.
func (z *Zones) Zoneadm(args ...string) (stdout, stderr string, exit int) {
	z.t.Helper()
	return z.RunInput("", "zoneadm", args...)
}

// Zonecfg runs zonecfg with the arguments.
func (z *Zones) Zonecfg(args ...string) (stdout, stderr string, exit int) {
	z.t.Helper()
	return z.RunInput("", "zonecfg", args...)
}

// Zlogin runs zlogin with the arguments, without a terminal.
func (z *Zones) Zlogin(args ...string) (stdout, stderr string, exit int) {
	z.t.Helper()
	return z.RunInput("", "zlogin", args...)
}

// Must runs a program that has to succeed and gives its standard output.
func (z *Zones) Must(program string, args ...string) string {
	z.t.Helper()
	stdout, stderr, exit := z.RunInput("", program, args...)
	if exit != 0 {
		z.t.Fatalf("%s %q: exit %d\nstdout: %s\nstderr: %s", program, args, exit, stdout, stderr)
	}
	return stdout
}

// Sparse configures and installs a zone of brand sparse; commands of zonecfg may follow.
func (z *Zones) Sparse(zone string, commands ...string) {
	z.t.Helper()
	all := append([]string{"create", "set brand=sparse", "set zonepath=" + z.ZonePath(zone)}, commands...)
	z.Must("zonecfg", "-z", zone, strings.Join(all, "; "))
	z.Must("zoneadm", "-z", zone, "install")
}

// Status reads a zone's status file; the zero Status stands for a zone that has none.
func (z *Zones) Status(zone string) Status {
	z.t.Helper()
	text, err := os.ReadFile(z.StatusFile(zone))
	if errors.Is(err, os.ErrNotExist) {
		return Status{}
	}
	must(z.t, err)
	var s Status
	if err := json.Unmarshal(text, &s); err != nil {
		z.t.Fatalf("status of zone %s: %v\n%s", zone, err, text)
	}
	return s
}

// AwaitState waits until the zone's status says the state.
func (z *Zones) AwaitState(zone, state string) Status {
	z.t.Helper()
	var s Status
	Eventually(z.t, func() bool {
		s = z.Status(zone)
		return s.State == state
	}, "zone "+zone+" to be "+state)
	return s
}

// ServicesUp waits until all services that a zone boots with have come up: until then contracts are
// made, and the console is written to.
func (z *Zones) ServicesUp(zone string) {
	z.t.Helper()
	EventuallyWithin(z.t, 3*time.Minute, func() bool {
		out, _, exit, err := z.Try("", "svcs", "-z", zone, "-Ho", "state", "milestone/multi-user-server:default")
		if err != nil || exit != 0 || out != "online\n" {
			return false
		}
		out, _, exit, err = z.Try("", "svcs", "-x", "-z", zone)
		return err == nil && exit == 0 && out == ""
	}, "the services of zone "+zone)
}

// Cgroup is the cgroup2 path of the zone's init below the hierarchy's root.
func (z *Zones) Cgroup(zone string) string {
	z.t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(z.Status(zone).Init.Pid), "cgroup"))
	must(z.t, err)
	for line := range strings.Lines(string(text)) {
		if path, unified := strings.CutPrefix(line, "0::"); unified {
			return strings.TrimSpace(path)
		}
	}
	z.t.Fatalf("init of zone %s is in no cgroup2: %s", zone, text)
	return ""
}

// PID reads a pid file of the zone's state, "zoned" or "zsched"; 0 when there is none.
func (z *Zones) PID(zone, program string) int {
	pid, _ := readPID(filepath.Join(z.ZoneState(zone), program+".pid"))
	return pid
}

// KillZoned kills the zone's supervisor with SIGKILL, waits for its end and gives its pid.
// One that only just died has a successor soon.
func (z *Zones) KillZoned(zone string) int {
	z.t.Helper()
	return z.kill(zone, "zoned")
}

// kill kills the process of which a pid file tells, and waits for its end.
func (z *Zones) kill(zone, program string) int {
	z.t.Helper()
	var p process
	Eventually(z.t, func() bool {
		pid := z.PID(zone, program)
		alive := false
		p, _, alive = readProcess(pid)
		return pid != 0 && alive && p.state != "Z"
	}, "the "+program+" of zone "+zone+", to kill it")
	p.kill()
	return p.pid
}

// Pty starts a program of the instance on a terminal.
func (z *Zones) Pty(program string, args ...string) *Pty {
	z.t.Helper()
	return StartPty(z.t, z.Cmd(program, args...))
}

// readPID reads the pid at the start of a pid file.
func readPID(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return 0, errors.New("empty pid file")
	}
	return strconv.Atoi(fields[0])
}
