package kernel

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// Kill starts a kill; a Report Killed follows when it is done. The same kill again, while it
// is under way, is that one.
func (z *Zone) Kill(k table.Kill) {
	if z.kills[k] {
		return
	}
	p := z.tree.places[k.CT]
	if p == nil {
		z.tell(Report{What: Killed, CT: k.CT, Kill: k})
		return
	}
	z.kills[k] = true
	dir := p.Path
	if z.everybody(k) {
		p.killed = true
		z.jobs.start(func(ctx context.Context) (Report, bool) {
			again, err := killAll(ctx, dir, z.jobs.crowded)
			return Report{What: Killed, CT: k.CT, Kill: k, Err: err}, again
		})
		return
	}
	c := &cull{dir: dir, rel: z.tree.relOf(p), kill: k, zoneRoot: z.c.RootUID}
	z.jobs.start(func(ctx context.Context) (Report, bool) {
		again, err := c.run(ctx)
		return Report{What: Killed, CT: k.CT, Kill: k, Err: err}, again
	})
}

// everybody says whether a kill spares nobody, so that cgroup.kill serves, which no storm of
// births escapes. It does when the author may signal all that can live there, and when the one
// who is to be spared is dead already, as a member is by the time its end is told.
func (z *Zone) everybody(k table.Kill) bool {
	if k.Pgrp != 0 {
		return false
	}
	// Privilege in the zone reaches all that the zone gave birth to; in a login's directory
	// processes of the host may be at work.
	if k.Checked && !(k.Author.Privileged && (k.Author.UID < z.c.RootUID || !z.tree.places[k.CT].taken)) {
		return false
	}
	return k.Except == (table.Proc{}) || !lives(k.Except)
}

// lives says whether a process has not begun to end.
func lives(p table.Proc) bool {
	s, err := readStat(p.Pid)
	return err == nil && (p.Start == 0 || s.start == p.Start) && s.state != 'Z' && s.state != 'X' && !s.exiting
}

// Times of a kill.
const (
	killAgainFirst = 250 * time.Millisecond // after which a cgroup that is not empty is killed once more
	killAgainMax   = 4 * time.Second        // who is left then sits in the kernel
	lookFirst      = 200 * time.Microsecond // how soon it is looked whether it is empty
	lookMax        = 20 * time.Millisecond
)

// killAll kills every process in dir and below until none is left. Once is not always enough:
// a process of several threads that another thread of it takes over by execve just then has a
// leader that is dying, which the kernel takes for the whole. A process that sits in the
// kernel is waited for until the Zone is closed, with again when others want the place.
func killAll(ctx context.Context, dir string, crowded func() bool) (again bool, err error) {
	t := time.NewTimer(0)
	defer t.Stop()
	for round := killAgainFirst; ; round = min(2*round, killAgainMax) {
		if err := cgroup2.Kill(dir); err != nil {
			return false, err
		}
		end := time.Now().Add(round)
		for look := lookFirst; time.Now().Before(end); look = min(2*look, lookMax) {
			if busy, err := cgroup2.Populated(dir); err != nil || !busy {
				return false, err
			}
			if !pause(ctx, t, look) {
				return false, ErrClosed
			}
		}
		if crowded() {
			return true, nil
		}
	}
}

// Limits of a selective kill.
const (
	// freezeWait is how long a contract may take to freeze: 500 processes take 2 ms; one that
	// waits in the kernel for a file system does not freeze before it is answered.
	freezeWait = 30 * time.Millisecond
	// cullPasses bounds how often members are read while they are frozen. The second pass finds
	// who was being born when the first began; a storm on a busy machine takes a few more.
	cullPasses = 50
)

// cull is a kill of some members.
type cull struct {
	dir, rel string // the contract's, and as /proc/PID/cgroup names it
	kill     table.Kill
	zoneRoot uint32
	hit      map[table.Proc]bool // who was signalled
}

// run freezes the contract, so that nobody is born while it reads who lives there, kills those
// concerned, and thaws it. SIGKILL reaches who is frozen. It is done when a pass finds nobody
// new, and the contract stays frozen until then: survivors would give birth meanwhile, while
// who is born into a frozen contract is born frozen. again: there were new ones to the last.
func (c *cull) run(ctx context.Context) (again bool, err error) {
	c.hit = map[table.Proc]bool{}
	t := time.NewTimer(0)
	defer t.Stop()
	fresh := 1
	for pass := 0; pass < cullPasses && fresh > 0 && err == nil && ctx.Err() == nil; pass++ {
		if err = c.freeze(ctx, t); err == nil {
			fresh, err = c.pass()
		}
	}
	if thaw := c.write("cgroup.freeze", "0"); err == nil {
		err = thaw
	}
	switch {
	case gone(err):
		return false, nil
	case err != nil:
		return false, err
	case ctx.Err() != nil:
		return false, ErrClosed
	}
	return fresh > 0, nil
}

func gone(err error) bool { return isAny(err, unix.ENOENT, unix.ENODEV) }

func (c *cull) write(file, text string) error {
	return os.WriteFile(filepath.Join(c.dir, file), []byte(text), 0)
}

func (c *cull) freeze(ctx context.Context, t *time.Timer) error {
	if err := c.write("cgroup.freeze", "1"); err != nil {
		return err
	}
	return awaitFrozen(ctx, t, c.dir, freezeWait)
}

// awaitFrozen waits until all are frozen, or for a bounded time: who is not frozen by then sits
// in the kernel, and is frozen before it can do anything else.
func awaitFrozen(ctx context.Context, t *time.Timer, dir string, most time.Duration) error {
	end := time.Now().Add(most)
	for look := lookFirst; ; look = min(2*look, lookMax) {
		populated, frozen, err := cgroup2.Events(dir)
		if err != nil || frozen || !populated {
			return err
		}
		if !time.Now().Before(end) || !pause(ctx, t, look) {
			return nil
		}
	}
}

// pass signals the members concerned and says how many of them were not signalled before.
func (c *cull) pass() (fresh int, err error) {
	_, err = cgroup2.Each(c.dir, 0, func(pid int) bool {
		if pid > 0 && c.one(int32(pid)) {
			fresh++
		}
		return true
	})
	return fresh, err
}

// one signals a member if it is concerned. Its number was read a moment ago: it is held fast
// first, and then it must still be a member.
func (c *cull) one(pid int32) bool {
	s, fd, err := hold(pid)
	if err != nil {
		return false
	}
	defer fd.Close()
	p := table.Proc{Pid: pid, Start: s.start}
	if c.hit[p] || c.kill.Pgrp != 0 && s.pgrp != c.kill.Pgrp || !c.member(pid) {
		return false
	}
	if e := c.kill.Except; e.Pid == pid && (e.Start == 0 || e.Start == s.start) {
		return false
	}
	if c.kill.Checked && !c.allowed(pid) {
		return false
	}
	if sys.PidfdSignal(fd.Int(), unix.SIGKILL) != nil {
		return false
	}
	c.hit[p] = true
	return true
}

// member says whether a process lives in the contract.
func (c *cull) member(pid int32) bool {
	cgroup, err := cgroupOf(pid)
	return err == nil && (cgroup == c.rel || strings.HasPrefix(cgroup, c.rel+"/"))
}

func (c *cull) allowed(pid int32) bool {
	s, err := readStatus(pid)
	return err == nil && (c.may(c.kill.Author, s) || c.kill.HasSource && c.may(c.kill.Source, s))
}

// may says whether a user may signal a process, as kill(2) has it: privileged in the zone, or
// its real or saved user. Privilege in the zone does not reach processes of the host.
func (c *cull) may(who table.Cred, s status) bool {
	if who.Privileged && (who.UID < c.zoneRoot || s.ruid >= c.zoneRoot && s.suid >= c.zoneRoot) {
		return true
	}
	return who.UID == s.ruid || who.UID == s.suid
}
