package server

import (
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/sys"
)

// Config is what a Server is opened with.
type Config struct {
	// Zone is the zone's name and ZoneID its number.
	Zone   string
	ZoneID int
	// UIDBase is the zone's root as the host counts, UIDCount how many users the zone has. 0 and
	// 0: the host's own contracts.
	UIDBase, UIDCount uint32
	// ContractsMax is the most contracts (zone.max-contracts); 0: the original's 10,000.
	ContractsMax uint32
	// Pools are the zone's sets of processors by name (0-3,8).
	Pools map[string]string

	// Root is the zone's generation directory in the unified hierarchy, absolute.
	Root string
	// CgroupNS is the inode number of the zone's cgroup namespace, 0 when it is not known.
	CgroupNS uint64
	// Collector is the zone's end of the BPF collector, nil without. The Server closes it.
	Collector kernel.Collector
	// Later: Attach decides the sources of events, before anything happens in a contract.
	Later bool
	// SourcesOff are sources of events that are not used.
	SourcesOff kernel.Source

	// IDs is the path of the instance's file of ids: layout.Run + "/contract.ids".
	IDs string
	// Keeper holds descriptors for a successor.
	Keeper Keeper
	// Held is what a predecessor had the keeper hold; with all of SlotNames in it the server is
	// resumed, else it is a fresh one. The descriptors stay the caller's.
	Held map[string]*sys.FD
	// Log takes what a person should know.
	Log Log
}

// Keeper holds descriptors by name while a supervisor dies (internal/keeper.Client).
type Keeper interface {
	Put(name string, fd int) error
	Drop(name string) error
}

// Log is what is used of a logger (*logrus.Entry).
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Names of the keeper's slots. The journal comes first and the device last, so that a
// predecessor that was killed while it opened has not left all of them.
const (
	slotJournal = "ctfs.log"
	slotMemory  = "ctfs.mem"
	slotDevice  = "ctfs"
)

// SlotNames are the names that a resume needs.
var SlotNames = []string{slotJournal, slotMemory, slotDevice}

// idsFileName is the base name of Config.IDs by custom.
const idsFileName = "contract.ids"

// IDsFile is where an instance with this run directory has its file of ids.
func IDsFile(run string) string { return run + "/" + idsFileName }

// NewContract is what the supervisor asks for with New.
type NewContract struct {
	Terms contract.Terms
	// Creator is the command that the contract shows as its maker.
	Creator string
	// Dir is an existing directory, of a login, that becomes the contract's; empty: a fresh one.
	Dir string
}
