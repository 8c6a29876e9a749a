package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runc/libcontainer"
	lconfigs "github.com/opencontainers/runc/libcontainer/configs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/vplat/helper"
)

// enterProgram resolves the user and becomes the shell or command, inside the zone: nothing
// of the zone's passwd is ever read by a process of the host.
const enterProgram = "/lib/svc/bin/enter"

// Executed is a process that was started in a running zone.
type Executed struct {
	Pid    int
	Start  uint64
	Pidfd  *sys.FD
	Master *sys.FD // with a terminal
}

// Close releases the descriptors; the process stays.
func (e *Executed) Close() { sys.CloseAll([]*sys.FD{e.Pidfd, e.Master}) }

// heldVariable tells enterProgram which of its descriptors it waits at. One that does not know it,
// of a zone that was booted by an older version, closes that and begins at once.
const heldVariable = "ZONES_LOGIN_HELD=3"

// Exec starts a process in the zone. Without a terminal stdio must be three descriptors; with Held
// the pipe comes behind them.
func Exec(r *helper.Request, stdio []*os.File) (*Executed, error) {
	runtime.LockOSThread() // until the process ends: a keyring is a thread's
	if err := leaveKeyring(); err != nil {
		return nil, err
	}
	if err := unify(r.CgroupMount, readWrite); err != nil {
		return nil, err
	}
	plan, err := loadPlan(r.StateDir)
	if err != nil {
		return nil, err
	}
	container, err := libcontainer.Load(filepath.Join(r.StateDir, ociDir), r.Zone)
	if err != nil {
		return nil, fmt.Errorf("the zone is not there: %w", err)
	}
	slot := filepath.Join(AdminDir, r.Slot)
	if err := os.MkdirAll(filepath.Join(cgroupRoot, r.Cgroup, slot), 0o755); err != nil {
		return nil, err
	}
	proc := &libcontainer.Process{
		Args: loginArgs(r.Login), Env: plan.Login.Env, Cwd: "/",
		Capabilities:   capabilities(plan.Login.Capabilities),
		SubCgroupPaths: map[string]string{"": slot},
	}
	if r.Held {
		if len(stdio) == 0 || r.Login.Failsafe {
			return nil, errors.New("a login that is held needs its pipe, and enter to wait at it")
		}
		proc.ExtraFiles, stdio = stdio[len(stdio)-1:], stdio[:len(stdio)-1]
		proc.Env = append(slices.Clone(proc.Env), heldVariable)
	}
	var con *consoleSocket
	if r.Login.TTY {
		if con, err = newConsole(); err != nil {
			return nil, err
		}
		defer con.close()
		proc.ConsoleSocket = con.theirs
		proc.ConsoleHeight, proc.ConsoleWidth = r.Login.Rows, r.Login.Cols
	} else {
		if len(stdio) != 3 {
			return nil, errors.New("a login without a terminal needs three descriptors")
		}
		proc.Stdin, proc.Stdout, proc.Stderr = stdio[0], stdio[1], stdio[2]
	}
	if err := run(container, proc, plan.Login.Rlimits); err != nil {
		return nil, err
	}
	return executed(proc, con)
}

func executed(proc *libcontainer.Process, con *consoleSocket) (*Executed, error) {
	e := &Executed{}
	var err error
	if con != nil {
		if e.Master, err = con.master(); err != nil {
			return nil, err
		}
	}
	if e.Pid, err = proc.Pid(); err != nil {
		e.Close()
		return nil, err
	}
	// The process is our child and unreaped, so its number is its own.
	if e.Pidfd, err = sys.PidfdOpen(e.Pid); err != nil {
		e.Close()
		return nil, err
	}
	if e.Start, err = sys.StartTime(e.Pid); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// loginArgs is the command line of the process that becomes the login.
func loginArgs(l *helper.Login) []string {
	if l.Failsafe {
		if len(l.Args) > 0 {
			return []string{"/bin/sh", "-c", strings.Join(l.Args, " ")}
		}
		return []string{"/bin/sh"}
	}
	args := []string{enterProgram}
	if l.User != "" {
		args = append(args, "-l", l.User)
	}
	if l.Term != "" {
		args = append(args, "-t", l.Term)
	}
	switch {
	case len(l.Args) == 0:
		return append(args, "login")
	case l.Shell:
		return append(append(args, "shell", "--"), l.Args...)
	}
	return append(append(args, "exec", "--"), l.Args...)
}

func capabilities(c *specs.LinuxCapabilities) *lconfigs.Capabilities {
	if c == nil {
		return nil
	}
	return &lconfigs.Capabilities{
		Bounding: c.Bounding, Effective: c.Effective, Permitted: c.Permitted,
		Inheritable: c.Inheritable, Ambient: c.Ambient,
	}
}

func loadPlan(stateDir string) (*vplat.Plan, error) {
	b, err := os.ReadFile(filepath.Join(stateDir, planFile))
	if err != nil {
		return nil, fmt.Errorf("the zone's plan: %w", err)
	}
	p, err := vplat.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("the zone's plan: %w", err)
	}
	return p, nil
}
