package importer

import (
	"slices"
	"strconv"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
	"github.com/linuxzones/zones/svc/upgrade"
)

// Import does what a manifest says. The file that it came from is noted when source is not nil.
// Of a bundle of another type it is manifest.ErrNotManifest.
func Import(s Store, b *manifest.Bundle, source *Source) ([]Event, error) {
	if b.Type != manifest.Manifest {
		return nil, manifest.ErrNotManifest
	}
	return importBundle(s, b, source, repo.LastImport)
}

// Restore does what an archive says: as Import, but that no upgrade will compare with it, as with
// svccfg restore. Of a bundle of another type it is manifest.ErrNotArchive.
func Restore(s Store, b *manifest.Bundle) ([]Event, error) {
	if b.Type != manifest.Archive {
		return nil, manifest.ErrNotArchive
	}
	return importBundle(s, b, nil, "")
}

func importBundle(s Store, b *manifest.Bundle, source *Source, lastImport string) ([]Event, error) {
	var p *planner
	err := commit(s, func(r Reader) (*repo.Batch, error) {
		p = &planner{draft: newDraft(r), lastImport: lastImport}
		for i := range b.Services {
			p.service(&b.Services[i])
		}
		if source != nil {
			source.note(p.draft, b)
		}
		return p.batch()
	})
	if source != nil && untrackable(err) {
		// To run is more than to be remembered.
		events, again := importBundle(s, b, nil, lastImport)
		return append(events, warned(shown(source.Path)+" is not tracked: "+err.Error())), again
	}
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, w := range b.Warnings {
		events = append(events, warned(w.Error()))
	}
	return append(append(events, p.events...), imported()), nil
}

// planner plans what a bundle changes.
type planner struct {
	*draft
	lastImport string // the name of the snapshot of what the bundle says; empty: none is taken
}

// service plans one service with its instances.
func (p *planner) service(s *manifest.Service) {
	e := repo.Entity{Service: s.Config.Name}
	// What the last import said is looked for before anything is made.
	old, hasOld := p.oldService(s)
	p.ensure(e)
	p.draft.service(e.Service).undo = true
	p.entity(e, old, hasOld, s.Config.Groups, &s.Own)
	said := frozenOf(s.Config.Groups, &s.Own)
	for i := range s.Config.Instances {
		p.instance(s, &s.Config.Instances[i], said)
	}
	p.refreshTargets(&s.Own)
}

// oldService is what the last import said of a service: the part of the service in the snapshot
// of an instance. One that the manifest names counts first, since others may be of an earlier
// manifest.
func (p *planner) oldService(s *manifest.Service) ([]tree.Group, bool) {
	was := p.draft.service(s.Config.Name).was
	if was == nil {
		return nil, false
	}
	var named, others []string
	for i := range was.Instances {
		if name := was.Instances[i].Name; s.Config.Instance(name) != nil {
			named = append(named, name)
		} else {
			others = append(others, name)
		}
	}
	for _, name := range slices.Concat(named, others) {
		if f, ok := p.frozen(repo.Entity{Service: was.Name, Instance: name}, repo.LastImport); ok {
			return f.Service, true
		}
	}
	return nil, false
}

// instance plans one instance. said is what the manifest says of its service.
func (p *planner) instance(s *manifest.Service, i *tree.Instance, said []tree.Group) {
	e := repo.Entity{Service: s.Config.Name, Instance: i.Name}
	d := s.Instances[i.Name]
	p.ensure(e)
	old, hasOld := p.frozen(e, repo.LastImport)
	p.entity(e, old.Instance, hasOld, i.Groups, d)
	if general := p.group(e, groupGeneral); !hasOld && d.Enabled != manifest.Unset && (general == nil || general.Prop(propEnabled) == nil) {
		p.set(e, groupGeneral, typeFramework, enabled(d.Enabled))
	}
	if _, has := p.frozen(e, repo.Initial); !has && !hasOld {
		p.snapshot(e, repo.Initial, nil)
		p.tell(taken(e.String(), repo.Initial))
	}
	if p.lastImport != "" {
		p.snapshot(e, p.lastImport, &repo.Frozen{Service: said, Instance: frozenOf(i.Groups, d)})
		p.tell(taken(e.String(), p.lastImport))
	}
	p.refreshAll(e)
	p.refreshTargets(d)
}

func enabled(e manifest.Enabled) tree.Property {
	return tree.Property{Name: propEnabled, Type: prop.Boolean, Values: []string{strconv.FormatBool(e == manifest.On)}}
}

// frozenOf is what a bundle says of an entity, as the snapshot last-import has it: its groups, and
// the dependencies that others are to have.
func frozenOf(groups []tree.Group, d *manifest.Directives) []tree.Group {
	out := slices.DeleteFunc(cloneGroups(groups), func(g tree.Group) bool { return g.Name == groupFiles })
	for i := range d.Dependents {
		if !d.Dependents[i].Delete {
			out = append(out, d.Dependents[i].Group.Clone())
		}
	}
	tree.SortGroups(out)
	return out
}

// entity upgrades the groups of a service or an instance, and then its dependents.
func (p *planner) entity(e repo.Entity, old []tree.Group, hasOld bool, fresh []tree.Group, d *manifest.Directives) {
	managed := dependentNames(old, d)
	now := p.groups(e)
	cur, aside := setAside(*now, managed)
	in := &upgrade.Input{HasOld: hasOld, Current: cur}
	in.Old, _ = setAside(old, managed)
	in.New, _ = setAside(fresh, managed)
	in.Marks.Override, in.Marks.Delete = d.Marks()
	p.othersStay(e, in, aside)
	steps, notes := upgrade.Plan(in)
	for _, n := range notes {
		p.tell(conflict(e.String(), n))
	}
	after := upgrade.Apply(cur, steps)
	for _, g := range aside {
		// Entries of dependents that are decided apart come back to those that are not.
		if mixed := groupIn(after, g.Name); mixed != nil {
			mixed.Props = append(mixed.Props, g.Props...)
		} else {
			after = append(after, g)
		}
	}
	tree.SortGroups(after)
	*now = after
	p.dependents(e, old, d)
}

// setAside divides groups: those that are compared as they are, and others: dependencies that
// other services have put there, the note of files, and the entries of dependents that managed
// names.
func setAside(groups []tree.Group, managed map[string]bool) (compared, others []tree.Group) {
	for i := range groups {
		g := groups[i].Clone()
		switch {
		case external(&g), g.Name == groupFiles && g.Type == typeFramework:
			others = append(others, g)
		case g.Name == groupDependents && g.Type == typeFramework && g.Flags == 0:
			mine := g
			mine.Props = slices.DeleteFunc(slices.Clone(g.Props), func(x tree.Property) bool { return !managed[x.Name] })
			g.Props = slices.DeleteFunc(g.Props, func(x tree.Property) bool { return managed[x.Name] })
			if len(mine.Props) > 0 {
				others = append(others, mine)
			}
			if len(g.Props) > 0 || len(mine.Props) == 0 {
				compared = append(compared, g)
			}
		default:
			compared = append(compared, g)
		}
	}
	return compared, others
}

// othersStay takes out of an upgrade what has the name of a dependency that another service has
// put there.
func (p *planner) othersStay(e repo.Entity, in *upgrade.Input, others []tree.Group) {
	for i := range others {
		name := others[i].Name
		if !external(&others[i]) {
			continue
		}
		fresh, old := groupIn(in.New, name), groupIn(in.Old, name)
		if fresh != nil && (old == nil || !old.Equal(fresh)) {
			p.tell(conflict(e.String(), upgrade.Note{Why: upgrade.Customized, Group: name}))
		}
		is := func(g tree.Group) bool { return g.Name == name }
		in.New, in.Old = slices.DeleteFunc(in.New, is), slices.DeleteFunc(in.Old, is)
	}
}
