package vplat

import specs "github.com/opencontainers/runtime-spec/specs-go"

// PlanVersion is the version of the Plan document; another one is refused.
const PlanVersion = 1

// IDCount is how many uids and gids a zone has. 65,536 holds every id that software uses,
// nobody (65534) included.
const IDCount = 65536

// Facts is what Build needs to know of the host. Probe reads it; tests write it.
type Facts struct {
	// Libexec is the directory that holds inzone/svc and inzone/layer.
	Libexec string `json:"libexec"`
	// MergedUsr lists the top-level names that are links into /usr on the host (bin, sbin,
	// lib, lib64, ...), with their targets; Dirs those that are directories of their own.
	MergedUsr map[string]string `json:"merged_usr"`
	Dirs      []string          `json:"dirs"`
	// Arch is the kernel's machine name, KernelRelease its release.
	Arch          string `json:"arch"`
	KernelRelease string `json:"kernel_release"`
	// UsrLocal says that the host has a directory /usr/local, which a sparse zone must not see.
	UsrLocal bool `json:"usr_local"`
	// FilesMax is the hard limit on open descriptors of whoever builds the zone: without
	// CAP_SYS_RESOURCE a zone can not be given more.
	FilesMax uint64 `json:"files_max"`
	// AppArmor says that the module is active. We bring no profile, so a zone runs under
	// the profile of its builder; it is told so that a refused operation can be explained.
	AppArmor bool `json:"apparmor"`
}

// Run is what differs between two incarnations of one configuration.
type Run struct {
	// StateDir is the zone's run-time directory, which no zone may see.
	StateDir string `json:"state_dir"`
	// IDBase is the first host uid and gid of the zone's range.
	IDBase uint32 `json:"id_base"`
	// Contract is the process contract in which the zone's init is born.
	Contract uint32 `json:"contract"`
}

// Plan says how one incarnation of a zone is built.
type Plan struct {
	Version  int    `json:"version"`
	Zone     string `json:"zone"`
	Brand    string `json:"brand"`
	ZonePath string `json:"zonepath"`
	IPType   string `json:"ip_type"`
	IDBase   uint32 `json:"id_base"`
	IDCount  uint32 `json:"id_count"`
	// Root is carried out in order, in a private mount namespace, before the zone's own
	// namespaces exist; what it mounts the zone can not undo.
	Root []RootStep `json:"root"`
	// Spec is what libcontainer is given. Its root path is RootDir; its process is the
	// trampoline that waits in state ready.
	Spec *specs.Spec `json:"spec"`
	// Init is what boot lets the trampoline become.
	Init Init `json:"init"`
	// Login is how zlogin's processes start: environment, capabilities and limits.
	Login Login `json:"login"`
	// Cgroup is where the zone's processes live below the generation's directory.
	Cgroup Cgroup `json:"cgroup"`
	// Deferred names what the configuration asks for, was checked, and is not put into
	// effect by this version; `zoneadm plan` shows it and boot warns of it.
	Deferred []string `json:"deferred,omitempty"`
	// Warnings are what an administrator should know of a configuration that is carried
	// out as it stands.
	Warnings []string `json:"warnings,omitempty"`
}

// Cgroup names directories below the cgroup directory of the zone's generation. All are
// made by us and owned by the host's root but those in Delegated.
type Cgroup struct {
	// Root is the directory that the zone sees as the root of its cgroup file system: "."
	// where our init and its contracts run, the delegated directory where the image's own
	// init expects to be the root of everything.
	Root string `json:"root"`
	// Init is where pid 1 is born: the delegated leaf of the first contract.
	Init string `json:"init"`
	// Admin is where logins and helpers are born, out of reach of the zone's limits.
	Admin string `json:"admin"`
	// Delegated are the directories whose cgroup.procs, cgroup.threads and
	// cgroup.subtree_control belong to the zone's root, as do the directories themselves.
	Delegated []string `json:"delegated"`
}

// RootDir is Spec.Root.Path: a name relative to the scratch directory in which the root
// is put together. vplat/oci makes it absolute.
const RootDir = "root"

// StageDir is where file systems are mounted that reach the zone by a bind mount: a
// source of a Spec mount that begins with StagePrefix is below the scratch directory.
const (
	StageDir    = "stage"
	StagePrefix = "@stage/"
)

// RootOp is a kind of root step.
type RootOp string

// The root steps.
const (
	// OpIDMap clones the tree at Source, shifted into the zone's ids, onto Target. Submounts
	// of Source are not cloned. Options nosuid, noexec, nosymfollow and the access time
	// options are set on the clone; nodev always is.
	//
	// What the host shares is shifted here and not by a Spec mount's idmap: with its ids
	// shifted, the zone's root may write whatever root may, so that "read-only" must be a
	// flag which is locked when the mount namespace is copied into the zone's user namespace.
	OpIDMap RootOp = "idmap"
	// OpOverlay puts a read-only overlay of Lower on Target (first is topmost; the last is the
	// host's, shifted into the zone's ids, those above are ours: directories and links, copied), or a writable one when Upper is set: a directory of the host
	// that holds the directories upper and work.
	OpOverlay RootOp = "overlay"
	// OpMount mounts the file system Source of FSType, a block device's or sysfs, with
	// Options on Target, after checking it with fsck when Raw is set.
	OpMount RootOp = "mount"
	// OpServed puts a file system that the supervisor serves, of FSType FSContract or
	// FSMnttab, on Target, which is made in the zone's own root where it is missing. The mount
	// comes from the supervisor, detached. Nothing is asked of its server meanwhile.
	//
	// It is a root step, and no mount of the Spec, because the zone's root must not be able to
	// take it away: see Root in Plan.
	OpServed RootOp = "served"
)

// File systems that the supervisor serves, by the original's names.
const (
	FSContract = "ctfs"  // /system/contract
	FSMnttab   = "mntfs" // /etc/mnttab: its root is a regular file
)

// RootStep is one step of putting the root together. Target is relative to the scratch
// directory and is resolved without following any link.
type RootStep struct {
	Op       RootOp   `json:"op"`
	Target   string   `json:"target"`
	Source   string   `json:"source,omitempty"`
	Lower    []string `json:"lower,omitempty"`
	Upper    string   `json:"upper,omitempty"`
	FSType   string   `json:"fstype,omitempty"`
	Raw      string   `json:"raw,omitempty"`
	Options  []string `json:"options,omitempty"`
	ReadOnly bool     `json:"readonly,omitempty"`
	// NoLinks: no name of Source may be a symbolic link. It may lie in what a zone writes to.
	NoLinks bool `json:"nolinks,omitempty"`
}

// Init is pid 1 of the zone.
type Init struct {
	Path string   `json:"path"`
	Args []string `json:"args"` // argv[0] included; boot arguments are added behind
	Env  []string `json:"env"`
}

// Login is what a process that enters the zone is given.
type Login struct {
	Env          []string                 `json:"env"`
	Capabilities *specs.LinuxCapabilities `json:"capabilities"`
	Rlimits      []specs.POSIXRlimit      `json:"rlimits"`
}
