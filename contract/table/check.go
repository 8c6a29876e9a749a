package table

import (
	"fmt"

	"github.com/linuxzones/zones/contract"
)

// numberMax is where no number that only grows comes in the life of a host.
const numberMax = 1 << 63

// check looks at all that must hold between two Ops. An encoding of which it does not hold is
// refused: the code relies on it.
func (t *Table) check() error {
	if t.killSeq > numberMax || uint64(t.lastEV) > numberMax {
		return broken("numbers that cannot be")
	}
	for c := t.first; c != nil; c = c.all.next {
		if err := t.checkContract(c); err != nil {
			return fmt.Errorf("contract %d: %w", c.id, err)
		}
	}
	for o := t.firstOwn; o != nil; o = o.next {
		if err := checkOwner(o); err != nil {
			return fmt.Errorf("owner %d: %w", o.proc.Pid, err)
		}
	}
	for h := t.firstOpen; h != nil; h = h.next {
		if err := h.check(); err != nil {
			return fmt.Errorf("handle %d: %w", h.fh, err)
		}
	}
	if err := t.bundle.check(); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

type broken string

func (b broken) Error() string { return string(b) }

// first is the first rule that is broken.
func firstBroken(rules ...rule) error {
	for _, r := range rules {
		if !r.holds {
			return broken(r.what)
		}
	}
	return nil
}

type rule struct {
	holds bool
	what  string
}

func (t *Table) checkContract(c *ct) error {
	owned, inherited := c.state == contract.Owned, c.state == contract.Inherited
	nascent, dead := c.state == contract.Nascent, c.state == contract.Dead
	err := firstBroken(
		rule{validTerms(&c.terms), "terms that cannot be"},
		rule{nascent || c.owner != nil == owned, "an owner that does not fit its state"},
		rule{c.regent != nil == inherited, "a regent that does not fit its state"},
		rule{c.regent == nil || c.regent.state != contract.Nascent && c.regent.state != contract.Dead, "a regent that is not alive"},
		rule{c.birth != nil == nascent, "a birth that does not fit its state"},
		rule{!nascent || c.owner != nil || c.cancelled(), "a birth without a maker"},
		rule{!nascent || !c.empty && c.refs == 0 && c.events == nil && c.queue == nil && c.firstChild == nil, "a history before its birth"},
		rule{!dead || c.empty && c.firstChild == nil && c.kills == nil, "a life after its death"},
		rule{c.state != contract.Orphan || !c.empty, "an empty orphan"},
		rule{!c.removed || dead && c.referred(), "no reason to be there"},
		rule{c.unacked == 0 || owned || inherited, "events for nobody to acknowledge"},
		rule{c.queue == nil || c.queue.head != nil || len(c.queue.listeners) > 0, "an idle queue"},
	)
	if err != nil {
		return err
	}
	if nascent && c.terms.Transfer != 0 && c.birth.transfer == nil || !nascent && c.terms.Transfer != 0 {
		return broken("a transfer that is over")
	}
	last := uint64(0)
	for _, k := range c.kills {
		if k.seq <= last || k.seq > t.killSeq {
			return broken("kills out of order")
		}
		last = k.seq
	}
	before := contract.EventID(0)
	for e := c.events; e != nil; e = e.ctNext {
		if e.id <= before || e.id > t.lastEV {
			return broken("events out of order")
		}
		before = e.id
		if err := t.checkEvent(e); err != nil {
			return fmt.Errorf("event %d: %w", e.id, err)
		}
	}
	if c.queue != nil {
		return c.queue.check()
	}
	return nil
}

func (t *Table) checkEvent(e *event) error {
	queues, c := uint8(0), e.ct
	for i := range e.at {
		if e.at[i].queue != nil {
			queues++
		}
		if e.at[i].queue != nil && e.at[i].soft == e.pending() {
			return broken("among those that may be dropped, or not, wrongly")
		}
	}
	return firstBroken(
		rule{queues > 0 && queues == e.queues, "in no queue"},
		rule{e.at[ofContract].queue == nil || e.at[ofContract].queue == c.queue, "in another contract's queue"},
		rule{!e.pending() || e.at[ofContract].queue != nil && e.at[ofBundle].queue != nil, "not kept for its owner"},
		rule{!e.pending() || c.owner == nil || e.at[ofOwner].queue == c.owner.queue && c.owner.queue != nil, "not told to its owner"},
		rule{!e.pending() || c.owner != nil || e.at[ofOwner].queue == nil, "told to nobody"},
		rule{e.kind&^(contract.AllEvents|contract.Lost|contract.Left) == 0 && e.kind != 0, "of no kind"},
	)
}

func checkOwner(o *owner) error {
	if q := o.queue; q != nil {
		if err := q.check(); err != nil {
			return err
		}
	}
	return firstBroken(
		rule{o.proc.Pid >= 0, "no process"},
		rule{o.first != nil || o.latest != nil || o.queue != nil && (o.queue.head != nil || len(o.queue.listeners) > 0), "nothing is known of it"},
		rule{o.proc.Pid != 0 || o.latest == nil, "the supervisor has no latest"},
	)
}

// check walks the queue: what is before keep must be acknowledged or waits for a reader there.
func (q *queue) check() error {
	before, late, old := q.keep != nil || q.head != nil, uint32(0), uint32(0)
	seq, refs := uint64(0), 0
	for e := q.head; e != nil; e = e.at[q.kind].next {
		p := &e.at[q.kind]
		if e == q.keep {
			before = false
		}
		if p.seq <= seq {
			return broken("places out of order")
		}
		seq = p.seq
		if before && p.soft {
			late++
		}
		if before {
			old += p.refs
		}
		refs += int(p.refs)
	}
	return firstBroken(
		rule{seq <= q.seq && q.seq <= numberMax, "places to come"},
		rule{q.keep == nil || !before, "a start elsewhere"},
		rule{late == q.late && old == q.old, "wrong counts"},
		rule{q.old > 0 || late == 0 && (q.keep == nil || q.keep.at[q.kind].refs > 0), "events that nobody waits for"},
		rule{refs <= len(q.listeners), "readers that are not there"},
		rule{len(q.listeners) > 0 || q.soft == 0, "events for nobody"},
	)
}

func (h *handle) check() error {
	if h.kind == templateHandle {
		return firstBroken(
			rule{validTerms(&h.terms), "terms that cannot be"},
			rule{h.nascent == nil || h.nascent.owner != nil && h.made == 0, "a birth that is not its own"},
		)
	}
	return firstBroken(
		rule{h.pos == nil || !h.critical || h.pos.pending(), "stands at what it does not want"},
		rule{h.queue != nil || h.rest == nil && h.lost == 0, "something of a queue that is gone"},
		rule{h.queue != nil || h.kind == pbundleHandle, "no queue"},
	)
}
