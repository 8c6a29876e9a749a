package table

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

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

// newMachine has room for so many contracts: with 64 and more some events of dead ones stay.
func newMachine(contractsMax uint32) *machine {
	cfg := Config{ContractsMax: contractsMax, HandlesMax: 12, QueueMax: 4, UIDBase: 100000, UIDCount: 65536}
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
		"make":         c.make,
		"family":       c.family,
		"family again": c.family,
		"take over":    c.takeOver,
		"kin":          c.kin,
		"kin again":    c.kin,
	}
}

// make has the supervisor make a contract, for itself or another.
func (c *machine) make(t *rapid.T) {
	p := mProcess{cred: root}
	if rapid.Bool().Draw(t, "for another") {
		p = c.process(t)
	}
	c.ct++
	terms := contract.DefaultTerms()
	terms.Params = contract.Params(rapid.Uint32Range(0, uint32(contract.AllParams)).Draw(t, "params"))
	if rapid.IntRange(0, 3).Draw(t, "transfer") == 0 {
		terms.Transfer = c.pick(t)
	}
	c.do(t, Op{Kind: Make, CT: c.ct, Terms: terms, Proc: p.proc, Cred: p.cred, ProcCT: p.home})
}

// birth makes a contract with terms from a template to its end.
func (c *machine) birth(t *rapid.T, p mProcess, terms string) {
	c.fh++
	c.ct++
	fh := c.fh
	c.do(t, Op{Kind: OpenTemplate, FH: fh, Proc: p.proc, Cred: p.cred})
	c.do(t, Op{Kind: Set, FH: fh, Proc: p.proc, Cred: p.cred, Text: []byte(terms)})
	c.do(t, Op{Kind: Activate, FH: fh, CT: c.ct, Proc: p.proc, Cred: p.cred, ProcCT: p.home})
	c.do(t, Op{Kind: Born, FH: fh, Proc: p.proc, ProcCT: p.home})
	c.do(t, Op{Kind: Close, FH: fh})
}

// family makes a contract of the kind that inherits and is inherited.
func (c *machine) family(t *rapid.T) {
	terms := rapid.SampledFrom([]string{"inherit regent", "inherit", "inherit noorphan", "regent"}).Draw(t, "params")
	sets := rapid.SampledFrom([]string{"critical empty", "critical empty hwerr\ninformative exit", "informative fork exit core signal"}).Draw(t, "sets")
	c.birth(t, c.process(t), "params "+terms+"\n"+sets)
}

// takeOver has the owner of a regent, if one inherited anything, make another that takes over.
func (c *machine) takeOver(t *rapid.T) {
	for _, old := range c.m.cts {
		if old.state != contract.Owned || len(c.m.inherited(old.id)) == 0 {
			continue
		}
		for _, p := range c.procs {
			if keyOf(p.proc) != keyOf(*old.owner) {
				continue
			}
			c.ev++
			c.do(t, Op{Kind: Happened, CT: old.id, EV: c.ev, Fact: Fact{Event: contract.Empty, Member: member}})
			c.birth(t, p, fmt.Sprintf("params regent inherit\ntransfer %d", old.id))
			return
		}
	}
}

// kin adopts what a contract inherited, by a member of it; where there is none, one is born.
func (c *machine) kin(t *rapid.T) {
	var orphaned []*mContract
	for _, known := range c.m.cts {
		if known.state == contract.Inherited {
			orphaned = append(orphaned, known)
		}
	}
	if len(orphaned) == 0 {
		c.moveIn(t)
		return
	}
	child := rapid.SampledFrom(orphaned).Draw(t, "child")
	for _, p := range c.procs {
		if p.home == child.regent {
			c.do(t, Op{Kind: Adopt, CT: child.id, Proc: p.proc, Cred: p.cred, ProcCT: p.home})
			return
		}
	}
	i := rapid.IntRange(0, len(c.procs)-1).Draw(t, "process")
	c.do(t, Op{Kind: OwnerExit, Proc: c.procs[i].proc, ProcCT: c.procs[i].home})
	c.replace(i, child.regent)
}

// moveIn has a process die and another come as a member of a regent, if there is one.
func (c *machine) moveIn(t *rapid.T) {
	for _, known := range c.m.cts {
		if known.terms.Params&contract.Regent != 0 && known.state != contract.Nascent {
			i := rapid.IntRange(0, len(c.procs)-1).Draw(t, "process")
			c.do(t, Op{Kind: OwnerExit, Proc: c.procs[i].proc, ProcCT: c.procs[i].home})
			c.replace(i, known.id)
			return
		}
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

func TestAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newMachine(rapid.SampledFrom([]uint32{12, 64 * 2}).Draw(t, "contracts"))
		t.Repeat(c.actions())
	})
}
