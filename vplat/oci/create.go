package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/opencontainers/runc/libcontainer"
	lconfigs "github.com/opencontainers/runc/libcontainer/configs"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // its C constructor is how namespaces are entered before Go starts
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runc/libcontainer/utils"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/vplat/helper"
)

// Names below a zone's state directory.
const (
	ociDir   = "oci" // libcontainer's own state
	planFile = "plan.json"
)

// InitMain is `zrun init`: libcontainer's part inside the new namespaces. It does not return.
func InitMain() { libcontainer.Init() }

// Created is a zone in state ready.
type Created struct {
	Pid    int
	Start  uint64
	Master *sys.FD // the console's
	Pidfd  *sys.FD // init's
	Boot   *sys.FD // where the trampoline waits
}

// Close releases the descriptors; the zone stays.
func (c *Created) Close() { sys.CloseAll([]*sys.FD{c.Master, c.Pidfd, c.Boot}) }

// Create builds the zone of the plan up to state ready, with the supervisor's mounts in it. The
// caller's mount namespace must be private. When it fails nothing is left but what the supervisor removes with the zone's
// cgroup and state directory.
func Create(p *vplat.Plan, r *helper.Request, mounts Mounts) (*Created, error) {
	runtime.LockOSThread() // until the process ends: a keyring is a thread's
	if err := leaveKeyring(); err != nil {
		return nil, err
	}
	if err := unify(r.CgroupMount, readOnly); err != nil {
		return nil, err
	}
	if err := SavePlan(r.StateDir, p); err != nil {
		return nil, err
	}
	zoneDir := filepath.Join(cgroupRoot, r.Cgroup, p.Cgroup.Root)
	ns, err := makeNamespaces(zoneDir, p.IDBase, p.IDCount)
	if err != nil {
		return nil, err
	}
	defer ns.close()
	s, err := newScratch(ns, p)
	if err != nil {
		return nil, err
	}
	defer s.fd.Close()
	s.mounts = mounts
	if err := s.apply(p.Root); err != nil {
		return nil, err
	}
	ns.endHolder()
	config, err := s.config(p.Spec, r)
	if err != nil {
		return nil, err
	}
	c, err := start(config, p, r)
	if err != nil {
		return nil, err
	}
	if err := retarget(r); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// noCgroup names a cgroup that is never there, beside the one that zrun and so the zone's init
// live in: libcontainer looks whether it is free, fails to make it, and goes on without.
const noCgroup = "none"

// config turns the Spec into libcontainer's, with what only this moment knows: where the
// root was put together, the namespaces to join, the cgroup.
func (s *scratch) config(spec *specs.Spec, r *helper.Request) (*lconfigs.Config, error) {
	spec.Root.Path = filepath.Join(s.dir, vplat.RootDir)
	for i, m := range spec.Mounts {
		if rest, ok := strings.CutPrefix(m.Source, vplat.StagePrefix); ok {
			spec.Mounts[i].Source = filepath.Join(s.dir, vplat.StageDir, rest)
		}
	}
	spec.Linux.CgroupsPath = ""
	config, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{CgroupName: noCgroup, Spec: spec, NoNewKeyring: true})
	if err != nil {
		return nil, err
	}
	for i := range config.Namespaces {
		switch n := &config.Namespaces[i]; n.Type {
		case lconfigs.NEWUSER:
			n.Path = path(s.ns.user)
		case lconfigs.NEWCGROUP:
			n.Path = path(s.ns.cgroup)
		}
	}
	// Opening a device is decided by the device nodes the zone has, and it can make none: no
	// BPF program on the cgroup is wanted.
	config.Cgroups.Resources.Devices = nil
	config.Cgroups.Rootless = true // see unify
	config.Rlimits = nil           // see run
	return config, nil
}

// AdminDir is the parent of the logins' cgroups, below the zone's.
const AdminDir = "admin"

func start(config *lconfigs.Config, p *vplat.Plan, r *helper.Request) (*Created, error) {
	container, err := libcontainer.Create(filepath.Join(r.StateDir, ociDir), r.Zone, config)
	if err != nil {
		return nil, err
	}
	bootOurs, bootTheirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	con, err := newConsole()
	if err != nil {
		bootOurs.Close()
		bootTheirs.Close()
		return nil, err
	}
	defer con.close()
	trampoline := os.NewFile(uintptr(bootTheirs.Disown()), "boot")
	defer trampoline.Close()
	proc := &libcontainer.Process{
		Args: p.Spec.Process.Args, Env: p.Spec.Process.Env, Cwd: p.Spec.Process.Cwd,
		Init: true, ConsoleSocket: con.theirs, ExtraFiles: []*os.File{trampoline},
	}
	if err := run(container, proc, p.Spec.Process.Rlimits); err != nil {
		bootOurs.Close()
		return nil, err
	}
	c := &Created{Boot: bootOurs}
	if c.Master, err = con.master(); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.identify(proc); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// run starts a process with these limits, which it has from this one: to set those of a process in
// another's user namespace takes CAP_SYS_RESOURCE on the host, which some hosts' root has not.
func run(c *libcontainer.Container, proc *libcontainer.Process, limits []specs.POSIXRlimit) error {
	for _, l := range limits {
		n, ok := rlimitNumber[l.Type]
		if !ok {
			continue
		}
		// That of package syscall: the runtime would give a child the limit of descriptors as it was.
		if err := syscall.Setrlimit(n, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return fmt.Errorf("set %s to %d, %d: %w", l.Type, l.Soft, l.Hard, err)
		}
	}
	if err := c.Run(proc); err != nil {
		return explain(err)
	}
	return nil
}

func (c *Created) identify(proc *libcontainer.Process) (err error) {
	if c.Pid, err = proc.Pid(); err != nil {
		return err
	}
	// The process is our child and unreaped, so its number is its own.
	if c.Pidfd, err = sys.PidfdOpen(c.Pid); err != nil {
		return err
	}
	c.Start, err = sys.StartTime(c.Pid)
	return err
}

// consoleSocket is the pair over which libcontainer sends a terminal's master.
type consoleSocket struct{ ours, theirs *os.File }

func newConsole() (*consoleSocket, error) {
	ours, theirs, err := utils.NewSockPair("console")
	if err != nil {
		return nil, err
	}
	return &consoleSocket{ours: ours, theirs: theirs}, nil
}

func (c *consoleSocket) master() (*sys.FD, error) {
	buf := make([]byte, 4096)
	_, fds, err := sys.Recv(int(c.ours.Fd()), buf)
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	if len(fds) != 1 {
		sys.CloseAll(fds)
		return nil, errors.New("receive the terminal: none was sent")
	}
	return fds[0], nil
}

func (c *consoleSocket) close() {
	c.ours.Close()
	c.theirs.Close()
}

var rlimitNumber = map[string]int{
	"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_STACK": unix.RLIMIT_STACK, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_NPROC": unix.RLIMIT_NPROC,
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_AS": unix.RLIMIT_AS,
	"RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
	"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
}

// explain strips what libcontainer wraps around the one thing that went wrong.
func explain(err error) error {
	s := err.Error()
	for _, noise := range []string{"unable to start container process: ", "error during container init: "} {
		s = strings.ReplaceAll(s, noise, "")
	}
	return errors.New(s)
}

// retarget makes the zone's own cgroup, not init's, the one that libcontainer's state names:
// later processes are born below admin/, outside of what limits the zone. And the directory
// from which libcontainer starts them, that of the root as it was put together, is gone by
// then: any other does.
func retarget(r *helper.Request) error {
	name := filepath.Join(r.StateDir, ociDir, r.Zone, "state.json")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(b, &state); err != nil {
		return fmt.Errorf("read libcontainer's state: %w", err)
	}
	if state == nil {
		return fmt.Errorf("read libcontainer's state: %s is empty", name)
	}
	paths, err := json.Marshal(map[string]string{"": filepath.Join(cgroupRoot, r.Cgroup)})
	if err != nil {
		return err
	}
	state["cgroup_paths"] = paths
	var config map[string]json.RawMessage
	if err := json.Unmarshal(state["config"], &config); err != nil {
		return fmt.Errorf("read libcontainer's state: %w", err)
	}
	if config == nil {
		return fmt.Errorf("read libcontainer's state: %s has no configuration", name)
	}
	config["rootfs"] = json.RawMessage(`"/"`)
	if state["config"], err = json.Marshal(config); err != nil {
		return err
	}
	if b, err = json.Marshal(state); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

// SavePlan keeps the plan of this incarnation for logins and for a person.
func SavePlan(stateDir string, p *vplat.Plan) error {
	b, err := p.Encode()
	if err != nil {
		return err
	}
	// Run-time state: it must survive this process, not the host.
	return os.WriteFile(filepath.Join(stateDir, planFile), b, 0o600)
}
