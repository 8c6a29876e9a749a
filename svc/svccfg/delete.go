package svccfg

import (
	"errors"
	"slices"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// Groups and properties that deletion looks at.
const (
	groupDependents = "dependents"
	groupRestarter  = "restarter"
	typeDependency  = "dependency"
	typeFramework   = "framework"
	propExternal    = "external"
	propState       = "state"
)

// delete takes a service or an instance away.
func (s *Session) delete(a *args) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	if s.snapshot != "" && !s.below && a.word(0) == s.at.Instance {
		return errSnapshot
	}
	var e repo.Entity
	var is bool
	if s.snapshot == "" {
		if e, is, err = s.child(a.word(0)); err != nil {
			return err
		}
	}
	if !is {
		m, err := operand.One(store, a.word(0), operand.Entities)
		if err != nil {
			return err
		}
		e = m.On
	}
	err = s.change(func(b *repo.Batch) error { return s.planDelete(b, e, a.option) })
	if errors.Is(err, repo.ErrNotFound) && e != s.at {
		return problem("Not found.")
	}
	s.leaveDeleted()
	return err
}

// leaveDeleted selects what is still there, when the command has taken the selection away.
func (s *Session) leaveDeleted() {
	if s.at.Service == "" {
		return
	}
	if is, err := s.store.Exists(s.at); err == nil && !is {
		_ = s.deleted()
	}
}

// doomed is a deletion being planned. Everything in it is of one generation.
type doomed struct {
	s     *Session
	b     *repo.Batch
	force bool
	// gone are the entities that go; bare are those that stay as places of what others depend on.
	gone []repo.Entity
}

func (s *Session) planDelete(b *repo.Batch, e repo.Entity, force bool) error {
	whole, err := s.store.Service(e.Service)
	if err != nil {
		return err
	}
	b.ExpectRepository(whole.Generation)
	d := &doomed{s: s, b: b, force: force}
	if e.Instance != "" {
		i := whole.Instance(e.Instance)
		if i == nil {
			return repo.ErrNotFound
		}
		d.gone = []repo.Entity{e}
		_, err := d.instance(e, i)
		return err
	}
	return d.service(e, &whole)
}

// service plans the end of a service. What other services have put there stays, in a bare one.
func (d *doomed) service(e repo.Entity, whole *door.Whole) error {
	d.gone = []repo.Entity{e}
	for i := range whole.Instances {
		d.gone = append(d.gone, repo.Entity{Service: e.Service, Instance: whole.Instances[i].Name})
	}
	stays := false
	for i := range whole.Instances {
		kept, err := d.instance(repo.Entity{Service: e.Service, Instance: whole.Instances[i].Name}, &whole.Instances[i])
		if err != nil {
			return err
		}
		stays = stays || kept
	}
	if err := d.dependents(whole.Group(groupDependents)); err != nil {
		return err
	}
	if d.bare(e, whole.Groups) || stays {
		return nil
	}
	d.b.Delete(e, repo.KeepChildren)
	return nil
}

// instance plans the end of an instance, and says whether it stays as a bare one.
func (d *doomed) instance(e repo.Entity, i *tree.Instance) (stays bool, err error) {
	if !d.force && running(i) {
		return false, problem("Instance " + e.String() + " may be running.  Use delete -f if it is not.")
	}
	if err := d.dependents(i.Group(groupDependents)); err != nil {
		return false, err
	}
	if !d.bare(e, i.Groups) {
		d.b.Delete(e, repo.KeepChildren)
		return false, nil
	}
	names, err := d.s.store.Snapshots(e)
	for _, name := range names {
		d.b.DeleteSnapshot(e, name)
	}
	return true, err
}

// bare says whether others have put anything there. If so, all else is taken away.
func (d *doomed) bare(e repo.Entity, groups []tree.Group) bool {
	if !slices.ContainsFunc(groups, external) {
		return false
	}
	for _, g := range groups {
		if !external(g) {
			d.b.DeleteGroup(e, g.Name)
		}
	}
	return true
}

func running(i *tree.Instance) bool {
	g := i.Group(groupRestarter)
	if g == nil {
		return false
	}
	p := g.Prop(propState)
	return p != nil && len(p.Values) == 1 && (p.Values[0] == "online" || p.Values[0] == "degraded")
}

// external says whether a group is a dependency that another service has put there.
func external(g tree.Group) bool {
	p := g.Prop(propExternal)
	return g.Type == typeDependency && p != nil && p.Type == prop.Boolean && len(p.Values) == 1 && p.Values[0] == "true"
}

// dependents takes back the dependencies that others were to have.
func (d *doomed) dependents(g *tree.Group) error {
	if g == nil || g.Type != typeFramework {
		return nil
	}
	for _, p := range g.Props {
		if len(p.Values) != 1 {
			continue
		}
		f, err := fmri.Parse(p.Values[0])
		if err != nil || f.Scheme != fmri.Service || f.Group != "" {
			if d.s.verbose {
				d.s.say("Value of " + g.Name + "/" + p.Name + " is not a valid FMRI.")
			}
			continue
		}
		if err := d.takeBack(repo.Entity{Service: f.Service, Instance: f.Instance}, p.Name); err != nil {
			return err
		}
	}
	return nil
}

// takeBack takes a dependency away from another entity, which it may leave with nothing.
func (d *doomed) takeBack(e repo.Entity, name string) error {
	if slices.Contains(d.gone, e) {
		return nil
	}
	whole, err := d.s.store.Service(e.Service)
	if errors.Is(err, repo.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	groups := whole.Groups
	if e.Instance != "" {
		i := whole.Instance(e.Instance)
		if i == nil {
			return nil
		}
		groups = i.Groups
	}
	at := slices.IndexFunc(groups, func(g tree.Group) bool { return g.Name == name })
	switch {
	case at < 0:
		return nil
	case groups[at].Type != typeDependency:
		if d.s.verbose {
			d.s.say("Property group \"" + name + "\" of entity \"" + e.String() + "\" does not have dependency type.")
		}
		return nil
	}
	d.b.DeleteGroup(e, name)
	if e.Service != d.gone[0].Service && d.empty(e, &whole, groups) {
		return nil
	}
	return d.refresh(e, &whole)
}

// empty deletes an entity that only was a place for the dependency, and its service if that is
// nothing then.
func (d *doomed) empty(e repo.Entity, whole *door.Whole, groups []tree.Group) bool {
	if persistent(groups) > 1 || e.Instance == "" && len(whole.Instances) > 0 {
		return false
	}
	d.b.Delete(e, repo.KeepChildren)
	if e.Instance != "" && len(whole.Instances) == 1 && persistent(whole.Groups) == 0 {
		d.b.Delete(repo.Entity{Service: e.Service}, repo.KeepChildren)
	}
	return true
}

func persistent(groups []tree.Group) (n int) {
	for i := range groups {
		if groups[i].Flags&tree.NonPersistent == 0 {
			n++
		}
	}
	return n
}

// refresh lets an entity run without what was taken away.
func (d *doomed) refresh(e repo.Entity, whole *door.Whole) error {
	for i := range whole.Instances {
		one := repo.Entity{Service: e.Service, Instance: whole.Instances[i].Name}
		if (e.Instance == "" || e == one) && !slices.Contains(d.gone, one) {
			if err := d.s.planRefresh(d.b, one); err != nil {
				return err
			}
		}
	}
	return nil
}
