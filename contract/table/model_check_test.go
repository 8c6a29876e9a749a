package table

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/linuxzones/zones/contract"
)

// check compares all that can be seen, and what must hold whatever the model says.
func (c *machine) check(t *rapid.T) {
	if err := c.tab.check(); err != nil {
		t.Fatal(err)
	}
	var want []contract.ID
	for _, known := range c.m.cts {
		if c.m.seen(known.id) != nil {
			want = append(want, known.id)
		}
	}
	slices.Sort(want)
	if got := c.tab.IDs(); !slices.Equal(got, want) {
		t.Fatalf("contracts %v, want %v", got, want)
	}
	for _, known := range c.m.cts {
		c.checkContract(t, known)
	}
	for _, h := range c.m.handles {
		readable := h.kind != templateHandle && (h.queue == "" || c.m.unread(h) || c.m.finished(h))
		if got := c.tab.Readable(h.fh); got != readable {
			t.Fatalf("handle %d: readable %v, want %v", h.fh, got, readable)
		}
		if terms, _, _ := c.tab.Template(h.fh); h.kind == templateHandle && terms != h.terms {
			t.Fatalf("template %d has %+v, want %+v", h.fh, terms, h.terms)
		}
	}
	for _, p := range c.procs {
		latest, ok := c.tab.Latest(p.proc)
		if want, made := c.m.latest[keyOf(p.proc)]; ok != made || latest != want {
			t.Fatalf("latest of %v is %d, want %d", p.proc, latest, want)
		}
		if got := slices.Contains(c.tab.Owners(), p.proc); got != c.m.known(p.proc) {
			t.Fatalf("%v is known: %v", p.proc, got)
		}
	}
	checkResidents(t, c.tab)
	c.checkWork(t)
	c.checkKept(t)
}

// checkResidents holds the list of a contract's owners against the owners.
func checkResidents(t *rapid.T, tab *Table) {
	want := map[contract.ID]int{}
	for o := tab.firstOwn; o != nil; o = o.next {
		if o.proc.Pid == 0 {
			continue
		}
		if o.ct != 0 {
			want[o.ct]++
		}
		if listed := slices.Contains(tab.Residents(o.ct), o.proc); listed != (o.ct != 0) {
			t.Fatalf("%v of contract %d is among its residents: %v", o.proc, o.ct, listed)
		}
	}
	for id := range tab.residents {
		if got := len(tab.Residents(id)); got != want[id] {
			t.Fatalf("contract %d has %d residents, want %d", id, got, want[id])
		}
	}
}

func (c *machine) checkContract(t *rapid.T, known *mContract) {
	st, author, owner, regent, ok := c.tab.Status(known.id)
	if want := c.m.seen(known.id) != nil; ok != want {
		t.Fatalf("contract %d is seen: %v", known.id, ok)
	}
	if !ok {
		return
	}
	var inherits []contract.ID
	for _, child := range c.m.inherited(known.id) {
		inherits = append(inherits, child.id)
	}
	terms := known.terms
	terms.Aux = ""
	holder := Proc{}
	if known.owner != nil {
		holder = *known.owner
	}
	if st.State != known.state || author != known.author || owner != holder || regent != known.regent || st.Terms != terms ||
		st.FMRICT != known.fmriCT || !slices.Equal(st.Inherits, inherits) || st.Unacked != len(c.m.pendingOf(known.id)) || st.LostEvents != known.lost {
		t.Fatalf("contract %d: %+v of %v and %d, want %+v with %v", known.id, st, owner, regent, *known, inherits)
	}
}

// checkWork looks at what a table that is taken up asks for: all that is not confirmed.
func (c *machine) checkWork(t *rapid.T) {
	again, err := Decode(c.tab.Encode())
	if err != nil {
		t.Fatal(err)
	}
	checkResidents(t, again)
	w := again.Work()
	var kills, want []string
	for _, k := range w.Kill {
		kills = append(kills, fmt.Sprint(k.CT, k.Seq, k.Except, k.Pgrp, k.Checked, k.Author, k.HasSource))
	}
	var gone []contract.ID
	for _, known := range c.m.cts {
		for _, k := range known.kills {
			want = append(want, fmt.Sprint(known.id, k.seq, k.except, k.pgrp, k.checked, known.author, false))
		}
		if known.terms.Aux != "removed" && (known.state == contract.Dead || known.state == contract.Nascent && known.template == 0) {
			gone = append(gone, known.id)
		}
	}
	slices.Sort(kills)
	slices.Sort(want)
	slices.Sort(gone)
	slices.Sort(w.Gone)
	if !slices.Equal(kills, want) || !slices.Equal(w.Gone, gone) {
		t.Fatalf("kills\n%v, want\n%v\ndirectories %v, want %v", kills, want, w.Gone, gone)
	}
}

// checkKept reads, on a copy, all that is kept: nothing that nobody acknowledged is missing,
// and the order of a contract's events is the same wherever they are.
func (c *machine) checkKept(t *rapid.T) {
	again, err := Decode(c.tab.Encode())
	if err != nil {
		t.Fatal(err)
	}
	again.cfg.HandlesMax = 1000
	all := func(op Op) []contract.Event {
		op.FH, op.Cred = 1<<40, root
		if r := again.Apply(&op); r.Errno != 0 {
			t.Fatalf("%+v: %v", op, r.Errno)
		}
		again.Apply(&Op{Kind: Reset, FH: op.FH})
		r := again.Apply(&Op{Kind: Read, FH: op.FH, Max: 1 << 20})
		again.Apply(&Op{Kind: Close, FH: op.FH})
		if r.Errno != 0 && r.Errno != unix.EAGAIN {
			t.Fatal(r.Errno)
		}
		return parseAll(t, r.Data)
	}
	bundle := all(Op{Kind: OpenBundle})
	for _, known := range c.m.cts {
		if c.m.seen(known.id) == nil {
			continue
		}
		places := [][]contract.Event{all(Op{Kind: OpenContract, CT: known.id}), only(bundle, known.id)}
		if known.owner != nil && known.owner.Pid != 0 {
			places = append(places, only(all(Op{Kind: OpenPBundle, Proc: *known.owner}), known.id))
		}
		for _, events := range places {
			checkOrder(t, known.id, events, c.m.pendingOf(known.id))
		}
	}
}

func parseAll(t *rapid.T, b []byte) (events []contract.Event) {
	for line := range bytes.Lines(b) {
		e, err := contract.ParseEvent(string(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

func only(events []contract.Event, id contract.ID) (of []contract.Event) {
	for _, e := range events {
		if e.CT == id {
			of = append(of, e)
		}
	}
	return of
}

// checkOrder: events grow, EMPTY is there once, and all that is pending is among them.
func checkOrder(t *rapid.T, id contract.ID, events []contract.Event, pending []*mEvent) {
	empties := 0
	for i, e := range events {
		if i > 0 && e.ID <= events[i-1].ID {
			t.Fatalf("contract %d: event %d comes after %d", id, e.ID, events[i-1].ID)
		}
		if e.Kind == contract.Empty {
			empties++
		}
		if e.Critical && !e.Acked && len(pending) > 0 && e.ID == pending[0].id {
			pending = pending[1:]
		}
	}
	if empties > 1 {
		t.Fatalf("contract %d was emptied %d times", id, empties)
	}
	if len(pending) > 0 {
		t.Fatalf("contract %d: event %d is lost", id, pending[0].id)
	}
}
