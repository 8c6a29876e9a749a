package table

import "github.com/linuxzones/zones/contract"

// Config is what a table is made with. It is part of the table's state.
type Config struct {
	Zone   string
	ZoneID int
	// ContractsMax is the most contracts there may be, the original's project.max-contracts.
	// 0: the default.
	ContractsMax uint32
	// HandlesMax is the most open handles of templates and events. 0: the default.
	HandlesMax uint32
	// QueueMax is the most events in one queue that nobody must acknowledge: beyond it they
	// are dropped, and readers are told how many. 0: the default.
	QueueMax uint32
	// UIDBase and UIDCount are the zone's users as the host counts; UIDCount 0: the zone
	// counts as the host does.
	UIDBase, UIDCount uint32
}

// Table is the contracts of a zone.
type Table struct{}

// New makes a table with no contracts.
func New(cfg Config) *Table { return nil }

// Apply lets op happen.
func (t *Table) Apply(op *Op) Result { return Result{} }

// Work takes what is to be done since it was last asked.
func (t *Table) Work() Work { return Work{} }

// Encode is the whole state.
func (t *Table) Encode() []byte { return nil }

// Decode is the table that was encoded. Its first Work has all that is not confirmed.
func Decode(b []byte) (*Table, error) { return nil, nil }

// Encode is the op's form in a log.
func (op *Op) Encode() []byte { return nil }

// DecodeOp is the op that was encoded.
func DecodeOp(b []byte) (*Op, error) { return nil, nil }

// End says how the events of a handle end.
type End uint8

// The ends.
const (
	Open      End = iota // more may come
	EOF                  // the contract is dead, and this handle has read all
	OwnerGone            // the owner of a pbundle has died: EIDRM
)

// Ended says whether an events handle has come to its end.
func (t *Table) Ended(fh uint64) End { return Open }

// Readable says whether a Read of an events handle would be answered at once, an end included.
func (t *Table) Readable(fh uint64) bool { return false }

// Status is a contract's status without its members and sources, its author, its owner (of
// Pid 0 when it has none or it is the supervisor) and its regent. Holder is as the zone counts.
// Nascent contracts have none.
func (t *Table) Status(id contract.ID) (st contract.Status, author Cred, owner Proc, regent contract.ID, ok bool) {
	return
}

// IDs are the contracts that can be seen, in order.
func (t *Table) IDs() []contract.ID { return nil }

// Latest is the contract that the process made last.
func (t *Table) Latest(p Proc) (contract.ID, bool) { return 0, false }

// Template is a template's terms, and the contract that waits for its first member, or 0.
func (t *Table) Template(fh uint64) (terms contract.Terms, nascent contract.ID, ok bool) { return }

// Wants is what the kernel should tell of a contract.
func (t *Table) Wants(id contract.ID) contract.Events { return 0 }

// Owners are the processes whose death must be told.
func (t *Table) Owners() []Proc { return nil }

// MayControl says whether a process, a member of procCT, may open a contract's ctl.
func (t *Table) MayControl(id contract.ID, p Proc, procCT contract.ID) bool { return false }
