package contract

import "time"

// ID names a contract: 1 and above, unique on the host while the contract is referred to.
type ID uint32

// EventID names an event. Those of one contract grow.
type EventID uint64

// Events is a set of kinds of events, with the bits of process(4).
type Events uint32

// The kinds of events of a process contract.
const (
	Empty  Events = 0x01 // the last member has left
	Fork   Events = 0x02 // a member was born
	Exit   Events = 0x04 // a member has ended
	Core   Events = 0x08 // a member died of a signal that dumps core, of its own doing
	Signal Events = 0x10 // a member was killed by a signal from another contract
	Hwerr  Events = 0x20 // a member was killed by an uncorrectable hardware error

	// AllEvents is what may stand in a set of terms, AllFatal in the fatal one.
	AllEvents = Empty | Fork | Exit | Core | Signal | Hwerr
	AllFatal  = Core | Signal | Hwerr

	// Lost and Left are ours: they can not be asked for or declined, are never critical, and
	// tell that events were lost (Event.Count) and that a member was moved out of its
	// contract from outside (it is killed).
	Lost Events = 0x40
	Left Events = 0x80
)

// Params is a set of parameters of a contract's terms.
type Params uint32

// The parameters of process(4).
const (
	Inherit  Params = 0x1 // when the owner dies, its own contract, if a regent, inherits this one
	NoOrphan Params = 0x2 // members are killed when the contract is abandoned
	PgrpOnly Params = 0x4 // a fatal event kills the process group of its member only
	Regent   Params = 0x8 // may inherit contracts of its members

	AllParams = Inherit | NoOrphan | PgrpOnly | Regent
)

// State is a contract's.
type State uint8

// The states, with the original's names owned, inherited, orphan, dead. A nascent contract
// waits for its first member and is seen by nobody but who makes it.
const (
	Nascent State = iota
	Owned
	Inherited
	Orphan
	Dead
)

// Terms are what a contract is made with.
type Terms struct {
	Cookie      uint64
	Informative Events
	Critical    Events
	Fatal       Events
	Params      Params
	// Transfer names an empty contract of the maker's whose inherited contracts the new one
	// takes over (the original's subsume); 0: none.
	Transfer ID
	// FMRI is the service; InheritFMRI stands for that of the maker's own contract.
	FMRI string
	Aux  string
}

// InheritFMRI is the svc_fmri of a template that nobody set (CT_PR_SVC_FMRI).
const InheritFMRI = "inherit:"

// DefaultTerms are those of a fresh template (contract_process_default of process.c).
func DefaultTerms() Terms {
	return Terms{Informative: Core | Signal, Critical: Empty | Hwerr, Fatal: Hwerr, FMRI: InheritFMRI}
}

// Limits of strings, in bytes. Longer ones are refused.
const (
	FMRIMax = 1023
	AuxMax  = 1023
	CommMax = 15
)

// Sender is who sent a signal, as recorded at that moment.
type Sender struct {
	// Kind says what else is known.
	Kind SenderKind
	// Pid is the process's number as the reader's zone counts, 0 when it has none there.
	Pid int32
	// CT is the sender's contract, 0 when it was in none.
	CT ID
	// UID is its user as the reader's zone counts, -1 when it has none there.
	UID  int64
	Comm string
	// Zone is its zone's name, for readers on the host; "global" is the host.
	Zone string
}

// SenderKind tells processes from what is none.
type SenderKind uint8

// Kinds of senders. Outside is a process that the reader's zone does not see: nothing else of
// it is told there.
const (
	NoSender     SenderKind = iota // not known, or the event is of another kind
	FromProcess                    // a process that the reader may see
	FromOutside                    // a process outside of the reader's zone
	FromKernel                     // a terminal, a timer, a resource limit
	FromOOM                        // the kernel's out-of-memory killer
	FromContract                   // a fatal event or NOORPHAN: the contract's own terms
)

// Event is one event, as a reader sees it.
type Event struct {
	ID       EventID
	CT       ID
	Kind     Events // one bit
	Critical bool
	Acked    bool
	Time     time.Time
	Pid      int32  // the member; of the last one for Empty; 0 when it can not be known
	PPid     int32  // Fork
	Status   uint32 // Exit: as wait(2) gives it
	Sig      int32  // Signal, Core
	CoreFile bool   // Core: the kernel wrote one
	Sender   Sender
	Count    uint64 // Lost: how many, at least
}

// Initial is the process that a contract was made for. Pid 0: it is not known, or the reader's
// zone has no number for it.
type Initial struct {
	Pid   int32
	Start uint64 // field 22 of /proc/PID/stat
}

// Status is what a contract's status file says.
type Status struct {
	ID          ID
	Zone        string // the zone's name
	ZoneID      int    // -1 when the zone is gone
	State       State
	Holder      int64 // Owned: the owner's pid; Inherited: the regent's ID; else 0
	Unacked     int   // critical events that nobody acknowledged
	NegotiateMs int64 // always -1: process contracts negotiate nothing
	QuantumMs   int64 // always -1
	NegotiateEv EventID
	Terms       Terms
	FMRICT      ID     // the contract whose maker set the service
	Creator     string // the maker's command
	Members     []int32
	Initial     Initial // the first member, which may have ended
	Inherits    []ID
	Born        time.Time
	LastEvent   time.Time
	Sources     string // the live sources of events, best first: "bpf", "connector", "pidfd", "cgroup"
	LostEvents  uint64
	Within      Within // its project, without bounds, and its pool
}
