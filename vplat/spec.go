package vplat

import (
	"path"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/linuxzones/zones/configs"
)

// trampoline is what libcontainer starts: it waits in state ready and becomes init.
const trampoline = svcBin + "/trampoline"

// Limits on open descriptors, as the host's own services get them: a low soft limit for
// programs that use select(2) or close every descriptor, a high hard one for the others.
const (
	filesSoft = 1024
	filesHard = 524288
)

// spec is the Spec without mounts and seccomp profile. The paths of the user and cgroup
// namespaces, which exist before libcontainer runs, are filled in when it is carried out.
func (p *plan) spec() *specs.Spec {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: p.r.IDBase, Size: IDCount}}
	return &specs.Spec{
		Version:  specs.Version,
		Hostname: p.attrs.hostname,
		Root:     &specs.Root{Path: RootDir},
		Process: &specs.Process{
			Terminal: true,
			User:     specs.User{UID: 0, GID: 0},
			Args:     []string{trampoline},
			Env:      p.initEnv(),
			Cwd:      "/",
			// su, sudo and setuid programs work in a zone: they give the zone's ids only.
			NoNewPrivileges: false,
			Capabilities:    p.capabilities(),
			Rlimits:         p.rlimits(),
		},
		Linux: &specs.Linux{
			UIDMappings:   ids,
			GIDMappings:   ids,
			Namespaces:    p.namespaces(),
			MaskedPaths:   p.masked(),
			ReadonlyPaths: p.readonly(),
			Sysctl:        p.sysctl(),
			// Nothing that the zone mounts reaches the host, and nothing that the host
			// mounts later reaches the zone.
			RootfsPropagation: "rprivate",
		},
	}
}

func (p *plan) namespaces() []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{
		{Type: specs.UserNamespace},
		{Type: specs.CgroupNamespace},
		{Type: specs.PIDNamespace},
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
		{Type: specs.MountNamespace},
	}
	if p.z.IPType == configs.IPExclusive {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	return list
}

// capabilities are what the privilege set says, for root. The inheritable and ambient sets
// are empty: with them, a program that a user of the zone runs would have capabilities.
func (p *plan) capabilities() *specs.LinuxCapabilities {
	return &specs.LinuxCapabilities{Bounding: p.caps, Effective: p.caps, Permitted: p.caps}
}

// rlimits are set for descriptors only. The builder resets the others to the kernel's
// defaults; none can be raised above the builder's own without CAP_SYS_RESOURCE.
func (p *plan) rlimits() []specs.POSIXRlimit {
	hard := uint64(filesHard)
	if p.f.FilesMax != 0 {
		hard = min(hard, p.f.FilesMax)
	}
	return []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: hard, Soft: min(filesSoft, hard)}}
}

// masked are files of proc and sysfs that tell of the host, or act on it. What does not
// exist on a kernel is passed over by libcontainer.
func (p *plan) masked() []string {
	return []string{
		"/proc/acpi",
		"/proc/asound",
		"/proc/interrupts", // timing side channel between zones
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/sys/devices/virtual/powercap",
		"/sys/firmware",
		"/sys/kernel/debug",
		"/sys/kernel/security",
		"/sys/kernel/tracing",
		"/sys/fs/bpf",
		"/sys/fs/pstore",
	}
}

// readonly are parts of proc that act on the host. Their files belong to the host's root,
// so that the zone's root is refused already; this is the second lock.
//
// A zone with a network stack of its own may set what belongs to that stack: of /proc/sys
// only net stays open.
func (p *plan) readonly() []string {
	closed := []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"}
	if p.z.IPType == configs.IPShared {
		return append(closed, "/proc/sys")
	}
	for _, dir := range []string{"abi", "debug", "dev", "fs", "kernel", "user", "vm"} {
		closed = append(closed, path.Join("/proc/sys", dir))
	}
	return closed
}

// sysctl are set in the zone's own namespaces.
func (p *plan) sysctl() map[string]string {
	set := map[string]string{}
	if p.z.IPType == configs.IPExclusive {
		// Every group of the zone may use ICMP echo sockets: ping needs no privilege.
		set["net.ipv4.ping_group_range"] = "0 " + strconv.Itoa(IDCount-1)
	}
	// Who makes a user namespace has every capability in it, and with them parts of the
	// kernel to attack that the zone was not given.
	if !slices.Contains(p.caps, "CAP_SYS_ADMIN") {
		set["user.max_user_namespaces"] = "0"
	}
	return set
}
