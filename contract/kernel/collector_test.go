package kernel

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

// Who killed whom: a member of the same contract, of another one, the host.
func TestSenders(t *testing.T) {
	r := collecting(t)
	a, b := r.make(5, contract.AllEvents), r.make(6, contract.AllEvents)
	victim := func() (int, table.Proc) {
		cmd := born(t, a.Born, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: zoneUID + 5, Gid: zoneUID + 5}}, "/bin/sleep", "1000")
		return cmd.Process.Pid, procOf(t, cmd.Process.Pid)
	}
	signalled := func(p table.Proc) Report {
		return r.await("the signal", func(rep Report) bool { return rep.Fact.Event == contract.Signal && rep.Fact.Member == p })
	}
	pid, p := victim()
	killer := born(t, b.Born, nil, "/bin/sh", "-c", "kill -TERM "+strconv.Itoa(pid)+"; sleep 1000")
	f := signalled(p).Fact
	want := table.Sender{Kind: contract.FromProcess, Proc: procOf(t, killer.Process.Pid), CT: 6, Comm: "sh", Zone: "other"}
	if f.Sender != want || f.Sig != int32(unix.SIGTERM) || f.Status != uint32(unix.SIGTERM) {
		t.Errorf("from a neighbour: %+v, not %+v", f, want)
	}
	pid, p = victim()
	born(t, r.root+"/admin", nil, "/bin/sh", "-c", "kill -KILL "+strconv.Itoa(pid))
	if f := signalled(p).Fact; f.Sender.Kind != contract.FromProcess || f.Sender.CT != 0 {
		t.Errorf("from no contract: %+v", f)
	}
	pid, p = victim()
	check(t, unix.Kill(pid, unix.SIGKILL))
	r2 := signalled(p)
	f = r2.Fact
	if !f.Sender.Outside || f.Sender.Zone != "global" || f.Sender.Proc.Pid != int32(os.Getpid()) {
		t.Errorf("from the host: %+v", f)
	}
	if age := time.Since(time.Unix(0, r2.Time)); age < 0 || age > testenv.Deadline(20*time.Second) {
		t.Errorf("it happened %v ago", age)
	}
	// One of its own doing, and a fatal event's source as it was seen.
	before := len(r.got)
	own := born(t, a.Born, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: zoneUID + 5, Gid: zoneUID + 5}}, "/bin/sh", "-c", "ulimit -c 0; kill -SEGV $$")
	core := r.await("the core", func(rep Report) bool { return rep.Fact.Event == contract.Core })
	if f := core.Fact; f.Member.Pid != int32(own.Process.Pid) || f.Sig != int32(unix.SIGSEGV) || f.Core {
		t.Errorf("%+v", f)
	}
	if f := core.Fact; f.HasCred && f.Cred.UID != zoneUID+5 {
		t.Errorf("the source is %+v", f.Cred)
	}
	for _, rep := range r.got[before:] {
		if rep.Fact.Event == contract.Signal {
			t.Errorf("a signal of the contract's own is told: %+v", rep.Fact)
		}
	}
}

// A member that is moved out from outside is killed and told of; one that is moved on purpose
// is not.
func TestLeft(t *testing.T) {
	r := collecting(t)
	z := newZone(t, r)
	check(t, r.z.Watch(1, contract.AllEvents, 0))
	d := r.make(5, contract.AllEvents)
	gone := born(t, d.Born, nil, "/bin/sleep", "1000")
	p := procOf(t, gone.Process.Pid)
	deeper := born(t, d.Born, nil, "/bin/sleep", "1000")
	check(t, cgroup2.Make(d.Born+"/below"))
	check(t, cgroup2.Enter(d.Born+"/below", deeper.Process.Pid))
	// This process is no supervisor to the collector.
	check(t, cgroup2.Enter(r.root+"/admin", gone.Process.Pid))
	left := r.await("the move", func(rep Report) bool { return rep.Fact.Event == contract.Left })
	if left.CT != 5 || left.Fact.Member != p {
		t.Errorf("told was %+v", left)
	}
	testenv.Eventually(t, func() bool { return !alive(p) }, "the one who left to be killed")

	child := z.ask(order{Do: "spawn", Argv: []string{"/bin/sleep", "1000"}})
	gate := z.host(r, 1, child.Pid)
	r.make(6, contract.AllEvents)
	r.z.Move(6, z.caller(r), gate)
	check(t, r.await("the gate to be moved", func(rep Report) bool { return rep.What == Moved }).Err)
	r.await("the gate's birth in the contract", func(rep Report) bool {
		return rep.CT == 6 && rep.Fact.Event == contract.Fork && rep.Fact.Member == gate
	})
	r.settled()
	if !alive(gate) || r.count(1, contract.Left) != 0 {
		t.Errorf("the gate was taken for one who walks out; told was %+v", r.got)
	}
	if len(r.z.moving) != 0 {
		t.Errorf("%d moves are waited for", len(r.z.moving))
	}
	if !alive(procOf(t, deeper.Process.Pid)) {
		t.Error("a member in a directory below was taken for one who walks out")
	}
}

// While windows open and close as fast as they can nobody gets away with a move: who is alive
// after it lives where it was born.
func TestNobodyGetsAway(t *testing.T) {
	r := collecting(t)
	z := newZone(t, r)
	check(t, r.z.Watch(1, 0, 0))
	numbers := pool(t, r, z, 5, 120)
	var born []table.Proc
	for _, pid := range pidsIn(t, r.root+"/ct/5") {
		born = append(born, procOf(t, pid))
	}
	z.ask(order{Do: "attack", Text: numbers, Many: []string{"/ct", "/ct/6/d", "/ct/7/d", "/ct/1/d", "/"}})
	windows := 0
	for _, id := range []contract.ID{6, 7, 8} {
		r.make(id, 0)
	}
	caller := z.caller(r)
	moved := func() bool { return slices.ContainsFunc(born, func(p table.Proc) bool { return !alive(p) }) }
	// On a busy machine hardly anybody meets a window for a long time.
	most := time.Now().Add(testenv.Deadline(20 * time.Second))
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) || time.Now().Before(most) && !moved(); windows++ {
		id := contract.ID(6 + windows%3)
		if _, err := r.z.OpenWindow(id, caller); err == nil {
			_, _ = unix.Poll(nil, 1)
			_, err = r.z.CloseWindow()
			check(t, err)
		}
		r.pump()
		if p := r.z.tree.places[id]; p.watch.populated {
			k := killOf(id)
			r.z.Kill(k)
			r.awaitKilled(k)
			r.got = nil
			check(t, r.z.Remove(id))
			r.make(id, 0)
		}
	}
	a := z.ask(order{Do: "attacked"})
	r.settled()
	left, where := 0, ""
	testenv.Eventually(t, func() bool { // who was moved at the very end may take a while to die
		r.pump()
		left = 0
		away := false
		for _, p := range born {
			if at := r.placeName(p.Pid); !alive(p) {
				left++
			} else if at != "ct/5/d" {
				away = true
				where = fmt.Sprintf("%d lives in %s", p.Pid, at)
			}
		}
		return !away
	}, "nobody to have got away")
	t.Logf("%d windows, %d tries, won %s; %d of %d were moved and killed; the last to die: %s", windows, a.N, a.Text, left, len(born), where)
	if left == 0 {
		t.Error("nobody was moved: the attack does not work")
	}
}

// A ring that is full tells of it, and emptiness is told all the same.
func TestRingOverrun(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Close())
	r.z = nil
	c, big, id := collect(t, r.root)
	big.Close()
	ring, err := collector.NewRing(4096)
	check(t, err)
	check(t, c.AddZone(id, ring))
	end, err := NewCollector(c, ring, id, nil)
	check(t, err)
	r.open(Config{Collector: end})
	d := r.make(5, contract.AllEvents)
	log := workload(t, d.Born, 100) // nobody reads meanwhile
	r.awaitEmpty(5)
	r.settled()
	var lost uint64
	for _, rep := range r.got {
		if rep.Fact.Event == contract.Lost {
			lost += rep.Fact.Count
		}
	}
	told := r.count(5, contract.Fork) + r.count(5, contract.Exit) + r.count(5, contract.Core) + r.count(5, contract.Empty)
	t.Logf("%d told, %d lost, of %d processes", told, lost, len(log.exits))
	if lost == 0 || lost != r.z.Lost() || r.count(5, contract.Empty) != 1 {
		t.Errorf("told %d, lost %d and %d, empty %d times", told, lost, r.z.Lost(), r.count(5, contract.Empty))
	}
}

// What was lost before is not told again by the next supervisor, and what was not kept is; a
// ring that does not go on from where it was kept is told of.
func TestLostOnResume(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Close())
	r.z = nil
	c, ring, id := collect(t, r.root)
	ring.Close()
	ring, err := collector.NewRing(4096)
	check(t, err)
	defer ring.Close()
	check(t, c.AddZone(id, ring))
	next := func(c *collector.Collector, config Config) {
		end, err := NewCollector(c, must(ring.Dup()), id, nil)
		check(t, err)
		config.Collector = end
		r.got = nil
		r.open(config)
		check(t, r.z.Watch(5, contract.AllEvents, 0))
		check(t, r.z.Resync([]contract.ID{5}))
	}
	again := func() *collector.Collector {
		check(t, r.z.Close())
		c, err := collector.Open(bpfDirs[r.root])
		check(t, err)
		return c
	}
	r.open(Config{Off: SourceBPF | SourceConnector})
	d, err := r.z.Make(5)
	check(t, err)
	check(t, r.z.Close())
	next(c, Config{})
	stays := born(t, d.Born, nil, "/bin/sleep", "1000")
	_ = stays
	workload(t, d.Born, 100)
	r.settled()
	lost := func() (n uint64) {
		for _, p := range r.got {
			if p.Fact.Event == contract.Lost {
				n += p.Fact.Count
			}
		}
		return n
	}
	all := lost()
	if all == 0 {
		t.Fatal("nothing was lost")
	}
	var kept Position
	for _, p := range r.got {
		kept = max(kept, p.At)
	}
	for _, c := range []struct {
		config Config
		lost   uint64
		told   int
	}{
		{Config{}, 0, 0},
		{Config{Lost: func(contract.ID) uint64 { return all }}, 0, 0},
		{Config{Lost: func(contract.ID) uint64 { return all - 7 }}, 7, 1},
		{Config{Kept: 1 << 40}, 0, 1},
	} {
		c.config.Kept += kept
		next(again(), c.config)
		born(t, d.Born, nil, "/bin/true") // a record, so that it is looked
		r.settled()
		if lost() != c.lost || r.count(5, contract.Lost) != c.told {
			t.Errorf("%+v: %d were told as lost, in %d reports", c.config, lost(), r.count(5, contract.Lost))
		}
		for _, p := range r.got {
			kept = max(kept, p.At)
		}
	}
}

// Records of which nobody is told do not keep the ring readable.
func TestSkippedRecords(t *testing.T) {
	r := collecting(t)
	d := r.make(5, 0)
	first := born(t, d.Born, nil, "/bin/sleep", "1000")
	r.settled()
	r.z.adopt = true
	_ = born(t, d.Born, nil, "/bin/true").Wait()
	r.settled()
	fds := []unix.PollFd{{Fd: int32(r.z.FD()), Events: unix.POLLIN}}
	// It may be readable for nothing once more, but not for ever.
	testenv.Eventually(t, func() bool {
		r.pump()
		n, _ := unix.Poll(fds, 50)
		return n == 0
	}, "nothing to be readable any more")
	_ = first
}
