package kernel

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// Move starts to move a child of the caller into the contract; a Report Moved follows. The
// child must live where the caller lives: who was born elsewhere is no gate of this birth.
func (z *Zone) Move(id contract.ID, c Caller, p table.Proc) {
	place := z.tree.places[id]
	if place == nil || place.killed {
		z.tell(Report{What: Moved, CT: id, Proc: p, Err: fmt.Errorf("move %d: %w", p.Pid, ErrNone)})
		return
	}
	if len(z.moving) >= movingMax {
		clear(z.moving)
	}
	z.moving[ownerKey(p)] = id
	// The twins come first: in its contract it counts everywhere that it should.
	dirs := append(z.tree.twins(place), place.Born)
	z.jobs.start(func(context.Context) (Report, bool) {
		return Report{What: Moved, CT: id, Proc: p, Err: move(dirs, c, p)}, false
	})
}

// movingMax bounds the moves of which the collector has not told yet. One that it never tells
// of (its record was lost) is forgotten when there are so many.
const movingMax = 1024

// moved notes what came of a move. The collector's record of it may come later than this.
func (z *Zone) moved(r Report) {
	if r.Err != nil || z.c.Collector == nil {
		delete(z.moving, ownerKey(r.Proc))
	}
	p := z.tree.places[r.CT]
	if r.Err != nil || p == nil || z.connector == nil {
		return
	}
	if z.connector.has(r.CT, r.Proc) { // its birth was read late, and is told as one in the contract
		return
	}
	z.connector.remember(r.Proc.Pid, &member{ct: r.CT, proc: r.Proc})
	p.watch.populated, p.watch.last = true, r.Proc
	z.happened(p, table.Fact{Event: contract.Fork, Member: r.Proc}, time.Now().UnixNano())
}

// move moves by number, which is all the kernel has: the process is held fast and looked at
// first, and must still be alive after. Between these the number can change hands only if the
// process dies and all others of the host come round meanwhile; who then was moved is found
// by the collector.
func move(dirs []string, c Caller, p table.Proc) error {
	fail := func(err error) error { return fmt.Errorf("move %d: %w", p.Pid, err) }
	s, fd, err := hold(p.Pid)
	if err != nil {
		return fail(err)
	}
	defer fd.Close()
	if s.start != p.Start || sys.PidfdExited(fd.Int()) {
		return fail(ErrGone)
	}
	if s.ppid != c.Pid {
		return fail(ErrNotChild)
	}
	at, err := cgroupOf(p.Pid)
	if err != nil {
		return fail(err)
	}
	home, err := cgroupOf(c.Pid)
	if err != nil {
		return fail(err)
	}
	if at != home {
		return fail(ErrPlace)
	}
	for _, dir := range dirs {
		err = os.WriteFile(filepath.Join(dir, procsName), strconv.AppendInt(nil, int64(p.Pid), 10), 0)
		if err != nil {
			break
		}
	}
	if isAny(err, unix.ESRCH) || sys.PidfdExited(fd.Int()) {
		err = ErrGone
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// findMax bounds the members among whom a process is looked for, where the kernel does not
// translate numbers itself (before Linux 6.11).
const findMax = 4096

// Find is the process that has number pid in the caller's pid namespace, a member of the
// contract or a child of the caller. ErrNotChild: there is none.
func (z *Zone) Find(id contract.ID, c Caller, pid int32) (p table.Proc, member bool, err error) {
	place := z.tree.places[id]
	if place == nil {
		return p, false, fmt.Errorf("find %d in contract %d: %w", pid, id, ErrNone)
	}
	host, err := hostPid(c, pid, place, z.tree.mount)
	if err == nil {
		p, member, err = z.relative(host, id, c)
	}
	if err != nil {
		return table.Proc{}, false, fmt.Errorf("find %d in contract %d: %w", pid, id, err)
	}
	return p, member, nil
}

// relative says what a process is to the contract and the caller.
func (z *Zone) relative(pid int32, id contract.ID, c Caller) (p table.Proc, member bool, err error) {
	p, fd, err := identify(pid)
	if err != nil {
		return p, false, err
	}
	defer fd.Close()
	cgroup, err := cgroupOf(pid)
	if err != nil {
		return p, false, err
	}
	if z.tree.contractOf(cgroup) == id {
		return p, true, nil
	}
	if s, err := readStat(pid); err != nil || s.start != p.Start || s.ppid != c.Pid {
		return p, false, ErrNotChild
	}
	return p, false, nil
}

// nsGetPidFrom translates a number of a pid namespace into the caller's (ioctl_nsfs(2)).
const nsGetPidFrom = 0x8004b706

// hostPid is the host's number of the process that the caller knows as pid.
func hostPid(c Caller, pid int32, place *place, mount string) (int32, error) {
	if pid <= 0 {
		return 0, ErrNotChild
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(int(c.Pid)) + "/ns/pid")
	if err != nil {
		return 0, ErrGone
	}
	defer ns.Close()
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, ns.Fd(), nsGetPidFrom, uintptr(pid))
	switch errno {
	case 0:
		return int32(n), nil
	case unix.ESRCH:
		return 0, ErrNotChild
	}
	return hostPidSlow(c, pid, place, mount)
}

// hostPidSlow looks at the caller's children, at the contract's members and at who lives where
// the caller lives, as its gate does.
func hostPidSlow(c Caller, pid int32, place *place, mount string) (int32, error) {
	self, err := sys.PidfdOpen(int(c.Pid))
	if err != nil {
		return 0, ErrGone
	}
	defer self.Close()
	level := depth(self) - 1
	candidates := childrenOf(c.Pid)
	inside, _, _ := members(place.Dir, findMax)
	candidates = append(candidates, inside...)
	if home, err := cgroupOf(c.Pid); err == nil {
		around, _ := ownProcs(filepath.Join(mount, home, procsName), findMax)
		candidates = append(candidates, around...)
	}
	for _, candidate := range candidates {
		fd, err := sys.PidfdOpen(int(candidate))
		if err != nil {
			continue
		}
		same := nthPid(fd, level) == pid
		fd.Close()
		if same {
			return candidate, nil
		}
	}
	return 0, ErrNotChild
}

// childrenOf are a process's children, at most findMax of each of its threads. Those are among
// them that have ended and were not waited for, who are in no cgroup's list: a first member that
// ends at once is one before its maker has named it. None where the kernel does not tell
// (CONFIG_PROC_CHILDREN).
func childrenOf(pid int32) (list []int32) {
	tasks := "/proc/" + strconv.Itoa(int(pid)) + "/task"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	threads, _ := dir.Readdirnames(findMax)
	for _, thread := range threads {
		file, err := os.Open(filepath.Join(tasks, thread, "children"))
		if err != nil {
			continue
		}
		words := bufio.NewScanner(file)
		words.Split(bufio.ScanWords)
		for n := 0; n < findMax && words.Scan(); n++ {
			if child, err := strconv.ParseInt(words.Text(), 10, 32); err == nil {
				list = append(list, int32(child))
			}
		}
		file.Close()
	}
	return list
}
