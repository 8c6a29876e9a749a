package server

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// made is what a client says of one contract that it made: the processes in it, and how each
// ended. It is the workload's own log, to hold the events against.
type made struct {
	ct    contract.ID
	exits map[int32]uint32 // wait status by number in the zone
}

// parseMade reads the words of the client "birth": made CT, then PID CODE for each process.
func parseMade(line string) (m made, ok bool) {
	words := strings.Fields(line)
	if len(words) < 4 || words[0] != "made" || len(words)%2 != 0 {
		return m, false
	}
	n, err := strconv.ParseUint(words[1], 10, 32)
	if err != nil {
		return m, false
	}
	m = made{ct: contract.ID(n), exits: map[int32]uint32{}}
	for i := 2; i < len(words); i += 2 {
		pid, err1 := strconv.Atoi(words[i])
		code, err2 := strconv.Atoi(words[i+1])
		if err1 != nil || err2 != nil {
			return m, false
		}
		m.exits[int32(pid)] = uint32(code) << 8
	}
	return m, true
}

// judge holds the events of one contract against what its maker says: each birth and each end
// once, the last of all the contract's emptiness, numbers that grow.
func judge(m made, events []contract.Event) (wrong []string) {
	forks, exits, empties := map[int32]int{}, map[int32]int{}, 0
	var last contract.EventID
	for i, e := range events {
		if e.ID <= last {
			wrong = append(wrong, fmt.Sprintf("event %d comes after %d", e.ID, last))
		}
		last = e.ID
		switch e.Kind {
		case contract.Fork:
			forks[e.Pid]++
		case contract.Exit:
			exits[e.Pid]++
			if want, known := m.exits[e.Pid]; known && e.Status != want {
				wrong = append(wrong, fmt.Sprintf("process %d ended with %#x, and is said to have ended with %#x", e.Pid, want, e.Status))
			}
		case contract.Empty:
			if empties++; i != len(events)-1 {
				wrong = append(wrong, "something comes after EMPTY")
			}
		default:
			wrong = append(wrong, fmt.Sprintf("an event of kind %#x", e.Kind))
		}
	}
	for pid := range m.exits {
		if forks[pid] != 1 || exits[pid] != 1 {
			wrong = append(wrong, fmt.Sprintf("process %d was born %d times and ended %d times", pid, forks[pid], exits[pid]))
		}
	}
	if len(forks) != len(m.exits) || empties != 1 {
		wrong = append(wrong, fmt.Sprintf("%d births of %d, %d times empty", len(forks), len(m.exits), empties))
	}
	return wrong
}

// judgePoor is judge where the source of events is one that is deaf while no server lives: what
// happened then may be missing, and is told to be if it is; nothing may be told twice.
func judgePoor(m made, events []contract.Event) (wrong []string) {
	forks, exits, empties, lost := map[int32]int{}, map[int32]int{}, 0, false
	var last contract.EventID
	for _, e := range events {
		if e.ID <= last {
			wrong = append(wrong, fmt.Sprintf("event %d comes after %d", e.ID, last))
		}
		last = e.ID
		switch e.Kind {
		case contract.Fork:
			forks[e.Pid]++
		case contract.Exit:
			exits[e.Pid]++
		case contract.Empty:
			empties++
		case contract.Lost:
			lost = true
		}
	}
	born, ended := 0, 0 // 0 stands for those that were gone before their number was known
	for pid, n := range forks {
		born += n
		if pid != 0 && n > 1 {
			wrong = append(wrong, fmt.Sprintf("process %d was born %d times", pid, n))
		}
	}
	for pid, n := range exits {
		ended += n
		if pid != 0 && n > 1 {
			wrong = append(wrong, fmt.Sprintf("process %d ended %d times", pid, n))
		}
	}
	if all := len(m.exits); born > all || ended > all || !lost && (born < all || ended < all) {
		wrong = append(wrong, fmt.Sprintf("%d births and %d ends of %d, loss told: %v", born, ended, all, lost))
	}
	if empties != 1 {
		wrong = append(wrong, fmt.Sprintf("%d times empty", empties))
	}
	return wrong
}

// ledger is all that was made and all that was told.
type ledger struct {
	mu     sync.Mutex
	made   map[contract.ID]made
	events map[contract.ID][]contract.Event
	wrong  []string
	poor   bool // judged by judgePoor
}

func newLedger() *ledger {
	return &ledger{made: map[contract.ID]made{}, events: map[contract.ID][]contract.Event{}}
}

func (l *ledger) blame(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// tell takes one line of a reader.
func (l *ledger) tell(line string) {
	e, err := contract.ParseEvent(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.wrong = append(l.wrong, fmt.Sprintf("the reader gave %q: %v", line, err))
		return
	}
	if e.Kind == contract.Lost && !l.poor {
		l.wrong = append(l.wrong, "the reader was told: "+line)
	}
	l.events[e.CT] = append(l.events[e.CT], e)
}

// take takes one line of a client that makes contracts.
func (l *ledger) take(line string) {
	m, ok := parseMade(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch _, twice := l.made[m.ct]; {
	case !ok:
		l.wrong = append(l.wrong, "a client said: "+line)
	case twice:
		l.wrong = append(l.wrong, fmt.Sprintf("two contracts have number %d", m.ct))
	default:
		l.made[m.ct] = m
	}
}

// open are the contracts that were made and of which the end was not told.
func (l *ledger) open() (ids []contract.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.made {
		list := l.events[id]
		if !slices.ContainsFunc(list, func(e contract.Event) bool { return e.Kind == contract.Empty }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made)
}

// verdict says all that is wrong.
func (l *ledger) verdict(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wrong {
		t.Error(w)
	}
	for id, m := range l.made {
		judged := judge
		if l.poor {
			judged = judgePoor
		}
		wrong := judged(m, l.events[id])
		for _, w := range wrong {
			t.Errorf("contract %d: %s", id, w)
		}
		if len(wrong) > 0 {
			t.Logf("contract %d was %v; told was:\n%s", id, m.exits, describe(l.events[id]))
		}
	}
}

// describe is events for a person.
func describe(events []contract.Event) string {
	var b []byte
	for i := range events {
		b = append(b, events[i].Time.Format("05.000000 ")...)
		b = contract.AppendEvent(b, &events[i], false)
	}
	return string(b)
}

// crowd is a zone at work: clients that make contracts, readers of every kind.
type crowd struct {
	r       *rig
	bundle  *ledger // what a client that waits in read was told
	polled  *ledger // what a client that polls was told
	makers  []*follower
	stop    string // a file whose presence ends the makers
	readers sync.WaitGroup

	mu    sync.Mutex
	owned []*ledger // what owners read of their own contracts
}

// newCrowd starts a workload.
func (r *rig) newCrowd(makers int) *crowd {
	c := &crowd{r: r, bundle: newLedger(), polled: newLedger(), stop: r.dir + "/stop"}
	c.bundle.poor, c.polled.poor = r.bpf == nil, r.bpf == nil
	init := strconv.Itoa(int(r.initDir.CT)) + " "
	for ledger, role := range map[*ledger]string{c.bundle: "read", c.polled: "poll"} {
		reader := r.following(r.client(0, role, "bundle"))
		reader.until("ready")
		go func() {
			for line := range reader.lines {
				if !strings.HasPrefix(line, init) {
					ledger.tell(line)
				}
			}
		}()
	}
	for i := range makers {
		c.work(0, "birth", c.stop, strconv.Itoa(i))
		c.work([]int{0, 1001}[i%2], "owner", c.stop, strconv.Itoa(50+i))
	}
	c.work(1002, "look", c.stop)
	return c
}

// work starts a client that makes contracts, or only looks at them.
func (c *crowd) work(uid int, role string, args ...string) {
	f := c.r.following(c.r.client(uid, role, args...))
	c.makers = append(c.makers, f)
	c.readers.Go(func() {
		own := newLedger()
		own.poor = c.bundle.poor
		for line := range f.lines {
			if event, ok := strings.CutPrefix(line, "own "); ok {
				own.tell(event)
				continue
			}
			for _, l := range []*ledger{c.bundle, c.polled, own} {
				l.take(line)
			}
		}
		if role == "owner" {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.owned = append(c.owned, own)
		}
	})
}

// finish ends the makers and waits until all they made was told, then judges.
func (c *crowd) finish() {
	t := c.r.t
	t.Helper()
	check(t, os.WriteFile(c.stop, nil, 0o644))
	ended := make(chan struct{})
	go func() {
		c.readers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(testenv.Deadline(60 * time.Second)):
		t.Fatal("a client does not end")
	}
	for name, l := range map[string]*ledger{"read": c.bundle, "poll": c.polled} {
		end := time.Now().Add(testenv.Deadline(20 * time.Second))
		for len(l.open()) > 0 && time.Now().Before(end) {
			time.Sleep(10 * time.Millisecond)
		}
		if open := l.open(); len(open) > 0 {
			t.Errorf("%s was not told of the end of %d", name, open)
			for _, e := range l.events[open[0]] {
				t.Logf("%+v", e)
			}
		}
		l.verdict(t)
	}
	for _, own := range c.owned {
		own.verdict(t)
	}
	for _, m := range c.makers {
		if code := m.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("a client ended with %d", code)
		}
	}
	t.Logf("%d contracts", c.bundle.count())
}

// crashPoints are the names of all crash points that a crowd makes a server pass. That of an
// owner that dies with its contract is in TestOwnersEndWithTheirContract, that of losses in
// TestLostWhileDead.
var crashPoints = []string{"journal", "applied", "answered", "parked", "made", "window", "removed"}

// The server is killed at each crash point in turn, the points counted from its start, and at
// each name in turn, while contracts are made and read of. Nobody notices: no event is lost or
// told twice, no request fails, no number is given twice. Its successor is killed too, while it
// takes over.
func TestKilledAtEveryPoint(t *testing.T) {
	r, c := startChild(t, withBPF)
	crowd := r.newCrowd(2)
	c.kill()
	last, rounds := 150, 6
	if testing.Short() {
		last, rounds = testenv.Rounds(40, 12), 1
	}
	died := map[string]int{}
	die := func(name string, nth int) {
		c = r.spawnFor(name, nth)
		select {
		case <-c.ended:
		case <-time.After(testenv.Deadline(60 * time.Second)):
			t.Fatalf("the server never came to crash point %d %s", nth, name)
		}
		died[c.died()]++
	}
	for n := 1; n <= last; n++ {
		die("", n)
		die("", 1+n%9)
	}
	for n := range rounds {
		for _, name := range crashPoints {
			die(name, 1+n%3)
			die("", 1+n)
		}
	}
	c = r.spawn(0)
	crowd.finish()
	t.Logf("died at %v", died)
	for _, name := range crashPoints {
		if died[name] < rounds {
			t.Errorf("the server was killed at %q %d times, want %d at least", name, died[name], rounds)
		}
	}
	if died[""] > 0 {
		t.Errorf("a server ended %d times at no crash point", died[""])
	}
}

// The server is killed at random moments.
func TestKilledAtRandom(t *testing.T) {
	r, c := startChild(t, withBPF)
	crowd := r.newCrowd(2)
	kills := 100
	if testing.Short() {
		kills = testenv.Rounds(20, 8)
	}
	for i := range kills {
		wait := time.Duration(i*i*7919%40000) * time.Microsecond
		select {
		case <-c.ended:
			t.Fatalf("the server ended by itself, before it was killed the %dth time", i)
		case <-time.After(testenv.Deadline(wait)):
		}
		c.kill()
		c = r.spawn(0)
	}
	crowd.finish()
}

// With a source that hears nothing while no server lives, what is missing is told to be, and
// every contract's end is told once all the same.
func TestKilledWithPoorSource(t *testing.T) {
	r, c := startChild(t)
	crowd := r.newCrowd(2)
	kills := 40
	if testing.Short() {
		kills = testenv.Rounds(10, 5)
	}
	for i := range kills {
		select {
		case <-c.ended:
			t.Fatalf("the server ended by itself, before it was killed the %dth time", i)
		case <-time.After(time.Duration(20+i*37%60) * time.Millisecond):
		}
		c.kill()
		c = r.spawn(0)
	}
	crowd.finish()
}
