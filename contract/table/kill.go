package table

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// kill is a kill that is not confirmed.
type kill struct {
	seq       uint64
	except    Proc
	pgrp      int32
	checked   bool
	source    Cred
	hasSource bool
	told      bool // not encoded
}

// sameScope says whether two kills reach the same members, but for the one that is spared.
func (k kill) sameScope(l kill) bool {
	return k.pgrp == l.pgrp && k.checked == l.checked && k.source == l.source && k.hasSource == l.hasSource
}

// kill asks for a kill. One that is not confirmed and reaches the same members is asked for
// again instead, under the new number: two members that died of their own at the same time are
// each among those whom the other's death kills, so that none is spared. There are so at most
// as many as there are process groups and users in the contract.
func (t *Table) kill(c *ct, k kill) {
	t.killSeq++
	k.seq = t.killSeq
	for i := range c.kills {
		if !c.kills[i].sameScope(k) {
			continue
		}
		if keyOf(c.kills[i].except) != keyOf(k.except) {
			k.except = Proc{}
		}
		c.kills = append(c.kills[:i], c.kills[i+1:]...)
		break
	}
	c.kills = append(c.kills, k) // the numbers grow along the list
	t.todo.kill(c)
}

func (t *Table) killed(op *Op) Result {
	c := t.contracts[op.CT]
	if c == nil {
		return failed(unix.ESRCH)
	}
	done := 0
	for done < len(c.kills) && c.kills[done].seq <= uint64(op.EV) {
		done++
	}
	if c.kills = c.kills[done:]; len(c.kills) == 0 {
		c.kills = nil
	}
	return Result{}
}

// asked is k as Work tells it.
func (k kill) asked(c *ct) Kill {
	return Kill{
		CT: c.id, Seq: k.seq, Except: k.except, Pgrp: k.pgrp,
		Checked: k.checked, Author: c.author, Source: k.source, HasSource: k.hasSource,
	}
}

// todo is what Work is told next: each object is in its list once.
type todo struct {
	kills     []*ct
	gones     []*ct
	wakes     []*handle
	interests []*ct
	watches   []*owner
	unwatched []Proc
}

func (d *todo) kill(c *ct) {
	if !c.inKills {
		c.inKills = true
		d.kills = append(d.kills, c)
	}
}

func (d *todo) gone(c *ct) {
	if !c.inGone {
		c.inGone = true
		d.gones = append(d.gones, c)
	}
}

func (d *todo) interest(c *ct) {
	if !c.inInterest {
		c.inInterest = true
		d.interests = append(d.interests, c)
	}
}

func (d *todo) wake(h *handle) {
	if !h.woken {
		h.woken = true
		d.wakes = append(d.wakes, h)
	}
}

func (d *todo) watch(o *owner) {
	if !o.inTodo && o.proc.Pid != 0 {
		o.inTodo = true
		d.watches = append(d.watches, o)
	}
}

func (d *todo) unwatch(o *owner) {
	if o.told {
		d.unwatched = append(d.unwatched, o.proc)
	}
}

// Work takes what is to be done since it was last asked. Its cost is that of what there is.
func (t *Table) Work() Work {
	d := &t.todo
	var w Work
	for _, c := range d.kills {
		c.inKills = false
		for i := range c.kills {
			if k := &c.kills[i]; !k.told {
				k.told = true
				w.Kill = append(w.Kill, k.asked(c))
			}
		}
	}
	for _, c := range d.gones {
		c.inGone = false
		if !c.removed && (c.state == contract.Dead || c.cancelled()) {
			w.Gone = append(w.Gone, c.id)
		}
	}
	for _, h := range d.wakes {
		h.woken = false
		if !h.closed {
			w.Wake = append(w.Wake, h.fh)
		}
	}
	for _, c := range d.interests {
		c.inInterest = false
		w.Interest = append(w.Interest, c.id)
	}
	for _, o := range d.watches {
		o.inTodo = false
		if !o.ended {
			o.told = true
			w.Watch = append(w.Watch, o.proc)
		}
	}
	w.Unwatch = d.unwatched
	clear(d.kills)
	clear(d.gones)
	clear(d.wakes)
	clear(d.interests)
	clear(d.watches)
	*d = todo{
		kills: d.kills[:0], gones: d.gones[:0], wakes: d.wakes[:0], interests: d.interests[:0], watches: d.watches[:0],
	}
	return w
}
