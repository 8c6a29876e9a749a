package table

import (
	"slices"
	"time"

	"github.com/linuxzones/zones/contract"
)

// Nothing here changes the table: what is looked at is not in the log.

// seen is the contract, if it can be seen: nascent ones and what nothing refers to can not.
func (t *Table) seen(id contract.ID) *ct {
	if c := t.contracts[id]; c != nil && c.visible() {
		return c
	}
	return nil
}

func (c *ct) visible() bool {
	return c.state != contract.Nascent && (c.state != contract.Dead || c.referred())
}

// End says how the events of a handle end.
type End uint8

// The ends.
const (
	Open      End = iota // more may come
	EOF                  // the contract is dead, and this handle has read all
	OwnerGone            // the owner of a pbundle has died: EIDRM
)

// Ended says whether an events handle has come to its end.
func (t *Table) Ended(fh uint64) End {
	h := t.handles[fh]
	switch {
	case h == nil || h.kind == templateHandle:
		return Open
	case h.queue == nil:
		return OwnerGone
	case h.finished():
		return EOF
	}
	return Open
}

// Readable says whether a Read of an events handle would be answered at once, an end included.
func (t *Table) Readable(fh uint64) bool {
	h := t.handles[fh]
	return h != nil && h.kind != templateHandle && (h.queue == nil || h.unread() || h.finished())
}

// Status is a contract's status without its members, the initial one too, and sources, its author, its owner (of
// Pid 0 when it has none or it is the supervisor) and its regent. Holder is as the zone counts.
// Nascent contracts have none.
func (t *Table) Status(id contract.ID) (st contract.Status, author Cred, owner Proc, regent contract.ID, ok bool) {
	c := t.seen(id)
	if c == nil {
		return contract.Status{}, Cred{}, Proc{}, 0, false
	}
	st = contract.Status{
		ID: c.id, Zone: t.cfg.Zone, ZoneID: t.cfg.ZoneID, State: c.state,
		Unacked: int(c.unacked), NegotiateMs: -1, QuantumMs: -1,
		Terms: c.terms, FMRICT: c.fmriCT, Creator: c.creator,
		Born: time.Unix(0, c.born), LostEvents: c.lost,
	}
	if c.event != 0 {
		st.LastEvent = time.Unix(0, c.event)
	}
	switch c.state {
	case contract.Owned:
		owner = c.owner.proc
		st.Holder = int64(owner.ZPid)
	case contract.Inherited:
		regent = c.regent.id
		st.Holder = int64(regent)
	}
	for child := c.firstChild; child != nil; child = child.sibling.next {
		st.Inherits = append(st.Inherits, child.id)
	}
	return st, c.author, owner, regent, true
}

// Initial is a contract's first member, if it is known.
func (t *Table) Initial(id contract.ID) Proc {
	if c := t.seen(id); c != nil {
		return c.initial
	}
	return Proc{}
}

// Look is what the files of a contract show of it: its author, when it was born and when it had
// its last event, in nanoseconds since 1970. Its cost does not depend on what the contract has.
func (t *Table) Look(id contract.ID) (author Cred, born, lastEvent int64, ok bool) {
	c := t.seen(id)
	if c == nil {
		return Cred{}, 0, 0, false
	}
	return c.author, c.born, c.event, true
}

// Vacant says that a contract's last member has left, as far as was told.
func (t *Table) Vacant(id contract.ID) bool {
	c := t.contracts[id]
	return c == nil || c.empty
}

// Len is how many contracts there are, those that can not be seen among them.
func (t *Table) Len() int { return len(t.contracts) }

// IDs are the contracts that can be seen, in order.
func (t *Table) IDs() []contract.ID {
	ids := make([]contract.ID, 0, len(t.contracts))
	for c := t.first; c != nil; c = c.all.next {
		if c.visible() {
			ids = append(ids, c.id)
		}
	}
	slices.Sort(ids) // they came in order, unless the host's numbers began again
	return ids
}

// Latest is the contract that the process made last.
func (t *Table) Latest(p Proc) (contract.ID, bool) {
	if o := t.owners[keyOf(p)]; o != nil && o.latest != nil {
		return o.latest.id, true
	}
	return 0, false
}

// Template is a template's terms, and the contract that waits for its first member, or 0.
func (t *Table) Template(fh uint64) (terms contract.Terms, nascent contract.ID, ok bool) {
	h := t.template(fh)
	if h == nil {
		return contract.Terms{}, 0, false
	}
	if h.nascent != nil {
		nascent = h.nascent.id
	}
	return h.terms, nascent, true
}

// Wants is what the kernel should tell of a contract: what its terms name, the last member's
// leaving, and the first one's birth.
func (t *Table) Wants(id contract.ID) contract.Events {
	c := t.contracts[id]
	if c == nil || c.state == contract.Dead {
		return 0
	}
	wants := c.terms.Informative | c.terms.Critical | c.terms.Fatal | contract.Empty
	if c.state == contract.Nascent {
		wants |= contract.Fork
	}
	return wants
}

// Critical is what of Wants must not be lost when there is hardly place for it. The birth of a first
// member is not among it: its source of events knows a first member, and keeps room for it anyway.
func (t *Table) Critical(id contract.ID) contract.Events {
	c := t.contracts[id]
	if c == nil || c.state == contract.Dead {
		return 0
	}
	return c.terms.Critical | c.terms.Fatal | contract.Empty
}

// Owners are the processes whose death must be told.
func (t *Table) Owners() []Proc {
	procs := make([]Proc, 0, len(t.owners))
	for o := t.firstOwn; o != nil; o = o.next {
		if o.proc.Pid != 0 {
			procs = append(procs, o.proc)
		}
	}
	return procs
}

// Residents are the processes of which something is known that were members of a contract when
// they last asked for something. When it is empty they have ended, whoever else tells of that;
// its owner must not see it empty before what they owned is inherited by it. The cost is that
// of how many there are.
func (t *Table) Residents(id contract.ID) []Proc {
	var procs []Proc
	for o := t.residents[id]; o != nil; o = o.after {
		if o.proc.Pid != 0 {
			procs = append(procs, o.proc)
		}
	}
	return procs
}

// MayControl says whether a process, a member of procCT, may open a contract's ctl.
func (t *Table) MayControl(id contract.ID, p Proc, procCT contract.ID) bool {
	c := t.seen(id)
	return c != nil && p.Pid != 0 && c.controls(p, procCT)
}

// Handles are the handles that are open, in the order in which they were opened.
func (t *Table) Handles() []uint64 {
	fhs := make([]uint64, 0, len(t.handles))
	for h := t.firstOpen; h != nil; h = h.next {
		fhs = append(fhs, h.fh)
	}
	return fhs
}

// Populated are the contracts that have members as far as the table knows.
func (t *Table) Populated() []contract.ID {
	var ids []contract.ID
	for c := t.first; c != nil; c = c.all.next {
		if !c.empty && c.state != contract.Nascent {
			ids = append(ids, c.id)
		}
	}
	return ids
}
