package kernel

import (
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
)

// Config is what a Zone is opened with.
type Config struct {
	// Root is the zone's generation directory gN, absolute.
	Root string
	// RootUID is the zone's root as the host counts.
	RootUID uint32
	// CgroupNS is the inode number of the zone's cgroup namespace (/proc/PID/ns/cgroup), 0
	// when it is not known: then every namespace but the host's is taken for it.
	CgroupNS uint64
	// Off are sources that are not used, though the host may have them. The environment
	// variable ZONES_CONTRACT_SOURCES_OFF adds to it, words separated by commas.
	Off Source
	// Collector is the zone's end of the BPF collector (NewCollector), nil without. The Zone
	// closes it.
	Collector Collector
	// Later: the sources are decided by Attach; until then emptiness alone is told.
	Later bool
	// Pools are sets of processors by name, as the kernel writes them (0-3,8).
	Pools map[string]string
	// Kept is the position up to which the caller has kept what it was told (a resume).
	Kept Position
	// Lost is the last Report.Counted of a contract that was kept, 0 without one (a resume): the
	// collector counts for as long as the contract is there. nil: all that it has counted by now.
	Lost func(contract.ID) uint64
}

// Source is a set of sources of events.
type Source uint8

// The sources, best first.
const (
	SourceBPF       Source = 1 << iota // all kinds, with senders, in order
	SourceConnector                    // fork, exit, core; no senders
	SourcePidfd                        // the first member's exit
	SourceCgroup                       // emptiness; always on beneath the others
)

// Position orders what the collector told; 0 is of no position (other sources have none).
type Position uint64

// Dir is a contract's directory.
type Dir struct {
	CT     contract.ID
	Path   string // gN/ct/ID, or a login's directory
	Born   string // where members are born
	Cgroup uint64 // the kernel's id of Path
}

// Mode says how the first member of a contract comes in.
type Mode uint8

// The modes.
const (
	Clone Mode = iota // the caller itself, by clone3 into Window.Path
	Move              // the caller starts a gate elsewhere, and Zone.Move moves it
)

// Window is a birth that is open.
type Window struct {
	CT   contract.ID
	Mode Mode
	// Path is the directory as the caller sees it below its mount of cgroup2, with a leading
	// slash; of Clone only.
	Path string
}

// Caller is a process that asks for something.
type Caller struct {
	table.Proc        // Pid is the thread group's
	UID        uint32 // effective, as the host counts
	CT         contract.ID
	// InZone: it lives in the zone's cgroups and pid namespace. Proc.ZPid is then not 0.
	InZone bool
}

// What says what a Report tells.
type What uint8

// What a Report tells.
const (
	_        What = iota
	Happened      // CT, Fact, Time, At: of a member
	Gone          // Proc: a watched owner has ended
	Killed        // CT, Kill: a kill that was asked for is done; Err when it could not be
	Moved         // CT, Proc: a move that was asked for is done; Err when it could not be
	hunted        // not told: a hunt has ended
)

// Report is one thing told.
type Report struct {
	What What
	CT   contract.ID
	Fact table.Fact
	Time int64    // wall clock, nanoseconds since 1970
	At   Position // Happened: keep it with what follows of it
	// Counted, of Lost: how many the collector has counted, this loss and all before; to be kept
	// with what follows of it. 0: it is not the collector's.
	Counted uint64
	Proc    table.Proc
	Kill    table.Kill
	Err     error
}
