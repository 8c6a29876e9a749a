package table

import "github.com/linuxzones/zones/contract"

// stateMagic stands before an encoded table, its last byte is the version: 3, since contracts have
// their last member that ended; 2, without it, and 1, without their first one, are understood.
const stateMagic = "zct\x03"

// Encode is the whole state, but for what Work has been told.
func (t *Table) Encode() []byte { return t.Append(nil) }

// Append is Encode behind dst. Things stand in the order of their lists, so that equal tables
// have equal encodings.
func (t *Table) Append(dst []byte) []byte {
	w := &writer{b: append(dst, stateMagic...)}
	w.str(t.cfg.Zone)
	w.i(int64(t.cfg.ZoneID))
	for _, n := range []uint32{t.cfg.ContractsMax, t.cfg.HandlesMax, t.cfg.QueueMax, t.cfg.UIDBase, t.cfg.UIDCount} {
		w.u(uint64(n))
	}
	w.u(uint64(t.lastEV))
	w.u(t.killSeq)
	w.u(uint64(len(t.contracts)))
	events := uint32(0)
	for c := t.first; c != nil; c = c.all.next {
		w.contract(c)
		events = w.events(c, events)
	}
	w.u(uint64(len(t.owners)))
	for o := t.firstOwn; o != nil; o = o.next {
		w.owner(o)
	}
	w.queue(&t.bundle)
	for c := t.first; c != nil; c = c.all.next {
		w.queue(c.queue)
	}
	for o := t.firstOwn; o != nil; o = o.next {
		w.queue(o.queue)
	}
	w.u(uint64(len(t.handles)))
	for h := t.firstOpen; h != nil; h = h.next {
		w.handle(h)
	}
	return w.b
}

func idOf(c *ct) uint64 {
	if c == nil {
		return 0
	}
	return uint64(c.id)
}

func (w *writer) contract(c *ct) {
	w.u(uint64(c.id))
	w.u(uint64(c.state))
	w.bits(c.empty, c.removed)
	w.u(uint64(c.fmriCT))
	w.terms(&c.terms)
	w.cred(c.author)
	w.u(uint64(c.ownerUID))
	w.u(c.lost)
	w.str(c.creator)
	w.i(c.born)
	w.i(c.event)
	w.proc(c.initial)
	w.proc(c.last)
	if c.birth != nil {
		w.u(uint64(c.birth.from))
	}
	w.u(uint64(len(c.kills)))
	for _, k := range c.kills {
		w.u(k.seq)
		w.proc(k.except)
		w.i(int64(k.pgrp))
		w.bits(k.checked, k.hasSource)
		w.cred(k.source)
	}
	w.family(c.firstChild)
}

// family writes the ids of a list of siblings, and a 0.
func (w *writer) family(c *ct) {
	for ; c != nil; c = c.sibling.next {
		w.u(uint64(c.id))
	}
	w.u(0)
}

// events writes a contract's events and a 0, and numbers all events from 1 on.
func (w *writer) events(c *ct, last uint32) uint32 {
	for e := c.events; e != nil; e = e.ctNext {
		last++
		e.num = last
		w.u(uint64(e.id))
		w.u(uint64(e.kind))
		w.bits(e.critical, e.acked, e.core, e.sender != nil)
		w.i(e.time)
		w.i(int64(e.pid.host))
		w.i(int64(e.pid.zone))
		w.i(int64(e.ppid.host))
		w.i(int64(e.ppid.zone))
		w.u(uint64(e.status))
		w.i(int64(e.sig))
		w.u(e.count)
		if e.sender != nil {
			w.sender(e.sender)
		}
	}
	w.u(0)
	return last
}

func (w *writer) owner(o *owner) {
	w.proc(o.proc)
	w.u(uint64(o.ct))
	w.u(idOf(o.latest))
	w.family(o.first)
}

func numOf(e *event) uint64 {
	if e == nil {
		return 0
	}
	return uint64(e.num)
}

// queue writes a queue, or a 0 where there is none.
func (w *writer) queue(q *queue) {
	w.bits(q != nil)
	if q == nil {
		return
	}
	w.u(q.seq)
	before := uint64(0)
	for e := q.head; e != nil; e = e.at[q.kind].next {
		w.u(numOf(e))
		w.u(e.at[q.kind].seq - before)
		before = e.at[q.kind].seq
	}
	w.u(0)
	w.u(numOf(q.keep))
	for e := q.softHead; e != nil; e = e.at[q.kind].softNext {
		w.u(numOf(e))
	}
	w.u(0)
}

func (w *writer) handle(h *handle) {
	w.u(h.fh)
	w.u(uint64(h.kind))
	w.cred(h.cred)
	if h.kind == templateHandle {
		w.terms(&h.terms)
		w.u(idOf(h.nascent))
		w.u(uint64(h.made))
		return
	}
	w.bits(h.host, h.critical, h.reliable, h.queue != nil)
	switch h.kind {
	case contractHandle:
		w.u(idOf(h.ct))
	case pbundleHandle:
		if h.queue != nil {
			w.proc(h.owner.proc)
		}
	}
	w.u(numOf(h.pos))
	w.str(string(h.rest))
	w.u(h.lost)
	w.i(h.lostAt)
}

// stateOf refuses what is no state.
func stateOf(n uint64) (contract.State, bool) {
	return contract.State(n), n <= uint64(contract.Dead)
}
