package kernel

import (
	"fmt"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
)

// Make makes the directories of a contract. ErrUsed: there is or was one of this id.
func (z *Zone) Make(id contract.ID) (Dir, error) {
	p, err := z.tree.make(id, contractsName)
	if err != nil {
		return Dir{}, err
	}
	return p.Dir, nil
}

// Take makes a directory outside of ct/ (a login's) the contract's. Again after a restart.
func (z *Zone) Take(id contract.ID, path string) (Dir, error) {
	p, err := z.tree.take(id, path)
	if err != nil {
		return Dir{}, err
	}
	return p.Dir, nil
}

// Dir is the contract's directory.
func (z *Zone) Dir(id contract.ID) (Dir, bool) {
	p := z.tree.places[id]
	if p == nil {
		return Dir{}, false
	}
	return p.Dir, true
}

// List is the contracts that have a directory.
func (z *Zone) List() []Dir { return z.tree.list() }

// Delegate gives d/ to a user of the zone, so that a member (an init, a service that runs
// containers) can make cgroups below. During a window anybody of that user can move into it.
func (z *Zone) Delegate(id contract.ID, uid, gid uint32) error {
	p := z.tree.places[id]
	if p == nil {
		return fmt.Errorf("delegate contract %d: %w", id, ErrNone)
	}
	if err := cgroup2.Delegate(p.Born, int(uid), int(gid)); err != nil {
		return err
	}
	z.tree.confine(p)
	return nil
}

// Remove removes the directories and what members made below, and forgets the contract. One
// that was Taken is only forgotten. ErrBusy: somebody lives there.
func (z *Zone) Remove(id contract.ID) error {
	p := z.tree.places[id]
	if p == nil {
		return nil
	}
	if z.window != nil && z.window.place == p {
		if _, err := z.CloseWindow(); err != nil {
			return err
		}
	}
	if err := z.tree.remove(p); err != nil {
		return err
	}
	z.forget(p)
	return nil
}

// forget ends what watched a contract that is gone.
func (z *Zone) forget(p *place) {
	z.empties.forget(p)
	if w := z.pidfds.firsts[p.CT]; w != nil {
		delete(z.pidfds.firsts, p.CT)
		z.dropPidfd(w)
	}
	if z.c.Collector != nil {
		_ = z.c.Collector.Forget(p.Dir)
	}
	if z.connector != nil && z.connector.perCT[p.CT] > 0 {
		for pid, m := range z.connector.members {
			if m.ct == p.CT {
				z.connector.forgetMember(pid)
			}
		}
	}
}

// Populated says whether the contract has a member.
func (z *Zone) Populated(id contract.ID) (bool, error) {
	p := z.tree.places[id]
	if p == nil {
		return false, fmt.Errorf("look at contract %d: %w", id, ErrNone)
	}
	return cgroup2.Populated(p.Path)
}

// Members lists at most max members, on all levels below; more says that there are others.
func (z *Zone) Members(id contract.ID, max int) (pids []int32, more bool, err error) {
	p := z.tree.places[id]
	if p == nil {
		return nil, false, fmt.Errorf("list contract %d: %w", id, ErrNone)
	}
	return members(p.Dir, max)
}
