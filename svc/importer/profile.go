package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Mode says what becomes of a plan.
type Mode uint8

// The modes.
const (
	Do   Mode = iota
	Look      // tell what would be done, and do nothing: svccfg apply -n
)

// Apply does what a profile says, to services and instances that are there. What it says of a
// property counts; what it does not name stays. Where a type is missing that nothing else gives,
// or is another than what is there, that service or instance is left out: the error says so when
// the rest is done. Of a bundle of another type it is manifest.ErrNotProfile.
func Apply(s Store, b *manifest.Bundle, source *Source, mode Mode) ([]Event, error) {
	if b.Type != manifest.Profile {
		return nil, manifest.ErrNotProfile
	}
	var p *applier
	err := commit(s, func(r Reader) (*repo.Batch, error) {
		p = &applier{planner: planner{draft: newDraft(r)}}
		for i := range b.Services {
			p.service(&b.Services[i])
		}
		if source != nil {
			source.note(p.draft, b)
		}
		batch, err := p.batch()
		if mode == Look {
			batch = nil
		}
		return batch, err
	})
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, w := range b.Warnings {
		events = append(events, warned(w.Error()))
	}
	return append(events, p.events...), errors.Join(p.refused...)
}

// applier plans what a profile changes.
type applier struct {
	planner
	refused []error
}

func (p *applier) service(s *manifest.Service) {
	e := repo.Entity{Service: s.Config.Name}
	if !p.exists(e) {
		p.tell(Event{Kind: Ignored, FMRI: e.String(), Text: "Ignoring nonexistent service " + e.Service + "."})
		return
	}
	says := len(s.Config.Groups)+len(s.Own.Deletes) > 0
	if says && !p.apply(e, s.Config.Groups, &s.Own) {
		return // nor its instances, as with the original
	}
	if says {
		p.refreshAll(e)
	}
	p.applyDependents(e, &s.Own)
	for i := range s.Config.Instances {
		p.instance(s, &s.Config.Instances[i])
	}
}

func (p *applier) instance(s *manifest.Service, i *tree.Instance) {
	e := repo.Entity{Service: s.Config.Name, Instance: i.Name}
	d := s.Instances[i.Name]
	switch {
	case !p.exists(e):
		p.tell(Event{Kind: Ignored, FMRI: e.String(), Text: "Ignoring nonexistent instance " + e.Service + ":" + e.Instance + "."})
		return
	case !p.configured(e):
		p.tell(Event{Kind: Ignored, FMRI: e.String(), Text: "Ignoring partial instance " + e.Service + ":" + e.Instance + "."})
		return
	case !p.apply(e, i.Groups, d):
		return
	}
	if d.Enabled != manifest.Unset {
		p.set(e, groupGeneral, typeFramework, enabled(d.Enabled))
	}
	p.applyDependents(e, d)
	p.refreshAll(e)
}

// apply sets what the profile says of one entity, if all of it can be.
func (p *applier) apply(e repo.Entity, groups []tree.Group, d *manifest.Directives) bool {
	var ready []tree.Group
	for i := range groups {
		if groups[i].Name == groupFiles {
			continue
		}
		g, err := p.complete(e, &groups[i])
		if err != nil {
			err = fmt.Errorf("%s: %w", e, err)
			p.refused = append(p.refused, err)
			p.tell(Event{Kind: Refused, FMRI: e.String(), Text: "Could not apply to " + err.Error() + "."})
			return false
		}
		ready = append(ready, g)
	}
	for _, x := range d.Deletes {
		if g := p.group(e, x.Group); g != nil && !external(g) && x.Group != groupGeneral {
			p.drop(e, x.Group)
		}
	}
	for _, g := range ready {
		p.merge(e, g, d)
	}
	p.tell(Event{Kind: Applied, FMRI: e.String(), Text: e.String() + " updated."})
	return true
}

// merge sets the properties of a group. Dependents are put by themselves.
func (p *applier) merge(e repo.Entity, g tree.Group, d *manifest.Directives) {
	if p.group(e, g.Name) == nil && g.Name != groupDependents {
		p.put(e, tree.Group{Name: g.Name, Type: g.Type})
	}
	for _, x := range g.Props {
		listed := slices.ContainsFunc(d.Dependents, func(y manifest.Dependent) bool { return y.Name == x.Name })
		if g.Name != groupDependents || !listed {
			p.set(e, g.Name, g.Type, x)
		}
	}
}

// complete gives a group the types that the profile does not say: those of what is there, in the
// entity or its service.
func (p *applier) complete(e repo.Entity, said *tree.Group) (tree.Group, error) {
	g := said.Clone()
	var there []*tree.Group
	for _, at := range []repo.Entity{e, {Service: e.Service}} {
		if x := p.group(at, g.Name); x != nil {
			there = append(there, x)
		}
	}
	if g.Type == "" {
		if len(there) == 0 {
			return g, fmt.Errorf("property group %q: %w", g.Name, ErrMissingType)
		}
		g.Type = there[0].Type
	}
	if own := p.group(e, g.Name); own != nil && (own.Type != g.Type || own.Flags != 0 || external(own)) {
		return g, fmt.Errorf("property group %q: %w", g.Name, ErrTypeMismatch)
	}
	for i := range g.Props {
		if err := completeProperty(&g.Props[i], there); err != nil {
			return g, fmt.Errorf("property %q: %w", g.Name+"/"+g.Props[i].Name, err)
		}
	}
	return g, nil
}

func completeProperty(x *tree.Property, there []*tree.Group) error {
	if x.Type != prop.Invalid {
		return nil
	}
	for _, g := range there {
		if old := g.Prop(x.Name); old != nil {
			x.Type = old.Type
			break
		}
	}
	if x.Type == prop.Invalid {
		return ErrMissingType
	}
	for i, text := range x.Values {
		value, err := manifest.Value(x.Type, text)
		if err != nil {
			return fmt.Errorf("%w: %w", manifest.ErrInvalid, err)
		}
		x.Values[i] = value
	}
	return nil
}

// applyDependents puts dependents whatever is there, as the original.
func (p *applier) applyDependents(e repo.Entity, d *manifest.Directives) {
	for i := range d.Dependents {
		one := d.Dependents[i]
		if one.Delete {
			p.dependentDeleted(e, &one)
			continue
		}
		one.Override = true
		p.dependentNew(e, &one, nil)
	}
}
