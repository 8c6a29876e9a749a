package table

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// Proc is one process: its number on the host with its start time (field 22 of
// /proc/PID/stat), and its number in the zone, 0 when it has none there.
type Proc struct {
	Pid   int32
	Start uint64
	ZPid  int32
}

// Cred is whose request it is. Privileged stands for contract_event, contract_observer and
// contract_identity, which the zone's root (and the host's) has.
type Cred struct {
	UID        uint32 // effective, as the host counts
	Privileged bool
}

// Kind says what an Op is.
type Kind uint8

// Requests of clients, then facts from the kernel, then confirmations.
const (
	_            Kind = iota
	OpenTemplate      // FH, Proc, Cred: a template with default terms
	OpenContract      // FH, CT, Proc, Cred: events of one contract
	OpenBundle        // FH, Proc, Cred, Host: events of all
	OpenPBundle       // FH, Proc, Cred: events of what Proc's process owns
	Close             // FH; a template with a nascent contract cancels it
	Set               // FH, Text (lines of a template's terms, all or none), Proc, Cred
	Activate          // FH, CT (a fresh id), Proc, Cred, ProcCT, Comm: a nascent contract of the template's terms
	Born              // FH, Proc, Fact.Member: the nascent contract has its first member and becomes Proc's
	Cancel            // FH: the nascent contract goes
	Make              // CT, Terms, Proc, Cred, ProcCT, Comm: an owned contract, made by the supervisor; Proc.Pid 0 is the supervisor itself
	Read              // FH, Max: whole or partial lines of events, at most Max bytes
	Reset             // FH: to the oldest event kept
	Next              // FH: to the next event
	Reliable          // FH, Cred: events from here on are kept for this reader
	CriticalOnly      // FH: skip what is informative or acknowledged
	Ack               // CT, EV, Proc, ProcCT
	QAck              // CT, EV, Proc, ProcCT
	NAck              // CT, EV, Proc, ProcCT
	Abandon           // CT, Proc
	Adopt             // CT, Proc, Cred, ProcCT
	Happened          // CT, EV, Fact: a member's fact, in the order of the facts
	OwnerExit         // Proc
	Killed            // CT, EV (Kill.Seq): that kill was done, and those asked for before it
	Removed           // CT: the directory that Work told of is gone
	Limit             // Max: the most contracts there may be
)

// Errnos of a request, besides those of reference contracts.md: EBADF for an FH that is not
// open (or of another kind), EEXIST for one or a CT that is in use, ENFILE when there are too
// many handles, EAGAIN when there are too many contracts and when nothing can be read now,
// EINVAL for an Op that makes no sense.

// Op is one thing that happens to a table. Fields that a kind does not name are zero.
type Op struct {
	Kind   Kind
	Now    int64 // wall clock, nanoseconds since 1970
	FH     uint64
	CT     contract.ID
	EV     contract.EventID // Ack, QAck, NAck; of Happened: the event's id, taken by the caller, above all before
	Proc   Proc
	Cred   Cred
	ProcCT contract.ID // the contract that Proc is a member of, 0: none
	Comm   string      // Activate, Make: the maker's command
	Text   []byte
	Max    uint32
	Host   bool // the reader is on the host: host's numbers, and all of a sender is told
	Terms  contract.Terms
	Fact   Fact
}

// Fact is what the kernel told of a member. Pids are the host's, with the zone's beside.
type Fact struct {
	Event  contract.Events
	Member Proc
	Parent Proc
	Status uint32
	Sig    int32
	Core   bool
	Pgrp   int32 // the member's process group on the host, for PGRPONLY; 0, not known: nobody is killed then
	Sender Sender
	Count  uint64
	// Cred is the member's, where HasCred says that it was seen: a fatal event kills whom it
	// or the author may signal.
	Cred    Cred
	HasCred bool
}

// Sender is contract.Sender with both numbers.
type Sender struct {
	Kind    contract.SenderKind // FromProcess also for one outside of the zone
	Proc    Proc
	CT      contract.ID
	UID     uint32 // as the host counts
	Comm    string
	Outside bool   // outside of the zone: its readers see no more than that
	Zone    string // the sender's zone, "global" is the host
}

// Result is what the maker of a request is answered. A Read that has no error and no Data is
// at the end of the file; EAGAIN says that there is nothing yet.
type Result struct {
	Errno unix.Errno
	Data  []byte      // Read; the caller's
	CT    contract.ID // Activate, Born, Make
}

// Kill is a kill of members that a contract's terms ask for.
type Kill struct {
	CT contract.ID
	// Seq grows. Killed with it confirms all kills of the contract up to this one: a kill that
	// was asked for meanwhile has a higher one.
	Seq uint64
	// Except is spared (it dies of its own); Pgrp, when not 0, restricts it to one process
	// group of the host.
	Except Proc
	Pgrp   int32
	// Checked says that only members are killed whom Author may signal, or Source, where
	// HasSource says that there is one.
	Checked   bool
	Author    Cred
	Source    Cred
	HasSource bool
}

// Work is what a table wants done. All of it is asked for again after a restart until it is
// confirmed.
type Work struct {
	Kill []Kill
	// Gone are contracts that are dead, or were never born: their directories go. The id may
	// still be referred to, and visible, until IDs does not have it any more.
	Gone []contract.ID
	// Wake are event handles that may have become readable.
	Wake []uint64
	// Interest are contracts whose sets of wanted events changed (a new one, an orphan).
	Interest []contract.ID
	// Unwatch, then Watch, are processes whose death need not be told any more, and must be.
	Unwatch []Proc
	Watch   []Proc
}
