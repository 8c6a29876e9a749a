package table

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// TestTermRules sets terms, one write after the other, each with its errno, and looks at what
// the sets are then.
func TestTermRules(t *testing.T) {
	type step struct {
		cred  Cred
		text  string
		errno unix.Errno
	}
	const defaults = "core signal|empty hwerr|hwerr|none"
	for _, c := range []struct {
		name  string
		steps []step
		want  string // informative|critical|fatal|params
	}{
		{"defaults", nil, defaults},
		{"informative is free", []step{{alice, "informative fork exit", 0}}, "exit fork|empty hwerr|hwerr|none"},
		{"critical: empty and what is fatal are free", []step{{alice, "fatal core signal\ncritical empty core signal", 0}},
			"core hwerr signal|core empty signal|core signal|none"},
		{"critical: what is not fatal needs a privilege", []step{{alice, "critical empty core", unix.EPERM}}, defaults},
		{"critical: what never ends a contract needs a privilege", []step{{alice, "critical exit", unix.EPERM}, {alice, "critical fork", unix.EPERM}}, defaults},
		{"critical with privilege", []step{{root, "critical exit fork core", 0}}, "core signal|core exit fork|hwerr|none"},
		{"critical: reduction is free, even of what another was allowed",
			[]step{{root, "critical empty exit fork", 0}, {alice, "critical exit", 0}}, "core signal|exit|hwerr|none"},
		{"critical: reduction and one more",
			[]step{{root, "critical empty exit fork", 0}, {alice, "critical exit core", unix.EPERM}}, "core signal|empty exit fork|hwerr|none"},
		{"critical none", []step{{alice, "critical none", 0}}, "core signal|none|hwerr|none"},
		{"fatal: a bit that goes is demoted, empty and the rest stay",
			[]step{{alice, "fatal core hwerr\ncritical empty core hwerr\nfatal core", 0}}, "core hwerr signal|core empty|core|none"},
		{"fatal none keeps empty", []step{{alice, "fatal none", 0}}, "core hwerr signal|empty|none|none"},
		{"fatal with privilege demotes nothing", []step{{root, "fatal none", 0}}, "core signal|empty hwerr|none|none"},
		{"pgrponly demotes all but empty", []step{{alice, "params pgrponly", 0}}, "core hwerr signal|empty|hwerr|pgrponly"},
		{"pgrponly with privilege demotes nothing", []step{{root, "params pgrponly", 0}}, "core signal|empty hwerr|hwerr|pgrponly"},
		{"pgrponly: only empty is free", []step{{alice, "params pgrponly\ncritical empty", 0}, {alice, "critical hwerr", unix.EPERM}},
			"core hwerr signal|empty|hwerr|pgrponly"},
		{"pgrponly, then fatal", []step{{root, "params pgrponly", 0}, {alice, "fatal hwerr", 0}}, "core hwerr signal|empty|hwerr|pgrponly"},
		{"other params demote nothing", []step{{alice, "params inherit noorphan regent", 0}}, "core signal|empty hwerr|hwerr|inherit noorphan regent"},
		{"all or none", []step{{alice, "informative exit\nfatal none\ncritical fork", unix.EPERM}}, defaults},
		{"fatal is of core, signal, hwerr", []step{{root, "fatal exit", unix.EINVAL}}, defaults},
		{"events that are not", []step{{root, "informative lost", unix.EINVAL}, {root, "critical left", unix.EINVAL}, {root, "informative 0x40", unix.EINVAL}}, defaults},
		{"params that are not", []step{{root, "params keepexec", unix.EINVAL}}, defaults},
		{"words that are not", []step{{root, "colour red", unix.EINVAL}, {root, "", unix.EINVAL}, {root, "\n\n", unix.EINVAL}, {root, "activate", unix.EINVAL}}, defaults},
		{"numbers over 64 and 32 bits", []step{{root, "cookie 0x10000000000000000", unix.EINVAL}, {root, "transfer 4294967297", unix.EINVAL}}, defaults},
		{"service needs a privilege", []step{{alice, "svc_fmri svc:/x", unix.EPERM}, {alice, "svc_fmri inherit:", unix.EPERM}}, defaults},
		{"strings have limits", []step{{root, "svc_fmri " + strings.Repeat("x", contract.FMRIMax+1), unix.EINVAL},
			{root, "svc_aux " + strings.Repeat("x", contract.AuxMax+1), unix.EINVAL}}, defaults},
		{"blank lines are none", []step{{alice, "\ninformative none\n\n", 0}}, "none|empty hwerr|hwerr|none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			fh := w.open(OpenTemplate, maker, alice)
			for _, s := range c.steps {
				w.want(s.errno, Op{Kind: Set, FH: fh, Proc: maker, Cred: s.cred, Text: []byte(s.text)})
			}
			w.restart()
			terms, _, _ := w.tab.Template(fh)
			got := terms.Informative.String() + "|" + terms.Critical.String() + "|" + terms.Fatal.String() + "|" + terms.Params.String()
			if got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFreeTerms(t *testing.T) {
	w := newWorld(t, Config{})
	fh := w.template(maker, root, "cookie 0xffffffffffffffff\nsvc_aux a b\\011\nsvc_fmri svc:/a:b")
	terms, nascent, ok := w.tab.Template(fh)
	if !ok || nascent != 0 || terms.Cookie != 1<<64-1 || terms.Aux != "a b\t" || terms.FMRI != "svc:/a:b" {
		t.Errorf("terms are %+v, %d, %v", terms, nascent, ok)
	}
	if second := w.template(maker, root, ""); second == fh {
		t.Fatal("one handle twice")
	} else if terms, _, _ := w.tab.Template(second); terms != contract.DefaultTerms() {
		t.Errorf("another template has terms %+v", terms)
	}
	w.want(unix.EBADF, Op{Kind: Set, FH: 99, Text: []byte("cookie 1"), Cred: root})
	pb := w.open(OpenPBundle, maker, root)
	for _, kind := range []Kind{Set, Activate, Born, Cancel} {
		w.want(unix.EBADF, Op{Kind: kind, FH: pb, CT: 9, Proc: maker, Text: []byte("cookie 1")})
	}
	for _, kind := range []Kind{Read, Reset, Next, Reliable, CriticalOnly} {
		w.want(unix.EBADF, Op{Kind: kind, FH: fh, Max: 10, Cred: root})
	}
}

func TestTransferIsCheckedWhenSet(t *testing.T) {
	w := newWorld(t, Config{})
	mine := w.contract(maker, alice, 0, "")
	full := w.contract(maker, alice, 0, "")
	theirs := w.contract(other, alice, 0, "")
	orphan := w.contract(maker, alice, 0, "")
	w.ok(Op{Kind: Abandon, CT: orphan, Proc: maker})
	w.empty(mine)
	w.empty(theirs)
	fh := w.template(maker, alice, "")
	nascent := w.activate(w.template(maker, alice, ""), maker, alice, 0)
	for id, errno := range map[contract.ID]unix.Errno{
		99: unix.ESRCH, nascent: unix.ESRCH, theirs: unix.EACCES, orphan: unix.EACCES, full: unix.ENOTEMPTY, mine: 0, 0: 0,
	} {
		w.want(errno, Op{Kind: Set, FH: fh, Proc: maker, Cred: root, Text: contract.AppendCookie([]byte("transfer "), uint64(id))})
	}
	w.restart()
}

// TestTransferWaitsForTheDead: a contract is not taken over while it may still inherit: what its
// last member owned, or was just making, would be nobody's.
func TestTransferWaitsForTheDead(t *testing.T) {
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent,inherit")
	owned := w.contract(maker, root, home, "params inherit")
	fh := w.template(maker, root, "params inherit")
	made := w.activate(fh, maker, root, home)
	w.empty(home)
	next := w.template(third, root, "params regent")
	transfer := func(errno unix.Errno) {
		t.Helper()
		w.want(errno, Op{Kind: Set, FH: next, Proc: third, Cred: root, Text: contract.AppendCookie([]byte("transfer "), uint64(home))})
	}
	transfer(unix.ENOTEMPTY) // maker's end is not told yet
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	transfer(unix.ENOTEMPTY) // its birth is not settled
	w.restart()
	w.fact(made, Fact{Event: contract.Fork, Member: other, Parent: maker})
	transfer(0)
	heir := w.activate(next, third, root, 0)
	w.ok(Op{Kind: Born, FH: next, Proc: third})
	for _, id := range []contract.ID{owned, made} {
		w.is(id, "inherited")
		if _, _, _, regent, _ := w.tab.Status(id); regent != heir {
			t.Errorf("contract %d is inherited by %d, want %d", id, regent, heir)
		}
	}
}

// TestTransferKeepsTheNumber: what a template or a birth is to take over can be seen, dead, as
// long as it is named.
func TestTransferKeepsTheNumber(t *testing.T) {
	w := newWorld(t, Config{})
	old := w.contract(maker, alice, 0, "")
	w.contract(maker, alice, 0, "") // so that old is not the latest
	w.empty(old)
	fh := w.template(maker, alice, "transfer 1")
	w.activate(fh, maker, alice, 0)
	w.ok(Op{Kind: Abandon, CT: old, Proc: maker})
	w.ok(Op{Kind: Removed, CT: old})
	w.is(old, "dead")
	w.ok(Op{Kind: Set, FH: fh, Proc: maker, Cred: alice, Text: []byte("transfer 0")})
	w.ok(Op{Kind: Set, FH: fh, Proc: maker, Cred: alice, Text: []byte("transfer 0")})
	w.is(old, "dead") // the birth's
	w.restart()
	w.ok(Op{Kind: Born, FH: fh, Proc: maker})
	w.is(old, "gone")
	w.restart()
}

func TestBirth(t *testing.T) {
	w := newWorld(t, Config{})
	fh := w.template(maker, alice, "")
	w.want(unix.EINVAL, Op{Kind: Born, FH: fh, Proc: maker})
	w.want(unix.EINVAL, Op{Kind: Activate, FH: fh, CT: 9, Cred: alice})
	w.want(unix.EINVAL, Op{Kind: Activate, FH: fh, CT: 0, Proc: maker, Cred: alice})
	w.want(unix.EINVAL, Op{Kind: Activate, FH: fh, CT: 1 << 31, Proc: maker, Cred: alice})
	w.ok(Op{Kind: Cancel, FH: fh})
	id := w.activate(fh, maker, alice, 0)
	w.want(unix.EBUSY, Op{Kind: Activate, FH: fh, CT: 9, Proc: maker, Cred: alice})
	w.want(unix.EEXIST, Op{Kind: Activate, FH: w.template(maker, alice, ""), CT: id, Proc: maker, Cred: alice})
	w.is(id, "gone")
	if len(w.tab.IDs()) != 0 {
		t.Error("a nascent contract is seen")
	}
	if _, nascent, _ := w.tab.Template(fh); nascent != id {
		t.Errorf("the template waits for %d, want %d", nascent, id)
	}
	if _, ok := w.tab.Latest(maker); ok {
		t.Error("a nascent contract is the latest")
	}
	if w.tab.Wants(id)&contract.Fork == 0 {
		t.Error("the first member's birth is not wanted")
	}
	w.restart()
	if r := w.ok(Op{Kind: Born, FH: fh, Proc: maker}); r.CT != id {
		t.Errorf("born as %d, want %d", r.CT, id)
	}
	if r := w.ok(Op{Kind: Born, FH: fh, Proc: maker}); r.CT != id {
		t.Errorf("told again: born as %d, want %d", r.CT, id)
	}
	if latest, ok := w.tab.Latest(maker); !ok || latest != id {
		t.Errorf("latest is %d, %v", latest, ok)
	}
	if w.tab.Wants(id)&contract.Fork != 0 {
		t.Error("forks are wanted though nobody asked")
	}
	w.is(id, "owned")
	w.restart()
}

// TestBirthByFact: the kernel tells of the first member before its maker does.
func TestBirthByFact(t *testing.T) {
	for _, f := range []Fact{
		{Event: contract.Fork}, {Event: contract.Exit}, {Event: contract.Signal, Sender: Sender{Kind: contract.FromProcess, CT: 99}}, {Event: contract.Left},
	} {
		w := newWorld(t, Config{})
		fh := w.template(maker, alice, "informative fork,exit,signal")
		id := w.activate(fh, maker, alice, 0)
		b := w.open(OpenBundle, maker, alice)
		w.empty(id) // nobody was there yet: not an event
		w.fact(id, Fact{Event: contract.Lost, Count: 3})
		w.reads(b)
		w.fact(id, f)
		w.is(id, "owned")
		if lines := w.read(b); len(lines) != 1 {
			t.Errorf("%v: told %q", f.Event, lines)
		}
		if r := w.ok(Op{Kind: Born, FH: fh, Proc: maker}); r.CT != id {
			t.Errorf("born as %d, want %d", r.CT, id)
		}
		w.empty(id)
		w.reads(b, "1 4 crit noack process empty pid=500")
		w.restart()
	}
}

func TestCancelledBirth(t *testing.T) {
	for name, cancel := range map[string]func(*world, uint64){
		"clear": func(w *world, fh uint64) { w.ok(Op{Kind: Cancel, FH: fh}) },
		"close": func(w *world, fh uint64) { w.ok(Op{Kind: Close, FH: fh}) },
		"death": func(w *world, _ uint64) { w.ok(Op{Kind: OwnerExit, Proc: maker}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			fh := w.template(maker, alice, "")
			id := w.activate(fh, maker, alice, 0)
			w.want(unix.EINVAL, Op{Kind: Removed, CT: id})
			cancel(w, fh)
			w.restart()
			if gone := w.tab.Work().Gone; len(gone) != 1 || gone[0] != id {
				t.Fatalf("the directories of %v go, want %d", gone, id)
			}
			w.ok(Op{Kind: Removed, CT: id})
			w.want(unix.ESRCH, Op{Kind: Removed, CT: id})
			if len(w.tab.contracts) != 0 || len(w.tab.Owners()) != 0 {
				t.Errorf("%d contracts and owners %v are left", len(w.tab.contracts), w.tab.Owners())
			}
		})
	}
}

// TestLateBirth: a member was born just before the birth was cancelled.
func TestLateBirth(t *testing.T) {
	w := newWorld(t, Config{})
	fh := w.template(maker, alice, "informative fork")
	id := w.activate(fh, maker, alice, 0)
	w.ok(Op{Kind: Close, FH: fh})
	w.tab.Work()
	pb := w.open(OpenPBundle, maker, alice)
	w.fact(id, Fact{Event: contract.Fork, Parent: maker})
	w.is(id, "owned") // by who activated it
	w.reads(pb, "1 1 info noack process fork pid=500 ppid=100")
	if _, _, owner, _, _ := w.tab.Status(id); owner != maker {
		t.Errorf("owner is %+v", owner)
	}
	if gone := w.tab.Work().Gone; len(gone) != 0 {
		t.Errorf("the directories of %v go", gone)
	}
	w.restart()
}

func TestLateBirthOfADeadMaker(t *testing.T) {
	for params, want := range map[string]string{"none": "orphan", "noorphan": "orphan", "inherit": "inherited"} {
		w := newWorld(t, Config{})
		regent := w.contract(third, root, 0, "params regent")
		fh := w.template(maker, alice, "params "+params)
		id := w.activate(fh, maker, alice, regent)
		w.ok(Op{Kind: OwnerExit, Proc: maker})
		w.restart()
		w.fact(id, Fact{Event: contract.Fork})
		w.is(id, want)
		if kills := len(w.tab.Work().Kill); kills != 0 != (params == "noorphan") {
			t.Errorf("%s: %d kills", params, kills)
		}
		w.restart()
	}
}

// TestBirthByAnother: the template went to another process, which gave birth.
func TestBirthByAnother(t *testing.T) {
	w := newWorld(t, Config{})
	fh := w.template(maker, alice, "")
	id := w.activate(fh, maker, alice, 0)
	w.ok(Op{Kind: Born, FH: fh, Proc: other})
	if _, _, owner, _, _ := w.tab.Status(id); owner != other {
		t.Errorf("owner is %+v", owner)
	}
	if latest, ok := w.tab.Latest(other); !ok || latest != id {
		t.Error("it is not the latest of who gave birth")
	}
	if got := w.tab.Owners(); len(got) != 1 || got[0] != other {
		t.Errorf("owners are %v", got)
	}
	w.restart()
}

func TestService(t *testing.T) {
	w := newWorld(t, Config{})
	service := func(id contract.ID, fmri string, by contract.ID) {
		t.Helper()
		st, _, _, _, _ := w.tab.Status(id)
		if st.Terms.FMRI != fmri || st.FMRICT != by || st.Creator != "maker" {
			t.Errorf("contract %d is of %q by %d, made by %q; want %q by %d", id, st.Terms.FMRI, st.FMRICT, st.Creator, fmri, by)
		}
	}
	top := w.contract(maker, root, 0, "")
	service(top, "", 0)
	own := w.contract(maker, root, top, "svc_fmri svc:/a")
	service(own, "svc:/a", own)
	child := w.contract(other, alice, own, "")
	service(child, "svc:/a", own)
	service(w.contract(other, alice, child, ""), "svc:/a", own)
	service(w.contract(other, alice, 99, ""), "", 0)
	w.restart()
}
