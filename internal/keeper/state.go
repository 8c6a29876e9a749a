package keeper

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// StateVersion is that of the state by which a keeper's program goes on from another's. A
// program reads those up to its own.
const StateVersion = 1

// stateMax bounds a state: all slots and all deaths are some 150 KiB.
const stateMax = 1 << 20

// Errors of a program that is to take over.
var (
	// ErrState: there is no state of a keeper in the descriptor.
	ErrState = errors.New("keeper: bad state")
	// ErrOlder: the state is of a newer build than this program.
	ErrOlder = errors.New("keeper: state of a newer build")
)

// State is a keeper's, between two programs.
type State struct {
	Build string // of the program that saved it
	Kept  []int  // descriptors that are not the keeper's own, as Config had them

	slotNames   []string
	slotFDs     []int
	slave, left int
	good        int
	before      int // the program that saved it, open
	termOpen    bool
	deaths      []Death
	lost        int
	generation  uint32
	hold        bool
	lastStatus  string
	restart     throttle
	known, bad  fileID
}

// save puts the state into memory that a descriptor leads to.
func (k *Keeper) save() (*sys.FD, error) {
	n, err := unix.MemfdCreate("zsched.state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	fd := sys.Own(n)
	if err := sys.WriteAll(n, k.encode()); err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}

func (k *Keeper) encode() []byte {
	b := []byte{'z', 'k', StateVersion}
	b = appendString(b, build.Version)
	b = appendInts(b, k.cfg.Kept)
	b = append32(b, uint32(len(k.slots.names)))
	for i, name := range k.slots.names {
		b = append32(appendString(b, name), uint32(k.slots.fds[i].Int()))
	}
	b = appendInts(b, []int{k.term.slave.Int(), k.term.left.Int(), k.programs.good.Int(), k.renewal.pidfd.Int()})
	b = append(b, bit(k.term.open), bit(k.hold))
	b = append32(b, uint32(len(k.deaths.list)))
	for _, d := range k.deaths.list {
		b = append32(append64(append32(b, uint32(d.Pid)), d.Start), uint32(d.Status))
	}
	b = append32(append32(b, uint32(k.deaths.lost)), k.generation)
	b = appendString(b, k.lastStatus)
	t := &k.restart
	for _, n := range t.restarts {
		b = append64(b, uint64(n))
	}
	b = append64(append64(append32(b, uint32(t.n)), uint64(t.last)), uint64(t.delay))
	b = append32(b, t.crashes)
	return appendID(appendID(b, k.programs.known), k.programs.bad)
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func appendString(b []byte, s string) []byte { return append(append32(b, uint32(len(s))), s...) }

func appendInts(b []byte, list []int) []byte {
	b = append32(b, uint32(len(list)))
	for _, n := range list {
		b = append32(b, uint32(n))
	}
	return b
}

func appendID(b []byte, id fileID) []byte {
	b = append64(append64(b, id.dev), id.ino)
	return append64(append64(b, uint64(id.size)), uint64(id.mtime))
}

// Load reads the state in a descriptor and leaves it open. A state of a newer build, or of a
// form that this program does not know, is refused: ErrOlder.
func Load(fd int) (*State, error) {
	// As much as there is: what a keeper has touched once it has for life.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size > stateMax {
		return nil, ErrState
	}
	b := make([]byte, st.Size)
	n, err := unix.Pread(fd, b, 0)
	if err != nil {
		return nil, err
	}
	return parseState(b[:n])
}

func parseState(b []byte) (*State, error) {
	if len(b) < 3 || b[0] != 'z' || b[1] != 'k' || b[2] == 0 {
		return nil, ErrState
	}
	if b[2] > StateVersion {
		return nil, ErrOlder
	}
	r := decoder{b: b[3:]}
	s := &State{Build: r.text(buildMax)}
	s.Kept = r.ints(SlotsMax)
	for range r.count(SlotsMax) {
		s.slotNames = append(s.slotNames, r.text(NameMax))
		s.slotFDs = append(s.slotFDs, r.int())
	}
	if own := r.ints(4); len(own) == 4 {
		s.slave, s.left, s.good, s.before = own[0], own[1], own[2], own[3]
	} else {
		r.bad = true
	}
	s.termOpen, s.hold = r.flag(), r.flag()
	for range r.count(DeathsMax) {
		s.deaths = append(s.deaths, Death{Pid: r.int(), Start: r.n64(), Status: unix.WaitStatus(r.n32())})
	}
	s.lost, s.generation = r.int(), r.n32()
	s.lastStatus = r.text(1024)
	for i := range s.restart.restarts {
		s.restart.restarts[i] = int64(r.n64())
	}
	s.restart.n, s.restart.last, s.restart.delay = r.count(burst), int64(r.n64()), int64(r.n64())
	s.restart.crashes = r.n32()
	s.known, s.bad = r.id(), r.id()
	if r.bad || len(r.b) != 0 {
		return nil, ErrState
	}
	if build.Older(build.Version, s.Build) {
		return s, ErrOlder
	}
	return s, nil
}

// decoder takes numbers off the front; behind what is missing everything is 0 and bad is set.
type decoder struct {
	b   []byte
	bad bool
}

func (r *decoder) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, min(n, 8))
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *decoder) n32() uint32 { return le32(r.take(4)) }
func (r *decoder) n64() uint64 { return le64(r.take(8)) }
func (r *decoder) int() int    { return int(int32(r.n32())) }
func (r *decoder) flag() bool  { return r.take(1)[0] == 1 }

func (r *decoder) id() fileID {
	return fileID{r.n64(), r.n64(), int64(r.n64()), int64(r.n64())}
}

// count is a number of things, which is not more than there may be.
func (r *decoder) count(most int) int {
	n := r.n32()
	if n > uint32(most) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *decoder) text(most int) string {
	n := r.count(most)
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return ""
	}
	return string(r.take(n))
}

func (r *decoder) ints(most int) (list []int) {
	for range r.count(most) {
		list = append(list, r.int())
	}
	return list
}

// Slot is the number of the descriptor under a name, -1 for none.
func (s *State) Slot(name string) int {
	for i, n := range s.slotNames {
		if n == name {
			return s.slotFDs[i]
		}
	}
	return -1
}

// Resume makes a keeper that goes on from a state in which this program was executed. Of cfg,
// Door and Console are the state's, and Ring is a writer that was opened on its slot.
func Resume(s *State, cfg Config) (*Keeper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, epoll: ep, lastStatus: s.lastStatus, hangUpLimit: hangUpLimit, lookLimit: lookLimit, newLimit: newLimit, restart: s.restart}
	k.restart.spacing, k.restart.delayMax = crashSpacing, delayMax
	for i, name := range s.slotNames {
		if !k.slots.put(name, sys.Own(s.slotFDs[i])) {
			return nil, ErrState
		}
	}
	own := func(name string) *sys.FD {
		if i := k.slots.find(name); i >= 0 {
			return k.slots.fds[i]
		}
		return nil
	}
	k.data, k.room = own(SlotData), own(SlotRoom)
	if !k.data.Valid() || !k.room.Valid() || !own(SlotDoor).Valid() || !own(SlotConsole).Valid() {
		return nil, ErrState
	}
	k.term = terminal{slave: sys.Own(s.slave), left: sys.Own(s.left), open: s.termOpen}
	k.programs = programs{good: sys.Own(s.good), known: s.known, bad: s.bad}
	k.deaths = deaths{list: s.deaths, lost: s.lost}
	k.generation, k.hold, k.everReady = s.generation, s.hold, true
	if k.events, err = watchSignals(); err != nil {
		return nil, err
	}
	if err := k.watch(k.room.Int(), unix.EPOLLIN); err != nil {
		return nil, err
	}
	if err := k.watch(k.events.Int(), unix.EPOLLIN); err != nil {
		return nil, err
	}
	if cfg.Title != "" {
		k.title = ownTitle()
	}
	ring.Kick(k.events.Int()) // children may have ended while nobody listened
	return k, nil
}

// GoBack executes the program that saved the state, in which it finds everything as it was. It
// returns with an error only.
func (s *State) GoBack(fd int, args, env []string) error {
	all := append(append([]int{s.slave, s.left, s.good, s.before, fd}, s.Kept...), s.slotFDs...)
	for _, n := range all {
		if n >= 0 {
			_, _ = unix.FcntlInt(uintptr(n), unix.F_SETFD, 0)
		}
	}
	return syscall.Exec(sys.Own(s.before).Proc(), args, env)
}

// Settled lets go of the program that saved the state: there is no way back any more.
func (s *State) Settled() {
	if s.before >= 0 {
		unix.Close(s.before)
	}
}
