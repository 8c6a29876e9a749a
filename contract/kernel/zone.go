package kernel

import (
	"errors"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
)

// Zone is what the kernel has of one zone's contracts.
type Zone struct{}

// Open takes up the zone below c.Root, a fresh one or one with contracts (a resume): it closes
// windows that a dead supervisor has left open before anything else, and knows the contracts
// in ct/. The caller then Takes the logins, Watches what it knows, and calls Resync once.
func Open(c Config) (*Zone, error) { return nil, errors.ErrUnsupported }

// Close ends everything that runs. What was not told is lost; kills and windows are not undone.
func (z *Zone) Close() error { return errors.ErrUnsupported }

// FD is readable when Next has something to tell. It stays the Zone's.
func (z *Zone) FD() int { return -1 }

// Next fills into with reports, as many as there are, and says how many. It never blocks. A
// descriptor may be readable for nothing: 0.
func (z *Zone) Next(into []Report) (int, error) { return 0, errors.ErrUnsupported }

// Keep says that all up to p was kept: the collector's ring may forget it.
func (z *Zone) Keep(p Position) {}

// Make makes the directories of a contract. ErrUsed: there is or was one of this id.
func (z *Zone) Make(id contract.ID) (Dir, error) { return Dir{}, errors.ErrUnsupported }

// Take makes a directory outside of ct/ (a login's) the contract's. Again after a restart.
func (z *Zone) Take(id contract.ID, path string) (Dir, error) { return Dir{}, errors.ErrUnsupported }

// Dir is the contract's directory.
func (z *Zone) Dir(id contract.ID) (Dir, bool) { return Dir{}, false }

// List is the contracts that have a directory.
func (z *Zone) List() []Dir { return nil }

// Delegate gives d/ to a user of the zone, so that a member (an init, a service that runs
// containers) can make cgroups below. During a window anybody of that user can move into it.
func (z *Zone) Delegate(id contract.ID, uid, gid uint32) error { return errors.ErrUnsupported }

// Remove removes the directories and what members made below, and forgets the contract. One
// that was Taken is only forgotten. ErrBusy: somebody lives there.
func (z *Zone) Remove(id contract.ID) error { return errors.ErrUnsupported }

// Populated says whether the contract has a member.
func (z *Zone) Populated(id contract.ID) (bool, error) { return false, errors.ErrUnsupported }

// Members lists at most max members, on all levels below; more says that there are others.
func (z *Zone) Members(id contract.ID, max int) (pids []int32, more bool, err error) {
	return nil, false, errors.ErrUnsupported
}

// OpenWindow opens a birth in the contract for the caller. ErrWindow: one is open.
func (z *Zone) OpenWindow(id contract.ID, c Caller) (Window, error) {
	return Window{}, errors.ErrUnsupported
}

// CloseWindow closes the window that is open, if one is. Processes that used it to come in
// from elsewhere are killed, and their number is told.
func (z *Zone) CloseWindow() (intruders int, err error) { return 0, errors.ErrUnsupported }

// Find is the process that has number pid in the caller's pid namespace: a member of the
// contract or a child of the caller. ErrNotChild: there is none.
func (z *Zone) Find(id contract.ID, c Caller, pid int32) (p table.Proc, member bool, err error) {
	return table.Proc{}, false, errors.ErrUnsupported
}

// Move starts to move a child of the caller into the contract; a Report Moved follows.
func (z *Zone) Move(id contract.ID, c Caller, p table.Proc) { _ = errors.ErrUnsupported }

// Kill starts a kill; a Report Killed follows when it is done. A second one of the same
// contract and scope while the first is under way is that one.
func (z *Zone) Kill(k table.Kill) {}

// Watch has the contract's events told from here on, at least those of want. Again: with
// other wants. A contract that is fresh needs it before its first member is born.
func (z *Zone) Watch(id contract.ID, want contract.Events) error { return errors.ErrUnsupported }

// Born names the first member, whose exit status is told by its pidfd where there is nothing
// better.
func (z *Zone) Born(id contract.ID, first table.Proc) error { return errors.ErrUnsupported }

// Resync compares the kernel's state with what was told and tells what is missing: of a
// contract that is empty Empty, of one that may have missed something Lost. The caller names
// the contracts that have members as far as it knows.
func (z *Zone) Resync(populated []contract.ID) error { return errors.ErrUnsupported }

// WatchOwner has the death of a process told, at once when it is dead already.
func (z *Zone) WatchOwner(p table.Proc) error { return errors.ErrUnsupported }

// ForgetOwner ends that.
func (z *Zone) ForgetOwner(p table.Proc) {}

// ProcOf is the process of a thread of the host, as a request's header names it. ErrGone.
func (z *Zone) ProcOf(tid int32) (Caller, error) { return Caller{}, errors.ErrUnsupported }

// Comm is the process's command.
func (z *Zone) Comm(p table.Proc) string { return "" }

// Sources are what is live.
func (z *Zone) Sources() Source { return 0 }

// Lost counts the events that were lost, as far as known.
func (z *Zone) Lost() uint64 { return 0 }
