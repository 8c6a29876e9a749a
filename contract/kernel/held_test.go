package kernel

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// scripted is a Collector that tells what the test wants. Only a kernel that is interrupted
// within a record can be held up there by itself.
type scripted struct {
	fd      *sys.FD
	records []Record
	held    bool
	lost    uint64 // of every contract
}

func (c *scripted) FD() int                                              { return c.fd.Int() }
func (c *scripted) Start(int, Position) (bool, error)                    { return false, nil }
func (c *scripted) Register(Dir, contract.Events, contract.Events) error { return nil }
func (c *scripted) Adopt() error                                         { return nil }
func (c *scripted) Forget(Dir) error                                     { return nil }
func (c *scripted) Held() bool                                           { return c.held }
func (c *scripted) Keep(Position)                                        {}
func (c *scripted) Lost() (uint64, error)                                { return c.lost, nil }
func (c *scripted) LostOf(Dir) (uint64, error)                           { return c.lost, nil }
func (c *scripted) Close() error                                         { return c.fd.Close() }

func (c *scripted) Read() (Record, bool, error) {
	if c.held || len(c.records) == 0 {
		return Record{}, false, nil
	}
	r := c.records[0]
	c.records = c.records[1:]
	return r, true, nil
}

// scripting is a rig with such a collector.
func scripting(t *testing.T) (*rig, *scripted) {
	t.Helper()
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	check(t, err)
	c := &scripted{fd: sys.Own(n)}
	return newRig(t, Config{Collector: c}), c
}

// kindsOf are the kinds of facts that were told of a contract, in order.
func (r *rig) kindsOf(id contract.ID) (kinds []contract.Events) {
	for _, p := range r.got {
		if p.What == Happened && p.CT == id {
			kinds = append(kinds, p.Fact.Event)
		}
	}
	return kinds
}

// The collector can not go on behind a record that is still being written, and what a contract's
// last members did is there: their cgroup, which is empty already, is not believed first. A
// contract that is told to be empty may be nobody's, and what comes then is told to nobody.
func TestEmptyWaitsForRecords(t *testing.T) {
	r, c := scripting(t)
	c.held = true
	d := r.make(5, contract.AllEvents)
	cmd := born(t, d.Born, nil, "/bin/true")
	_ = cmd.Wait()
	testenv.Eventually(t, func() bool {
		r.pump()
		return len(r.z.empties.candidates) > 0
	}, "the cgroup to be found empty")
	r.settled()
	if got := r.kindsOf(5); len(got) > 0 {
		t.Fatalf("told was %v, and what happened before is not known", got)
	}
	p := table.Proc{Pid: int32(cmd.Process.Pid), Start: 1}
	for i, kind := range []contract.Events{contract.Fork, contract.Exit} {
		c.records = append(c.records, Record{CT: 5, At: Position(i + 1), Fact: table.Fact{Event: kind, Member: p}})
	}
	c.held = false
	r.awaitEmpty(5)
	if got := r.kindsOf(5); !slices.Equal(got, []contract.Events{contract.Fork, contract.Exit, contract.Empty}) {
		t.Errorf("told was %v", got)
	}
	r.settled()
	if n := r.count(5, contract.Empty); n != 1 {
		t.Errorf("%d times empty", n)
	}
}

// What was lost of a contract is told before it is told to be empty, whoever finds that: the
// collector's record or the cgroup's directory.
func TestLostBeforeEmpty(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		r, c := scripting(t)
		d := r.make(5, contract.AllEvents)
		cmd := born(t, d.Born, nil, "/bin/true")
		p := table.Proc{Pid: int32(cmd.Process.Pid), Start: 1}
		c.records = []Record{{CT: 5, At: 1, Fact: table.Fact{Event: contract.Fork, Member: p}}}
		if recorded {
			c.records = append(c.records, Record{CT: 5, At: 2, Fact: table.Fact{Event: contract.Empty, Member: p}})
		}
		c.lost = 3
		_ = cmd.Wait()
		r.awaitEmpty(5)
		r.settled()
		if got := r.kindsOf(5); !slices.Equal(got, []contract.Events{contract.Fork, contract.Lost, contract.Empty}) {
			t.Errorf("recorded %v: told was %v", recorded, got)
		}
		for _, p := range r.got {
			if p.Fact.Event == contract.Lost && (p.Fact.Count != 3 || p.Counted != 3) {
				t.Errorf("%d lost, counted %d", p.Fact.Count, p.Counted)
			}
		}
		check(t, r.z.Close())
		r.z = nil
	}
}

// What was lost while nobody read is told once the ring was read, also when it is empty, and
// only as far as it was not kept.
func TestLostBefore(t *testing.T) {
	for _, kept := range []uint64{0, 2, 3} {
		r, c := scripting(t)
		d, err := r.z.Make(5)
		check(t, err)
		born(t, d.Born, nil, "/bin/sleep", "1000")
		check(t, r.z.Close())
		n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		check(t, err)
		c = &scripted{fd: sys.Own(n), lost: 3}
		r.open(Config{Collector: c, Lost: func(contract.ID) uint64 { return kept }})
		check(t, r.z.Watch(5, contract.AllEvents, 0))
		check(t, r.z.Resync([]contract.ID{5}))
		r.settled()
		var lost []uint64
		for _, p := range r.got {
			if p.Fact.Event == contract.Lost {
				lost = append(lost, p.Fact.Count, p.Counted)
			}
		}
		want := []uint64{3 - kept, 3}
		if kept == 3 {
			want = nil
		}
		if !slices.Equal(lost, want) {
			t.Errorf("%d were kept: lost %d, want %d", kept, lost, want)
		}
		check(t, r.z.Close())
		r.z = nil
	}
}

// A contract had members when the last supervisor died, and its directory is gone: it is empty,
// after all that the collector has to tell of them.
func TestVanished(t *testing.T) {
	r, c := scripting(t)
	p := table.Proc{Pid: 500, Start: 1}
	for i, kind := range []contract.Events{contract.Fork, contract.Exit} {
		c.records = append(c.records, Record{CT: 6, At: Position(i + 1), Fact: table.Fact{Event: kind, Member: p}})
	}
	c.held = true
	check(t, r.z.Resync([]contract.ID{6}))
	r.settled()
	if got := r.kindsOf(6); len(got) > 0 {
		t.Fatalf("told was %v, and what happened before is not known", got)
	}
	c.held = false
	r.awaitEmpty(6)
	r.settled()
	if got := r.kindsOf(6); !slices.Equal(got, []contract.Events{contract.Fork, contract.Exit, contract.Empty}) {
		t.Errorf("told was %v", got)
	}
}

// A process of whose exit the collector tells still has its memory and its files. The contract is
// empty when the kernel is done with it, once, and the last one is known.
func TestEmptyWaitsForTheEnd(t *testing.T) {
	r, c := scripting(t)
	d := r.make(5, contract.AllEvents)
	cmd := born(t, d.Born, nil, "/bin/sleep", "1000")
	p := table.Proc{Pid: int32(cmd.Process.Pid), Start: 1}
	for i, kind := range []contract.Events{contract.Fork, contract.Exit, contract.Empty} {
		c.records = append(c.records, Record{CT: 5, At: Position(i + 1), Fact: table.Fact{Event: kind, Member: p}})
	}
	r.settled()
	if got := r.kindsOf(5); !slices.Equal(got, []contract.Events{contract.Fork, contract.Exit}) {
		t.Fatalf("while its cgroup is not empty, told was %v", got)
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if last := r.awaitEmpty(5); last.Fact.Member != p {
		t.Errorf("the last one was %+v", last.Fact.Member)
	}
	r.settled()
	if n := r.count(5, contract.Empty); n != 1 {
		t.Errorf("%d times empty", n)
	}
	// Of a contract without a directory nobody will look.
	c.records = []Record{{CT: 6, At: 4, Fact: table.Fact{Event: contract.Empty, Member: p}}}
	r.awaitEmpty(6)
}
