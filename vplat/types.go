package vplat

import specs "github.com/opencontainers/runtime-spec/specs-go"

// PlanVersion is the version of the Plan document; another one is refused.
const PlanVersion = 1

// IDCount is how many uids and gids a zone has. 65,536 holds every id that software uses,
// nobody (65534) included.
const IDCount = 65536

// Facts is what Build needs to know of the host. Probe reads it; tests write it.
type Facts struct {
	// Libexec is the directory that holds inzone/bin and inzone/layer.
	Libexec string `json:"libexec"`
	// MergedUsr lists the top-level names that are links into /usr on the host (bin, sbin,
	// lib, lib64, ...), with their targets; Dirs those that are directories of their own.
	MergedUsr map[string]string `json:"merged_usr"`
	Dirs      []string          `json:"dirs"`
	// Arch is the kernel's machine name, KernelRelease its release.
	Arch          string `json:"arch"`
	KernelRelease string `json:"kernel_release"`
	// Features of the kernel that change the plan.
	AppArmor bool `json:"apparmor"`
}

// Run is what differs between two incarnations of one configuration.
type Run struct {
	// StateDir is the zone's run-time directory: the rendered mnttab lies there.
	StateDir string `json:"state_dir"`
	// IDBase is the first host uid and gid of the zone's range.
	IDBase uint32 `json:"id_base"`
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
	// OpIDMap clones the tree at Source, shifted into the zone's ids, onto Target.
	OpIDMap RootOp = "idmap"
	// OpOverlay puts a read-only overlay of Lower (first is topmost, each shifted into the
	// zone's ids) on Target, or a writable one when Upper and Work are set.
	OpOverlay RootOp = "overlay"
	// OpMount mounts the block file system Source of FSType with Options on Target, after
	// checking it with fsck when Raw is set.
	OpMount RootOp = "mount"
)

// RootStep is one step of putting the root together. Target is relative to the scratch
// directory and is resolved without following any link.
type RootStep struct {
	Op       RootOp   `json:"op"`
	Target   string   `json:"target"`
	Source   string   `json:"source,omitempty"`
	Lower    []string `json:"lower,omitempty"`
	Upper    string   `json:"upper,omitempty"`
	Work     string   `json:"work,omitempty"`
	FSType   string   `json:"fstype,omitempty"`
	Raw      string   `json:"raw,omitempty"`
	Options  []string `json:"options,omitempty"`
	ReadOnly bool     `json:"readonly,omitempty"`
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
