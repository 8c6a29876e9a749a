package kernel

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// Collector is the zone's end of the BPF collector.
type Collector interface {
	// FD is readable when Read has something, or has given what was not kept.
	FD() int
	// Start begins: contracts live at this depth below the mount of cgroup2, and everything up
	// to kept was kept. gap: the ring does not go on from there.
	Start(depth int, kept Position) (gap bool, err error)
	// Register has the events of a contract's directory told: those of want, and of them those
	// of critical even when the ring is nearly full.
	Register(d Dir, want, critical contract.Events) error
	// Adopt finds members that were there before their contract was registered.
	Adopt() error
	// Forget ends a registration.
	Forget(d Dir) error
	// Read gives one record; ok is false when there is none now. Held: that was because it is
	// still being written, and others may be behind it.
	Read() (r Record, ok bool, err error)
	Held() bool
	// Keep says that all up to p is kept.
	Keep(p Position)
	// Lost counts the zone's records that had no place, and LostOf those of one contract.
	Lost() (uint64, error)
	LostOf(d Dir) (uint64, error)
	// Close lets go of it; the collector goes on.
	Close() error
}

// Record is one of the collector's.
type Record struct {
	CT   contract.ID
	Fact table.Fact
	Time int64
	At   Position
	// Known: the fact is of a member that had been there before. By: the supervisor moved it.
	Known, By bool
}

// ZoneOf names the zone of a cgroup's id, empty when it is not known.
type ZoneOf func(cgroup uint64) string

// hostZone is what the host is called among zones.
const hostZone = "global"

// bpf is a Collector.
type bpf struct {
	c    *collector.Collector
	ring *collector.Ring
	fd   *sys.FD
	zone uint64
	name ZoneOf
}

// NewCollector is the end of the zone whose directory gN has this id: its ring must have been
// given to the collector (AddZone). It owns all it is given once it has succeeded.
func NewCollector(c *collector.Collector, ring *sys.FD, zone uint64, name ZoneOf) (Collector, error) {
	r, err := c.Reader(zone, ring)
	if err != nil {
		return nil, err
	}
	return &bpf{c: c, ring: r, fd: ring, zone: zone, name: name}, nil
}

func (b *bpf) FD() int { return b.ring.FD() }

// Start tells at which level contracts live. The kernel counts from the host's root, which
// our namespace may hide: our own cgroup is known both ways.
func (b *bpf) Start(level int, kept Position) (gap bool, err error) {
	own, err := cgroup2.Own()
	if err != nil {
		return false, err
	}
	deep, err := b.c.Level()
	if err != nil {
		return false, err
	}
	if err := b.c.AddLevel(level + deep - levelOf(own)); err != nil {
		return false, err
	}
	// The ring may have been advanced further than what was kept, past records of which nobody
	// is told (skip): nothing is missing then.
	if uint64(kept) <= b.ring.Position() {
		return false, nil
	}
	// A position that the ring does not have is of another ring, and nothing of this one was
	// kept.
	if err = b.ring.Skip(uint64(kept)); errors.Is(err, collector.ErrPosition) {
		return true, nil
	}
	return false, err
}

func (b *bpf) Register(d Dir, want, critical contract.Events) error {
	return b.c.AddContract(collector.Contract{
		Cgroup: d.Cgroup, Zone: b.zone, CT: uint32(d.CT),
		Want: collector.Events(want & contract.AllEvents), Critical: collector.Events(critical & contract.AllEvents),
	})
}

func (b *bpf) Adopt() error       { return b.c.Adopt() }
func (b *bpf) Forget(d Dir) error { return b.c.RemoveContract(d.Cgroup) }
func (b *bpf) Keep(p Position)    { b.ring.Advance(uint64(p)) }
func (b *bpf) Held() bool         { return b.ring.Held() }

func (b *bpf) Lost() (uint64, error) {
	bulk, critical, err := b.c.Lost(b.zone)
	return bulk + critical, err
}

func (b *bpf) LostOf(d Dir) (uint64, error) {
	n, err := b.c.Counts(d.Cgroup)
	return n.Lost + n.LostCritical, err
}

func (b *bpf) Close() error {
	return errors.Join(b.ring.Close(), b.fd.Close(), b.c.Close())
}

// kinds are the events that the collector's kinds of records are.
var kinds = map[collector.Kind]contract.Events{
	collector.Fork: contract.Fork, collector.Exit: contract.Exit, collector.Empty: contract.Empty, collector.Signal: contract.Signal,
	collector.Core: contract.Core, collector.Hwerr: contract.Hwerr, collector.Left: contract.Left,
}

var senderKinds = map[collector.SenderKind]contract.SenderKind{
	collector.NoSender: contract.NoSender, collector.FromProcess: contract.FromProcess, collector.FromKernel: contract.FromKernel,
	collector.FromOOM: contract.FromOOM, collector.FromContract: contract.FromContract,
}

func (b *bpf) Read() (Record, bool, error) {
	k, at, ok, err := b.ring.Next()
	if err != nil || !ok {
		return Record{}, false, err
	}
	r := Record{CT: contract.ID(k.CT), At: Position(at), Time: wall(k.Time)}
	r.Known = k.Flags&collector.Adopted != 0
	r.By = k.Kind == collector.Left && k.Sender.Kind == collector.FromContract
	r.Fact = table.Fact{
		Event:  kinds[k.Kind],
		Member: table.Proc{Pid: k.Pid, Start: k.Start, ZPid: k.ZPid},
		Parent: table.Proc{Pid: k.PPid, ZPid: k.ZPPid},
		Status: k.Status, Sig: k.Sig, Core: k.Status&0x80 != 0, Pgrp: k.Pgrp,
	}
	if k.Sender.Kind != collector.NoSender {
		r.Fact.Sender = b.sender(k.Sender)
	}
	return r, true, nil
}

func (b *bpf) sender(s collector.Sender) table.Sender {
	out := table.Sender{
		Kind: senderKinds[s.Kind], Proc: table.Proc{Pid: s.Pid, Start: s.Start, ZPid: s.ZPid},
		CT: contract.ID(s.CT), UID: s.UID, Comm: s.Comm, Outside: s.Zone != b.zone,
	}
	switch {
	case s.Kind != collector.FromProcess:
		out.Outside = false
	case s.Zone == 0:
		out.Zone = hostZone
	case b.name != nil:
		out.Zone = b.name(s.Zone)
	}
	return out
}

// wall is the wall clock's time of a moment of CLOCK_BOOTTIME.
func wall(boot uint64) int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Now().UnixNano() - ts.Nano() + int64(boot)
}

// readCollector tells of one record; false when there is none.
func (z *Zone) readCollector() (bool, error) {
	r, ok, err := z.c.Collector.Read()
	if errors.Is(err, collector.ErrCorrupt) && z.corrupt < corruptMax {
		z.corrupt++
		z.lost++
		return true, nil
	}
	if err != nil || !ok {
		return false, err
	}
	z.read++
	f := r.Fact
	p := z.tree.places[r.CT]
	if p != nil && f.Event == contract.Empty && z.ending(p) {
		p.watch.populated, p.watch.last = true, f.Member
		z.skip(r.At)
		return true, nil
	}
	if p != nil {
		z.noticed(p, f)
	}
	switch {
	case f.Event == contract.Fork && r.Known, f.Event == contract.Left && (r.By || z.expects(f.Member)):
		z.skip(r.At)
		return true, nil
	case f.Event == contract.Left:
		z.killLeft(f.Member)
		z.hunt()
	case f.Event&contract.AllFatal != 0:
		f.Cred, f.HasCred = credOf(f.Member, z.c.RootUID)
	}
	if p != nil && f.Event == contract.Empty {
		z.countLostOf(p) // whoever reads that it is empty may have it forgotten at once
	}
	z.told = r.At
	z.tell(Report{What: Happened, CT: r.CT, Fact: f, Time: r.Time, At: r.At})
	return true, nil
}

// ending says whether somebody is in a contract of which the collector counts no member any more.
// The kernel tells of an exit before the process lets go of its memory and its files: who starts
// a service again on that word finds its port taken, for as long as it takes to free gigabytes.
// Its cgroup is empty when all that is done, and look tells then.
func (z *Zone) ending(p *place) bool {
	if !z.empties.knows(p) {
		return false // nobody looks
	}
	populated, _, err := cgroup2.Events(p.Path)
	return err == nil && populated
}

// skip keeps a record of which nobody is told, or the ring would stay readable for its sake.
func (z *Zone) skip(at Position) {
	z.skipped = at
	if z.told == z.kept {
		z.c.Collector.Keep(at)
	}
}

// Keep says that all up to p was kept: the collector's ring may forget it.
func (z *Zone) Keep(p Position) {
	if z.c.Collector == nil || p == 0 {
		return
	}
	z.kept = p
	if p == z.told {
		p = max(p, z.skipped)
	}
	z.c.Collector.Keep(p)
}

// corruptMax bounds how many records that are none of ours are skipped. A ring that has more
// is not the collector's.
const corruptMax = 64

// noticed keeps what emptiness needs.
func (z *Zone) noticed(p *place, f table.Fact) {
	p.watch.populated = true
	if f.Event&(contract.Fork|contract.Exit) != 0 {
		p.watch.last = f.Member
	}
	if f.Event == contract.Empty {
		p.watch.told = true
	}
}

// expects says whether a process leaves its contract because it was asked to (Move).
func (z *Zone) expects(p table.Proc) bool {
	key := ownerKey(p)
	if _, ok := z.moving[key]; !ok {
		return false
	}
	delete(z.moving, key)
	return true
}

// killLeft kills a member that was moved out of its contract.
func (z *Zone) killLeft(p table.Proc) {
	fd, err := sys.PidfdOpenStarted(int(p.Pid), p.Start)
	if err != nil {
		return
	}
	defer fd.Close()
	_ = sys.PidfdSignal(fd.Int(), unix.SIGKILL)
}

// credOf is a member's user, if it can still be seen: most are zombies by now.
func credOf(p table.Proc, zoneRoot uint32) (table.Cred, bool) {
	s, err := readStatus(p.Pid)
	if err != nil {
		return table.Cred{}, false
	}
	if now, err := readStat(p.Pid); err != nil || now.start != p.Start {
		return table.Cred{}, false
	}
	return table.Cred{UID: s.euid, Privileged: s.euid == 0 || s.euid == zoneRoot}, true
}

// countLost tells of records that had no place in the ring.
func (z *Zone) countLost() {
	n, err := z.c.Collector.Lost()
	if err != nil || n == z.ringLost && !z.untold {
		return
	}
	z.ringLost, z.untold = n, false
	for _, p := range z.tree.places {
		z.countLostOf(p)
	}
}

// countLostOf does so for one contract.
func (z *Zone) countLostOf(p *place) {
	if !p.counted {
		return // nobody watches it
	}
	n, err := z.c.Collector.LostOf(p.Dir)
	if err != nil || n <= p.lost {
		return
	}
	count := n - p.lost
	p.lost = n
	z.lost += count
	z.tell(Report{What: Happened, CT: p.CT, Time: time.Now().UnixNano(), Fact: table.Fact{Event: contract.Lost, Count: count}, Counted: n})
}

// lostBefore takes over what was counted of a contract before this Zone: as far as it was told
// and kept it is not told again, the rest is told when the ring was read. Without Config.Lost
// all of it counts as told.
func (z *Zone) lostBefore(p *place) {
	n, err := z.c.Collector.LostOf(p.Dir)
	if err != nil {
		return
	}
	p.lost = n
	if z.c.Lost != nil {
		p.lost = min(n, z.c.Lost(p.CT))
	}
	if p.lost < n {
		z.untold = true
		z.jobs.poke() // it is Next that tells
	}
}
