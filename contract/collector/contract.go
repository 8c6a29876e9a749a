package collector

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// contractValue is struct contract of collector.h.
type contractValue struct {
	zone         uint64
	ct           uint32
	flags        uint32
	want         uint32
	critical     uint32
	pidLevel     uint32
	pidNS        uint32
	members      int64
	forks, exits uint64
	lost         uint64
	lostCritical uint64
	quiet        uint64
	killerLock   uint32
	killerSeq    uint32
	killerSig    int32
	killerPid    int32
	killer       [senderBytes]byte
}

// userValue is struct user of collector.h.
type userValue struct {
	lost, lostCritical, woken, pace, at uint64
}

// Flags of a contract's value, as in collector.h.
const (
	flagSupervisor = 1 << iota // no contract: the cgroup of a zone's supervisor
	flagUnsure                 // Counts.Unsure
)

// AddContract registers a contract, before its first member is born. One that is registered
// already stays as it is, but for what is wanted of it. ErrFull: there is no place.
func (c *Collector) AddContract(k Contract) error {
	v := contractValue{zone: k.Zone, ct: k.CT, want: uint32(k.Want), critical: uint32(k.Critical),
		pidLevel: c.pidLevel, pidNS: c.pidNS}
	err := update(c.contracts, k.Cgroup, unsafe.Pointer(&v), unix.BPF_NOEXIST)
	if is(err, unix.EEXIST) {
		return c.SetWants(k.Cgroup, k.Want, k.Critical)
	}
	return full(err)
}

// AddSupervisor says that who lives in the cgroup (exactly, not below) is the supervisor of a
// zone: signals from there to the zone's members are the contract's own (FromContract).
func (c *Collector) AddSupervisor(cgroup, zone uint64) error {
	v := contractValue{zone: zone, flags: flagSupervisor}
	return full(update(c.contracts, cgroup, unsafe.Pointer(&v), unix.BPF_ANY))
}

// SetWants changes what is told of a contract. ErrUnknown: it is not registered.
func (c *Collector) SetWants(cgroup uint64, want, critical Events) error {
	ok, err := c.run(opWant, cgroup, uint64(want), uint64(critical))
	if err == nil && ok == 0 {
		err = ErrUnknown
	}
	return err
}

// RemoveContract ends the registration, best when the directory is empty or gone. One that is
// not there is removed already.
func (c *Collector) RemoveContract(cgroup uint64) error {
	if err := remove(c.contracts, cgroup); err != nil && !is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// Counts is what was counted of a contract since it was added.
type Counts struct {
	CT      uint32
	Zone    uint64
	Members int64
	// Forks are births and moves in, Exits deaths and moves out.
	Forks, Exits uint64
	// Lost are records of Fork and Exit that had no place, LostCritical all others; but for Empty,
	// which the cgroup's own file tells too.
	Lost, LostCritical uint64
	// Unsure says that a member could not be noted (a table of processes was full): Members
	// may be wrong from here on.
	Unsure bool
	// Killed is the last member that died of a signal whose sender is known, 0 when there
	// was none; Sig the signal, Killer the sender, whoever that is.
	Killed int32
	Sig    int32
	Killer Sender
}

// countsTries bounds how often a value is read again because it was being written.
const countsTries = 100

// Counts reads a contract's counters. ErrUnknown: it is not registered.
func (c *Collector) Counts(cgroup uint64) (Counts, error) {
	var v, again contractValue
	for range countsTries {
		if err := c.value(cgroup, &v); err != nil {
			return Counts{}, err
		}
		if err := c.value(cgroup, &again); err != nil {
			return Counts{}, err
		}
		if v.killerLock == 0 && again.killerLock == 0 && v.killerSeq == again.killerSeq {
			break
		}
		v.killer = [senderBytes]byte{}
	}
	n := Counts{CT: v.ct, Zone: v.zone, Members: v.members, Forks: v.forks, Exits: v.exits, Lost: v.lost,
		LostCritical: v.lostCritical, Unsure: v.flags&flagUnsure != 0, Killed: v.killerPid, Sig: v.killerSig}
	killer, err := decodeSender(v.killer[:])
	n.Killer = killer
	return n, err
}

func (c *Collector) value(cgroup uint64, v *contractValue) error {
	err := lookup(c.contracts, cgroup, unsafe.Pointer(v))
	if is(err, unix.ENOENT) {
		return ErrUnknown
	}
	return err
}

// Members is how many processes a contract has.
func (c *Collector) Members(cgroup uint64) (int64, error) {
	n, err := c.Counts(cgroup)
	return n.Members, err
}

// Lost is how many records had no place in a zone's ring since the zone was added: of Fork
// and Exit that are not critical, and of all others. ErrUnknown: there is no such zone.
func (c *Collector) Lost(zone uint64) (bulk, critical uint64, err error) {
	var v userValue
	err = lookup(c.users, zone, unsafe.Pointer(&v))
	if is(err, unix.ENOENT) {
		err = ErrUnknown
	}
	return v.lost, v.lostCritical, err
}

// Missed is how often the kernel did not run one of the programs, because it was running on
// that processor already: 0 on kernels up to now. Members may be wrong when it grows.
func (c *Collector) Missed() (uint64, error) {
	var sum uint64
	for i := 0; i < len(c.hooks); i += 2 {
		n, err := recursionMisses(c.hooks[i])
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// progInfoBytes reaches to recursion_misses, at recursionOffset, of struct bpf_prog_info.
const (
	recursionOffset = 208
	progInfoBytes   = recursionOffset + 8
)

func recursionMisses(prog *sys.FD) (uint64, error) {
	var info [progInfoBytes / 8]uint64
	attr := struct {
		fd, bytes uint32
		info      *[progInfoBytes / 8]uint64
	}{uint32(prog.Int()), progInfoBytes, &info}
	_, err := bpf("info", unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return info[recursionOffset/8], err
}

func (c *Collector) addUser(zone uint64) error {
	var v userValue
	err := update(c.users, zone, unsafe.Pointer(&v), unix.BPF_NOEXIST)
	if is(err, unix.EEXIST) {
		return nil
	}
	return full(err)
}
