package server

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
)

// fill puts events into a journal until its state has a size.
func fill(t *testing.T, j *journal, ct contract.ID, kind contract.Events, limit int) int {
	t.Helper()
	n := 0
	for !j.holds(limit) {
		res, err := j.do(0, 0, &table.Op{Kind: table.Happened, CT: ct, EV: j.kept.nextEV + 1, Fact: table.Fact{Event: kind, Member: table.Proc{Pid: int32(n%30000 + 1), ZPid: 5}}})
		if err != nil || res.Errno != 0 {
			t.Fatal(n, err, res.Errno)
		}
		n++
	}
	return n
}

// Events that nobody acknowledges fill the journal up to its named limits, one after the other;
// what frees memory works at all of them, also after a restart.
func TestJournalIsBounded(t *testing.T) {
	j, err := newJournal(table.Config{Zone: "web"})
	check(t, err)
	defer j.log.Close()
	terms := contract.DefaultTerms()
	terms.Critical = contract.AllEvents
	_, err = j.do(0, 0, &table.Op{Kind: table.Make, CT: 1, Terms: terms})
	check(t, err)
	root, user := table.Cred{Privileged: true}, table.Cred{UID: 1001}
	state := func(wantRoot, wantUser, wantFork, wantSignal bool) {
		t.Helper()
		op := table.Op{Kind: table.Activate, Cred: root}
		gotRoot := j.refuses(&op)
		op.Cred = user
		gotUser := j.refuses(&op)
		gotFork := j.shorten(table.Fact{Event: contract.Fork}).Event == contract.Lost
		gotSignal := j.shorten(table.Fact{Event: contract.Signal}).Event == contract.Lost
		if gotRoot != wantRoot || gotUser != wantUser || gotFork != wantFork || gotSignal != wantSignal {
			t.Errorf("with %d bytes root is refused: %v, a user: %v, a birth is told as lost: %v, a signal: %v", j.state, gotRoot, gotUser, gotFork, gotSignal)
		}
		if j.refuses(&table.Op{Kind: table.Ack}) || j.shorten(table.Fact{Event: contract.Empty}).Event != contract.Empty {
			t.Error("what frees memory is refused")
		}
	}
	state(false, false, false, false)
	n := fill(t, j, 1, contract.Fork, journalUsers)
	state(false, true, false, false)
	n += fill(t, j, 1, contract.Fork, journalRoot)
	state(true, true, true, false)
	n += fill(t, j, 1, contract.Signal, journalFacts)
	state(true, true, true, true)
	t.Logf("%d events that nobody acknowledged", n)
	again, err := openJournal(j.log.FD())
	check(t, err)
	defer again.log.Close()
	if !again.holds(journalFacts) || again.kept.nextEV != j.kept.nextEV {
		t.Errorf("read again it has %d bytes", again.state)
	}
	st, _, _, _, _ := again.table.Status(1)
	if st.Unacked != n {
		t.Errorf("%d of %d events are there", st.Unacked, n)
	}
	for ev := range again.kept.nextEV {
		if _, err := again.do(0, 0, &table.Op{Kind: table.Ack, CT: 1, EV: ev}); err != nil {
			t.Fatal(err)
		}
	}
	if st, _, _, _, _ := again.table.Status(1); st.Unacked != 0 {
		t.Errorf("%d are left", st.Unacked)
	}
	if check(t, again.checkpoint()); again.holds(journalUsers) || again.state > 64<<10 {
		t.Errorf("afterwards it has %d bytes", again.state)
	}
}

// What is kept is the same when it is read again, whatever was killed in between: every
// prefix of a journal is what its writer had at that moment.
func TestJournalReplay(t *testing.T) {
	j, err := newJournal(table.Config{Zone: "web", UIDBase: zoneUID, UIDCount: zoneCount})
	check(t, err)
	defer j.log.Close()
	d := openTestIDs(t, filepath.Join(t.TempDir(), "ids"))
	who := table.Proc{Pid: 100, Start: 5, ZPid: 10}
	cred := table.Cred{UID: zoneUID, Privileged: true}
	step := func(unique uint64, op *table.Op) table.Result {
		t.Helper()
		res, err := j.do(unique, 0, op)
		check(t, err)
		same(t, j)
		return res
	}
	check(t, j.note(&record{kind: recEpoch}))
	step(1, &table.Op{Kind: table.OpenTemplate, FH: 1, Proc: who, Cred: cred})
	step(2, &table.Op{Kind: table.OpenBundle, FH: 2, Proc: who, Cred: table.Cred{UID: 5}})
	step(3, &table.Op{Kind: table.OpenBundle, FH: 3, Host: true, Cred: cred})
	id, err := j.takeCT(d)
	check(t, err)
	step(4, &table.Op{Kind: table.Activate, FH: 1, CT: id, Proc: who, Cred: cred, Comm: "sh"})
	if j.kept.births[1] == nil || j.kept.births[1].unique != 4 {
		t.Errorf("the birth is %+v", j.kept.births[1])
	}
	check(t, j.note(&record{kind: recPlaced, fh: 1, birth: birth{mode: 0, path: "/ct/1/d", until: 77}}))
	same(t, j)
	ev, err := j.takeEV(d)
	check(t, err)
	_, err = j.do(0, 640, &table.Op{Kind: table.Happened, CT: id, EV: ev, Fact: table.Fact{Event: contract.Fork, Member: table.Proc{Pid: 101, Start: 6, ZPid: 11}, Parent: who}})
	check(t, err)
	if !j.kept.births[1].forked || j.kept.at != 640 {
		t.Errorf("%+v at %d", j.kept.births[1], j.kept.at)
	}
	same(t, j)
	check(t, j.note(&record{kind: recConfirmed, unique: 9, fh: 1}))
	same(t, j)
	ev, err = j.takeEV(d)
	check(t, err)
	check(t, j.lose(12, &table.Op{Kind: table.Happened, CT: id, EV: ev, Fact: table.Fact{Event: contract.Lost, Count: 5}}))
	if j.kept.counted[id] != 12 {
		t.Errorf("counted are %v", j.kept.counted)
	}
	same(t, j)
	check(t, j.lose(3, &table.Op{Kind: table.Happened, CT: 999, EV: ev + 1, Fact: table.Fact{Event: contract.Lost, Count: 3}}))
	if len(j.kept.counted) != 1 {
		t.Errorf("of a contract that is none there is kept: %v", j.kept.counted)
	}
	same(t, j)
	check(t, j.note(&record{kind: recTaken, ct: 5, path: "/x/admin/l1"}))
	step(0, &table.Op{Kind: table.Make, CT: 5, Cred: cred, Terms: contract.DefaultTerms()})
	if !j.kept.unborn[5] || j.kept.taken[5] == "" {
		t.Error("a contract without a member is not noted")
	}
	check(t, j.checkpoint())
	same(t, j)
	step(10, &table.Op{Kind: table.Close, FH: 2})
	step(11, &table.Op{Kind: table.OwnerExit, Proc: who})
	if len(j.kept.perUser) != 1 || len(j.kept.handles) != 2 {
		t.Errorf("%v %v", j.kept.perUser, j.kept.handles)
	}
}

// same reads a journal again and compares all of it.
func same(t *testing.T, j *journal) {
	t.Helper()
	k, err := openJournal(j.log.FD())
	check(t, err)
	defer k.log.Close()
	if a, b := j.kept.encode(j.table), k.kept.encode(k.table); string(a) != string(b) {
		t.Errorf("what was kept\n%q\nis read as\n%q", a, b)
	}
}

// What a supervisor of the form before kept is understood: its table's losses are those that were
// counted. A form that is not known is refused.
func TestKeptOfBefore(t *testing.T) {
	j, err := newJournal(table.Config{Zone: "web", UIDBase: zoneUID, UIDCount: zoneCount})
	check(t, err)
	defer j.log.Close()
	who, cred := table.Proc{Pid: 100, Start: 5, ZPid: 10}, table.Cred{UID: zoneUID, Privileged: true}
	for i, op := range []*table.Op{
		{Kind: table.Make, CT: 5, Cred: cred, Terms: contract.DefaultTerms()},
		{Kind: table.Happened, CT: 5, EV: 1, Fact: table.Fact{Event: contract.Fork, Member: who}},
		{Kind: table.Happened, CT: 5, EV: 2, Fact: table.Fact{Event: contract.Lost, Count: 7}},
	} {
		if res, err := j.do(uint64(i), 0, op); err != nil || res.Errno != 0 {
			t.Fatalf("step %d: %v %v", i, res.Errno, err)
		}
	}
	if len(j.kept.counted) != 0 || len(j.kept.taken)+len(j.kept.unborn)+len(j.kept.handles)+len(j.kept.births) != 0 {
		t.Fatalf("kept is %+v", j.kept)
	}
	// The form before lacked the one count, of the four zeros before the table.
	now, tab := j.kept.encode(j.table), j.table.Encode()
	head := now[:len(now)-len(tab)]
	before := append([]byte{1}, append(slices.Clone(head[1:len(head)-1]), tab...)...)
	k, _, err := decodeKept(before)
	if err != nil || k.counted[5] != 7 || len(k.counted) != 1 {
		t.Errorf("%v, counted %v", err, k.counted)
	}
	for _, version := range []byte{0, keptVersion + 1} {
		if _, _, err := decodeKept(append([]byte{version}, now[1:]...)); !errors.Is(err, ErrState) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// Nonsense in a journal is an error with a name, and no panic.
func FuzzDecode(f *testing.F) {
	j, err := newJournal(table.Config{Zone: "web"})
	if err != nil {
		f.Fatal(err)
	}
	defer j.log.Close()
	_, _ = j.do(1, 0, &table.Op{Kind: table.OpenTemplate, FH: 1, Proc: table.Proc{Pid: 5}})
	_, _ = j.do(2, 0, &table.Op{Kind: table.Activate, FH: 1, CT: 5, Proc: table.Proc{Pid: 5}})
	f.Add(j.kept.encode(j.table))
	for _, r := range []record{{kind: recEpoch}, {kind: recBlock, block: 7}, {kind: recPlaced, fh: 4, birth: birth{path: "/x"}}, {kind: recTaken, ct: 4, path: "/y"}, {kind: recConfirmed, unique: 4},
		{kind: recLost, count: 9, op: &table.Op{Kind: table.Happened, CT: 5, EV: 3, Fact: table.Fact{Event: contract.Lost, Count: 2}}}} {
		f.Add(r.encode(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, tab, err := decodeKept(b); err == nil {
			again, _, err := decodeKept(k.encode(tab))
			if err != nil || again.fh != k.fh || len(again.births) != len(k.births) {
				t.Errorf("%v", err)
			}
		}
		if r, err := decodeRecord(b); err == nil && r.op == nil {
			if _, err := decodeRecord(r.encode(nil)); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
}

// A user who polls files that are always ready takes nobody's place.
func TestPollsOfTexts(t *testing.T) {
	r := startRig(t, withBPF)
	r.following(r.client(1001, "hoard", "process/1/status", "5000", "poll")).until("hoard")
	a := r.agent(1002)
	fd := a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
	polls := a.send(ask{Do: "poll", N: fd, M: 20000})
	a.stays(polls, "a poll of nothing")
	ct, pid := a.start("critical empty\n", "/bin/true")
	a.must(ask{Do: "wait", N: pid})
	if w := a.take(polls); w.N&unix.POLLIN == 0 {
		t.Errorf("the poll of contract %d's events: %+v", ct, w)
	}
}

// A contract of hundreds of members has a status, and who asks for it all the time does not
// keep the loop from others.
func TestCrowdedContract(t *testing.T) {
	r := startRig(t, withBPF)
	r.following(r.cmd(1001, "/bin/sh", "-c", "i=0; while [ $i -lt 400 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait")).until("all")
	for range 3 {
		r.following(r.client(1002, "flood", "open")).until("ready")
	}
	if got := strings.Fields(r.status(1, "members")); len(got) < 400 {
		t.Errorf("%d members", len(got))
	}
	a := r.agent(0)
	for range 5 {
		_, pid := a.start("critical empty\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
	}
	_, err := r.srv.Statuses()
	check(t, err)
}

// A loop that fails ends its calls by name, and Stop still frees who waits.
func TestLoopFails(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	reads := a.send(ask{Do: "read", N: a.open("process/bundle", unix.O_RDONLY), M: 100})
	r.awaitWaiting(1)
	a.stays(reads, "a read of nothing")
	check(t, r.srv.inbox.run(func() { r.srv.epoll.Close() }))
	if err := <-r.served; err == nil {
		t.Error("the loop ended without an error")
	}
	r.served <- nil
	if _, err := r.srv.New(NewContract{}); err == nil || !strings.Contains(err.Error(), ErrStopped.Error()) {
		t.Errorf("New: %v", err)
	}
	check(t, r.srv.Stop())
	if w := a.take(reads); unix.Errno(w.Errno) != unix.ENODEV {
		t.Errorf("the read: %+v", w)
	}
	if len(r.keeper.held()) != 0 {
		t.Error("the keeper holds what is stopped")
	}
}

// A predecessor that died while it opened has left a part of its descriptors: the next one is
// fresh. One whose journal is damaged is an error with a name.
func TestHalfOpened(t *testing.T) {
	r := newRig(t)
	r.open()
	r.close()
	all := r.keeper.held()
	for _, name := range SlotNames[1:] {
		if _, there := all[name]; !there {
			t.Fatalf("the keeper holds %v", all)
		}
	}
	check(t, r.keeper.Drop(slotDevice))
	r.open()
	if r.srv.Resumed() {
		t.Error("resumed without a device")
	}
	r.close()
	f, err := os.CreateTemp(r.dir, "nonsense")
	check(t, err)
	check(t, r.keeper.Put(slotJournal, int(f.Fd())))
	f.Close()
	cfg := r.cfg
	cfg.Held = r.keeper.held()
	if s, err := Open(cfg); err == nil || !strings.Contains(err.Error(), ErrState.Error()) {
		t.Errorf("a damaged journal: %v %v", s, err)
	}
}
