package table

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

func TestFatalEvents(t *testing.T) {
	outside := Sender{Kind: contract.FromProcess, Proc: other, CT: 50}
	victim := Proc{Pid: 1501, Start: 30, ZPid: 501}
	for _, c := range []struct {
		name, terms string
		fact        Fact
		want        []Kill
	}{
		{"core is checked by author and source", "fatal core", Fact{Event: contract.Core, Cred: bob, HasCred: true, Pgrp: 77},
			[]Kill{{Except: victim, Checked: true, Author: alice, Source: bob, HasSource: true}}},
		{"a source that nobody saw", "fatal core", Fact{Event: contract.Core, Cred: root}, []Kill{{Except: victim, Checked: true, Author: alice}}},
		{"signal", "fatal signal", Fact{Event: contract.Signal, Sender: outside}, []Kill{{Except: victim, Checked: true, Author: alice}}},
		{"hardware is not checked", "fatal hwerr", Fact{Event: contract.Hwerr, Cred: bob, HasCred: true}, []Kill{{Except: victim, Author: alice}}},
		{"a process group", "fatal core\nparams pgrponly", Fact{Event: contract.Core, Pgrp: 77}, []Kill{{Except: victim, Pgrp: 77, Checked: true, Author: alice}}},
		{"a process group, hardware", "fatal hwerr\nparams pgrponly", Fact{Event: contract.Hwerr, Pgrp: 77}, []Kill{{Except: victim, Pgrp: 77, Author: alice}}},
		{"a process group that is not known", "fatal core\nparams pgrponly", Fact{Event: contract.Core}, nil},
		{"not fatal", "fatal hwerr", Fact{Event: contract.Core}, nil},
		{"an exit never is", "fatal core,hwerr,signal", Fact{Event: contract.Exit}, nil},
		{"a signal of its own", "fatal signal", Fact{Event: contract.Signal, Sender: Sender{Kind: contract.FromProcess, CT: 1}}, nil},
		{"a signal of the kernel", "fatal signal", Fact{Event: contract.Signal, Sender: Sender{Kind: contract.FromKernel}}, nil},
		{"the kernel's out of memory", "fatal signal", Fact{Event: contract.Signal, Sender: Sender{Kind: contract.FromOOM}}, []Kill{{Except: victim, Checked: true, Author: alice}}},
		{"a kill that a contract asked for", "fatal signal", Fact{Event: contract.Signal, Sender: Sender{Kind: contract.FromContract}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			id := w.contract(maker, alice, 0, c.terms+"\ncritical none\ninformative none")
			c.fact.Member = victim
			w.fact(id, c.fact)
			for i := range c.want {
				c.want[i].CT, c.want[i].Seq = id, uint64(i+1)
			}
			if got := w.tab.Work().Kill; !slices.Equal(got, c.want) {
				t.Errorf("kills\n%+v, want\n%+v", got, c.want)
			}
			if got := w.tab.Work().Kill; len(got) != 0 {
				t.Errorf("kills are asked for twice: %+v", got)
			}
			w.restart()
			if got := w.tab.Work().Kill; !slices.Equal(got, c.want) {
				t.Errorf("after a restart: kills\n%+v, want\n%+v", got, c.want)
			}
		})
	}
}

// TestSignalsThatAreEvents: what is none is not told either.
func TestSignalsThatAreEvents(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "informative signal")
	b := w.open(OpenBundle, maker, alice)
	for _, kind := range []contract.SenderKind{contract.FromKernel, contract.FromContract} {
		w.fact(id, Fact{Event: contract.Signal, Sig: 9, Sender: Sender{Kind: kind}})
	}
	w.fact(id, Fact{Event: contract.Signal, Sig: 9, Sender: Sender{Kind: contract.FromProcess, CT: id}})
	w.reads(b)
	w.fact(id, Fact{Event: contract.Signal, Sig: 9, Sender: Sender{Kind: contract.FromProcess, Proc: maker, UID: 100010}})
	w.fact(id, Fact{Event: contract.Signal, Sig: 9})
	w.fact(id, Fact{Event: contract.Signal, Sig: 9, Sender: Sender{Kind: contract.FromOOM}})
	w.reads(b, "1 4 info noack process signal pid=500 signal=9 sender=100 uid=10", "1 5 info noack process signal pid=500 signal=9", "1 6 info noack process signal pid=500 signal=9 sender=oom")
}

func TestNoOrphan(t *testing.T) {
	for params, want := range map[string]int{"none": 0, "noorphan": 1, "noorphan,pgrponly": 1} {
		w := newWorld(t, Config{})
		id := w.contract(maker, alice, 0, "params "+params)
		w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
		w.is(id, "orphan")
		kills := w.tab.Work().Kill
		if len(kills) != want || want == 1 && kills[0] != (Kill{CT: id, Seq: 1, Checked: true, Author: alice}) {
			t.Errorf("%s: kills %+v", params, kills)
		}
		w.restart()
		w.ok(Op{Kind: Killed, CT: id, EV: 1})
		w.restart()
		if kills := w.tab.Work().Kill; len(kills) != 0 {
			t.Errorf("%s: a kill that was done is asked for: %+v", params, kills)
		}
		// What dies in an orphan is as fatal as before.
		w.fact(id, Fact{Event: contract.Hwerr, Pgrp: 5})
		if kills := w.tab.Work().Kill; len(kills) != 1 || kills[0].Checked {
			t.Errorf("%s: kills %+v", params, kills)
		}
	}
}

// TestKillsMeanwhile: a kill that is asked for while another is under way is not confirmed
// with it, also when both are told as one after a restart.
func TestKillsMeanwhile(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "fatal core,hwerr\nparams noorphan")
	a, b := Proc{Pid: 1601, Start: 1}, Proc{Pid: 1602, Start: 1}
	told := func(want ...Kill) {
		t.Helper()
		if got := w.tab.Work().Kill; !slices.Equal(got, want) {
			t.Fatalf("kills\n%+v, want\n%+v", got, want)
		}
	}
	w.fact(id, Fact{Event: contract.Core, Member: a})
	told(Kill{CT: id, Seq: 1, Except: a, Checked: true, Author: alice})
	w.fact(id, Fact{Event: contract.Core, Member: b})
	told(Kill{CT: id, Seq: 2, Checked: true, Author: alice}) // each kills the other
	w.ok(Op{Kind: Killed, CT: id, EV: 1})
	w.restart()
	told(Kill{CT: id, Seq: 2, Checked: true, Author: alice})
	w.fact(id, Fact{Event: contract.Hwerr, Member: a})
	w.fact(id, Fact{Event: contract.Core, Member: a, Cred: bob, HasCred: true})
	w.ok(Op{Kind: Killed, CT: id, EV: 3})
	told(Kill{CT: id, Seq: 4, Except: a, Checked: true, Author: alice, Source: bob, HasSource: true})
	w.ok(Op{Kind: Killed, CT: id, EV: 3})
	w.restart()
	told(Kill{CT: id, Seq: 4, Except: a, Checked: true, Author: alice, Source: bob, HasSource: true})
	w.ok(Op{Kind: Killed, CT: id, EV: 4})
	w.restart()
	told()
	// One that was told is not told again with another.
	w.fact(id, Fact{Event: contract.Hwerr, Member: b})
	told(Kill{CT: id, Seq: 5, Except: b, Author: alice})
	w.fact(id, Fact{Event: contract.Core, Member: b})
	told(Kill{CT: id, Seq: 6, Except: b, Checked: true, Author: alice})
	w.ok(Op{Kind: Killed, CT: id, EV: 6})
	// The same one again is one.
	for range 100 {
		w.fact(id, Fact{Event: contract.Hwerr, Member: a})
	}
	if n := len(w.tab.contracts[id].kills); n != 1 {
		t.Errorf("%d kills of the same members", n)
	}
	told(Kill{CT: id, Seq: 106, Except: a, Author: alice})
	// Nobody is left to be killed.
	w.empty(id)
	w.fact(id, Fact{Event: contract.Hwerr, Member: a})
	w.restart()
	told()
}

// TestInterests: the kernel is told of new contracts and of those that end.
func TestInterests(t *testing.T) {
	w := newWorld(t, Config{})
	fh := w.template(maker, root, "informative exit\ncritical empty\nfatal core")
	id := w.activate(fh, maker, root, 0)
	interest := func(want contract.Events, ids ...contract.ID) {
		t.Helper()
		if got := w.tab.Work().Interest; !slices.Equal(got, ids) {
			t.Errorf("interests in %v, want %v", got, ids)
		}
		if got := w.tab.Wants(id); got != want {
			t.Errorf("wants %v, want %v", got, want)
		}
	}
	base := contract.Exit | contract.Empty | contract.Core
	interest(base|contract.Fork, id)
	interest(base | contract.Fork)
	w.ok(Op{Kind: Born, FH: fh})
	interest(base, id)
	w.restart()
	interest(base, id)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	interest(base)
	w.empty(id)
	interest(0, id)
	if got := w.tab.Wants(99); got != 0 {
		t.Errorf("wants %v of what is not there", got)
	}
	bare := w.contract(maker, root, 0, "informative none\ncritical none\nfatal none")
	if got := w.tab.Wants(bare); got != contract.Empty {
		t.Errorf("wants %v of a contract without events", got)
	}
}

func TestGone(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "")
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	if gone := w.tab.Work().Gone; len(gone) != 0 {
		t.Errorf("%v go though they have members", gone)
	}
	w.empty(id)
	for range 2 {
		if gone := w.tab.Work().Gone; !slices.Equal(gone, []contract.ID{id}) {
			t.Errorf("%v go, want %d", gone, id)
		}
		if gone := w.tab.Work().Gone; len(gone) != 0 {
			t.Errorf("%v go again", gone)
		}
		w.restart()
	}
	w.ok(Op{Kind: Removed, CT: id})
	w.restart()
	if gone := w.tab.Work().Gone; len(gone) != 0 {
		t.Errorf("%v go though they went", gone)
	}
}

func TestWakes(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "informative exit\ncritical empty")
	ev, pb := w.openContract(id, alice), w.open(OpenPBundle, maker, alice)
	mine, theirs := w.open(OpenBundle, other, alice), w.open(OpenBundle, other, bob)
	wakes := func(want ...uint64) {
		t.Helper()
		got := w.tab.Work().Wake
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("wakes %v, want %v", got, want)
		}
		for _, fh := range want {
			if !w.tab.Readable(fh) {
				t.Errorf("handle %d was woken for nothing", fh)
			}
		}
	}
	wakes()
	w.fact(id, exited)
	wakes(ev, pb, mine)
	w.fact(id, exited)
	wakes() // nobody has read the first
	if w.tab.Readable(theirs) {
		t.Error("a stranger is given something")
	}
	w.restart()
	wakes(ev, pb, mine)
	for _, fh := range []uint64{ev, pb, mine} {
		w.read(fh)
	}
	w.restart()
	wakes()
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.empty(id)
	wakes(ev, mine)
	w.reads(ev, "1 3 crit ack process empty pid=500")
	if w.tab.Ended(ev) != EOF || w.tab.Ended(pb) != Open || w.tab.Ended(mine) != Open || w.tab.Ended(77) != Open {
		t.Error("only the contract's own events are at their end")
	}
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	wakes(pb)
	if w.tab.Ended(pb) != OwnerGone {
		t.Error("the pbundle of the dead has not ended")
	}
	for _, kind := range []Kind{Read, Reset, Next, Reliable, CriticalOnly} {
		w.want(unix.EIDRM, Op{Kind: kind, FH: pb, Max: 10, Cred: root})
	}
	w.restart()
	wakes(ev, pb, mine)
}

// TestEndWakes: who waits at a contract that ends without an event is told of its end.
func TestEndWakes(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "informative none\ncritical none")
	ev := w.openContract(id, alice)
	w.empty(id)
	w.tab.Work()
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	if wake := w.tab.Work().Wake; !slices.Equal(wake, []uint64{ev}) {
		t.Errorf("wakes %v", wake)
	}
	w.reads(ev, "EOF")
}

func TestWatchedProcesses(t *testing.T) {
	w := newWorld(t, Config{})
	watches := func(watch, unwatch []Proc, owners ...Proc) {
		t.Helper()
		work := w.tab.Work()
		if !slices.Equal(work.Watch, watch) || !slices.Equal(work.Unwatch, unwatch) || !slices.Equal(w.tab.Owners(), owners) {
			t.Fatalf("watch %v, unwatch %v, owners %v; want %v, %v, %v", work.Watch, work.Unwatch, w.tab.Owners(), watch, unwatch, owners)
		}
	}
	fh := w.template(maker, alice, "")
	watches(nil, nil)
	w.activate(fh, maker, alice, 0)
	watches([]Proc{maker}, nil, maker)
	w.ok(Op{Kind: Born, FH: fh, Proc: maker})
	watches(nil, nil, maker)
	pb := w.open(OpenPBundle, other, alice)
	watches([]Proc{other}, nil, maker, other)
	w.ok(Op{Kind: Close, FH: pb})
	watches(nil, []Proc{other}, maker)
	pb = w.open(OpenPBundle, other, alice)
	w.ok(Op{Kind: Close, FH: pb})
	watches(nil, nil, maker)
	w.restart()
	watches([]Proc{maker}, nil, maker)
	w.ok(Op{Kind: Abandon, CT: 1, Proc: maker})
	watches(nil, nil, maker) // its latest
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	watches(nil, nil)
	w.restart()
	watches(nil, nil)
}

// TestSenders: a reader in the zone learns no more of who is outside than that there is one.
func TestSenders(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "informative signal")
	b := w.open(OpenBundle, maker, alice)
	w.fh++
	host := w.fh
	w.ok(Op{Kind: OpenBundle, FH: host, Cred: root, Host: true})
	for _, s := range []Sender{
		{Kind: contract.FromProcess, Proc: other, CT: 7, UID: 100010, Comm: "in side", Zone: "web"},
		{Kind: contract.FromProcess, Proc: Proc{Pid: 1700}, CT: 8, UID: 1000, Comm: "joined", Zone: "web"},
		{Kind: contract.FromProcess, Proc: Proc{Pid: 1800}, CT: 9, UID: 0, Comm: "out", Zone: "global", Outside: true},
	} {
		w.fact(id, Fact{Event: contract.Signal, Sig: 15, Sender: s})
	}
	w.restart()
	w.reads(b,
		`1 1 info noack process signal pid=500 signal=15 sender=200 senderct=7 uid=10 comm=in\040side`,
		`1 2 info noack process signal pid=500 signal=15 sender=0 senderct=8 comm=joined`,
		`1 3 info noack process signal pid=500 signal=15 sender=outside`)
	w.reads(host,
		`1 1 info noack process signal pid=1500 signal=15 sender=1200 senderct=7 uid=100010 comm=in\040side zone=web`,
		`1 2 info noack process signal pid=1500 signal=15 sender=1700 senderct=8 uid=1000 comm=joined zone=web`,
		`1 3 info noack process signal pid=1500 signal=15 sender=1800 senderct=9 uid=0 comm=out zone=global`)
	identity := New(Config{})
	if identity.zoneUID(1234) != 1234 {
		t.Error("a zone without users of its own counts as the host")
	}
}

func TestFactsThatMakeNoSense(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, alice, 0, "informative exit")
	w.fact(id, exited)
	for _, f := range []Fact{{}, {Event: contract.Exit | contract.Fork}, {Event: 0x100}} {
		w.want(unix.EINVAL, Op{Kind: Happened, CT: id, EV: 10, Fact: f})
	}
	w.want(unix.EINVAL, Op{Kind: Happened, CT: id, EV: 1, Fact: exited})
	w.want(unix.EINVAL, Op{Kind: Happened, CT: id, EV: 0, Fact: exited})
	w.want(unix.EINVAL, Op{Kind: OpenPBundle, FH: 50})
	// Late facts of the dead.
	w.openContract(id, alice)
	w.empty(id)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.fact(id, exited)
	w.is(id, "dead")
}
