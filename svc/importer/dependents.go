package importer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// dependentNames are the dependents that a bundle says, or said at its last import.
func dependentNames(old []tree.Group, d *manifest.Directives) map[string]bool {
	names := map[string]bool{}
	for i := range old {
		if external(&old[i]) {
			names[old[i].Name] = true
		}
	}
	for i := range d.Dependents {
		names[d.Dependents[i].Name] = true
	}
	return names
}

// side is one of the three views of a dependent: where it is, and what it is.
type side struct {
	target repo.Entity
	group  *tree.Group
}

func (s *side) same(o *side) bool {
	return s.target == o.target && s.group != nil && o.group != nil && s.group.Equal(o.group)
}

// dependents upgrades what others are to depend on the entity for. Each is decided as a whole.
func (p *planner) dependents(e repo.Entity, old []tree.Group, d *manifest.Directives) {
	for _, name := range slices.Sorted(maps.Keys(dependentNames(old, d))) {
		var fresh *manifest.Dependent
		if i := slices.IndexFunc(d.Dependents, func(x manifest.Dependent) bool { return x.Name == name }); i >= 0 {
			fresh = &d.Dependents[i]
		}
		was := oldSide(old, name)
		switch {
		case fresh == nil:
			p.dependentGone(e, name, was)
		case fresh.Delete:
			p.dependentDeleted(e, fresh)
		case was == nil || fresh.Override:
			p.dependentNew(e, fresh, was)
		default:
			p.dependentChanged(e, fresh, was)
		}
	}
}

// oldSide is a dependent as the last import said it; nil when it did not.
func oldSide(old []tree.Group, name string) *side {
	g := groupIn(old, name)
	if g == nil || !external(g) {
		return nil
	}
	list := groupIn(old, groupDependents)
	if list == nil {
		return nil
	}
	value, _ := single(list.Prop(name))
	target, ok := entityOf(value)
	if !ok {
		return nil
	}
	return &side{target, g}
}

// present is a dependent as it is there; nil when the entity does not list it. Its group is nil
// when there is none, or one that is not a dependent.
func (p *planner) present(e repo.Entity, name string) *side {
	list := p.group(e, groupDependents)
	if list == nil {
		return nil
	}
	value, ok := single(list.Prop(name))
	if !ok {
		return nil
	}
	s := &side{}
	if s.target, ok = entityOf(value); !ok {
		return s
	}
	if g := p.group(s.target, name); g != nil && external(g) {
		s.group = g
	}
	return s
}

// dependentGone: the manifest has it no longer.
func (p *planner) dependentGone(e repo.Entity, name string, was *side) {
	now := p.present(e, name)
	switch {
	case now == nil || was == nil:
	case now.target != was.target:
		p.tell(aside(e.String(), name, "has a new target"))
	case now.group != nil && !now.group.Equal(was.group):
		p.tell(aside(e.String(), name, "has new dependency properties"))
	default:
		p.removeDependent(e, name, now)
	}
}

// dependentDeleted: the manifest wants it away, whatever became of it.
func (p *planner) dependentDeleted(e repo.Entity, fresh *manifest.Dependent) {
	if now := p.present(e, fresh.Name); now != nil {
		p.removeDependent(e, fresh.Name, now)
	}
}

func (p *planner) removeDependent(e repo.Entity, name string, now *side) {
	if now.group != nil {
		p.drop(now.target, name)
		p.refreshAll(now.target)
	}
	p.unset(e, groupDependents, name)
}

// dependentNew: the manifest did not say it before, or takes no notice of what was.
func (p *planner) dependentNew(e repo.Entity, fresh *manifest.Dependent, was *side) {
	want, ok := p.wanted(e, fresh)
	if !ok {
		return
	}
	now := p.present(e, fresh.Name)
	switch {
	case fresh.Override:
		for _, s := range []*side{now, was} {
			if s != nil && s.target != want.target {
				p.takeBack(e, fresh.Name, s.target)
			}
		}
	case now != nil && now.same(want):
		return
	case now != nil && (now.target != want.target || now.group != nil):
		p.tell(aside(e.String(), fresh.Name, "is not imported because it already exists"))
		return
	}
	p.putDependent(e, fresh, want)
}

// takeBack removes a dependency of the entity from where it no longer belongs.
func (p *planner) takeBack(e repo.Entity, name string, target repo.Entity) {
	if g := p.group(target, name); g != nil && external(g) && owned(g, e) {
		p.drop(target, name)
		p.refreshAll(target)
	}
}

// owned says whether a dependency is on the entity.
func owned(g *tree.Group, e repo.Entity) bool {
	on := g.Prop("entities")
	return on != nil && slices.ContainsFunc(on.Values, func(v string) bool {
		one, ok := entityOf(v)
		return ok && one == e
	})
}

// wanted is a dependent as the manifest says it.
func (p *planner) wanted(e repo.Entity, fresh *manifest.Dependent) (*side, bool) {
	target, ok := entityOf(fresh.Target)
	if !ok {
		p.fail(fmt.Errorf("%w: dependent %q of %s: %q", ErrDependent, fresh.Name, e, fresh.Target))
		return nil, false
	}
	g := fresh.Group.Clone()
	return &side{target, &g}, true
}

// putDependent writes a dependency into its target, which is made when it is not there, and lists
// it. A group of the name that is not this entity's stays.
func (p *planner) putDependent(e repo.Entity, fresh *manifest.Dependent, want *side) {
	if g := p.group(want.target, fresh.Name); g != nil && !fresh.Override && !(external(g) && owned(g, e)) {
		p.tell(aside(e.String(), fresh.Name, "is not imported because "+want.target.String()+" already has a property group of this name"))
		return
	}
	p.ensure(want.target)
	p.put(want.target, *want.group)
	p.set(e, groupDependents, typeFramework, tree.Property{Name: fresh.Name, Type: prop.FMRI, Values: []string{fresh.Target}})
	p.refreshAll(want.target)
}

// dependentChanged: the manifest had it and has it.
func (p *planner) dependentChanged(e repo.Entity, fresh *manifest.Dependent, was *side) {
	want, ok := p.wanted(e, fresh)
	if !ok || was.same(want) {
		return // what the manifest did not change is the administrator's
	}
	now := p.present(e, fresh.Name)
	switch {
	case now == nil:
		p.tell(aside(e.String(), fresh.Name, "is missing"))
	case now.same(want):
	case now.target != was.target:
		p.tell(aside(e.String(), fresh.Name, "has a new target"))
	case now.group == nil:
		p.tell(aside(e.String(), fresh.Name, "is missing"))
	case !now.group.Equal(was.group):
		p.tell(aside(e.String(), fresh.Name, "has new dependency properties"))
	default:
		if now.target != want.target {
			p.drop(now.target, fresh.Name)
			p.refreshAll(now.target)
		}
		p.putDependent(e, fresh, want)
	}
}

// refreshTargets refreshes those that the dependents of a bundle name, as the original does whether
// they were changed or not.
func (p *planner) refreshTargets(d *manifest.Directives) {
	for i := range d.Dependents {
		if target, ok := entityOf(d.Dependents[i].Target); ok && !d.Dependents[i].Delete {
			p.refreshAll(target)
		}
	}
}
