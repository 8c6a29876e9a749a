package svccfg

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

const (
	groupActions = "restarter_actions"
	propRefresh  = "refresh"
	groupGeneral = "general"
	propEnabled  = "enabled"
)

// instance gives the store, when an instance is selected.
func (s *Session) instance() (door.Store, error) {
	store, err := s.open()
	if err == nil && s.at.Instance == "" {
		err = errNoInstance
	}
	return store, err
}

func (s *Session) listsnap(*args) error {
	store, err := s.instance()
	if err != nil {
		return err
	}
	names, err := store.Snapshots(s.at)
	for _, name := range names {
		s.print(name + "\n")
	}
	return err
}

// selectsnap looks at a snapshot, of its instance's level at first.
func (s *Session) selectsnap(a *args) error {
	store, err := s.instance()
	if err != nil {
		return err
	}
	name := a.word(0)
	if name == s.snapshot {
		return nil
	}
	s.snapshot = ""
	switch {
	case len(a.words) == 0:
		return nil
	case fmri.CheckName(name) != nil:
		return problem("Invalid name \"" + name + "\".")
	}
	names, err := store.Snapshots(s.at)
	switch {
	case err != nil:
		return err
	case !slices.Contains(names, name):
		return problem("No such snapshot \"" + name + "\".")
	}
	s.snapshot, s.below = name, true
	return nil
}

// revert makes the configuration what a snapshot holds. What was there is the snapshot previous
// then, and whether the instance is enabled stays.
func (s *Session) revert(a *args) error {
	store, err := s.instance()
	if err != nil {
		return err
	}
	name := s.snapshot
	if len(a.words) > 0 {
		name = a.word(0)
		if fmri.CheckName(name) != nil {
			return problem("Invalid snapshot name \"" + name + "\".")
		}
	}
	if name == "" {
		return problem("No snapshot selected.")
	}
	names, err := store.Snapshots(s.at)
	switch {
	case err != nil:
		return err
	case !slices.Contains(names, name):
		return problem("No such snapshot.")
	}
	if err := s.change(func(b *repo.Batch) error { return s.planRevert(b, s.at, name) }); err != nil {
		return err
	}
	if len(a.words) == 0 {
		s.snapshot = ""
	}
	return nil
}

func (s *Session) planRevert(b *repo.Batch, e repo.Entity, name string) error {
	f, err := s.store.Frozen(e, name)
	if err != nil {
		return err
	}
	now, err := s.store.Group(e, door.Direct, groupGeneral)
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		return err
	}
	b.ExpectGroup(e, groupGeneral, now.Generation)
	if name != repo.Previous { // what that stands for now is what is wanted
		b.TakeSnapshot(e, repo.Previous)
	}
	b.Revert(e, name)
	enabled := now.Prop(propEnabled)
	if enabled != nil && enabled.Type == prop.Boolean && now.Flags&tree.NonPersistent == 0 {
		if !slices.ContainsFunc(f.Instance, func(g door.Group) bool { return g.Name == groupGeneral }) {
			b.CreateGroup(e, groupGeneral, now.Type, 0)
		}
		b.SetProperty(e, groupGeneral, *enabled)
	}
	return s.private(b, e)
}

// refresh makes the present configuration what the instance runs with.
func (s *Session) refresh(*args) error {
	if _, err := s.instance(); err != nil {
		return err
	}
	e := s.at
	err := s.change(func(b *repo.Batch) error { return s.planRefresh(b, e) })
	if errors.Is(err, door.ErrDenied) {
		return problem("Could not refresh " + e.String() + " (permission denied).")
	}
	return err
}

// planRefresh takes the snapshot running, and asks the restarter to read it. The request is a
// property whose value is new each time.
func (s *Session) planRefresh(b *repo.Batch, e repo.Entity) error {
	b.TakeSnapshot(e, repo.Running)
	if s.file != "" {
		return nil
	}
	_, err := s.store.Group(e, door.Direct, groupActions)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		b.ExpectGroup(e, groupActions, 0)
		b.CreateGroup(e, groupActions, typeFramework, tree.NonPersistent)
	case err != nil:
		return err
	}
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	b.SetProperty(e, groupActions, tree.Property{Name: propRefresh, Type: prop.Integer, Values: []string{now}})
	return nil
}
