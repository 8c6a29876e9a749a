package kernel

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// A request names the thread that made it by its number. It waits for the answer, so that the
// number is its own, unless it was killed: then the answer reaches nobody.

// identitiesMax bounds the processes whose start time and number in the zone are remembered.
const identitiesMax = 1024

// identities remember what of a process never changes, by its pidfd's inode number, which no
// other process of this boot has (Linux 6.9).
type identities struct {
	byInode map[uint64]table.Proc
	// slow: the kernel has no PIDFD_GET_INFO (Linux 6.13).
	slow bool
}

// ProcOf is the process of a thread of the host, as a request's header names it. ErrGone.
func (z *Zone) ProcOf(tid int32) (Caller, error) {
	if tid <= 0 {
		return Caller{}, ErrGone
	}
	if !z.cache.slow {
		c, err := z.procFast(tid)
		if err != errSlow {
			return c, err
		}
	}
	return z.procSlow(tid)
}

// errSlow: the kernel or the process needs the other way.
var errSlow = errors.New("not told by pidfd")

const pidfdThread = unix.O_EXCL // PIDFD_THREAD, Linux 6.9

// procFast asks the thread's pidfd.
func (z *Zone) procFast(tid int32) (Caller, error) {
	n, err := unix.PidfdOpen(int(tid), pidfdThread)
	switch err {
	case nil:
	case unix.EINVAL:
		z.cache.slow = true
		return Caller{}, errSlow
	case unix.ESRCH:
		return Caller{}, ErrGone
	default:
		return Caller{}, errSlow
	}
	fd := sys.Own(n)
	defer fd.Close()
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID | unix.PIDFD_INFO_CREDS | unix.PIDFD_INFO_CGROUPID}
	switch err := unix.IoctlPidfdInfo(n, &info); err {
	case nil:
	case unix.ESRCH, unix.EREMOTE:
		return Caller{}, ErrGone
	default:
		z.cache.slow = true
		return Caller{}, errSlow
	}
	const need = unix.PIDFD_INFO_CREDS | unix.PIDFD_INFO_CGROUPID
	if info.Mask&need != need {
		return Caller{}, errSlow
	}
	c := Caller{UID: info.Euid}
	if c.Proc, err = z.identity(int32(info.Tgid), tid, fd); err != nil {
		return Caller{}, err
	}
	var inside bool
	if c.CT = z.tree.byID[info.Cgroupid]; c.CT != 0 {
		inside = true
	} else if c.CT, inside, err = z.placeOf(tid); err != nil {
		return Caller{}, err
	}
	c.settle(inside)
	return c, nil
}

// identity is the process tgid, one of whose threads fd is of.
func (z *Zone) identity(tgid, tid int32, fd *sys.FD) (table.Proc, error) {
	leader := fd
	if tgid != tid {
		var err error
		if leader, err = sys.PidfdOpen(int(tgid)); err != nil {
			return table.Proc{}, ErrGone
		}
		defer leader.Close()
	}
	var st unix.Stat_t
	if err := unix.Fstat(leader.Int(), &st); err != nil {
		return table.Proc{}, err
	}
	if p, ok := z.cache.byInode[st.Ino]; ok {
		return p, nil
	}
	s, err := readStat(tgid)
	if err != nil || sys.PidfdSignal(leader.Int(), 0) != nil {
		return table.Proc{}, ErrGone
	}
	p := table.Proc{Pid: tgid, Start: s.start, ZPid: zonePid(leader)}
	if len(z.cache.byInode) >= identitiesMax || z.cache.byInode == nil {
		z.cache.byInode = map[uint64]table.Proc{}
	}
	z.cache.byInode[st.Ino] = p
	return p, nil
}

// procSlow reads /proc.
func (z *Zone) procSlow(tid int32) (Caller, error) {
	s, err := readStatus(tid)
	if err != nil {
		return Caller{}, err
	}
	c := Caller{UID: s.euid}
	p, fd, err := identify(s.tgid)
	if err != nil {
		return Caller{}, err
	}
	fd.Close()
	c.Proc = p
	ct, inside, err := z.placeOf(tid)
	if err != nil {
		return Caller{}, err
	}
	c.CT = ct
	c.settle(inside)
	return c, nil
}

// placeOf is the contract of a thread, and whether it lives in the zone's cgroups.
func (z *Zone) placeOf(tid int32) (contract.ID, bool, error) {
	cgroup, err := cgroupOf(tid)
	if err != nil {
		return 0, false, err
	}
	_, inside := z.tree.within(cgroup)
	return z.tree.contractOf(cgroup), inside, nil
}

// settle decides whether the caller is in the zone: who lives in another pid namespace without
// being in the zone's cgroups is not, and has no number there.
func (c *Caller) settle(inside bool) {
	c.InZone = inside && c.ZPid != 0
	if !c.InZone {
		c.ZPid = 0
	}
}

// Comm is the process's command, as it names itself.
func (z *Zone) Comm(p table.Proc) string {
	var buf [64]byte
	b, err := readProc(p.Pid, "comm", buf[:])
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}
