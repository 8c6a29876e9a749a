package configs

import (
	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/layout"
)

// GlobalName is the name of the host itself, seen as a zone.
const GlobalName = "global"

// IPType says whose network stack a zone uses.
type IPType string

const (
	// IPShared is the host's stack.
	IPShared IPType = "shared"
	// IPExclusive is a stack of the zone's own.
	IPExclusive IPType = "exclusive"
)

// Zone is the configuration of one zone. Take a new one from New or Store.Template: the
// zero value lacks a brand and an ip-type.
//
// Limits that are rctls in the original are rctls here as well, and only there:
// CappedCPU, CappedMemory and Alias read and write them.
type Zone struct {
	// Name has at most 63 characters of [A-Za-z0-9_.-]; GlobalName for the host.
	Name string
	// Path is the zonepath: absolute, owned by root, mode 0700. The zone's root file
	// system is its subdirectory root.
	Path string
	// Brand names an entry of the brand table, see LookupBrand.
	Brand string
	// Autoboot asks for a boot when the host boots.
	Autoboot bool
	// Bootargs serve boots that name no arguments, at most 255 bytes.
	Bootargs string
	// Pool is the resource pool (a cpuset by name); excludes DedicatedCPU.
	Pool string
	// LimitPriv edits the brand's privilege set; see Privileges.
	LimitPriv string
	// IPType is IPShared or IPExclusive.
	IPType IPType
	// HostID is empty or up to eight hexadecimal digits without prefix.
	HostID string
	// SchedClass is empty or one of SchedClasses.
	SchedClass string
	// FSAllowed is a list of file system types, with commas; see AllowedFS.
	FSAllowed string

	FS       []FS
	Nets     []Net
	Devices  []Device
	Rctls    []Rctl
	Attrs    []Attr
	Datasets []Dataset
	Admins   []Admin

	// DedicatedCPU is nil when the zone shares the host's processors.
	DedicatedCPU *DedicatedCPU
	// PhysicalMemory is the cap of resident memory in bytes, 0 for none. It is the
	// property physical of the resource capped-memory.
	PhysicalMemory uint64
	// SecurityFlags is nil when the zone has the brand's.
	SecurityFlags *SecurityFlags

	// UUID is the index's, not the XML file's: it is given at install and belongs to
	// the installed zone, so a template or an exported configuration carries none.
	UUID string
}

// FS is a file system that is mounted below the zone's root.
type FS struct {
	// Dir is the mount point, absolute, as seen from inside the zone.
	Dir string
	// Special is what is mounted: a path of the host, or swap for tmpfs.
	Special string
	// Raw is the device that is checked with fsck before the mount; may be empty.
	Raw string
	// Type is lofs (a bind mount), tmpfs, or a block file system's name.
	Type string
	// Options are mount options, one an element.
	Options []string
}

// Net is a network interface of the zone.
type Net struct {
	// Physical is the interface's name: the host's for a shared stack, the zone's own
	// for an exclusive one.
	Physical string
	// Address is an IP address with an optional /prefix; only for a shared stack.
	Address string
	// AllowedAddress are the addresses that the zone may use; only for an exclusive stack.
	AllowedAddress string
	// DefRouter is the default router's address.
	DefRouter string
	// GlobalNIC is the host's interface or bridge that Physical is made on.
	GlobalNIC string
	// MACAddr is six hexadecimal bytes with colons, or empty for one of our choice.
	MACAddr string
	// VLANID is 1 to 4094, 0 for none.
	VLANID uint16
	// Properties are for the platform to interpret.
	Properties []Property
}

// Property is a name and a value that the platform interprets.
type Property struct{ Name, Value string }

// Device is a set of device nodes that the zone sees.
type Device struct {
	// Match is a path below /dev, with the wildcards of fnmatch.
	Match string
	// Properties are for the platform to interpret.
	Properties []Property
}

// Rctl is a resource control.
type Rctl struct {
	Name   string
	Values []RctlValue
}

// RctlValue is one limit of a resource control.
type RctlValue struct {
	// Priv is privileged.
	Priv string
	// Limit is in the control's own unit: bytes, a count, shares, percent.
	Limit uint64
	// Action is deny, or none.
	Action string
}

// Attr is a free attribute, kept for others to interpret.
type Attr struct {
	Name string
	// Type is int, uint, boolean or string.
	Type  string
	Value string
}

// Dataset is a file system tree that is delegated to the zone.
type Dataset struct{ Name string }

// Admin delegates authority over the zone to a user of the host.
type Admin struct {
	User string
	// Auths are of login, manage, clonefrom.
	Auths []string
}

// DedicatedCPU reserves processors for the zone alone.
type DedicatedCPU struct {
	// MinCPUs and MaxCPUs are the range of how many; equal for a fixed number.
	MinCPUs, MaxCPUs uint64
	// Importance decides between zones that want the same processors; 0 when not set.
	Importance uint64
}

// SecurityFlags are process security flags: lists with commas, empty when not set.
type SecurityFlags struct{ Lower, Default, Upper string }

// CappedCPU is the limit of processor time, a view of the rctl zone.cpu-cap.
type CappedCPU struct {
	// Percent of one processor: 250 is two and a half.
	Percent uint64
}

// CappedMemory are the limits of memory in bytes, 0 for none: a view of PhysicalMemory
// and of the rctls zone.max-swap and zone.max-locked-memory.
type CappedMemory struct{ Physical, Swap, Locked uint64 }

// Entry is a line of the index.
type Entry struct {
	Name string
	// State is Configured, Incomplete or Installed: what the disk can know. See
	// Store.EffectiveState for the others.
	State State
	Path  string
	// UUID is empty until the zone is installed.
	UUID string
}

// Etag identifies the content of a configuration as it was read. The zero Etag says
// that there was none.
type Etag string

// Store is the directory of configurations of one instance.
type Store struct {
	layout layout.Layout
	disk   atomicfile.Disk
}
