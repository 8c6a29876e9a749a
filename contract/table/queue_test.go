package table

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// Lines of events as the tests' table writes them, of contract 1.
func exitLine(n int) string { return fmt.Sprintf("1 %d info noack process exit pid=500 status=0", n) }
func critLine(n int) string { return fmt.Sprintf("1 %d crit noack process exit pid=500 status=0", n) }
func ackLine(n int) string  { return fmt.Sprintf("1 %d crit ack process exit pid=500 status=0", n) }
func lostLine(ct, n int) string {
	return fmt.Sprintf("%d 0 info noack process lost count=%d", ct, n)
}

var exited = Fact{Event: contract.Exit}

func TestListenersBeginAtTheTail(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit")
	w.fact(id, exited)
	ev, b, pb := w.openContract(id, root), w.open(OpenBundle, other, root), w.open(OpenPBundle, maker, root)
	for _, fh := range []uint64{ev, b, pb} {
		w.reads(fh)
		w.ok(Op{Kind: Reset, FH: fh})
		w.reads(fh, critLine(1))
		w.reads(fh)
	}
	w.fact(id, exited)
	w.restart()
	for _, fh := range []uint64{ev, b, pb} {
		w.reads(fh, critLine(2))
		w.ok(Op{Kind: Reset, FH: fh})
		w.reads(fh, critLine(1), critLine(2))
	}
	// What was acknowledged is gone for who comes later.
	w.ok(Op{Kind: Ack, CT: id, EV: 1, Proc: maker})
	w.restart()
	for _, fh := range []uint64{ev, b, pb} {
		w.ok(Op{Kind: Reset, FH: fh})
		w.reads(fh, critLine(2))
	}
	w.reads(w.open(OpenPBundle, other, root))
}

func TestInformativeNeedsAListener(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "informative exit")
	w.fact(id, exited)
	if len(w.tab.contracts[id].eventIDs()) != 0 {
		t.Error("an event that nobody listens for is kept")
	}
	one, two := w.openContract(id, root), w.openContract(id, root)
	w.fact(id, exited)
	w.fact(id, exited)
	w.reads(one, exitLine(2), exitLine(3))
	w.ok(Op{Kind: Reset, FH: one})
	w.reads(one, exitLine(2), exitLine(3)) // the other has not read them
	w.restart()
	w.reads(two, exitLine(2), exitLine(3))
	w.ok(Op{Kind: Reset, FH: one})
	w.reads(one)
	if n := len(w.tab.contracts[id].eventIDs()); n != 0 {
		t.Errorf("%d events are kept for nobody", n)
	}
	w.fact(id, exited)
	w.ok(Op{Kind: Close, FH: one})
	w.reads(two, exitLine(4))
	w.fact(id, exited)
	w.ok(Op{Kind: Close, FH: two})
	if w.tab.contracts[id].queue != nil || w.tab.contracts[id].events != nil {
		t.Error("events are kept for nobody")
	}
}

func (c *ct) eventIDs() (ids []contract.EventID) {
	for e := c.events; e != nil; e = e.ctNext {
		ids = append(ids, e.id)
	}
	return ids
}

// TestAcknowledgedBehindAReader: who is on the way to an event sees it, acknowledged.
func TestAcknowledgedBehindAReader(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit")
	ev, late := w.openContract(id, root), w.openContract(id, root)
	for range 3 {
		w.fact(id, exited)
	}
	w.reads(late, critLine(1), critLine(2), critLine(3))
	w.ok(Op{Kind: Ack, CT: id, EV: 2, Proc: maker})
	w.restart()
	w.reads(ev, critLine(1), ackLine(2), critLine(3))
	w.ok(Op{Kind: Reset, FH: late})
	w.reads(late, critLine(1), critLine(3))
}

// TestAcknowledgedBehindAReset: as before, for one that was reset to before what the others
// have read.
func TestAcknowledgedBehindAReset(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit\ninformative fork")
	ev := w.openContract(id, root)
	for range 4 {
		w.fact(id, exited)
	}
	w.read(ev)
	w.ok(Op{Kind: Reset, FH: ev})
	w.ok(Op{Kind: Ack, CT: id, EV: 2, Proc: maker})
	w.ok(Op{Kind: Ack, CT: id, EV: 4, Proc: maker})
	w.fact(id, Fact{Event: contract.Fork})
	w.restart()
	w.reads(ev, critLine(1), ackLine(2), critLine(3), ackLine(4), "1 5 info noack process fork pid=500 ppid=0")
	w.ok(Op{Kind: Reset, FH: ev})
	w.restart()
	w.reads(ev, critLine(1), critLine(3))
	if n := len(w.tab.contracts[id].eventIDs()); n != 2 {
		t.Errorf("%d events are kept, want 2", n)
	}
}

func TestAckRules(t *testing.T) {
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent")
	id := w.contract(maker, root, home, "critical exit\ninformative fork\nparams inherit")
	twin := w.contract(maker, root, home, "critical exit")
	w.openContract(id, root) // so that informative ones are kept
	crit := w.fact(id, exited)
	info := w.fact(id, Fact{Event: contract.Fork})
	theirs := w.fact(twin, exited)
	for _, c := range []struct {
		what string
		op   Op
		ack  unix.Errno
		qack unix.Errno
		nack unix.Errno
	}{
		{"informative", Op{EV: info, Proc: maker}, unix.ESRCH, unix.ESRCH, unix.ESRCH},
		{"of another contract", Op{EV: theirs, Proc: maker}, unix.ESRCH, unix.ESRCH, unix.ESRCH},
		{"never there", Op{EV: 99, Proc: maker}, unix.ESRCH, unix.ESRCH, unix.ESRCH},
		{"by another", Op{EV: crit, Proc: other, ProcCT: home}, unix.EACCES, unix.EACCES, unix.EACCES},
		{"critical", Op{EV: crit, Proc: maker}, 0, unix.ERANGE, unix.ESRCH},
		{"acknowledged", Op{EV: crit, Proc: maker}, unix.ESRCH, unix.ESRCH, unix.ESRCH},
	} {
		for kind, errno := range map[Kind]unix.Errno{QAck: c.qack, NAck: c.nack} {
			op := c.op
			op.Kind, op.CT = kind, id
			w.want(errno, op)
		}
		op := c.op
		op.Kind, op.CT = Ack, id
		w.want(c.ack, op)
	}
	// Of an inherited contract the regent's members acknowledge.
	crit = w.fact(id, exited)
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	w.want(unix.EACCES, Op{Kind: Ack, CT: id, EV: crit, Proc: other, ProcCT: id})
	w.ok(Op{Kind: Ack, CT: id, EV: crit, Proc: other, ProcCT: home})
	w.restart()
}

// TestOrphansAcknowledge: nobody can acknowledge any more what an orphan did or does.
func TestOrphansAcknowledge(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit,empty")
	b, pb := w.open(OpenBundle, other, root), w.open(OpenPBundle, maker, root)
	w.fact(id, exited)
	w.fact(id, exited)
	if st, _, _, _, _ := w.tab.Status(id); st.Unacked != 2 {
		t.Errorf("%d events to acknowledge, want 2", st.Unacked)
	}
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	if st, _, _, _, _ := w.tab.Status(id); st.Unacked != 0 {
		t.Errorf("%d events to acknowledge, want 0", st.Unacked)
	}
	w.fact(id, exited)
	w.restart()
	w.reads(b, ackLine(1), ackLine(2), ackLine(3))
	w.reads(pb, ackLine(1)) // it stood there; the rest is not its process's any more
	w.want(unix.EACCES, Op{Kind: Ack, CT: id, EV: 3, Proc: maker})
	w.ok(Op{Kind: Reset, FH: b})
	w.reads(b)
	w.restart()
}

func TestReliable(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit,empty")
	b, pb := w.open(OpenBundle, third, root), w.open(OpenPBundle, maker, root)
	w.fact(id, exited)
	for _, fh := range []uint64{b, pb} {
		w.read(fh)
		w.ok(Op{Kind: Reliable, FH: fh, Cred: root})
		w.ok(Op{Kind: Reliable, FH: fh, Cred: root})
	}
	w.fact(id, exited)
	w.empty(id)
	w.ok(Op{Kind: Abandon, CT: id, Proc: maker})
	w.restart()
	for _, fh := range []uint64{b, pb} {
		w.reads(fh, ackLine(2), "1 3 crit ack process empty pid=500")
		w.ok(Op{Kind: Reset, FH: fh})
		w.reads(fh)
		w.ok(Op{Kind: Close, FH: fh})
	}
	w.restart()
}

func TestCriticalOnly(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "critical exit\ninformative fork")
	b := w.openContract(id, root)
	w.fact(id, Fact{Event: contract.Fork})
	w.ok(Op{Kind: CriticalOnly, FH: b})
	w.reads(b)
	w.fact(id, exited)
	w.fact(id, exited)
	w.fact(id, Fact{Event: contract.Fork})
	w.fact(id, exited)
	w.ok(Op{Kind: Ack, CT: id, EV: 2, Proc: maker}) // it stood there
	w.ok(Op{Kind: Ack, CT: id, EV: 3, Proc: maker})
	w.restart()
	w.reads(b, critLine(5))
	w.ok(Op{Kind: Reset, FH: b})
	w.ok(Op{Kind: Ack, CT: id, EV: 5, Proc: maker})
	if w.tab.Readable(b) {
		t.Error("there is nothing to read")
	}
	w.reads(b)
	w.restart()
}

func TestNext(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "informative exit")
	b := w.openContract(id, root)
	w.want(unix.EAGAIN, Op{Kind: Next, FH: b})
	for range 3 {
		w.fact(id, exited)
	}
	w.ok(Op{Kind: Next, FH: b})
	w.ok(Op{Kind: Read, FH: b, Max: 5})
	w.ok(Op{Kind: Next, FH: b}) // the rest of the line
	w.reads(b, exitLine(3))
	w.want(unix.EAGAIN, Op{Kind: Next, FH: b})
}

func TestPartialLines(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "informative exit")
	whole, pieces := w.openContract(id, root), w.openContract(id, root)
	for range 3 {
		w.fact(id, exited)
	}
	want := string(w.ok(Op{Kind: Read, FH: whole, Max: 4096}).Data)
	line := len(want) / 3
	for size := uint32(1); size < uint32(3*line+10); size++ {
		got := ""
		w.ok(Op{Kind: Reset, FH: pieces})
		w.ok(Op{Kind: Reset, FH: whole}) // keeps the events
		for len(got) < len(want) {
			r := w.ok(Op{Kind: Read, FH: pieces, Max: size})
			if n := len(r.Data); n == 0 || n > int(size) {
				t.Fatalf("buffer of %d: a read gives %d", size, n)
			}
			got += string(r.Data)
			if size%7 == 0 {
				w.restart()
			}
			w.log = w.log[:0]
			w.start = w.tab.Encode()
		}
		if got != want {
			t.Fatalf("buffer of %d: read\n%s\nwant\n%s", size, got, want)
		}
	}
	w.ok(Op{Kind: Reset, FH: pieces})
	if r := w.ok(Op{Kind: Read, FH: pieces, Max: uint32(2*line + 5)}); len(r.Data) != 2*line {
		t.Errorf("a buffer of two lines and a bit is given %d bytes, want two lines, %d", len(r.Data), 2*line)
	}
	if r := w.ok(Op{Kind: Read, FH: pieces, Max: 0}); len(r.Data) != 0 {
		t.Error("a read of nothing gives something")
	}
	w.ok(Op{Kind: Read, FH: pieces, Max: 4})
	w.ok(Op{Kind: Reset, FH: pieces}) // the rest is forgotten
	if r := w.ok(Op{Kind: Read, FH: pieces, Max: 4096}); string(r.Data) != want {
		t.Errorf("after a reset in a line: %q", r.Data)
	}
}

func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t, Config{})
	home := w.contract(third, root, 0, "params regent\ninformative none\ncritical none")
	id := w.contract(maker, alice, home, "critical empty\ninformative exit\nparams inherit")
	w.want(unix.EACCES, Op{Kind: OpenContract, FH: 90, CT: id, Cred: bob})
	readers := map[string]uint64{"author": w.open(OpenBundle, other, alice), "root": w.open(OpenBundle, other, root), "stranger": w.open(OpenBundle, other, bob)}
	w.fact(id, exited)
	w.ok(Op{Kind: OwnerExit, Proc: maker})
	w.ok(Op{Kind: Adopt, CT: id, Proc: other, ProcCT: home, Cred: bob})
	w.fact(id, exited)
	w.restart()
	one, two := "2 1 info noack process exit pid=500 status=0", "2 2 info noack process exit pid=500 status=0"
	w.reads(readers["author"], one, two)
	w.reads(readers["root"], one, two)
	w.reads(readers["stranger"], two) // owner now
	w.ok(Op{Kind: OpenContract, FH: 90, CT: id, Cred: bob})
	w.ok(Op{Kind: Abandon, CT: id, Proc: other})
	w.want(unix.EACCES, Op{Kind: OpenContract, FH: 91, CT: id, Cred: bob})
	w.fact(id, exited)
	w.reads(readers["stranger"])
	w.restart()
}

// TestSlowReader loses its own, and is told how much; a fast one loses nothing, and what must
// be acknowledged is never lost.
func TestSlowReader(t *testing.T) {
	w := newWorld(t, Config{QueueMax: 4})
	id := w.contract(maker, root, 0, "informative exit\ncritical fork,empty")
	slow, fast, b := w.openContract(id, root), w.openContract(id, root), w.open(OpenBundle, other, root)
	w.fact(id, Fact{Event: contract.Fork})
	w.read(fast)
	for n := 2; n <= 11; n++ {
		w.fact(id, exited)
		w.reads(fast, exitLine(n))
		if n == 6 {
			w.restart()
		}
	}
	crit := "1 1 crit noack process fork pid=500 ppid=0"
	w.restart()
	w.reads(slow, lostLine(1, 6), crit, exitLine(8), exitLine(9), exitLine(10), exitLine(11))
	w.reads(b, lostLine(0, 6), crit, exitLine(8), exitLine(9), exitLine(10), exitLine(11))
	w.ok(Op{Kind: Reset, FH: slow})
	w.reads(slow, crit)
	w.fact(id, exited)
	w.reads(slow, exitLine(12))
	// A reader that stands at what is dropped stands at the next then.
	for range 6 {
		w.fact(id, exited)
	}
	w.restart()
	w.reads(slow, lostLine(1, 2), exitLine(15), exitLine(16), exitLine(17), exitLine(18))
}

// TestSlowReliableReader has its events kept where another one loses them, up to a limit of
// its own.
func TestSlowReliableReader(t *testing.T) {
	w := newWorld(t, Config{QueueMax: 4})
	id := w.contract(maker, root, 0, "informative exit")
	slow := w.openContract(id, root)
	w.ok(Op{Kind: Reliable, FH: slow, Cred: root})
	for range ReliableMax + 3 {
		w.ev++
		w.tab.Apply(&Op{Kind: Happened, CT: id, EV: w.ev, Fact: exited})
	}
	if w.tab.soft != ReliableMax {
		t.Errorf("%d events are kept, want %d", w.tab.soft, ReliableMax)
	}
	if r := w.apply(Op{Kind: Read, FH: slow, Max: 1 << 30}); !strings.HasPrefix(string(r.Data), "1 0 info noack process lost count=3 time=0.000000000\n1 4 info noack process exit ") {
		t.Errorf("it begins %.90q", r.Data)
	}
}

// TestSlowReaderOfAcknowledged: what was acknowledged is kept for a reader within the same
// limit.
func TestSlowReaderOfAcknowledged(t *testing.T) {
	w := newWorld(t, Config{QueueMax: 4})
	id := w.contract(maker, root, 0, "critical exit")
	slow := w.openContract(id, root)
	for n := range 10 {
		ev := w.fact(id, exited)
		if n >= 2 {
			w.ok(Op{Kind: Ack, CT: id, EV: ev, Proc: maker})
		}
	}
	w.restart()
	w.reads(slow, lostLine(1, 4), critLine(1), critLine(2), ackLine(7), ackLine(8), ackLine(9), ackLine(10))
	w.ok(Op{Kind: Reset, FH: slow})
	w.reads(slow, critLine(1), critLine(2))
}

func TestLimitOfAllEvents(t *testing.T) {
	w := newWorld(t, Config{QueueMax: 1 << 20})
	id := w.contract(maker, root, 0, "informative exit")
	slow := w.openContract(id, root)
	for range EventsMax + 100 {
		w.ev++
		w.tab.Apply(&Op{Kind: Happened, CT: id, EV: w.ev, Fact: exited})
	}
	if w.tab.soft != EventsMax {
		t.Errorf("%d events are kept, want %d", w.tab.soft, EventsMax)
	}
	if r := w.apply(Op{Kind: Read, FH: slow, Max: 1 << 30}); len(r.Data) > ReadBytesMax || !strings.HasPrefix(string(r.Data), lostLine(1, 100)) {
		t.Errorf("%d bytes, beginning %.60q", len(r.Data), r.Data)
	}
	w.ok(Op{Kind: Close, FH: slow})
	if w.tab.soft != 0 {
		t.Errorf("%d events are kept for nobody", w.tab.soft)
	}
}

func TestLostFact(t *testing.T) {
	w := newWorld(t, Config{})
	id := w.contract(maker, root, 0, "informative none\ncritical none")
	b := w.openContract(id, root)
	w.fact(id, Fact{Event: contract.Lost, Count: 7})
	w.fact(id, Fact{Event: contract.Left})
	w.reads(b, "1 1 info noack process lost count=7", "1 2 info noack process left pid=500")
	if st, _, _, _, _ := w.tab.Status(id); st.LostEvents != 7 || st.LastEvent.IsZero() {
		t.Errorf("lost %d, last event %v", st.LostEvents, st.LastEvent)
	}
	w.restart()
}

// TestQueuesAgree: the order of a contract's events is the same wherever they are read.
func TestQueuesAgree(t *testing.T) {
	w := newWorld(t, Config{})
	one := w.contract(maker, root, 0, "informative exit\ncritical fork")
	two := w.contract(maker, root, 0, "informative exit\ncritical fork")
	readers := []uint64{w.openContract(one, root), w.openContract(two, root), w.open(OpenBundle, other, root), w.open(OpenPBundle, maker, root)}
	for i := range 20 {
		w.fact(one+contract.ID(i%3%2), Fact{Event: []contract.Events{contract.Exit, contract.Fork}[i%5%2]})
	}
	of := map[string][]string{}
	for i, fh := range readers {
		for _, line := range w.read(fh) {
			ct, _, _ := strings.Cut(line, " ")
			of[fmt.Sprint(i, "/", ct)] = append(of[fmt.Sprint(i, "/", ct)], line)
		}
	}
	for _, c := range [][2]string{{"0/1", "2/1"}, {"1/2", "2/2"}, {"0/1", "3/1"}, {"1/2", "3/2"}} {
		if a, b := strings.Join(of[c[0]], "\n"), strings.Join(of[c[1]], "\n"); a != b || a == "" {
			t.Errorf("%v differ:\n%s\n\n%s", c, a, b)
		}
	}
}
