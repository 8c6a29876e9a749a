package table

import (
	"bytes"
	"errors"
	"math/rand"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// busy is a table with something of everything.
func busy(t *testing.T) *world {
	w := newWorld(t, Config{QueueMax: 8})
	home := w.contract(third, root, 0, "params regent,noorphan\ncritical exit,fork,empty\nfatal core\nsvc_fmri svc:/a\ncookie 7")
	id := w.contract(maker, alice, home, "params inherit,noorphan\ninformative exit,signal\nsvc_aux x y")
	dead := w.contract(maker, alice, home, "critical empty")
	left := w.contract(other, bob, home, "params inherit")
	for _, kind := range []Kind{OpenBundle, OpenPBundle} {
		w.open(kind, third, root)
	}
	slow, died := w.openContract(id, root), w.open(OpenPBundle, other, bob)
	w.openContract(dead, alice)
	w.fact(home, Fact{Event: contract.Exit, Status: 9, Core: true, Parent: maker})
	w.fact(home, Fact{Event: contract.Core, Sig: 11, Cred: bob, HasCred: true})
	w.fact(home, Fact{Event: contract.Hwerr, Pgrp: 5})
	for i := range 20 {
		w.fact(id, Fact{Event: contract.Signal, Sig: int32(i), Sender: Sender{Kind: contract.FromProcess, Proc: other, CT: 50, UID: 3, Comm: "c", Zone: "z", Outside: i%2 == 0}})
	}
	w.ok(Op{Kind: Read, FH: slow, Max: 30})
	w.empty(dead)
	w.ok(Op{Kind: Abandon, CT: dead, Proc: maker})
	w.ok(Op{Kind: OwnerExit, Proc: other})
	w.is(left, "inherited")
	if w.tab.Ended(died) != OwnerGone {
		t.Fatal("the pbundle's owner lives")
	}
	w.fact(home, Fact{Event: contract.Fork})
	w.fact(home, Fact{Event: contract.Lost, Count: 5})
	w.ok(Op{Kind: Reliable, FH: 5, Cred: root})
	w.ok(Op{Kind: CriticalOnly, FH: 6})
	w.template(maker, alice, "cookie 3")
	w.contract(maker, alice, home, "")
	w.empty(6 - 1)
	fh := w.template(maker, alice, "transfer 5")
	w.activate(fh, maker, alice, home)
	w.activate(w.template(maker, alice, ""), maker, alice, home)
	w.ok(Op{Kind: Close, FH: w.fh})
	w.restart()
	return w
}

func TestTablesAreRefused(t *testing.T) {
	b := busy(t).tab.Encode()
	if _, err := Decode(b); err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(b)
	newer[3]++
	for what, c := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":         {nil, ErrGarbage},
		"another file":    {[]byte("#!/bin/sh\n"), ErrGarbage},
		"a newer version": {newer, ErrVersion},
		"something more":  {append(bytes.Clone(b), 0), ErrGarbage},
	} {
		if tab, err := Decode(c.b); !errors.Is(err, c.want) || tab != nil {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a table", n, len(b))
		}
	}
}

// TestOlderVersion: a supervisor that is newer than who wrote the table goes on with it. What was
// not noted then is not known.
func TestOlderVersion(t *testing.T) {
	for version := range int(stateMagic[len(stateMagic)-1]) {
		if version > 0 {
			t.Run(strconv.Itoa(version), func(t *testing.T) { olderVersion(t, version) })
		}
	}
}

func olderVersion(t *testing.T, version int) {
	old, err := os.ReadFile("testdata/state-v" + strconv.Itoa(version))
	if err != nil {
		t.Fatal(err)
	}
	tab, err := Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	now := busy(t).tab
	if !slices.Equal(tab.IDs(), now.IDs()) || len(tab.IDs()) == 0 {
		t.Errorf("contracts %v, want %v", tab.IDs(), now.IDs())
	}
	for _, id := range tab.IDs() {
		if p := tab.Initial(id); version == 1 && p != (Proc{}) {
			t.Errorf("contract %d began with %+v", id, p)
		}
		was, _, _, _, _ := tab.Status(id)
		is, _, _, _, _ := now.Status(id)
		if !reflect.DeepEqual(was, is) {
			t.Errorf("contract %d was %+v, is %+v", id, was, is)
		}
	}
	if again, err := Decode(tab.Encode()); err != nil || !slices.Equal(again.IDs(), tab.IDs()) {
		t.Errorf("written anew it is not the same: %v", err)
	}
	exercise(t, tab)
}

// TestInitial: the first member is who the maker names, or whom the kernel told of first, and
// stays known when it has ended.
func TestInitial(t *testing.T) {
	w := newWorld(t, Config{})
	member, first := Proc{Pid: 700, Start: 70, ZPid: 7}, Proc{Pid: 800, Start: 80, ZPid: 8}
	named := w.template(maker, root, "")
	byName := w.activate(named, maker, root, 0)
	w.ok(Op{Kind: Born, FH: named, Proc: maker, Fact: Fact{Member: member}})
	byKernel := w.activate(w.template(maker, root, ""), maker, root, 0)
	w.fact(byKernel, Fact{Event: contract.Fork, Member: first, Parent: maker})
	w.fact(byName, Fact{Event: contract.Exit, Member: member})
	w.fact(byKernel, Fact{Event: contract.Fork, Member: member, Parent: first})
	w.restart()
	for id, want := range map[contract.ID]Proc{byName: member, byKernel: first, 99: {}} {
		if got := w.tab.Initial(id); got != want {
			t.Errorf("contract %d began with %+v, want %+v", id, got, want)
		}
	}
}

// TestDamagedTables: what is taken for a table is one, whatever its bytes are.
func TestDamagedTables(t *testing.T) {
	b := busy(t).tab.Encode()
	random := rand.New(rand.NewSource(1))
	taken := 0
	for i := range len(b) * 8 {
		damaged := bytes.Clone(b)
		damaged[i/8] ^= 1 << (i % 8)
		if i%3 == 0 {
			damaged[random.Intn(len(b))] = byte(random.Intn(256))
		}
		if tab, err := Decode(damaged); err == nil {
			taken++
			exercise(t, tab)
		}
	}
	if taken == 0 {
		t.Error("no damage was such that it could not be seen: the test tries too little")
	}
}

// exercise ends all that there is in a table, and looks whether it stays sound.
func exercise(t *testing.T, tab *Table) {
	t.Helper()
	apply := func(op Op) Result {
		t.Helper()
		r := tab.Apply(&op)
		if err := tab.check(); err != nil {
			t.Fatalf("after %+v: %v", op, err)
		}
		return r
	}
	tab.Work()
	for _, fh := range tab.Handles() {
		apply(Op{Kind: Read, FH: fh, Max: 100})
		apply(Op{Kind: Reset, FH: fh})
		apply(Op{Kind: Born, FH: fh})
	}
	for _, id := range tab.IDs() {
		st, _, owner, _, _ := tab.Status(id)
		for ev := contract.EventID(1); ev < 40 && st.Unacked > 0; ev++ {
			apply(Op{Kind: Ack, CT: id, EV: ev, Proc: owner})
		}
		apply(Op{Kind: Happened, CT: id, EV: tab.lastEV + 1, Fact: Fact{Event: contract.Exit}})
		apply(Op{Kind: Happened, CT: id, EV: tab.lastEV + 1, Fact: Fact{Event: contract.Empty}})
		apply(Op{Kind: Abandon, CT: id, Proc: owner})
	}
	for _, p := range tab.Owners() {
		apply(Op{Kind: OwnerExit, Proc: p})
	}
	for _, fh := range tab.Handles() {
		apply(Op{Kind: Close, FH: fh})
	}
	for _, id := range tab.Work().Gone {
		apply(Op{Kind: Removed, CT: id})
	}
	b := tab.Encode()
	again, err := Decode(b)
	if err != nil || !bytes.Equal(again.Encode(), b) {
		t.Fatalf("what is left is not the same when taken up again: %v", err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	w := busy(t)
	exercise(t, w.tab)
	exercise(t, w.tab)
	if tab := w.tab; len(tab.owners)+len(tab.handles)+len(tab.unacked)+int(tab.soft) != 0 || tab.bundle.head != nil {
		t.Errorf("left: owners %v, handles %v, %d events, %d to acknowledge", tab.Owners(), tab.Handles(), tab.soft, len(tab.unacked))
	}
	for _, id := range w.tab.IDs() { // a supervisor's and those with members may stay
		if w.state(id) != "orphan" {
			t.Errorf("contract %d is %s", id, w.state(id))
		}
	}
}

// fullOp has no field that is zero.
func fullOp(t *testing.T) Op {
	var op Op
	fill(t, reflect.ValueOf(&op).Elem())
	op.Kind = Happened
	return op
}

func fill(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(^uint64(0) >> (64 - v.Type().Bits()))
	case reflect.Int32, reflect.Int64:
		v.SetInt(-1 << (v.Type().Bits() - 1))
	case reflect.String:
		v.SetString("a string")
	case reflect.Slice:
		v.SetBytes([]byte("some bytes"))
	default:
		t.Fatalf("a field of kind %v is not thought of", v.Kind())
	}
}

// TestOpsInALog: every field of an Op is kept, alone and with all others.
func TestOpsInALog(t *testing.T) {
	full := fullOp(t)
	ops := []Op{full}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		op := Op{Kind: Read}
		reflect.ValueOf(&op).Elem().Field(i).Set(v.Field(i))
		ops = append(ops, op)
	}
	fact := reflect.ValueOf(full.Fact)
	for i := range fact.NumField() {
		if fact.Type().Field(i).Name == "Cred" {
			continue // only with HasCred
		}
		op := Op{Kind: Happened}
		reflect.ValueOf(&op.Fact).Elem().Field(i).Set(fact.Field(i))
		ops = append(ops, op)
	}
	for _, op := range ops {
		b := op.Encode()
		back, err := DecodeOp(b)
		if err != nil || !reflect.DeepEqual(*back, op) {
			t.Errorf("%+v\nis read back as\n%+v, %v", op, back, err)
			continue
		}
		for n := range b {
			if _, err := DecodeOp(b[:n]); err == nil {
				t.Errorf("%+v: the first %d of %d bytes are taken for an op", op, n, len(b))
			}
		}
		if _, err := DecodeOp(append(b, 0)); !errors.Is(err, ErrGarbage) {
			t.Errorf("%+v and a byte: %v", op, err)
		}
	}
	for _, b := range [][]byte{nil, {opVersion}, {opVersion, 0, 0}, {opVersion, byte(len(verbs)), 0}, {opVersion, byte(Read), 0x80, 0x80, 1}} {
		if op, err := DecodeOp(b); err == nil {
			t.Errorf("%v is taken for %+v", b, op)
		}
	}
	if _, err := DecodeOp([]byte{opVersion + 1, byte(Read), 0}); !errors.Is(err, ErrVersion) {
		t.Errorf("an op of another version: %v", err)
	}
}

func TestResultsInALog(t *testing.T) {
	for _, r := range []Result{{}, {Errno: unix.EAGAIN}, {Data: []byte("a line\n")}, {CT: 1<<32 - 1}} {
		back, err := DecodeResult(r.Encode())
		if err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%+v is read back as %+v, %v", r, back, err)
		}
	}
	for _, b := range [][]byte{nil, {opVersion}, {opVersion, 1}, {opVersion + 1, 0, 0}} {
		if r, err := DecodeResult(b); err == nil {
			t.Errorf("%v is taken for %+v", b, r)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(New(Config{}).Encode())
	f.Add(busy(&testing.T{}).tab.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		tab, err := Decode(b)
		if err != nil {
			return
		}
		encoded := tab.Encode()
		again, err := Decode(encoded)
		if err != nil || !bytes.Equal(again.Encode(), encoded) {
			t.Fatalf("a table is not what it was: %v", err)
		}
		exercise(t, tab)
	})
}

func FuzzDecodeOp(f *testing.F) {
	for _, op := range busy(&testing.T{}).log {
		f.Add(op.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := DecodeOp(b)
		if err != nil {
			return
		}
		again, err := DecodeOp(op.Encode())
		if err != nil || !bytes.Equal(again.Encode(), op.Encode()) {
			t.Fatalf("%+v is read back as %+v, %v", op, again, err)
		}
		tab := busy(t).tab
		tab.Apply(op)
		if err := tab.check(); err != nil {
			t.Fatalf("after %+v: %v", op, err)
		}
	})
}

// TestLastMember: who finds a contract empty after the end of the one that knew the last member says
// no member, and the last one that was told to have ended is meant.
func TestLastMember(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newWorld(t, Config{})
		id := w.contract(maker, root, 0, "critical exit,empty")
		fh := w.openContract(id, root)
		first, last := Proc{Pid: 700, Start: 70, ZPid: 7}, Proc{Pid: 800, Start: 80, ZPid: 8}
		w.fact(id, Fact{Event: contract.Fork, Member: last, Parent: first})
		w.fact(id, Fact{Event: contract.Exit, Member: first})
		w.fact(id, Fact{Event: contract.Exit, Member: last})
		if restarted {
			w.restart()
		}
		w.ev++
		w.ok(Op{Kind: Happened, CT: id, EV: w.ev, Fact: Fact{Event: contract.Empty}})
		got := w.read(fh)
		if n := len(got); n == 0 || !strings.HasSuffix(got[n-1], " empty pid=8") {
			t.Errorf("restarted %t: %q", restarted, got)
		}
	}
}
