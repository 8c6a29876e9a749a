package keeper

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// Config is what a keeper is started with.
type Config struct {
	// Program is the supervisor's path, Args its arguments (argv[0] included), Env its
	// environment.
	Program string
	Args    []string
	Env     []string
	// Door and Console are listening sockets, handed to every supervisor.
	Door, Console *sys.FD
	// Ring is the console's.
	Ring *ring.Writer
	// Ready is called once, when the first supervisor's start-up is complete: the output of
	// later ones goes where Ready leaves descriptors 1 and 2.
	Ready func()
	// Say tells a person one line. Neither may wait.
	Say func(string)
	// Title is what ps shows before the state of the supervisor; empty: the arguments are
	// left alone. No string here may be one of os.Args, or a part of one: the title is
	// written over them.
	Title string
	// Self is the path of this program: when a supervisor asks for it (Renew), what is there
	// then is executed in this process's place. Kept are descriptors of the caller's that go
	// along (State.Kept). Empty: it can not be asked for.
	Self string
	Own  []string // its arguments, argv[0] included
	Kept []int
}

// Keeper is the process's one object.
type Keeper struct {
	cfg     Config
	epoll   int
	slots   slots
	deaths  deaths
	term    terminal
	restart throttle
	link    link
	title   title

	programs programs
	renewal  renewal

	pid        int     // the supervisor's, 0 when there is none
	pidfd      *sys.FD // and the same as a descriptor
	generation uint32
	started    bool  // this supervisor's start-up is complete
	everReady  bool  // some supervisor's was
	hold       bool  // the zone is ready or above
	quit       bool  // this supervisor said that it leaves
	startAt    int64 // when to start the next one, 0 for not at all
	killAt     int64 // when to kill one that hung up and stays, 0 for not at all
	lastStatus string
	announce   string // said when the next one is started
	exit       int
	done       bool
	events     *sys.FD // signals, as an eventfd
	data, room *sys.FD

	hangUpLimit, lookLimit, newLimit int64 // the constants, but for tests

	in  [MessageMax]byte
	out [1 + 16 + NameMax + buildMax]byte
}

// New makes a keeper. It becomes the subreaper of everything below it.
func New(cfg Config) (*Keeper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	k, err := newKeeper(cfg)
	if err != nil {
		return nil, err
	}
	if k.events, err = watchSignals(); err != nil {
		return nil, err
	}
	if cfg.Title != "" {
		k.title = ownTitle()
	}
	return k, k.watch(k.events.Int(), unix.EPOLLIN)
}

// newKeeper makes all of it but what belongs to the process.
func newKeeper(cfg Config) (*Keeper, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, epoll: ep, lastStatus: "healthy", hangUpLimit: hangUpLimit, lookLimit: lookLimit, newLimit: newLimit}
	k.restart = throttle{spacing: crashSpacing, delayMax: delayMax}
	if k.data, err = ring.NewEvent(); err != nil {
		return nil, err
	}
	if k.room, err = ring.NewEvent(); err != nil {
		return nil, err
	}
	k.slots.put(SlotDoor, cfg.Door)
	k.slots.put(SlotConsole, cfg.Console)
	k.slots.put(SlotRing, sys.Own(cfg.Ring.FD()))
	k.slots.put(SlotData, k.data)
	k.slots.put(SlotRoom, k.room)
	return k, k.watch(k.room.Int(), unix.EPOLLIN)
}

// Run keeps until the supervisor is gone for good, and gives the exit code.
func (k *Keeper) Run() int {
	k.startAt = sys.Monotonic()
	var ev [16]unix.EpollEvent
	for !k.done {
		now := sys.Monotonic()
		k.due(now)
		if k.done {
			break
		}
		k.pumpSpace(now)
		n, err := unix.EpollWait(k.epoll, ev[:], k.timeout(now))
		if err != nil && err != unix.EINTR {
			k.cfg.Say("wait for events: " + err.Error())
			return 1
		}
		for i := 0; i < n && !k.done; i++ {
			k.handle(int(ev[i].Fd))
		}
	}
	return k.exit
}

// due does what was put off until now.
func (k *Keeper) due(now int64) {
	if k.pid == 0 && k.startAt != 0 && now >= k.startAt {
		k.start(now)
	}
	if k.killAt != 0 && now >= k.killAt {
		k.killStray()
	}
	if k.renewal.killAt != 0 && now >= k.renewal.killAt {
		k.tired()
	}
	if k.programs.until != 0 && now >= k.programs.until {
		k.overdue()
	}
	if k.term.openAt != 0 && now >= k.term.openAt {
		k.openSlave()
	}
}

// handle takes one event. A descriptor that another event of the same turn has closed is
// read once in vain: all of them are non-blocking.
func (k *Keeper) handle(fd int) {
	switch fd {
	case k.events.Int():
		ring.Clear(fd)
		k.signals()
	case k.room.Int():
		ring.Clear(fd)
	case k.master():
		k.pumpRead()
	case k.link.fd.Int():
		k.flush()
		if k.readable() {
			k.message()
		}
	}
}

// timeout is how long to sleep, in milliseconds: until what is due first.
func (k *Keeper) timeout(now int64) int {
	until := int64(0)
	for _, t := range [...]int64{k.startAt, k.killAt, k.renewal.killAt, k.programs.until, k.term.waitUntil, k.term.openAt} {
		if t != 0 && (until == 0 || t < until) {
			until = t
		}
	}
	if until == 0 {
		return -1
	}
	return int(max(0, (until-now+1e6-1)/1e6))
}

// watch sets which events of a descriptor are waited for.
func (k *Keeper) watch(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	err := unix.EpollCtl(k.epoll, unix.EPOLL_CTL_ADD, fd, &e)
	if err == unix.EEXIST {
		err = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_MOD, fd, &e)
	}
	return err
}

func (k *Keeper) unwatch(fd int) { _ = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_DEL, fd, nil) }
