package kernel

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// PidfdsMax bounds the processes that are held by a pidfd, owners and first members. Owners
// beyond are looked at from time to time; first members beyond end unseen but for Empty.
const PidfdsMax = 4096

// pidfd is a process that is watched: an owner, or a contract's first member.
type pidfd struct {
	fd   *sys.FD
	proc table.Proc
	ct   contract.ID // of a first member; 0: an owner
}

// pidfds are the processes watched.
type pidfds struct {
	byFD   map[int]*pidfd
	owners map[table.Proc]*pidfd
	firsts map[contract.ID]*pidfd
	blind  []table.Proc // owners without a pidfd
}

// ownerKey is a process's identity: its number in the zone is not part of it.
func ownerKey(p table.Proc) table.Proc { return table.Proc{Pid: p.Pid, Start: p.Start} }

// WatchOwner has the death of a process told, at once when it is dead already.
func (z *Zone) WatchOwner(p table.Proc) error {
	key := ownerKey(p)
	if z.pidfds.owners[key] != nil || slices.ContainsFunc(z.pidfds.blind, func(b table.Proc) bool { return ownerKey(b) == key }) {
		return nil
	}
	if len(z.pidfds.byFD) >= PidfdsMax {
		z.pidfds.blind = append(z.pidfds.blind, p)
		return nil
	}
	w, err := z.watchPidfd(p, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		z.tell(Report{What: Gone, Proc: p, Time: time.Now().UnixNano()})
		return nil
	case err != nil: // no descriptor is left
		z.pidfds.blind = append(z.pidfds.blind, p)
		return nil
	}
	z.pidfds.owners[key] = w
	return nil
}

// ForgetOwner ends that.
func (z *Zone) ForgetOwner(p table.Proc) {
	key := ownerKey(p)
	z.pidfds.blind = slices.DeleteFunc(z.pidfds.blind, func(b table.Proc) bool { return ownerKey(b) == key })
	if w := z.pidfds.owners[key]; w != nil {
		delete(z.pidfds.owners, key)
		z.dropPidfd(w)
	}
}

// EndedIn says whether a process has ended, or is about to, that was a member of a contract
// which is empty now. One that somebody has moved out of it lives on.
func (z *Zone) EndedIn(id contract.ID, p table.Proc) bool {
	s, err := readStat(p.Pid)
	if err != nil || s.start != p.Start {
		return true
	}
	cgroup, err := cgroupOf(p.Pid) // of a zombie too
	return err != nil || z.tree.contractOf(cgroup) == id
}

func (z *Zone) watchPidfd(p table.Proc, ct contract.ID) (*pidfd, error) {
	fd, err := sys.PidfdOpenStarted(int(p.Pid), p.Start)
	if err != nil {
		return nil, err
	}
	w := &pidfd{fd: fd, proc: p, ct: ct}
	if err := z.poll(fd.Int()); err != nil {
		fd.Close()
		return nil, err
	}
	z.pidfds.byFD[fd.Int()] = w
	return w, nil
}

func (z *Zone) dropPidfd(w *pidfd) {
	delete(z.pidfds.byFD, w.fd.Int())
	_ = unix.EpollCtl(z.epoll.Int(), unix.EPOLL_CTL_DEL, w.fd.Int(), nil)
	w.fd.Close()
}

// ended tells of a process that has ended.
func (z *Zone) ended(w *pidfd) {
	now := time.Now().UnixNano()
	if w.ct == 0 {
		delete(z.pidfds.owners, ownerKey(w.proc))
		z.dropPidfd(w)
		z.tell(Report{What: Gone, Proc: w.proc, Time: now})
		return
	}
	code, ok := exitStatus(w.fd, w.proc)
	delete(z.pidfds.firsts, w.ct)
	z.dropPidfd(w)
	p := z.tree.places[w.ct]
	if p == nil {
		return
	}
	p.watch.last = w.proc
	if !ok {
		z.lose(p, 1, now)
		return
	}
	z.exited(p, table.Fact{Member: w.proc}, code, now)
	z.look(p, false)
}

// exited tells of an exit, and before it of the cause where the status alone says it. A death
// by a signal that dumps core counts as the member's own doing: who sent it is not known.
func (z *Zone) exited(p *place, f table.Fact, code uint32, at int64) {
	f.Status = code
	if sig := unix.Signal(code & 0x7f); coreSignals[sig] {
		c := f
		c.Event, c.Sig, c.Core = contract.Core, int32(sig), code&0x80 != 0
		z.happened(p, c, at)
	}
	f.Event = contract.Exit
	z.happened(p, f, at)
}

// exitStatus is the wait status of a process that has ended and is not our child: from its
// zombie, or, when it was reaped, from its pidfd where the kernel has that (Linux 6.15).
func exitStatus(fd *sys.FD, p table.Proc) (code uint32, ok bool) {
	s, err := readStat(p.Pid)
	if err == nil && s.hasExit && s.start == p.Start && (s.state == 'Z' || s.state == 'X') {
		return s.exitCode, true
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(fd.Int(), &info); err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false
	}
	return uint32(info.Exit_code), true
}

// sweep looks at owners that have no pidfd.
func (p *pidfds) sweep() (gone []table.Proc) {
	p.blind = slices.DeleteFunc(p.blind, func(o table.Proc) bool {
		fd, err := sys.PidfdOpenStarted(int(o.Pid), o.Start)
		dead := errors.Is(err, unix.ESRCH)
		if err == nil {
			dead = sys.PidfdExited(fd.Int())
			fd.Close()
		}
		if dead {
			gone = append(gone, o)
		}
		return dead
	})
	return gone
}

// named tells of a first member whose birth the connector has not told yet. When that is read
// the process may be gone, and nothing but its maker's word says where it was born; and where
// those were whom it bore.
func (z *Zone) named(p *place, first table.Proc) {
	if z.connector == nil || z.connector.has(p.CT, first) {
		return
	}
	if !z.connector.remember(first.Pid, &member{ct: p.CT, proc: first, named: true}) {
		return // its birth is told as lost
	}
	p.watch.last = first
	z.happened(p, table.Fact{Event: contract.Fork, Member: first}, time.Now().UnixNano())
}

// Born names the first member, whose exit status is told by its pidfd where there is nothing
// better.
func (z *Zone) Born(id contract.ID, first table.Proc) error {
	p := z.tree.places[id]
	if p == nil {
		return ErrNone
	}
	p.watch.populated = true
	// Nobody knew of a member when it was found empty, if it was: now that is told.
	p.watch.told = false
	if z.Sources()&(SourceBPF|SourceConnector) != 0 {
		z.known(p, first)
		z.named(p, first)
		z.look(p, false)
		return nil
	}
	p.watch.last = first
	z.happened(p, table.Fact{Event: contract.Fork, Member: first}, time.Now().UnixNano())
	if z.c.Off&SourcePidfd == 0 && len(z.pidfds.byFD) < PidfdsMax && z.pidfds.firsts[id] == nil {
		if w, err := z.watchPidfd(first, id); err == nil {
			z.pidfds.firsts[id] = w
		} else {
			z.lose(p, 1, time.Now().UnixNano()) // its exit
		}
	}
	z.look(p, false)
	return nil
}
