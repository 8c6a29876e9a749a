package kernel

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// The net beneath all sources: cgroup.events of each contract's directory, watched through one
// inotify instance. A user has 128 of those, and what his zones have counts as his: where there is
// none the file is held open and polled. The kernel holds a notice back for up to 10 ms after the one
// before, and tells no more than that something changed.

// filesMax bounds the files that are held open; contracts beyond are looked at from time to time.
const filesMax = 256

// watch is what is known of a contract's emptiness.
type watch struct {
	wd        int32
	file      *sys.FD // held open in the place of a watch
	populated bool    // it has or had a member
	told      bool    // that it is empty was told
	frozen    bool    // when last looked at
	last      table.Proc
}

// emptyGrace is how long emptiness is held back for exits that come first: a cgroup is empty
// a moment before the kernel tells of the last exit (proc connector, pidfd).
const emptyGrace = 50 * time.Millisecond

// candidate is a contract that was found empty and is not told so yet.
type candidate struct {
	ct    contract.ID
	until time.Time // when it is told whatever is outstanding
}

// empties finds empty contracts.
type empties struct {
	fd         *sys.FD // inotify, where it can be had
	epoll      int     // what files are polled with
	byWD       map[int32]contract.ID
	byFile     map[int]contract.ID
	blind      map[contract.ID]bool // without either: the limits on them are reached
	candidates []candidate
	vanished   []contract.ID // had members, and have no directory any more
}

func newEmpties(epoll int) *empties {
	e := &empties{epoll: epoll, byWD: map[int32]contract.ID{}, byFile: map[int]contract.ID{}, blind: map[contract.ID]bool{}}
	if n, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
		e.fd = sys.Own(n)
	}
	return e
}

func (e *empties) close() {
	_ = e.fd.Close()
	for fd := range e.byFile {
		unix.Close(fd)
	}
}

// knows says whether a contract's emptiness is looked for.
func (e *empties) knows(p *place) bool {
	return p.watch.wd >= 0 || p.watch.file.Valid() || e.blind[p.CT]
}

// watch begins to watch a directory. Without a watch it is looked at from time to time.
func (e *empties) watch(p *place) {
	if e.knows(p) {
		return
	}
	name := filepath.Join(p.Path, "cgroup.events")
	if e.fd.Valid() {
		if wd, err := unix.InotifyAddWatch(e.fd.Int(), name, unix.IN_MODIFY); err == nil {
			p.watch.wd = int32(wd)
			e.byWD[int32(wd)] = p.CT
			return
		}
	}
	if !e.open(p, name) {
		e.blind[p.CT] = true
	}
}

// open polls a directory's file.
func (e *empties) open(p *place, name string) bool {
	if len(e.byFile) >= filesMax {
		return false
	}
	n, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	file := sys.Own(n)
	// Each change is told once, whether or not it is read, and a removal does not repeat itself.
	if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, n, &unix.EpollEvent{Events: unix.EPOLLPRI | unix.EPOLLET, Fd: int32(n)}); err != nil {
		_ = file.Close()
		return false
	}
	p.watch.file = file
	e.byFile[n] = p.CT
	return true
}

func (e *empties) forget(p *place) {
	delete(e.blind, p.CT)
	e.candidates = slices.DeleteFunc(e.candidates, func(c candidate) bool { return c.ct == p.CT })
	if p.watch.wd >= 0 {
		delete(e.byWD, p.watch.wd)
		_, _ = unix.InotifyRmWatch(e.fd.Int(), uint32(p.watch.wd))
		p.watch.wd = -1
	}
	if p.watch.file.Valid() {
		delete(e.byFile, p.watch.file.Int())
		_ = p.watch.file.Close()
	}
}

// changed lists the contracts whose files have changed; all says that some were not told.
func (e *empties) changed() (list []contract.ID, all bool) {
	var buf [4096]byte
	for {
		n, err := unix.Read(e.fd.Int(), buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n < unix.SizeofInotifyEvent {
			return list, all
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			le := binary.NativeEndian
			wd, mask, name := int32(le.Uint32(b)), le.Uint32(b[4:]), le.Uint32(b[12:])
			if mask&unix.IN_Q_OVERFLOW != 0 {
				all = true
			}
			if id := e.byWD[wd]; id != 0 && mask&unix.IN_MODIFY != 0 {
				list = append(list, id)
			}
			b = b[min(len(b), unix.SizeofInotifyEvent+int(name)):]
		}
	}
}

// look sees whether a contract is empty that was not. A notice of a contract that was never
// seen with a member means that it had one meanwhile, unless it was frozen or thawed.
func (z *Zone) look(p *place, noticed bool) {
	populated, frozen, err := cgroup2.Events(p.Path)
	if err != nil {
		return
	}
	thawed := frozen != p.watch.frozen
	p.watch.frozen = frozen
	if populated {
		p.watch.populated = true
		return
	}
	if p.watch.told || !p.watch.populated && (!noticed || thawed) {
		return
	}
	p.watch.populated = true
	if !slices.ContainsFunc(z.empties.candidates, func(c candidate) bool { return c.ct == p.CT }) {
		z.empties.candidates = append(z.empties.candidates, candidate{p.CT, time.Now().Add(emptyGrace)})
		z.jobs.poke() // it is Next that tells
	}
}

// lookAround looks at what has changed.
func (z *Zone) lookAround() {
	list, all := z.empties.changed()
	for _, id := range list {
		if p := z.tree.places[id]; p != nil {
			z.look(p, true)
		}
	}
	if all {
		z.lookAtAll()
	}
}

// lookAtAll looks at every watched contract.
func (z *Zone) lookAtAll() {
	for _, p := range z.tree.places {
		if z.empties.knows(p) {
			z.look(p, false)
		}
	}
}

// settle tells of candidates, once the sources that know more have told all that they had when
// the contract was found empty.
func (z *Zone) settle() {
	now := time.Now()
	for _, id := range z.empties.vanished {
		z.tell(Report{What: Happened, CT: id, Time: now.UnixNano(), Fact: table.Fact{Event: contract.Empty}})
	}
	z.empties.vanished = nil
	var held []candidate
	for _, c := range z.empties.candidates {
		p := z.tree.places[c.ct]
		switch {
		case p == nil || p.watch.told:
		case z.outstanding(c.ct) && now.Before(c.until):
			held = append(held, c)
		default:
			z.giveUp(p)
			if z.c.Collector != nil {
				z.countLostOf(p)
			}
			z.empty(p, p.watch.last, now.UnixNano())
		}
	}
	z.empties.candidates = held
}

// empty tells that a contract is empty, once.
func (z *Zone) empty(p *place, last table.Proc, at int64) {
	p.watch.told, p.watch.populated = true, true
	z.tell(Report{What: Happened, CT: p.CT, Time: at, Fact: table.Fact{Event: contract.Empty, Member: last}})
}
