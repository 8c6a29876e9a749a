package kernel

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// Zone is what the kernel has of one zone's contracts.
type Zone struct {
	c      Config
	tree   *tree
	hostNS uint64
	window *window
	kills  map[table.Kill]bool
	moving map[table.Proc]contract.ID // who leaves its contract by our doing
	hunts  hunts

	epoll     *sys.FD
	timer     *sys.FD
	armed     time.Time
	jobs      *jobs
	empties   *empties
	connector *connector
	pidfds    pidfds
	cache     identities

	queue []Report
	lost  uint64
	// Of the collector: records read since losses were counted last, those counted, records
	// that were none of ours, and whether members are to be adopted.
	read, ringLost      uint64
	told, kept, skipped Position
	corrupt             int
	adopt, gap          bool
	untold              bool // losses from before this Zone

	telling bool // in Next
}

// queueMax is how many reports wait at most before sources are read on.
const queueMax = 1024

// Open takes up the zone below c.Root, a fresh one or one with contracts (a resume): it closes
// windows that a dead supervisor has left open before anything else, and knows the contracts
// in ct/. The caller then Takes the logins, Watches what it knows, and calls Resync once.
func Open(c Config) (*Zone, error) {
	off, err := switchedOff(c)
	if err != nil {
		return nil, err
	}
	c.Off = off
	z := &Zone{
		c: c, kills: map[table.Kill]bool{}, moving: map[table.Proc]contract.ID{},
		pidfds: pidfds{byFD: map[int]*pidfd{}, owners: map[table.Proc]*pidfd{}, firsts: map[contract.ID]*pidfd{}},
	}
	if z.tree, err = openTree(c.Root); err != nil {
		return nil, err
	}
	if err = z.open(); err != nil {
		z.c.Collector = nil // it is the caller's as long as nothing was opened
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

func (z *Zone) open() error {
	if err := z.tree.shutAll(); err != nil {
		return err
	}
	z.hostNS = namespace(int32(unix.Getpid()), "cgroup")
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open contracts: %w", err)
	}
	z.epoll = sys.Own(n)
	if n, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("open contracts: %w", err)
	}
	z.timer = sys.Own(n)
	if z.jobs, err = newJobs(); err != nil {
		return fmt.Errorf("open contracts: %w", err)
	}
	z.empties = newEmpties(z.epoll.Int())
	for _, fd := range []*sys.FD{z.timer, z.jobs.wake, z.empties.fd} {
		if !fd.Valid() {
			continue
		}
		if err := z.poll(fd.Int()); err != nil {
			return err
		}
	}
	if z.c.Later {
		return nil
	}
	return z.openSource()
}

// openSource takes up the best source that the host has and the configuration wants.
func (z *Zone) openSource() error {
	if z.c.Off&SourceBPF != 0 && z.c.Collector != nil {
		_ = z.c.Collector.Close()
		z.c.Collector = nil
	}
	switch {
	case z.c.Collector != nil:
		gap, err := z.c.Collector.Start(z.tree.level+2, z.c.Kept)
		if err != nil {
			return fmt.Errorf("start the collector: %w", err)
		}
		z.gap = gap
		z.ringLost, _ = z.c.Collector.Lost()
		return z.poll(z.c.Collector.FD())
	case z.c.Off&SourceConnector == 0:
		// Without it the next best serves; Sources says so.
		c, err := openConnector(connectorBytes)
		if err != nil {
			return nil
		}
		z.connector = c
		return z.poll(c.fd.Int())
	}
	return nil
}

// Attach decides the sources of a Zone that was opened with Later: the collector, which the
// Zone closes once this has succeeded, or without one the next best. It is for the moment
// before anything happens in a contract: members that are there are found, what they did
// before is not told. The caller then Watches all contracts again.
func (z *Zone) Attach(c Collector) error {
	z.c.Later, z.c.Collector = false, c
	if err := z.openSource(); err != nil {
		z.c.Later, z.c.Collector = true, nil
		return err
	}
	z.adopt = z.c.Collector != nil
	if z.connector != nil {
		for _, p := range z.tree.places {
			z.learn(p)
		}
	}
	return nil
}

func (z *Zone) poll(fd int) error {
	err := unix.EpollCtl(z.epoll.Int(), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	if err != nil {
		return fmt.Errorf("watch a descriptor: %w", err)
	}
	return nil
}

// Close ends everything that runs. What was not told is lost; kills and windows are not undone.
func (z *Zone) Close() error {
	if z.jobs != nil {
		z.jobs.stop()
	}
	for _, w := range z.pidfds.byFD {
		w.fd.Close()
	}
	if z.connector != nil {
		z.connector.close()
	}
	if z.empties != nil {
		z.empties.close()
	}
	var err error
	if z.c.Collector != nil {
		err = z.c.Collector.Close()
	}
	z.timer.Close()
	z.epoll.Close()
	z.tree.fd.Close()
	return err
}

// FD is readable when Next has something to tell. It stays the Zone's.
func (z *Zone) FD() int { return z.epoll.Int() }

// tell queues a report, and makes FD readable.
func (z *Zone) tell(r Report) {
	if len(z.queue) == 0 && z.jobs != nil && !z.telling {
		z.jobs.poke()
	}
	z.queue = append(z.queue, r)
}

// Next fills into with reports, as many as there are, and says how many. It never blocks. FD
// may be readable for nothing: 0.
//
// The collector is read after cgroup.events: what it told before a contract was found empty is
// then told before Empty.
func (z *Zone) Next(into []Report) (n int, err error) {
	z.telling = true // what is left is seen to at the end
	defer func() { z.telling = false }()
	z.finish(z.jobs.collect())
	if err := z.events(); err != nil {
		return 0, err
	}
	if err := z.adoptMembers(); err != nil {
		return 0, err
	}
	dry, err := z.drain()
	if err != nil {
		return 0, err
	}
	if dry && z.connector != nil {
		z.placeAll()
	}
	if dry {
		if z.c.Collector != nil && (z.read > 0 || z.untold) {
			z.read = 0
			z.countLost()
		}
		z.settle()
	}
	n = copy(into, z.queue)
	z.queue = z.queue[:copy(z.queue, z.queue[n:])]
	if len(z.queue) > 0 || !dry {
		z.jobs.poke()
	}
	z.rearm()
	return n, nil
}

// eventsMax is how many descriptors one call of Next looks at.
const eventsMax = 128

// events looks at what is readable, but for what drain reads.
func (z *Zone) events() error {
	var ready [eventsMax]unix.EpollEvent
	n, err := unix.EpollWait(z.epoll.Int(), ready[:], 0)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for events: %w", err)
	}
	for _, e := range ready[:n] {
		fd := int(e.Fd)
		ct, file := z.empties.byFile[fd]
		switch {
		case fd == z.timer.Int():
			z.tick()
		case file:
			if p := z.tree.places[ct]; p != nil {
				z.look(p, true)
			}
		case z.empties.fd.Valid() && fd == z.empties.fd.Int():
			z.lookAround()
		default:
			if w := z.pidfds.byFD[fd]; w != nil {
				z.ended(w)
			}
		}
	}
	return nil
}

// drain reads the best source; dry says that it has nothing more. It may have, and not give it:
// then a contract that was found empty is not told so yet, since its last exits may be behind.
func (z *Zone) drain() (dry bool, err error) {
	for len(z.queue) < queueMax {
		more := false
		switch {
		case z.c.Collector != nil:
			more, err = z.readCollector()
		case z.connector != nil:
			more = z.readConnector()
		}
		if err != nil || !more {
			return err == nil && (z.c.Collector == nil || !z.c.Collector.Held()), err
		}
	}
	return false, nil
}

// adoptMembers has the collector look for members that were there before it.
func (z *Zone) adoptMembers() error {
	if !z.adopt {
		return nil
	}
	z.adopt = false
	if err := z.c.Collector.Adopt(); err != nil {
		return fmt.Errorf("look for members: %w", err)
	}
	return nil
}

// finish tells what jobs have done.
func (z *Zone) finish(done []Report) {
	for _, r := range done {
		switch r.What {
		case Killed:
			delete(z.kills, r.Kill)
		case Moved:
			z.moved(r)
		case hunted:
			z.huntEnded()
			continue
		}
		if p := z.tree.places[r.CT]; p != nil {
			z.look(p, false) // a notice may be on its way for 10 ms yet
		}
		z.tell(r)
	}
}

// tickEvery is how often what can not be watched is looked at, and what is held back.
const tickEvery = 20 * time.Millisecond

// rearm has the timer go off if something is held back or not watched.
func (z *Zone) rearm() {
	needed := len(z.empties.candidates) > 0 || len(z.empties.blind) > 0 || len(z.pidfds.blind) > 0 ||
		z.connector != nil && len(z.connector.unplaced) > 0
	now := time.Now()
	if !needed || now.Before(z.armed) {
		return
	}
	z.armed = now.Add(tickEvery)
	_ = unix.TimerfdSettime(z.timer.Int(), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(tickEvery))}, nil)
}

func (z *Zone) tick() {
	var buf [8]byte
	_, _ = unix.Read(z.timer.Int(), buf[:])
	z.armed = time.Time{}
	for id := range z.empties.blind {
		if p := z.tree.places[id]; p != nil {
			z.look(p, false)
		}
	}
	for _, p := range z.pidfds.sweep() {
		z.tell(Report{What: Gone, Proc: p, Time: time.Now().UnixNano()})
	}
}
