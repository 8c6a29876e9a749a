package table

import (
	"fmt"
	"strings"

	"github.com/linuxzones/zones/contract"
)

// decoder takes a table apart in the order in which it was written. What names something
// that comes later is put in place when all is there.
type decoder struct {
	reader
	t        *Table
	version  byte
	events   []*event         // by number, from 1 on
	children [][2]contract.ID // regent, child
}

// Decode is the table that was encoded. Its first Work has all that is not confirmed.
func Decode(b []byte) (*Table, error) {
	name := stateMagic[:len(stateMagic)-1]
	if !strings.HasPrefix(string(b[:min(len(b), len(name))]), name) || len(b) < len(stateMagic) {
		return nil, ErrGarbage
	}
	v := b[len(name)]
	if v == 0 || v > stateMagic[len(name)] {
		return nil, fmt.Errorf("version %d: %w", v, ErrVersion)
	}
	d := &decoder{version: v, reader: reader{b: b[len(stateMagic):], same: map[string]string{}}, t: New(Config{}), events: make([]*event, 1)}
	d.table()
	if d.bad || len(d.b) != 0 {
		return nil, ErrGarbage
	}
	if err := d.t.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGarbage, err)
	}
	d.t.askAgain()
	return d.t, nil
}

func (d *decoder) table() {
	t := d.t
	t.cfg.Zone = d.str()
	t.cfg.ZoneID = int(d.i())
	for _, n := range []*uint32{&t.cfg.ContractsMax, &t.cfg.HandlesMax, &t.cfg.QueueMax, &t.cfg.UIDBase, &t.cfg.UIDCount} {
		*n = d.u32()
	}
	if t.cfg != t.cfg.withDefaults() {
		d.fail()
	}
	t.lastEV = contract.EventID(d.u())
	t.killSeq = d.u()
	for n := d.count(); n > 0 && !d.bad; n-- {
		d.contract()
	}
	for c := t.first; c != nil; c = c.all.next {
		if c.birth != nil && c.terms.Transfer != 0 {
			if s := d.known(c.terms.Transfer); s != nil {
				c.birth.transfer = s
				s.refs++
			}
		}
	}
	for _, family := range d.children {
		if regent, child := t.contracts[family[0]], t.contracts[family[1]]; child != nil && child.regent == nil && child.state == contract.Inherited {
			regent.take(child)
		} else {
			d.fail()
		}
	}
	owners := d.count()
	for ; owners > 0 && !d.bad; owners-- {
		d.owner()
	}
	d.queue(&t.bundle)
	for c := t.first; c != nil && !d.bad; c = c.all.next {
		c.queue = d.queue(&queue{kind: ofContract})
	}
	for o := t.firstOwn; o != nil && !d.bad; o = o.next {
		o.queue = d.queue(&queue{kind: ofOwner})
	}
	for n := d.count(); n > 0 && !d.bad; n-- {
		d.handle()
	}
}

func (d *decoder) contract() {
	c := &ct{id: contract.ID(d.u32())}
	state, ok := stateOf(d.u())
	c.state = state
	d.bits(&c.empty, &c.removed)
	c.fmriCT = contract.ID(d.u32())
	c.terms = d.terms()
	c.author = d.cred()
	c.ownerUID = d.u32()
	c.lost = d.u()
	c.creator = d.str()
	c.born = d.i()
	c.event = d.i()
	if d.version > 1 {
		c.initial = d.proc()
	}
	if d.version > 2 {
		c.last = d.proc()
	}
	if !ok || c.id == 0 || c.id > idMax || d.t.contracts[c.id] != nil {
		d.fail()
		return
	}
	d.t.contracts[c.id] = c
	d.t.link(c)
	if c.state == contract.Nascent {
		c.birth = &birth{from: contract.ID(d.u32())}
	}
	for n := d.count(); n > 0 && !d.bad; n-- {
		k := kill{seq: d.u(), except: d.proc(), pgrp: d.i32()}
		d.bits(&k.checked, &k.hasSource)
		k.source = d.cred()
		c.kills = append(c.kills, k)
	}
	for child := d.u32(); child != 0; child = d.u32() {
		d.children = append(d.children, [2]contract.ID{c.id, contract.ID(child)})
	}
	for id := d.u(); id != 0; id = d.u() {
		d.event(c, contract.EventID(id))
	}
}

func (d *decoder) event(c *ct, id contract.EventID) {
	e := &event{id: id, ct: c, kind: contract.Events(d.u32())}
	sent := false
	d.bits(&e.critical, &e.acked, &e.core, &sent)
	e.time = d.i()
	e.pid = pids{d.i32(), d.i32()}
	e.ppid = pids{d.i32(), d.i32()}
	e.status = d.u32()
	e.sig = d.i32()
	e.count = d.u()
	if sent {
		s := d.sender()
		e.sender = &s
	}
	d.events = append(d.events, e)
	c.addEvent(e)
	if e.pending() {
		c.unacked++
		d.t.unacked[e.id] = e
	}
}

// known is the contract with an id that was written, which must be there.
func (d *decoder) known(id contract.ID) *ct {
	c := d.t.contracts[id]
	if c == nil {
		d.fail()
	}
	return c
}

func (d *decoder) owner() {
	o := &owner{proc: d.proc(), ct: contract.ID(d.u32())}
	if d.t.owners[keyOf(o.proc)] != nil {
		d.fail()
		return
	}
	d.t.addOwner(o)
	if id := contract.ID(d.u32()); id != 0 {
		if o.latest = d.known(id); o.latest != nil {
			o.latest.refs++
		}
	}
	for id := d.u32(); id != 0; id = d.u32() {
		c := d.known(contract.ID(id))
		if c == nil || c.owner != nil || c.regent != nil {
			d.fail()
			return
		}
		o.own(c)
	}
}

// numbered is the event with a number; 0 is none.
func (d *decoder) numbered() *event {
	n := d.u()
	if n >= uint64(len(d.events)) {
		d.fail()
		return nil
	}
	return d.events[n]
}

// queue fills q, or gives nil where there was none.
func (d *decoder) queue(q *queue) *queue {
	is := false
	if d.bits(&is); !is {
		return nil
	}
	last := d.u()
	for e := d.numbered(); e != nil; e = d.numbered() {
		if e.at[q.kind].queue != nil {
			d.fail()
			return nil
		}
		q.seq += d.u() - 1 // append adds one
		q.append(e)
	}
	q.seq = last
	keep := d.numbered()
	if keep != nil && keep.at[q.kind].queue != q {
		d.fail()
		return nil
	}
	q.keep = keep
	for e := d.numbered(); e != nil; e = d.numbered() {
		if e.at[q.kind].queue != q || e.at[q.kind].soft {
			d.fail()
			return nil
		}
		d.t.addSoft(q, e)
	}
	return q
}

func (d *decoder) handle() {
	h := &handle{fh: d.u(), kind: handleKind(d.u32()), cred: d.cred()}
	if d.t.handles[h.fh] != nil || h.kind < templateHandle || h.kind > pbundleHandle {
		d.fail()
		return
	}
	d.t.addHandle(h)
	if h.kind == templateHandle {
		d.template(h)
		return
	}
	listens := false
	d.bits(&h.host, &h.critical, &h.reliable, &listens)
	switch h.kind {
	case bundleHandle:
		h.queue = &d.t.bundle
	case contractHandle:
		if h.ct = d.known(contract.ID(d.u32())); h.ct != nil {
			h.ct.refs++
			h.queue = h.ct.queue
		}
	case pbundleHandle:
		if listens {
			if h.owner = d.t.owners[keyOf(d.proc())]; h.owner != nil {
				h.queue = h.owner.queue
			}
		}
	}
	pos := d.numbered()
	if rest := d.str(); rest != "" {
		h.rest = []byte(rest)
	}
	h.lost = d.u()
	h.lostAt = d.i()
	if listens != (h.queue != nil) || pos != nil && (h.queue == nil || pos.at[h.queue.kind].queue != h.queue) {
		d.fail()
		return
	}
	if h.queue != nil {
		h.listen(h.queue)
		h.queue.stand(h, pos)
		if h.reliable {
			h.queue.reliable++
		}
	}
}

func (d *decoder) template(h *handle) {
	h.terms = d.terms()
	nascent, made := contract.ID(d.u32()), contract.ID(d.u32())
	h.made = made
	if h.terms.Transfer != 0 {
		if h.transfer = d.known(h.terms.Transfer); h.transfer != nil {
			h.transfer.refs++
		}
	}
	if nascent == 0 {
		return
	}
	c := d.known(nascent)
	if c == nil || c.birth == nil || c.birth.template != nil {
		d.fail()
		return
	}
	h.nascent, c.birth.template = c, h
}

// askAgain has Work tell all that is not confirmed.
func (t *Table) askAgain() {
	for c := t.first; c != nil; c = c.all.next {
		if len(c.kills) > 0 {
			t.todo.kill(c)
		}
		if !c.removed && (c.state == contract.Dead || c.cancelled()) {
			t.todo.gone(c)
		}
		if c.state != contract.Dead {
			t.todo.interest(c)
		}
	}
	for o := t.firstOwn; o != nil; o = o.next {
		t.todo.watch(o)
	}
	for h := t.firstOpen; h != nil; h = h.next {
		if t.Readable(h.fh) {
			t.todo.wake(h)
		}
	}
}
