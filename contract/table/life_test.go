package table

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

func TestLifeOfAContract(t *testing.T) {
	w := newWorld(t, Config{})
	pb := w.open(OpenPBundle, maker, alice)
	id := w.contract(maker, alice, 0, "informative exit\n")
	w.is(id, "owned")
	w.restart()
	w.fact(id, Fact{Event: contract.Exit, Status: 256})
	ev := w.empty(id)
	w.empty(id)
	w.restart()
	w.reads(pb, "1 1 info noack process exit pid=500 status=256", "1 2 crit noack process empty pid=500")
	w.restart()
	w.ok(Op{Kind: Ack, CT: id, EV: ev, Proc: maker})
	w.reads(pb)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.is(id, "dead")
	w.restart()
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	w.reads(pb, "identifier removed")
	w.is(id, "gone")
	w.ok(Op{Kind: Removed, CT: id})
	w.ok(Op{Kind: Close, FH: pb})
	w.restart()
}

// TestStates takes every step from every state.
func TestStates(t *testing.T) {
	names := [...]string{"owned", "inherited", "orphan", "dead"}
	for _, empty := range []bool{false, true} {
		for _, from := range names {
			for _, c := range []struct {
				op    Op
				errno map[string]unix.Errno
				to    map[string]string
			}{
				{Op{Kind: Abandon, Proc: maker}, map[string]unix.Errno{"inherited": unix.EINVAL, "orphan": unix.EINVAL, "dead": unix.EINVAL}, map[string]string{"owned": "orphan"}},
				{Op{Kind: Abandon, Proc: other, ProcCT: 1}, map[string]unix.Errno{"owned": unix.EINVAL, "inherited": unix.EINVAL, "orphan": unix.EINVAL, "dead": unix.EINVAL}, nil},
				{Op{Kind: Adopt, Proc: other, ProcCT: 1}, map[string]unix.Errno{"owned": unix.EBUSY, "orphan": unix.EINVAL, "dead": unix.EINVAL}, map[string]string{"inherited": "owned"}},
				{Op{Kind: Adopt, Proc: other, ProcCT: 9}, map[string]unix.Errno{"owned": unix.EINVAL, "inherited": unix.EINVAL, "orphan": unix.EINVAL, "dead": unix.EINVAL}, nil},
				{Op{Kind: Adopt, Proc: maker, ProcCT: 1}, map[string]unix.Errno{"owned": unix.EINVAL, "orphan": unix.EINVAL, "dead": unix.EINVAL}, map[string]string{"inherited": "owned"}},
				{Op{Kind: OwnerExit, Proc: maker}, map[string]unix.Errno{"inherited": unix.ESRCH, "orphan": unix.ESRCH, "dead": unix.ESRCH}, map[string]string{"owned": "inherited"}},
				{Op{Kind: Removed}, map[string]unix.Errno{"owned": unix.EINVAL, "inherited": unix.EINVAL, "orphan": unix.EINVAL}, nil},
			} {
				if empty && from == "orphan" || !empty && from == "dead" {
					continue
				}
				w, id := worldWith(t, from, empty)
				op := c.op
				if op.Kind != OwnerExit {
					op.CT = id
				}
				w.want(c.errno[from], op)
				want := from
				if to := c.to[from]; to != "" {
					want = to
				}
				if empty && want == "orphan" {
					want = "dead"
				}
				w.is(id, want)
				w.restart()
			}
		}
	}
}

// worldWith has a regent, contract 1, and contract 2 in a state, which a handle keeps visible.
func worldWith(t *testing.T, state string, empty bool) (*world, contract.ID) {
	t.Helper()
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent")
	id := w.contract(maker, alice, home, "params inherit\ncritical none")
	w.openContract(id, root)
	if empty {
		w.empty(id)
	}
	switch state {
	case "inherited":
		w.ok(Op{Kind: OwnerExit, Proc: maker})
	case "orphan", "dead":
		w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
		w.ok(Op{Kind: OwnerExit, Proc: maker})
	}
	w.is(id, state)
	return w, id
}

func TestUnknownContract(t *testing.T) {
	w := newWorld(t, Config{})
	nascent := w.activate(w.template(maker, alice, ""), maker, alice, 0)
	for _, id := range []contract.ID{0, 99, nascent} {
		for _, kind := range []Kind{Ack, QAck, NAck, Abandon, Adopt} {
			w.want(unix.ESRCH, Op{Kind: kind, CT: id, Proc: maker})
		}
		w.want(unix.ESRCH, Op{Kind: OpenContract, CT: id, FH: 50, Cred: root})
	}
	w.ev = 5
	w.want(unix.ESRCH, Op{Kind: Happened, CT: 99, EV: 6, Fact: Fact{Event: contract.Exit}})
	w.want(unix.ESRCH, Op{Kind: Killed, CT: 99, EV: 6})
	w.want(unix.ESRCH, Op{Kind: OwnerExit, Proc: other})
	w.want(unix.EINVAL, Op{})
	w.want(unix.EINVAL, Op{Kind: 200})
}

func TestWhoInherits(t *testing.T) {
	for _, c := range []struct {
		name, params, home string
		want               string
	}{
		{"regent and inherit", "inherit", "regent", "inherited"},
		{"no inherit", "none", "regent", "orphan"},
		{"no regent", "inherit", "none", "orphan"},
		{"neither", "none", "none", "orphan"},
	} {
		w := newWorld(t, Config{})
		home := w.contract(third, root, 0, "params "+c.home)
		id := w.contract(maker, alice, home, "params "+c.params)
		w.ok(Op{Kind: OwnerExit, Proc: maker})
		if w.is(id, c.want); c.want == "inherited" {
			st, _, owner, regent, _ := w.tab.Status(id)
			if regent != home || owner.Pid != 0 || st.Holder != int64(home) {
				t.Errorf("%s: held by %d and %d, owned by %v", c.name, regent, st.Holder, owner)
			}
			if home, _, _, _, _ := w.tab.Status(home); !slices.Equal(home.Inherits, []contract.ID{id}) {
				t.Errorf("%s: the regent has %v", c.name, home.Inherits)
			}
		}
		w.restart()
	}
}

// TestAbandoningIsNotDying: a contract that its owner abandons is not inherited.
func TestAbandoningIsNotDying(t *testing.T) {
	w, id := worldWith(t, "owned", false)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.is(id, "orphan")
}

func TestRegentsEnd(t *testing.T) {
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent")
	full := w.contract(maker, alice, home, "params inherit")
	done := w.contract(maker, alice, home, "params inherit")
	fatal := w.contract(maker, alice, home, "params inherit noorphan")
	w.empty(done)
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	w.ok(Op{Kind: Abandon, CT: home, Proc: third})
	w.is(home, "orphan")
	for _, id := range []contract.ID{full, done, fatal} {
		w.is(id, "inherited") // a regent with members is only an orphan
	}
	w.tab.Work()
	w.restart()
	w.empty(home)
	w.is(home, "dead")
	w.is(full, "orphan")
	w.is(done, "gone")
	w.is(fatal, "orphan")
	if kills := w.tab.Work().Kill; len(kills) != 1 || kills[0].CT != fatal {
		t.Errorf("kills are %+v", kills)
	}
	w.restart()
}

// TestChainOfRegents: each inherits the one before it. All go at once, however many.
func TestChainOfRegents(t *testing.T) {
	w := newWorld(t, Config{})
	const depth = 3000
	home := contract.ID(0)
	tab := w.tab
	for i := range contract.ID(depth) {
		// A member of i makes i+1, which i inherits.
		p := Proc{Pid: int32(2000 + i), Start: 1, ZPid: int32(i + 1)}
		terms := contract.DefaultTerms()
		terms.Params = contract.Inherit | contract.Regent
		if r := tab.Apply(&Op{Kind: Make, CT: i + 1, Terms: terms, Proc: p, ProcCT: home, Cred: root}); r.Errno != 0 {
			t.Fatal(r.Errno)
		}
		home = i + 1
	}
	for i := range contract.ID(depth) {
		w.ev++
		tab.Apply(&Op{Kind: Happened, CT: depth - i, EV: w.ev, Fact: Fact{Event: contract.Empty}})
	}
	for i := range int32(depth - 1) {
		tab.Apply(&Op{Kind: OwnerExit, Proc: Proc{Pid: 2001 + i, Start: 1}})
	}
	w.is(depth, "inherited")
	tab.Apply(&Op{Kind: OwnerExit, Proc: Proc{Pid: 2000, Start: 1}})
	if err := tab.check(); err != nil {
		t.Fatal(err)
	}
	if n := len(tab.IDs()); n != 0 {
		t.Errorf("%d contracts are left", n)
	}
	if gone := tab.Work().Gone; len(gone) != depth {
		t.Errorf("%d directories go, want %d", len(gone), depth)
	}
}

// TestRestarterComesBack is what init and svc.startd do (2.8 of the reference): the services of
// a restarter that died are its contract's, move to the new one's by transfer, and are
// adopted, with what nobody acknowledged.
func TestRestarterComesBack(t *testing.T) {
	w := newWorld(t, Config{})
	initd, startd, again := maker, other, third
	first := w.contract(initd, root, 0, "fatal hwerr signal core\ncritical empty\nparams regent\ncookie 1")
	service := w.contract(startd, root, first, "params inherit\ncookie 0x10\ninformative exit")
	second := w.contract(startd, root, first, "params inherit")
	w.fact(service, Fact{Event: contract.Exit})
	ev := w.empty(service)
	w.ok(Op{Kind: OwnerExit, Proc: startd})
	w.empty(first)
	w.restart()

	next := w.contract(initd, root, 0, "params regent\ntransfer 1")
	w.is(first, "gone")
	st, _, _, _, _ := w.tab.Status(next)
	if !slices.Equal(st.Inherits, []contract.ID{service, second}) || st.Terms.Transfer != 0 {
		t.Fatalf("the new contract has %v, transfer %d", st.Inherits, st.Terms.Transfer)
	}
	w.restart()
	pb := w.open(OpenPBundle, again, root)
	w.ok(Op{Kind: Adopt, CT: service, Proc: again, ProcCT: next, Cred: root})
	w.ok(Op{Kind: Adopt, CT: second, Proc: again, ProcCT: next, Cred: root})
	w.reads(pb, "2 2 crit noack process empty pid=500")
	w.ok(Op{Kind: Ack, CT: service, EV: ev, Proc: again})
	w.restart()
	if st, _, _, _, _ := w.tab.Status(next); len(st.Inherits) != 0 {
		t.Errorf("%v are still inherited", st.Inherits)
	}
	w.is(second, "owned")
}

// TestTransferIsTheOwners: it takes effect only if the maker is still the old one's owner.
func TestTransferIsTheOwners(t *testing.T) {
	w := newWorld(t, Config{})
	old := w.contract(maker, alice, 0, "params regent")
	child := w.contract(other, alice, old, "params inherit")
	w.ok(Op{Kind: OwnerExit, Proc: other})
	w.empty(old)
	fh := w.template(maker, alice, "params regent\ntransfer 1")
	id := w.activate(fh, maker, alice, 0)
	w.ok(Op{Kind: Born, FH: fh, Proc: third}) // its maker is another
	w.is(old, "owned")
	if st, _, _, _, _ := w.tab.Status(id); len(st.Inherits) != 0 {
		t.Errorf("the new contract has %v", st.Inherits)
	}
	next := w.activate(fh, maker, alice, 0)
	w.ok(Op{Kind: Born, FH: fh, Proc: maker})
	if st, _, _, _, _ := w.tab.Status(next); !slices.Equal(st.Inherits, []contract.ID{child}) {
		t.Errorf("the new contract has %v", st.Inherits)
	}
	w.is(old, "dead") // the template's term keeps it
	w.ok(Op{Kind: Close, FH: fh})
	w.is(old, "gone")
	w.restart()
}

func TestSupervisorsContracts(t *testing.T) {
	w := newWorld(t, Config{})
	terms := contract.DefaultTerms()
	r := w.ok(Op{Kind: Make, CT: 5, Terms: terms, Cred: root, Comm: "zsched"})
	st, author, owner, _, _ := w.tab.Status(r.CT)
	if st.State != contract.Owned || st.Holder != 0 || author != root || owner != (Proc{}) || st.Zone != "web" || st.ZoneID != 4 || st.Creator != "zsched" {
		t.Errorf("status %+v, author %+v, owner %+v", st, author, owner)
	}
	if len(w.tab.Owners()) != 0 || len(w.tab.Work().Watch) != 0 {
		t.Error("the supervisor is watched")
	}
	w.want(unix.ESRCH, Op{Kind: OwnerExit})
	if w.tab.MayControl(r.CT, Proc{}, 0) {
		t.Error("a request of nobody's is taken for the supervisor's")
	}
	w.want(unix.EEXIST, Op{Kind: Make, CT: 5, Terms: terms})
	w.want(unix.EINVAL, Op{Kind: Make, CT: 6, Terms: contract.Terms{Fatal: contract.Exit}})
	w.want(unix.EINVAL, Op{Kind: Make, CT: 6, Proc: Proc{Pid: -1}})
	w.want(unix.ESRCH, Op{Kind: Make, CT: 6, Terms: contract.Terms{Transfer: 99}})
	terms.Params = contract.Regent
	w.ok(Op{Kind: Make, CT: 7, Terms: contract.Terms{Transfer: 5, Params: contract.Regent}, Cred: root})
	w.is(5, "orphan")
	w.ok(Op{Kind: Abandon, CT: 7})
	w.restart()
}

func TestMayControl(t *testing.T) {
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent")
	id := w.contract(maker, alice, home, "params inherit")
	may := func(p Proc, ct contract.ID, want bool) {
		t.Helper()
		if got := w.tab.MayControl(id, p, ct); got != want {
			t.Errorf("%v of contract %d: %v", p, ct, got)
		}
	}
	may(maker, home, true)
	may(Proc{Pid: maker.Pid, Start: maker.Start + 1}, home, false)
	may(other, home, false)
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	may(other, home, true)
	may(other, id, false)
	may(other, 0, false)
	if w.tab.MayControl(99, other, home) {
		t.Error("what is not there can be controlled")
	}
}

// TestListsForARestart: what a supervisor that comes back asks the table for.
func TestListsForARestart(t *testing.T) {
	w := newWorld(t, Config{})
	full := w.contract(maker, root, 0, "critical exit\nfatal core\ninformative fork")
	done := w.contract(maker, root, 0, "")
	w.empty(done)
	fh := w.template(maker, root, "")
	nascent := w.activate(fh, maker, root, 0)
	if got := w.tab.Populated(); !slices.Equal(got, []contract.ID{full}) {
		t.Errorf("populated are %v, want %d", got, full)
	}
	if got := w.tab.Handles(); !slices.Equal(got, []uint64{fh}) {
		t.Errorf("handles are %v, want %d", got, fh)
	}
	for id, want := range map[contract.ID]contract.Events{
		full: contract.Exit | contract.Core | contract.Empty, nascent: contract.Empty | contract.Hwerr, 99: 0,
	} {
		if got := w.tab.Critical(id); got != want {
			t.Errorf("critical of %d are %v, want %v", id, got, want)
		}
	}
	w.ct = 1<<31 - 2
	if id := w.contract(maker, root, 0, ""); id != 1<<31-1 {
		t.Errorf("the last contract is %d", id)
	}
	if got := w.tab.IDs(); !slices.Equal(got, []contract.ID{full, done, 1<<31 - 1}) {
		t.Errorf("contracts are %v", got)
	}
	w.restart()
}

func TestContractLimit(t *testing.T) {
	w := newWorld(t, Config{ContractsMax: 3})
	for range 3 {
		w.contract(maker, alice, 0, "")
	}
	fh := w.template(maker, root, "")
	w.want(unix.EAGAIN, Op{Kind: Activate, FH: fh, CT: 9, Proc: maker, Cred: root})
	w.want(unix.EAGAIN, Op{Kind: Make, CT: 9, Proc: maker, Cred: root})
	w.want(unix.EINVAL, Op{Kind: Limit})
	w.ok(Op{Kind: Limit, Max: 4})
	w.restart()
	w.ok(Op{Kind: Activate, FH: fh, CT: 9, Proc: maker, Cred: root})
	w.want(unix.EAGAIN, Op{Kind: Make, CT: 10, Proc: maker, Cred: root})
	w.ok(Op{Kind: Limit, Max: 1})
	w.ok(Op{Kind: Cancel, FH: fh})
	w.want(unix.EAGAIN, Op{Kind: Make, CT: 10, Proc: maker, Cred: root})
}

// TestReserve: of a limit that is large the privileged have a part of their own.
func TestReserve(t *testing.T) {
	w := newWorld(t, Config{ContractsMax: 160, HandlesMax: 160})
	fh := w.template(maker, alice, "")
	for i := contract.ID(1); i <= 150; i++ {
		if r := w.tab.Apply(&Op{Kind: Activate, FH: fh, CT: i, Proc: maker, Cred: alice}); r.Errno != 0 {
			t.Fatal(r.Errno)
		}
		w.tab.Apply(&Op{Kind: Born, FH: fh, Proc: maker})
		if i < 150 {
			w.ok(Op{Kind: OpenBundle, FH: uint64(1000 + i), Cred: alice})
		}
	}
	w.want(unix.EAGAIN, Op{Kind: Activate, FH: fh, CT: 500, Proc: maker, Cred: alice})
	w.ok(Op{Kind: Activate, FH: fh, CT: 500, Proc: maker, Cred: root})
	w.want(unix.ENFILE, Op{Kind: OpenBundle, FH: 2000, Cred: alice})
	for i := range uint64(10) {
		w.ok(Op{Kind: OpenBundle, FH: 3000 + i, Cred: root})
	}
	w.want(unix.ENFILE, Op{Kind: OpenTemplate, FH: 4000, Cred: root})
	w.want(unix.EEXIST, Op{Kind: OpenTemplate, FH: 3000, Cred: root})
	w.ok(Op{Kind: Close, FH: 3000})
	w.want(unix.EBADF, Op{Kind: Close, FH: 3000})
	w.ok(Op{Kind: OpenTemplate, FH: 4000, Cred: root})
}

// TestWhatKeepsANumber drops, one after the other, what refers to a dead contract.
func TestWhatKeepsANumber(t *testing.T) {
	for _, last := range []string{"latest", "handle", "event in the bundle", "transfer"} {
		t.Run(last, func(t *testing.T) {
			w := newWorld(t, Config{})
			id := w.contract(maker, root, 0, "informative exit")
			next := w.contract(maker, root, 0, "") // takes latest over
			b := w.open(OpenBundle, maker, root)
			drops := map[string]func(){
				"event in the bundle": func() {
					lines := []string{"1 1 info noack process exit pid=500 status=0"}
					if last == "event in the bundle" {
						lines = append(lines, "1 2 crit ack process empty pid=500")
					}
					w.reads(b, lines...)
				},
			}
			if last == "handle" {
				ev := w.openContract(id, root)
				drops[last] = func() { w.ok(Op{Kind: Close, FH: ev}) }
			}
			w.fact(id, Fact{Event: contract.Exit})
			if last != "event in the bundle" {
				drops["event in the bundle"]()
			}
			w.empty(id)
			switch last {
			case "transfer":
				fh := w.template(maker, root, "transfer 1")
				drops[last] = func() { w.ok(Op{Kind: Close, FH: fh}) }
			case "latest":
				id, next = next, id
				w.empty(id)
				drops[last] = func() { w.contract(maker, root, 0, "") }
			}
			w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
			w.ok(Op{Kind: Removed, CT: id})
			if last != "event in the bundle" {
				w.ok(Op{Kind: Close, FH: b})
			}
			w.is(id, "dead")
			if !slices.Contains(w.tab.IDs(), id) {
				t.Error("it is not listed")
			}
			w.restart()
			drops[last]()
			w.is(id, "gone")
			w.is(next, "owned")
			w.restart()
		})
	}
}
