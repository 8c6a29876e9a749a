package table

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// world is a table with a supervisor's habits: numbers that grow, and after each Op a look at
// what must hold. Every some Ops the table is encoded and taken up again.
type world struct {
	t     *testing.T
	tab   *Table
	now   int64
	fh    uint64
	ct    contract.ID
	ev    contract.EventID
	log   []*Op
	start []byte
}

// Users and processes of the tests.
var (
	root  = Cred{UID: 100000, Privileged: true}
	alice = Cred{UID: 100010}
	bob   = Cred{UID: 100020}

	maker  = Proc{Pid: 1100, Start: 7, ZPid: 100}
	other  = Proc{Pid: 1200, Start: 8, ZPid: 200}
	third  = Proc{Pid: 1300, Start: 9, ZPid: 300}
	member = Proc{Pid: 1500, Start: 20, ZPid: 500}
)

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	cfg.Zone, cfg.ZoneID = "web", 4
	if cfg.UIDCount == 0 {
		cfg.UIDBase, cfg.UIDCount = 100000, 65536
	}
	tab := New(cfg)
	return &world{t: t, tab: tab, now: 1_000_000_000, start: tab.Encode()}
}

// apply lets op happen, keeps it, and looks whether the table is sound.
func (w *world) apply(op Op) Result {
	w.t.Helper()
	w.now += 1_000_000
	op.Now = w.now
	w.log = append(w.log, &op)
	r := w.tab.Apply(&op)
	if err := w.tab.check(); err != nil {
		w.t.Fatalf("after %+v: %v", op, err)
	}
	return r
}

// want applies op and compares its errno.
func (w *world) want(errno unix.Errno, op Op) Result {
	w.t.Helper()
	r := w.apply(op)
	if r.Errno != errno {
		w.t.Fatalf("%+v: errno %d (%v), want %d (%v)", op, int(r.Errno), r.Errno, int(errno), errno)
	}
	return r
}

func (w *world) ok(op Op) Result {
	w.t.Helper()
	return w.want(0, op)
}

// restart takes the table up again, and sees whether it is the same, both from its encoding
// and from the beginning by its log.
func (w *world) restart() {
	w.t.Helper()
	b := w.tab.Encode()
	tab, err := Decode(b)
	if err != nil {
		w.t.Fatalf("taking up the table: %v", err)
	}
	if !bytes.Equal(tab.Encode(), b) {
		w.t.Fatal("a table that was taken up is not the same")
	}
	again, err := Decode(w.start)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, op := range w.log {
		op, err := DecodeOp(op.Encode())
		if err != nil {
			w.t.Fatal(err)
		}
		again.Apply(op)
	}
	if !bytes.Equal(again.Encode(), b) {
		w.t.Fatal("the log does not lead to the same table")
	}
	w.tab = tab
}

func (w *world) open(kind Kind, p Proc, cred Cred) uint64 {
	w.t.Helper()
	w.fh++
	w.ok(Op{Kind: kind, FH: w.fh, Proc: p, Cred: cred})
	return w.fh
}

func (w *world) openContract(id contract.ID, cred Cred) uint64 {
	w.t.Helper()
	w.fh++
	w.ok(Op{Kind: OpenContract, FH: w.fh, CT: id, Cred: cred})
	return w.fh
}

// template opens a template with terms set.
func (w *world) template(p Proc, cred Cred, terms string) uint64 {
	w.t.Helper()
	fh := w.open(OpenTemplate, p, cred)
	if terms != "" {
		w.ok(Op{Kind: Set, FH: fh, Proc: p, Cred: cred, Text: []byte(terms)})
	}
	return fh
}

// activate makes a nascent contract.
func (w *world) activate(fh uint64, p Proc, cred Cred, home contract.ID) contract.ID {
	w.t.Helper()
	w.ct++
	w.ok(Op{Kind: Activate, FH: fh, CT: w.ct, Proc: p, Cred: cred, ProcCT: home, Comm: "maker"})
	return w.ct
}

// contract is a contract of p's with a member, made by way of a template.
func (w *world) contract(p Proc, cred Cred, home contract.ID, terms string) contract.ID {
	w.t.Helper()
	fh := w.template(p, cred, terms)
	id := w.activate(fh, p, cred, home)
	w.ok(Op{Kind: Born, FH: fh, Proc: p, ProcCT: home})
	w.ok(Op{Kind: Close, FH: fh})
	return id
}

// fact tells one of a member.
func (w *world) fact(id contract.ID, f Fact) contract.EventID {
	w.t.Helper()
	w.ev++
	if f.Member == (Proc{}) {
		f.Member = member
	}
	w.ok(Op{Kind: Happened, CT: id, EV: w.ev, Fact: f})
	return w.ev
}

func (w *world) empty(id contract.ID) contract.EventID {
	w.t.Helper()
	return w.fact(id, Fact{Event: contract.Empty})
}

// read gives the lines that a handle has, without their times.
func (w *world) read(fh uint64) []string {
	w.t.Helper()
	r := w.apply(Op{Kind: Read, FH: fh, Max: 1 << 20})
	switch {
	case r.Errno == unix.EAGAIN:
		return nil
	case r.Errno != 0:
		return []string{r.Errno.Error()}
	case len(r.Data) == 0:
		return []string{"EOF"}
	}
	var lines []string
	for line := range strings.Lines(string(r.Data)) {
		line, _, _ = strings.Cut(line, " time=")
		lines = append(lines, line)
	}
	return lines
}

func (w *world) reads(fh uint64, want ...string) {
	w.t.Helper()
	got := w.read(fh)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Fatalf("handle %d reads\n%s\nwant\n%s", fh, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) state(id contract.ID) string {
	st, _, _, _, ok := w.tab.Status(id)
	if !ok {
		return "gone"
	}
	return [...]string{"nascent", "owned", "inherited", "orphan", "dead"}[st.State]
}

func (w *world) is(id contract.ID, want string) {
	w.t.Helper()
	if got := w.state(id); got != want {
		w.t.Fatalf("contract %d is %s, want %s", id, got, want)
	}
}
