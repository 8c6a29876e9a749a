package svccfg

import (
	"cmp"
	"errors"
	"slices"
	"strings"

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
	// gone are the entities that go; taken are the dependencies that are taken back from others.
	gone      []repo.Entity
	taken     []dependency
	refreshed []repo.Entity
}

// dependency is one that an entity has on behalf of another.
type dependency struct {
	of   repo.Entity
	name string
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
		_, err = d.instance(e, i)
	} else {
		err = d.service(e, &whole)
	}
	if err != nil {
		return err
	}
	return d.takeBack()
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
	d.dependents(whole.Group(groupDependents))
	if !stays && !slices.ContainsFunc(whole.Groups, external) {
		d.b.Delete(e, repo.KeepChildren)
		return nil
	}
	d.clear(e, whole.Groups)
	return nil
}

// instance plans the end of an instance, and says whether it stays as a bare one.
func (d *doomed) instance(e repo.Entity, i *tree.Instance) (stays bool, err error) {
	if !d.force && running(i) {
		return false, problem("Instance " + e.String() + " may be running.  Use delete -f if it is not.")
	}
	d.dependents(i.Group(groupDependents))
	if !slices.ContainsFunc(i.Groups, external) {
		d.b.Delete(e, repo.KeepChildren)
		return false, nil
	}
	d.clear(e, i.Groups)
	names, err := d.s.store.Snapshots(e)
	for _, name := range names {
		d.b.DeleteSnapshot(e, name)
	}
	return true, err
}

// clear takes everything away but what others have put there.
func (d *doomed) clear(e repo.Entity, groups []tree.Group) {
	for _, g := range groups {
		if !external(g) {
			d.b.DeleteGroup(e, g.Name)
		}
	}
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

// dependents notes the dependencies that others were to have.
func (d *doomed) dependents(g *tree.Group) {
	if g == nil || g.Type != typeFramework {
		return
	}
	for _, p := range g.Props {
		if len(p.Values) != 1 {
			continue
		}
		f, err := fmri.Parse(p.Values[0])
		if err != nil || f.Scheme != fmri.Service || f.Group != "" {
			d.tell("Value of " + g.Name + "/" + p.Name + " is not a valid FMRI.")
			continue
		}
		if e := (repo.Entity{Service: f.Service, Instance: f.Instance}); !slices.Contains(d.gone, e) {
			d.taken = append(d.taken, dependency{e, p.Name})
		}
	}
}

// tell says what is strange, to who wants to hear much.
func (d *doomed) tell(text string) {
	if d.s.verbose {
		d.s.say(text)
	}
}

// takeBack takes the dependencies away that were noted, instances before their services.
func (d *doomed) takeBack() error {
	slices.SortFunc(d.taken, func(x, y dependency) int {
		return cmp.Or(strings.Compare(x.of.Service, y.of.Service), strings.Compare(y.of.Instance, x.of.Instance), strings.Compare(x.name, y.name))
	})
	d.taken = slices.Compact(d.taken)
	for i := 0; i < len(d.taken); {
		e := d.taken[i].of
		var names []string
		for ; i < len(d.taken) && d.taken[i].of == e; i++ {
			names = append(names, d.taken[i].name)
		}
		if err := d.takeFrom(e, names); err != nil {
			return err
		}
	}
	return nil
}

// takeFrom takes dependencies away from one entity, which it may leave with nothing.
func (d *doomed) takeFrom(e repo.Entity, names []string) error {
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
	n := 0
	for _, g := range groups {
		switch {
		case !slices.Contains(names, g.Name):
		case g.Type != typeDependency:
			d.tell("Property group \"" + g.Name + "\" of entity \"" + e.String() + "\" does not have dependency type.")
		default:
			d.b.DeleteGroup(e, g.Name)
			n++
		}
	}
	if n == 0 || e.Service != d.gone[0].Service && n >= persistent(groups) && d.empty(e, &whole) {
		return nil
	}
	return d.refresh(e, &whole)
}

// empty deletes an entity that only was a place for dependencies, and its service if that is
// nothing then.
func (d *doomed) empty(e repo.Entity, whole *door.Whole) bool {
	left := slices.DeleteFunc(slices.Clone(whole.Instances), func(i tree.Instance) bool {
		return slices.Contains(d.gone, repo.Entity{Service: e.Service, Instance: i.Name})
	})
	if e.Instance == "" && len(left) > 0 {
		return false
	}
	d.b.Delete(e, repo.KeepChildren)
	d.gone = append(d.gone, e)
	if e.Instance != "" && len(left) == 1 && persistent(whole.Groups) == 0 {
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
		if e.Instance != "" && e != one || slices.Contains(d.gone, one) || slices.Contains(d.refreshed, one) {
			continue
		}
		d.refreshed = append(d.refreshed, one)
		if err := d.s.planRefresh(d.b, one); err != nil {
			return err
		}
	}
	return nil
}
