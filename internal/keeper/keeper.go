package keeper

import (
	"errors"
	"strconv"

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
	// Say tells a person one line.
	Say func(string)
}

// Keeper is the process's one object.
type Keeper struct {
	cfg     Config
	epoll   int
	slots   slots
	deaths  deaths
	term    termios
	restart throttle

	conn       *sys.FD // to the supervisor, nil when there is none
	pid        int     // the supervisor's, 0 when there is none
	generation uint32
	started    bool  // this supervisor's start-up is complete
	everReady  bool  // some supervisor's was
	hold       bool  // the zone is ready or above
	quit       bool  // this supervisor said that it leaves
	greeted    bool  // it said hello: deaths may be sent
	startAt    int64 // when to start the next one, 0 for not at all
	lastStatus string
	exit       int
	done       bool
	events     *sys.FD // signals, as an eventfd
	data, room *sys.FD
}

// New makes a keeper. It becomes the subreaper of everything below it.
func New(cfg Config) (*Keeper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, epoll: ep, lastStatus: "healthy"}
	if k.data, err = ring.NewEvent(); err != nil {
		return nil, err
	}
	if k.room, err = ring.NewEvent(); err != nil {
		return nil, err
	}
	if k.events, err = watchSignals(); err != nil {
		return nil, err
	}
	k.slots.put(SlotDoor, cfg.Door)
	k.slots.put(SlotConsole, cfg.Console)
	k.slots.put(SlotRing, sys.Own(cfg.Ring.FD()))
	k.slots.put(SlotData, k.data)
	k.slots.put(SlotRoom, k.room)
	for _, fd := range []int{k.events.Int(), k.room.Int()} {
		if err := k.watch(fd, unix.EPOLLIN); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Run keeps until the supervisor is gone for good, and gives the exit code.
func (k *Keeper) Run() int {
	k.startAt = sys.Monotonic()
	var ev [16]unix.EpollEvent
	for !k.done {
		now := sys.Monotonic()
		if k.pid == 0 && k.startAt != 0 && now >= k.startAt {
			k.start(now)
		}
		k.pumpSpace(now)
		n, err := unix.EpollWait(k.epoll, ev[:], k.timeout(now))
		if err != nil && err != unix.EINTR {
			k.cfg.Say("wait for events: " + err.Error())
			return 1
		}
		for i := 0; i < n; i++ {
			k.handle(int(ev[i].Fd), ev[i].Events)
		}
	}
	return k.exit
}

func (k *Keeper) handle(fd int, events uint32) {
	switch fd {
	case k.events.Int():
		ring.Clear(fd)
		k.signals()
	case k.room.Int():
		ring.Clear(fd)
	case k.slots.fd(SlotPty):
		k.pumpRead()
	default:
		if k.conn.Valid() && fd == k.conn.Int() {
			if events&unix.EPOLLOUT != 0 {
				k.flush()
			}
			if events&(unix.EPOLLIN|unix.EPOLLHUP) != 0 {
				k.message()
			}
		}
	}
}

// timeout is how long to sleep, in milliseconds: until the next start, or until a full ring
// has kept the zone waiting long enough.
func (k *Keeper) timeout(now int64) int {
	until := int64(0)
	if k.pid == 0 && k.startAt != 0 {
		until = k.startAt
	}
	if w := k.term.waitUntil; w != 0 && (until == 0 || w < until) {
		until = w
	}
	if until == 0 {
		return -1
	}
	return int(max(0, (until-now)/1e6+1))
}

func (k *Keeper) watch(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	err := unix.EpollCtl(k.epoll, unix.EPOLL_CTL_ADD, fd, &e)
	if err == unix.EEXIST {
		err = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_MOD, fd, &e)
	}
	return err
}

func (k *Keeper) unwatch(fd int) { _ = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

// message takes one message of the supervisor. What is not understood is dropped and told:
// the supervisor can be replaced, the keeper can not.
func (k *Keeper) message() {
	var buf [MessageMax]byte
	n, fds, err := sys.Recv(k.conn.Int(), buf[:])
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n == 0 {
		// The supervisor closed its end or is dead; SIGCHLD says which. Until then it is not
		// listened to any more.
		sys.CloseAll(fds)
		k.hangUp()
		return
	}
	body := buf[1:n]
	switch o := op(buf[0]); {
	case o == opHello && n == 2:
		k.hello(body[0])
	case o == opPut && len(fds) == 1 && validName(body):
		k.put(string(body), fds[0])
		fds = nil
	case o == opDrop && validName(body):
		k.drop(string(body))
	case o == opForget:
		if pid, start, err := parseForget(body); err == nil {
			k.deaths.forget(pid, start)
		}
	case o == opAppend:
		if kick, err := k.cfg.Ring.Append(body); err == nil && kick {
			ring.Kick(k.data.Int())
		}
		_ = k.sendWait([]byte{byte(opAppended)})
	case o == opHold && len(body) == 1:
		k.hold = body[0] == 1
	case o == opStarted:
		k.complete()
	case o == opQuit:
		k.quit = true
	default:
		k.cfg.Say("a message of the supervisor is not understood and dropped")
	}
	sys.CloseAll(fds)
}

func (k *Keeper) put(name string, fd *sys.FD) {
	switch name {
	case SlotDoor, SlotConsole, SlotRing, SlotData, SlotRoom:
		fd.Close()
		return
	case SlotPty:
		k.dropPty()
	}
	if !k.slots.put(name, fd) {
		k.cfg.Say("more than " + strconv.Itoa(SlotsMax) + " descriptors: " + name + " is not kept")
		return
	}
	if name == SlotPty {
		k.takePty()
	}
}

func (k *Keeper) drop(name string) {
	switch name {
	case SlotDoor, SlotConsole, SlotRing, SlotData, SlotRoom:
		return
	case SlotPty:
		k.dropPty()
	}
	k.slots.drop(name)
}

// hello answers with all that is held. The supervisor waits for it and reads, so these
// sends may block no longer than it is alive.
func (k *Keeper) hello(version byte) {
	if version != ProtoVersion {
		k.cfg.Say("the supervisor speaks version " + strconv.Itoa(int(version)) + " of the keeper's protocol, not " + strconv.Itoa(ProtoVersion))
	}
	for i, name := range k.slots.names {
		if err := k.sendWait(append([]byte{byte(opSlot)}, name...), k.slots.fds[i].Int()); err != nil {
			return
		}
	}
	for _, d := range k.deaths.list {
		if err := k.sendWait(deathMessage(d)); err != nil {
			return
		}
	}
	k.deaths.sent = len(k.deaths.list)
	if k.sendWait(welcomeMessage(k.generation, k.restart.crashes)) == nil {
		k.greeted = true
	}
}

// helloWaitMs bounds how long one message of the answer to hello waits for room: a
// supervisor that said hello is reading. One that was stopped meanwhile gets no answer and
// will be ended by whoever wonders about it; the keeper must go on reading the console.
const helloWaitMs = 100

func (k *Keeper) sendWait(m []byte, fds ...int) error {
	for {
		err := sys.Send(k.conn.Int(), m, fds...)
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		p := []unix.PollFd{{Fd: int32(k.conn.Int()), Events: unix.POLLOUT}}
		n, perr := unix.Poll(p, helloWaitMs)
		if perr != nil && perr != unix.EINTR {
			return perr
		}
		if n == 0 && perr == nil {
			return err
		}
	}
}

// flush tells the supervisor of deaths it does not know.
func (k *Keeper) flush() {
	if !k.greeted || !k.conn.Valid() {
		return
	}
	for k.deaths.sent < len(k.deaths.list) {
		err := sys.Send(k.conn.Int(), deathMessage(k.deaths.list[k.deaths.sent]))
		if errors.Is(err, unix.EAGAIN) {
			_ = k.watch(k.conn.Int(), unix.EPOLLIN|unix.EPOLLOUT)
			return
		}
		if err != nil {
			return
		}
		k.deaths.sent++
	}
	_ = k.watch(k.conn.Int(), unix.EPOLLIN)
}

func (k *Keeper) hangUp() {
	if k.conn.Valid() {
		k.unwatch(k.conn.Int())
		k.conn.Close()
	}
	k.greeted = false
	k.deaths.sent = 0
}
