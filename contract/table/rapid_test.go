package table

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/linuxzones/zones/contract"
)

// machine drives a table and the model with the same Ops.
type machine struct {
	tab    *Table
	m      *model
	procs  []mProcess
	now    int64
	fh     uint64
	ct     contract.ID
	ev     contract.EventID
	start  uint64
	stream map[uint64]map[contract.ID]contract.EventID // what each handle read last of each contract
}

type mProcess struct {
	proc Proc
	cred Cred
	home contract.ID
}

func newMachine() *machine {
	cfg := Config{ContractsMax: 12, HandlesMax: 12, QueueMax: 4, UIDBase: 100000, UIDCount: 65536}
	c := &machine{tab: New(cfg), m: newModel(cfg), now: 1e9, stream: map[uint64]map[contract.ID]contract.EventID{}}
	for i := range 5 {
		c.procs = append(c.procs, mProcess{cred: []Cred{root, alice, bob}[i%3]})
		c.replace(i, 0)
	}
	return c
}

// replace has a process's number used again.
func (c *machine) replace(i int, home contract.ID) {
	c.start++
	c.procs[i].proc = Proc{Pid: int32(1000 + i), Start: c.start, ZPid: int32(10 + i)}
	c.procs[i].home = home
}

func (c *machine) process(t *rapid.T) mProcess { return rapid.SampledFrom(c.procs).Draw(t, "process") }

// pick draws a contract that is there, now and then one that is not.
func (c *machine) pick(t *rapid.T) contract.ID {
	ids := []contract.ID{c.ct + 1}
	for _, known := range c.m.cts {
		ids = append(ids, known.id)
	}
	slices.Reverse(ids)
	return rapid.SampledFrom(ids).Draw(t, "contract")
}

func (c *machine) pickHandle(t *rapid.T, kinds ...handleKind) uint64 {
	var fhs []uint64
	for _, h := range c.m.handles {
		if slices.Contains(kinds, h.kind) {
			fhs = append(fhs, h.fh)
		}
	}
	return rapid.SampledFrom(append(fhs, c.fh+1)).Draw(t, "handle")
}

var eventHandles = []handleKind{contractHandle, bundleHandle, pbundleHandle}

// do applies an Op to both and compares what comes of it.
func (c *machine) do(t *rapid.T, op Op) {
	c.now += 1_000_003
	op.Now = c.now
	decoded, err := DecodeOp(op.Encode())
	if err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
	r := c.tab.Apply(decoded)
	data, id, errno := c.m.apply(&op)
	c.m.sweep()
	if r.Errno != errno || string(r.Data) != data || r.CT != id {
		t.Fatalf("%+v:\n%d %q errno %d (%v), want\n%d %q errno %d (%v)", op, r.CT, r.Data, int(r.Errno), r.Errno, id, data, int(errno), errno)
	}
	if op.Kind == Reset || op.Kind == Close {
		delete(c.stream, op.FH)
	}
}

func (c *machine) actions() map[string]func(*rapid.T) {
	control := func(kind Kind) func(*rapid.T) {
		return func(t *rapid.T) {
			p := c.process(t)
			c.do(t, Op{Kind: kind, CT: c.pick(t), EV: c.pickEvent(t), Proc: p.proc, Cred: p.cred, ProcCT: p.home})
		}
	}
	listen := func(kind Kind) func(*rapid.T) {
		return func(t *rapid.T) {
			c.do(t, Op{Kind: kind, FH: c.pickHandle(t, eventHandles...), Cred: c.process(t).cred})
		}
	}
	return map[string]func(*rapid.T){
		"":             c.check,
		"open":         c.open,
		"close":        c.close,
		"set":          c.set,
		"activate":     c.activate,
		"born":         c.born,
		"born again":   c.born,
		"cancel":       func(t *rapid.T) { c.do(t, Op{Kind: Cancel, FH: c.pickHandle(t, templateHandle)}) },
		"fact":         c.fact,
		"another fact": c.fact,
		"third fact":   c.fact,
		"empty":        c.empty,
		"read":         c.read,
		"read again":   c.read,
		"reset":        listen(Reset),
		"next":         listen(Next),
		"reliable":     listen(Reliable),
		"critical":     listen(CriticalOnly),
		"ack":          control(Ack),
		"ack again":    control(Ack),
		"qack":         control(QAck),
		"nack":         control(NAck),
		"abandon":      control(Abandon),
		"adopt":        control(Adopt),
		"adopt again":  control(Adopt),
		"exit":         c.exit,
		"work":         c.work,
		"restart":      c.restart,
	}
}

func (c *machine) pickEvent(t *rapid.T) contract.EventID {
	ids := []contract.EventID{c.ev + 1}
	for _, entry := range c.m.queue("bundle").entries {
		if entry.live {
			ids = append(ids, entry.e.id)
		}
	}
	return rapid.SampledFrom(ids).Draw(t, "event")
}

func (c *machine) open(t *rapid.T) {
	p := c.process(t)
	c.fh++
	kind := rapid.SampledFrom([]Kind{OpenTemplate, OpenTemplate, OpenContract, OpenBundle, OpenPBundle}).Draw(t, "kind")
	op := Op{Kind: kind, FH: c.fh, Proc: p.proc, Cred: p.cred, ProcCT: p.home}
	if kind == OpenContract {
		op.CT = c.pick(t)
	}
	c.do(t, op)
}

func (c *machine) close(t *rapid.T) {
	c.do(t, Op{Kind: Close, FH: c.pickHandle(t, append(eventHandles, templateHandle)...)})
}

func (c *machine) set(t *rapid.T) {
	p := c.process(t)
	text := ""
	for _, line := range rapid.SliceOfN(rapid.IntRange(0, 6), 1, 4).Draw(t, "terms") {
		events := contract.Events(rapid.Uint32Range(0, uint32(contract.AllEvents)).Draw(t, "events"))
		switch line {
		case 0:
			text += "informative " + events.String()
		case 1:
			text += "critical " + events.String()
		case 2:
			text += "fatal " + (events & contract.AllFatal).String()
		case 3, 4:
			text += "params " + contract.Params(rapid.Uint32Range(0, uint32(contract.AllParams)).Draw(t, "params")).String()
		case 5:
			text += fmt.Sprint("transfer ", c.pick(t))
		case 6:
			text += fmt.Sprint("svc_fmri svc:/", rapid.IntRange(0, 3).Draw(t, "service"))
		}
		text += "\n"
	}
	c.do(t, Op{Kind: Set, FH: c.pickHandle(t, templateHandle), Proc: p.proc, Cred: p.cred, Text: []byte(text)})
}

func (c *machine) activate(t *rapid.T) {
	p := c.process(t)
	c.ct++
	id := c.ct
	if rapid.IntRange(0, 20).Draw(t, "twice") == 0 {
		id = c.pick(t)
		c.ct = max(c.ct, id)
	}
	c.do(t, Op{Kind: Activate, FH: c.pickHandle(t, templateHandle), CT: id, Proc: p.proc, Cred: p.cred, ProcCT: p.home, Comm: "sh"})
}

func (c *machine) born(t *rapid.T) {
	p := c.process(t)
	fh := c.pickHandle(t, templateHandle)
	// Mostly by who activated it.
	if waits := c.m.waiting(fh); waits != nil && rapid.IntRange(0, 3).Draw(t, "by another") > 0 {
		for _, q := range c.procs {
			if keyOf(q.proc) == keyOf(*waits.owner) {
				p = q
			}
		}
	}
	c.do(t, Op{Kind: Born, FH: fh, Proc: p.proc, ProcCT: p.home})
}

func (c *machine) fact(t *rapid.T) {
	kinds := []contract.Events{contract.Fork, contract.Exit, contract.Core, contract.Signal, contract.Hwerr, contract.Lost, contract.Left}
	f := Fact{
		Event:  rapid.SampledFrom(kinds).Draw(t, "event"),
		Member: Proc{Pid: rapid.Int32Range(2000, 2003).Draw(t, "member"), Start: 1, ZPid: 500},
		Parent: member, Sig: 9,
	}
	id := c.pick(t)
	switch f.Event {
	case contract.Lost:
		f.Count = 3
	case contract.Signal:
		f.Sender = Sender{Kind: contract.FromProcess, Proc: other, CT: c.pick(t), UID: 100000}
	}
	f.Pgrp = rapid.Int32Range(0, 2).Draw(t, "group")
	c.ev++
	c.do(t, Op{Kind: Happened, CT: id, EV: c.ev, Fact: f})
}

func (c *machine) empty(t *rapid.T) {
	c.ev++
	c.do(t, Op{Kind: Happened, CT: c.pick(t), EV: c.ev, Fact: Fact{Event: contract.Empty, Member: member}})
}

func (c *machine) read(t *rapid.T) {
	room := rapid.SampledFrom([]uint32{0, 1, 10, 60, 100, 200, 5000, 5000}).Draw(t, "room")
	c.do(t, Op{Kind: Read, FH: c.pickHandle(t, eventHandles...), Max: room})
}

func (c *machine) exit(t *rapid.T) {
	i := rapid.IntRange(0, len(c.procs)-1).Draw(t, "process")
	c.do(t, Op{Kind: OwnerExit, Proc: c.procs[i].proc, ProcCT: c.procs[i].home})
	home := contract.ID(0)
	if rapid.Bool().Draw(t, "in a contract") {
		home = c.pick(t)
	}
	c.replace(i, home)
}

// work confirms some of what is to be done.
func (c *machine) work(t *rapid.T) {
	w := c.tab.Work()
	for _, k := range w.Kill {
		if rapid.Bool().Draw(t, "killed") {
			c.do(t, Op{Kind: Killed, CT: k.CT, EV: contract.EventID(k.Seq)})
		}
	}
	for _, id := range w.Gone {
		if rapid.Bool().Draw(t, "removed") {
			c.do(t, Op{Kind: Removed, CT: id})
		}
	}
}

func (c *machine) restart(t *rapid.T) {
	b := c.tab.Encode()
	tab, err := Decode(b)
	if err != nil {
		t.Fatalf("taking up the table: %v", err)
	}
	if !bytes.Equal(tab.Encode(), b) {
		t.Fatal("a table that was taken up is not the same")
	}
	c.tab = tab
}

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
	c.checkWork(t)
	c.checkKept(t)
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
		if known.owner != nil {
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

func TestAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newMachine()
		t.Repeat(c.actions())
	})
}
