package table

import (
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// queueKind says which of an event's places is a queue's.
type queueKind uint8

const (
	ofContract queueKind = iota
	ofBundle
	ofOwner
	queueKinds
)

// event is one event, in up to three queues.
type event struct {
	id       contract.EventID
	ct       *ct
	at       [queueKinds]place
	queues   uint8 // how many
	kind     contract.Events
	critical bool
	acked    bool
	core     bool
	time     int64
	pid      pids
	ppid     pids
	status   uint32
	sig      int32
	count    uint64
	sender   *Sender // nil: not known
	ctPrev   *event  // of the same contract
	ctNext   *event
	num      uint32 // scratch of Encode
}

// pids are a process's numbers on the host and in the zone.
type pids struct{ host, zone int32 }

// pending says that its owner must acknowledge it: no queue may lose it.
func (e *event) pending() bool { return e.critical && !e.acked }

// freeMax is how many events are kept to be used again, so that a fork with a reader makes no
// garbage.
const freeMax = 64

func (t *Table) newEvent() *event {
	e := t.free
	if e == nil {
		return &event{}
	}
	t.free, t.nfre = e.ctNext, t.nfre-1
	*e = event{}
	return e
}

// happened takes a fact of a member. A fact about a contract that is dead comes too late, and
// is none.
func (t *Table) happened(op *Op) Result {
	f := &op.Fact
	if bits.OnesCount32(uint32(f.Event)) != 1 || f.Event&^(contract.AllEvents|contract.Lost|contract.Left) != 0 || op.EV <= t.lastEV {
		return failed(unix.EINVAL)
	}
	t.lastEV = op.EV
	c := t.contracts[op.CT]
	if c == nil {
		return failed(unix.ESRCH)
	}
	if c.state == contract.Nascent {
		// A contract that nobody was born into yet is empty, which is not an event.
		if f.Event&(contract.Empty|contract.Lost) != 0 {
			c.lost += f.Count
			return Result{}
		}
		t.bear(c, op.Now, f.Member)
	}
	if c.state == contract.Dead || !c.occurs(f) {
		return Result{}
	}
	switch {
	case f.Event == contract.Lost:
		c.lost += f.Count
	case f.Event == contract.Exit:
		c.last = f.Member
	case f.Event == contract.Empty && f.Member.Pid == 0:
		f.Member = c.last // who found it empty came after the end
	}
	t.publish(c, op)
	t.follow(c, f)
	return Result{}
}

// occurs says whether a fact is one of those that events are made of. There is one EMPTY,
// whoever tells it again. A signal is one only if a process of another contract sent it: what
// the kernel, a terminal, or the contract's own terms send are its members' own affairs, and
// so are signals among them (sigtoproc of sig.c). A sender that is not known passes, and so
// does the out-of-memory killer, which the original has not: who asks for what killed a
// member must not find nothing.
func (c *ct) occurs(f *Fact) bool {
	switch f.Event {
	case contract.Empty:
		return !c.empty
	case contract.Signal:
		switch f.Sender.Kind {
		case contract.FromProcess:
			return f.Sender.CT != c.id
		case contract.FromKernel, contract.FromContract:
			return false
		}
	}
	return true
}

// follow does what follows of a fact besides its event.
func (t *Table) follow(c *ct, f *Fact) {
	if f.Event == contract.Empty {
		c.empty = true
		c.kills = nil
		if c.state == contract.Orphan {
			t.letGo(c)
		}
		return
	}
	if f.Event&c.terms.Fatal == 0 || c.empty {
		return
	}
	k := kill{except: f.Member, checked: f.Event != contract.Hwerr}
	if k.checked && f.HasCred {
		k.source, k.hasSource = f.Cred, f.HasCred
	}
	if c.terms.Params&contract.PgrpOnly != 0 {
		if f.Pgrp == 0 {
			return
		}
		k.pgrp = f.Pgrp
	}
	t.kill(c, k)
}

// publish puts an event into the queues that want it: what must be acknowledged into all,
// anything else where somebody listens. Contracts that nobody holds have their events
// acknowledged at once.
func (t *Table) publish(c *ct, op *Op) {
	f := &op.Fact
	critical := f.Event&c.terms.Critical != 0
	if !critical && f.Event&c.terms.Informative == 0 && f.Event&(contract.Lost|contract.Left) == 0 {
		return
	}
	c.event = op.Now
	e := t.newEvent()
	e.id, e.ct, e.kind, e.critical = op.EV, c, f.Event, critical
	e.acked = critical && c.state == contract.Orphan
	e.time, e.status, e.sig, e.core, e.count = op.Now, f.Status, f.Sig, f.Core, f.Count
	e.pid, e.ppid = pids{f.Member.Pid, f.Member.ZPid}, pids{f.Parent.Pid, f.Parent.ZPid}
	if f.Sender != (Sender{}) {
		s := f.Sender
		e.sender = &s
	}
	c.addEvent(e)
	if e.pending() {
		c.unacked++
		t.unacked[e.id] = e
		if c.queue == nil {
			c.queue = &queue{kind: ofContract}
		}
	}
	e.queues++ // holds it until it was offered to all
	if c.queue != nil {
		t.enqueue(c.queue, e)
	}
	t.enqueue(&t.bundle, e)
	if o := c.owner; o != nil {
		if e.pending() {
			o.pbundle()
		}
		if o.queue != nil {
			t.enqueue(o.queue, e)
		}
	}
	t.release(e)
}

func (c *ct) addEvent(e *event) {
	e.ctPrev = c.lastEvent
	if c.lastEvent == nil {
		c.events = e
	} else {
		c.lastEvent.ctNext = e
	}
	c.lastEvent = e
}

// release gives up one queue's hold of an event, and forgets it after the last.
func (t *Table) release(e *event) {
	e.queues--
	if e.queues > 0 {
		return
	}
	c := e.ct
	if e.ctPrev == nil {
		c.events = e.ctNext
	} else {
		e.ctPrev.ctNext = e.ctNext
	}
	if e.ctNext == nil {
		c.lastEvent = e.ctPrev
	} else {
		e.ctNext.ctPrev = e.ctPrev
	}
	*e = event{}
	if t.nfre < freeMax {
		e.ctNext = t.free
		t.free, t.nfre = e, t.nfre+1
	}
	if c.events == nil {
		t.settle(c)
	}
}

// settleQueue forgets a contract's queue that nothing is in and nobody listens to.
func (t *Table) settleQueue(c *ct) {
	if q := c.queue; q != nil && q.head == nil && len(q.listeners) == 0 {
		c.queue = nil
	}
}

// ackAll acknowledges what nobody can acknowledge any more.
func (t *Table) ackAll(c *ct) {
	for e := c.events; e != nil && c.unacked > 0; {
		if !e.pending() {
			e = e.ctNext
			continue
		}
		e.queues++ // what follows it in the list may go meanwhile, it itself may not
		t.acknowledge(e)
		next := e.ctNext
		t.release(e)
		e = next
	}
}

// acknowledge makes an event one that queues may lose. It may be gone then.
func (t *Table) acknowledge(e *event) {
	e.acked = true
	e.ct.unacked--
	delete(t.unacked, e.id)
	e.queues++
	for i := range e.at {
		if q := e.at[i].queue; q != nil {
			t.soften(q, e)
		}
	}
	t.release(e)
}

// toAck finds the event that op is about: critical and not acknowledged, or ESRCH.
func (t *Table) toAck(op *Op) (*event, unix.Errno) {
	c := t.seen(op.CT)
	switch {
	case c == nil || c.state == contract.Dead:
		return nil, unix.ESRCH
	case !c.controls(op.Proc, op.ProcCT):
		return nil, unix.EACCES
	}
	e := t.unacked[op.EV]
	if e == nil || e.ct != c {
		return nil, unix.ESRCH
	}
	return e, 0
}

func (t *Table) ack(op *Op) Result {
	e, errno := t.toAck(op)
	if errno != 0 {
		return failed(errno)
	}
	t.acknowledge(e)
	return Result{}
}

// qack asks for more time before the event's consequences: process contracts negotiate
// nothing.
func (t *Table) qack(op *Op) Result {
	_, errno := t.toAck(op)
	if errno == 0 {
		errno = unix.ERANGE
	}
	return failed(errno)
}

// nack refuses what is negotiated: no event of a process contract is.
func (t *Table) nack(op *Op) Result {
	_, errno := t.toAck(op)
	if errno == 0 {
		errno = unix.ESRCH
	}
	return failed(errno)
}
