package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/remains"
)

// Exit codes of fsck, those of fsck(8), which add up.
const (
	FsckReclaimed = 1  // something was left, and is gone
	FsckLeft      = 4  // something is left
	FsckFailed    = 8  // it could not be looked at everything
	FsckUsage     = 16 // the command line makes no sense
)

// FsckError is the result of a look that found something; it was told.
type FsckError struct{ Code int }

func (e *FsckError) Error() string { return fmt.Sprintf("findings (%d)", e.Code) }

// Reclaiming says whether what is found is taken away.
type Reclaiming bool

// fsck is one look at an instance.
type fsck struct {
	*Admin
	reclaim  Reclaiming
	code     int
	zones    []string // that have a configuration
	anything bool
}

// Fsck finds what dead generations have left on the host and takes it away: of one zone, or of
// all that there are or were. It says each thing in a line of its own. Nothing of a generation
// that lives is touched: who might be bringing one to life is kept out, and where a supervisor
// has the zone only generations are looked at that its journal does not speak of.
func (a *Admin) Fsck(ctx context.Context, reclaim Reclaiming) error {
	if !a.Privileged {
		return errors.New("only a privileged user may look for what zones have left.")
	}
	f := &fsck{Admin: a, reclaim: reclaim}
	entries, err := a.Store.Index()
	if err != nil {
		return err
	}
	for _, e := range entries {
		f.zones = append(f.zones, e.Name)
	}
	zones := []string{a.Zone}
	if a.Zone == "" {
		if zones, err = f.all(); err != nil {
			return err
		}
	} else if a.Zone == configs.GlobalName {
		return errors.New("fsck operation is invalid for the global zone.")
	}
	for _, zone := range zones {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f.zone(zone)
	}
	f.shared()
	if a.Zone != "" && !f.anything && f.code == 0 && !slices.Contains(f.zones, a.Zone) {
		return configs.ErrNoZone
	}
	if f.code != 0 {
		return &FsckError{f.code}
	}
	return nil
}

// all names every zone that is configured or has left something.
func (f *fsck) all() ([]string, error) {
	h, err := remains.Open(f.Layout)
	if err != nil {
		return nil, err
	}
	names, err := h.Zones()
	if err != nil {
		return nil, err
	}
	for _, name := range f.zones {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// say tells of one zone.
func (f *fsck) say(zone, format string, args ...any) {
	_, _ = fmt.Fprintln(f.Err, Line(zone, fmt.Sprintf(format, args...)))
}

// zone looks at one. What goes wrong there is told, and keeps nobody from the next.
func (f *fsck) zone(zone string) {
	s := remains.Scope{Zone: zone, Forgotten: !slices.Contains(f.zones, zone)}
	if items, err := f.find(s); err == nil && len(items) == 0 {
		return // nobody need be kept from anything
	}
	one := *f.Admin
	one.Zone = zone
	held, err := one.holdZone()
	if err != nil {
		f.code |= FsckFailed
		f.say(zone, "not looked at: %v", err)
		return
	}
	defer held.release(f.reclaim)
	if s.Kept, s.Building = !held.alone, !held.alone; held.alone {
		remains.Settle(f.Layout, zone)
	}
	items, err := f.find(s)
	if err != nil {
		f.failed(zone, err)
		return
	}
	items = append(held.without(items), held.found...)
	if s.Dead() && !s.Forgotten && lives(items) {
		f.anything = true
		f.code |= FsckLeft
		held.alone = false // nothing of it is ours to take
		f.say(zone, "it is down and its processes live: end it with zoneadm -z %s halt", zone)
		return
	}
	f.deal(zone, items)
}

// find looks at the host as it is now.
func (f *fsck) find(s remains.Scope) ([]remains.Item, error) {
	h, err := remains.Open(f.Layout)
	if err != nil {
		return nil, err
	}
	return h.Find(s)
}

func (f *fsck) failed(zone string, err error) {
	f.code |= FsckFailed
	f.say(zone, "not all of it could be looked at: %v", err)
}

// lives says whether a generation has processes. Of a zone that has a configuration they are
// for its administrator to end.
func lives(items []remains.Item) bool {
	return slices.ContainsFunc(items, func(i remains.Item) bool { return i.Kind == remains.Process && i.ID != 0 })
}

// deal tells of what was found and takes it away. Processes go with their cgroup, which comes
// before them.
func (f *fsck) deal(zone string, items []remains.Item) {
	stays := map[int]bool{}
	for _, i := range items {
		f.anything = true
		if !bool(f.reclaim) {
			f.code |= FsckLeft
			f.say(zone, "left: %s", i)
			continue
		}
		var err error
		if i.Remove != nil {
			err = i.Remove()
		}
		switch {
		case err != nil:
			stays[i.ID] = stays[i.ID] || i.Kind == remains.Cgroup
			f.code |= FsckLeft
			f.say(zone, "left: %s: it can not be taken away: %v", i, err)
		case i.Kind == remains.Process && stays[i.ID]:
			f.say(zone, "left: %s", i)
		default:
			f.code |= FsckReclaimed
			f.say(zone, "taken away: %s", i)
		}
	}
}

// shared looks at what zones share.
func (f *fsck) shared() {
	h, err := remains.Open(f.Layout)
	if err == nil {
		var items []remains.Item
		if items, err = h.FindShared(); err == nil {
			f.deal("", items)
		}
	}
	if err != nil {
		f.failed("", err)
	}
}

// hold is a zone that nobody brings to life while it is looked at.
type hold struct {
	alone bool // neither keeper nor supervisor has it
	made  bool // its directory is ours
	// found are files of dead ones that we hold.
	found []remains.Item
	dir   *sys.FD
	path  string
	op    *sys.FD
	locks []*sys.Lock
}

// release lets others at the zone. Files of dead ones go with their locks, unless nothing is to
// be changed; a directory that we made goes if nobody has come to use it.
func (h *hold) release(reclaim Reclaiming) {
	for _, l := range h.locks {
		if l.Pid() != 0 && !(bool(reclaim) && h.alone) {
			l.Release()
		} else {
			_ = l.Remove()
		}
	}
	lk := unix.Flock_t{Type: int16(alone)}
	if h.made && unix.FcntlFlock(uintptr(h.op.Int()), unix.F_OFD_SETLK, &lk) == nil {
		_ = unix.Unlinkat(h.dir.Int(), api.LockName, 0)
		_ = unix.Rmdir(h.path)
	}
	sys.CloseAll([]*sys.FD{h.op, h.dir})
}

// without are the items but for the files that we hold or have made ourselves.
func (h *hold) without(items []remains.Item) []remains.Item {
	return slices.DeleteFunc(items, func(i remains.Item) bool {
		base := filepath.Base(i.Name)
		ours := base == api.ZschedPid || base == api.ZonedPid || h.made && base == api.LockName || h.made && base == filepath.Base(h.path)
		return i.Kind == remains.File && ours
	})
}

// holdZone keeps others from installing and uninstalling the zone, and, where it has neither
// keeper nor supervisor, from starting them: who wants to asks again until we are done.
func (a *Admin) holdZone() (*hold, error) {
	h := &hold{path: a.Layout.ZoneState(a.Zone)}
	_, err := os.Lstat(h.path)
	h.made = errors.Is(err, os.ErrNotExist)
	if h.dir, err = a.stateDir(); err != nil {
		return nil, err
	}
	if h.op, err = tryLock(h.dir, api.LockName, together); err != nil {
		h.dir.Close()
		if errors.Is(err, unix.EAGAIN) {
			err = ErrLocked
		}
		return nil, err
	}
	for _, name := range []string{api.ZschedPid, api.ZonedPid} {
		lock, _, err := sys.LockFile(h.dir, name)
		if errors.Is(err, unix.EAGAIN) {
			h.found = nil // of a keeper that has died before its supervisor, who cleans up
			return h, nil
		}
		if err != nil {
			h.release(false)
			return nil, err
		}
		h.locks = append(h.locks, lock)
		if pid := lock.Pid(); pid != 0 {
			h.found = append(h.found, remains.Item{Kind: remains.File, Zone: a.Zone, Name: fmt.Sprintf("state/%s/%s of process %d, which is dead", a.Zone, name, pid)})
		}
	}
	h.alone = true
	return h, nil
}
