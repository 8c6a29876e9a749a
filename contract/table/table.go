package table

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// Limits, where a Config names none.
const (
	// ContractsMax is the original's project.max-contracts.
	ContractsMax = 10000
	// HandlesMax bounds what readers and templates cost: below a kilobyte each.
	HandlesMax = 4096
	// QueueMax is how many events, which nobody must acknowledge, a reader may be behind.
	QueueMax = 1024
	// ReliableMax is QueueMax for a queue that has a reliable reader.
	ReliableMax = EventsMax / 2
	// recentMax is how many events a reader of the bundle may be behind and still be told of
	// contracts that are dead by then: more than a turn of the supervisor's loop makes.
	recentMax = 256
	// EventsMax is the same for all queues together, about 4 megabytes. What an owner must
	// acknowledge is never dropped and so has no limit but the life of the zone's processes.
	EventsMax = 16384
	// ReadBytesMax is the most that one Read gives.
	ReadBytesMax = 64 << 10
	// idMax is INT_MAX, the original's last contract.
	idMax = 1<<31 - 1
)

// Config is what a table is made with. It is part of the table's state.
type Config struct {
	Zone   string
	ZoneID int
	// ContractsMax is the most contracts there may be. 0: the default.
	ContractsMax uint32
	// HandlesMax is the most open handles of templates and events. 0: the default.
	HandlesMax uint32
	// QueueMax is the most events in one queue that nobody must acknowledge: beyond it the
	// oldest are dropped, and readers that had not read them are told how many. 0: the default.
	QueueMax uint32
	// UIDBase and UIDCount are the zone's users as the host counts; UIDCount 0: the zone
	// counts as the host does.
	UIDBase, UIDCount uint32
}

func (c Config) withDefaults() Config {
	if c.ContractsMax == 0 {
		c.ContractsMax = ContractsMax
	}
	if c.HandlesMax == 0 {
		c.HandlesMax = HandlesMax
	}
	if c.QueueMax == 0 {
		c.QueueMax = QueueMax
	}
	return c
}

// reserved is what users without privilege leave of a limit, so that one of them can not keep
// the zone's own services from working. Small limits are not cut.
func reserved(limit uint32) uint32 { return min(limit/16, 256) }

// Table is the contracts of a zone. Nothing that Apply does depends on the order of a map:
// what has an order is in lists.
type Table struct {
	cfg       Config
	contracts map[contract.ID]*ct
	first     *ct // in the order in which they came
	last      *ct
	owners    map[procKey]*owner
	residents map[contract.ID]*owner // one that lives in a contract; not encoded, it follows of owners
	firstOwn  *owner
	lastOwn   *owner
	handles   map[uint64]*handle
	firstOpen *handle
	lastOpen  *handle
	bundle    queue
	unacked   map[contract.EventID]*event
	lastEV    contract.EventID
	killSeq   uint64
	soft      uint32 // events, once for each queue that they are in, that may be dropped

	todo todo   // not encoded: what Work is told next
	line []byte // not encoded: scratch of Read
	free *event // not encoded: events to be used again, linked by ctNext
	nfre int
}

// New makes a table with no contracts.
func New(cfg Config) *Table {
	return &Table{
		cfg:       cfg.withDefaults(),
		contracts: map[contract.ID]*ct{},
		owners:    map[procKey]*owner{},
		residents: map[contract.ID]*owner{},
		handles:   map[uint64]*handle{},
		unacked:   map[contract.EventID]*event{},
		bundle:    queue{kind: ofBundle},
	}
}

// verbs is what each kind of Op does.
var verbs = [...]func(*Table, *Op) Result{
	OpenTemplate: (*Table).openTemplate,
	OpenContract: (*Table).openContract,
	OpenBundle:   (*Table).openBundle,
	OpenPBundle:  (*Table).openPBundle,
	Close:        (*Table).close,
	Set:          (*Table).set,
	Activate:     (*Table).activate,
	Born:         (*Table).born,
	Cancel:       (*Table).cancel,
	Make:         (*Table).makeContract,
	Read:         (*Table).read,
	Reset:        (*Table).reset,
	Next:         (*Table).next,
	Reliable:     (*Table).reliable,
	CriticalOnly: (*Table).criticalOnly,
	Ack:          (*Table).ack,
	QAck:         (*Table).qack,
	NAck:         (*Table).nack,
	Abandon:      (*Table).abandon,
	Adopt:        (*Table).adopt,
	Happened:     (*Table).happened,
	OwnerExit:    (*Table).ownerExit,
	Killed:       (*Table).killed,
	Removed:      (*Table).removed,
	Limit:        (*Table).limit,
}

// Apply lets op happen. Nothing of op is kept but its strings.
func (t *Table) Apply(op *Op) Result {
	if int(op.Kind) >= len(verbs) || verbs[op.Kind] == nil {
		return failed(unix.EINVAL)
	}
	return verbs[op.Kind](t, op)
}

func failed(errno unix.Errno) Result { return Result{Errno: errno} }

func (t *Table) limit(op *Op) Result {
	if op.Max == 0 {
		return failed(unix.EINVAL)
	}
	t.cfg.ContractsMax = op.Max
	return Result{}
}
