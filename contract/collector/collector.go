package collector

import (
	"encoding/binary"
	"path"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Version is that of the pinned objects: the layout of maps and records. Collectors of several
// versions stand beside each other, each in a directory of its own.
const Version = 1

// The names of what is pinned in the version's directory. PinReady is the last: without it
// the collector is not whole.
const (
	PinContracts = "contracts"
	PinZones     = "zones"
	PinUsers     = "users"
	PinControl   = "control"
	PinAdopt     = "adopt"
	PinReady     = "ready"
)

// Hooks are the programs that are attached, by name: each is pinned, and its link as
// NAME_link.
var Hooks = []string{"forked", "ended", "signaled", "moved"}

// VersionDir is where this version's objects are pinned below dir.
func VersionDir(dir string) string { return path.Join(dir, "v"+strconv.Itoa(Version)) }

// Events is a set of kinds of events, with the bits of contract.Events. Empty, Left and what
// says why a member died with a sender are told as their kinds say.
type Events uint32

// The events that can be asked for. EMPTY and moves out are always told.
const (
	WantFork   Events = 0x02
	WantExit   Events = 0x04
	WantCore   Events = 0x08
	WantSignal Events = 0x10
	WantHwerr  Events = 0x20
)

// Contract is what is registered of a contract.
type Contract struct {
	// Cgroup is the directory's id (its inode number), Zone that of its zone's directory.
	Cgroup, Zone uint64
	CT           uint32
	// Want are the events to tell of, Critical those of Want that must not be lost: they may
	// use all of the ring.
	Want, Critical Events
}

// Collector is the loaded programs and maps, opened.
type Collector struct {
	contracts, zones, users *sys.FD
	control, adopt          *sys.FD
	hooks                   []*sys.FD // links and programs: they stay as long as somebody has them
	pidLevel                uint32
	pidNS                   uint32
}

// Open opens the collector that is pinned below dir. ErrAbsent: there is none. The caller's
// pid namespace is the one whose numbers are told.
func Open(dir string) (*Collector, error) {
	in := VersionDir(dir)
	var st unix.Stat_t
	if err := unix.Lstat(path.Join(in, PinReady), &st); err != nil {
		if err == unix.ENOENT {
			return nil, ErrAbsent
		}
		return nil, &sys.Error{Op: "stat", What: path.Join(in, PinReady), Errno: err}
	}
	c := &Collector{}
	if err := c.open(in); err != nil {
		c.Close()
		if is(err, unix.ENOENT) {
			return nil, ErrAbsent
		}
		return nil, err
	}
	return c, nil
}

func (c *Collector) open(in string) error {
	for _, o := range []struct {
		name string
		fd   **sys.FD
	}{
		{PinContracts, &c.contracts}, {PinZones, &c.zones}, {PinUsers, &c.users},
		{PinControl, &c.control}, {PinAdopt, &c.adopt},
	} {
		fd, err := objGet(path.Join(in, o.name))
		if err != nil {
			return err
		}
		*o.fd = fd
	}
	for _, name := range Hooks {
		for _, pin := range []string{name, name + "_link"} {
			fd, err := objGet(path.Join(in, pin))
			if err != nil {
				return err
			}
			c.hooks = append(c.hooks, fd)
		}
	}
	_, pidLevel, err := c.levels()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return &sys.Error{Op: "stat", What: "/proc/self/ns/pid", Errno: err}
	}
	c.pidLevel, c.pidNS = pidLevel, uint32(st.Ino)
	return nil
}

// Close releases the descriptors. The collector goes on.
func (c *Collector) Close() error {
	for _, fd := range append([]*sys.FD{c.contracts, c.zones, c.users, c.control, c.adopt}, c.hooks...) {
		fd.Close()
	}
	return nil
}

// Operations of the program control, as in collector.h.
const (
	opLevels   = 1
	opAddLevel = 2
	opWant     = 3
)

func (c *Collector) run(op uint64, args ...uint64) (uint32, error) {
	var ctx [4]uint64
	ctx[0] = op
	copy(ctx[1:], args)
	return testRun(c.control, ctx[:])
}

func (c *Collector) levels() (cgroup, pid uint32, err error) {
	v, err := c.run(opLevels)
	return v & 0xffff, v >> 16, err
}

// Level is how deep the calling thread's cgroup is below the host's root, which its own
// namespace may hide.
func (c *Collector) Level() (int, error) {
	cgroup, _, err := c.levels()
	return int(cgroup), err
}

// LevelsMax is at how many levels contracts may live.
const LevelsMax = 4

// AddLevel has contracts found at a level of cgroups; the root is level 0. ErrLevel: there are
// too many already, or it is none. A level stays until the collector goes.
func (c *Collector) AddLevel(level int) error {
	if level < 1 || level > 1<<15 {
		return ErrLevel
	}
	ok, err := c.run(opAddLevel, uint64(level))
	if err == nil && ok == 0 {
		err = ErrLevel
	}
	return err
}

// RingBytes is a ring's usual size: some two thousand records of births and ends, and the
// reserve.
const RingBytes = 256 << 10

// NewRing makes a ring buffer; bytes is a power of two and a multiple of the page size. It
// lives as long as somebody holds its descriptor, or a zone has it.
func NewRing(bytes int) (*sys.FD, error) {
	return mapCreate(unix.BPF_MAP_TYPE_RINGBUF, 0, 0, uint32(bytes), 0)
}

// AddZone gives a zone its ring, in place of the one it had, if any. The programs see it at
// once; the call itself waits for a grace period.
func (c *Collector) AddZone(zone uint64, ring *sys.FD) error {
	if err := c.addUser(zone); err != nil {
		return err
	}
	fd := uint32(ring.Int())
	return full(update(c.zones, zone, unsafe.Pointer(&fd), unix.BPF_ANY))
}

// HasZone says whether a zone has a ring.
func (c *Collector) HasZone(zone uint64) (bool, error) {
	var id uint32
	err := lookup(c.zones, zone, unsafe.Pointer(&id))
	if is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// removeContractsOf takes away the contracts of a zone.
func (c *Collector) removeContractsOf(zone uint64) error {
	list, err := c.contractsOf(zone)
	if err != nil {
		return err
	}
	for _, cgroup := range list {
		if err := c.RemoveContract(cgroup); err != nil {
			return err
		}
	}
	return nil
}

// contractsOf lists the cgroups of a zone's contracts, among those of all zones.
func (c *Collector) contractsOf(zone uint64) (list []uint64, err error) {
	err = each(c.contracts, int(unsafe.Sizeof(contractValue{})), func(cgroup uint64, value []byte) {
		if binary.NativeEndian.Uint64(value) == zone { // its first member
			list = append(list, cgroup)
		}
	})
	if !is(err, unix.EINVAL) {
		return list, err
	}
	return c.contractsOneByOne(zone) // the kernel does not know how
}

func (c *Collector) contractsOneByOne(zone uint64) (list []uint64, err error) {
	all, err := keys(c.contracts)
	for _, cgroup := range all {
		var v contractValue
		if lookup(c.contracts, cgroup, unsafe.Pointer(&v)) == nil && v.zone == zone {
			list = append(list, cgroup)
		}
	}
	return list, err
}

// full is ErrFull for what the kernel says of a map without a place.
func full(err error) error {
	if is(err, unix.E2BIG) {
		return ErrFull
	}
	return err
}

// Adopt looks at all tasks of the host and counts those in contracts that were not: they had
// been there before their contract was added, or before the collector was loaded. Each is
// told as a Fork with the flag Adopted. One that is only being born when it is looked at is told
// as any other birth.
func (c *Collector) Adopt() error {
	attr := struct {
		prog, target, attach, flags uint32
		info                        uint64
		infoBytes, spare            uint32
	}{
		prog: uint32(c.adopt.Int()), attach: unix.BPF_TRACE_ITER}
	n, err := bpf("iterator link", unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return err
	}
	link := sys.Own(n)
	defer link.Close()
	iter := struct{ link, flags uint32 }{link: uint32(n)}
	n, err = bpf("iterator", unix.BPF_ITER_CREATE, unsafe.Pointer(&iter), unsafe.Sizeof(iter))
	if err != nil {
		return err
	}
	walk := sys.Own(n)
	defer walk.Close()
	var none [64]byte // the program writes nothing: the walk is all
	for {
		n, err := unix.Read(walk.Int(), none[:])
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return &sys.Error{Op: "read iterator", Errno: err}
		case n == 0:
			runtime.KeepAlive(link)
			return nil
		}
	}
}
