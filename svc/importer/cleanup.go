package importer

import (
	"errors"
	"slices"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Cleanup takes away what only files describe that are gone from the directories: svccfg cleanup.
// Files elsewhere are not its matter, and a directory that is not there has lost nothing: it may
// not be mounted. Whoever imports does so before, since a file may have moved.
func (b *Boot) Cleanup(dirs ...string) (Counts, error) {
	counts := Counts{}
	for _, path := range dirs {
		d := b.open(path, counts)
		if d == nil {
			continue
		}
		var gone []string
		err := b.Store.View(func(r Reader) (err error) {
			gone, err = goneFiles(r, d)
			return err
		})
		for _, file := range gone {
			b.told(b.clean(file), counts)
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

// clean is the end of one file.
func (b *Boot) clean(file string) File {
	f := File{Path: file, State: Gone}
	if event, failed := b.backup(); failed {
		f.Events = append(f.Events, event)
	}
	var p *planner
	f.Err = commit(b.Store, func(r Reader) (*repo.Batch, error) {
		p = &planner{draft: newDraft(r)}
		p.gone(file)
		return p.batch()
	})
	if f.Err != nil {
		f.State = Failed
		return f
	}
	f.Events = append(f.Events, p.events...)
	return f
}

// goneFiles are the manifests that are tracked, were in the directory, and are not there.
func goneFiles(r Reader, d *Dir) (gone []string, err error) {
	t, err := r.Service(tracking.Service)
	if errors.Is(err, repo.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range t.Groups {
		file, ok := single(t.Groups[i].Prop(propFile))
		if !ok || t.Groups[i].Prop(propSupport) == nil {
			continue // a profile: it was for one time
		}
		if name, ok := d.within(file); ok && d.missing(name) {
			gone = append(gone, file)
		}
	}
	slices.Sort(gone)
	return gone, nil
}

// gone plans the end of a file.
func (p *planner) gone(file string) {
	t, err := p.r.Service(tracking.Service)
	if err != nil {
		if !errors.Is(err, repo.ErrNotFound) {
			p.fail(err)
		}
		return
	}
	var mine *tree.Group
	others := map[string]bool{} // what another file describes
	for i := range t.Groups {
		g := &t.Groups[i]
		if path, _ := single(g.Prop(propFile)); path == file {
			mine = g
		} else if support := g.Prop(propSupport); support != nil {
			for _, v := range support.Values {
				others[v] = true
			}
		}
	}
	if mine == nil || mine.Prop(propSupport) == nil {
		return
	}
	p.extra = append(p.extra, repo.Op{Verb: repo.DeleteGroup, On: tracking, Name: mine.Name})
	services, instances := supported(mine.Prop(propSupport).Values)
	for _, e := range services {
		if !p.exists(e) {
			continue
		}
		p.unset(e, groupFiles, mine.Name)
		if !others[e.String()] {
			p.serviceGone(e)
			continue
		}
		for _, one := range instances {
			if one.Service == e.Service && p.exists(one) && !others[one.String()] {
				p.instanceGone(one)
			}
		}
	}
}

func supported(list []string) (services, instances []repo.Entity) {
	for _, v := range list {
		e, ok := entityOf(v)
		switch {
		case !ok:
		case e.Instance == "":
			services = append(services, e)
		default:
			instances = append(instances, e)
		}
	}
	return services, instances
}

// serviceGone: no file describes the service any longer.
func (p *planner) serviceGone(e repo.Entity) {
	h := p.draft.service(e.Service)
	for i := range h.now.Instances {
		one := repo.Entity{Service: e.Service, Instance: h.now.Instances[i].Name}
		if p.customized(one) {
			p.tell(Event{Kind: Kept, FMRI: e.String(), Text: "Keeping " + e.String() + ", whose manifest is gone: " + one.String() + " has been customized."})
			return
		}
	}
	p.withdraw(e)
	for i := len(h.now.Instances) - 1; i >= 0; i-- {
		p.removeInstance(repo.Entity{Service: e.Service, Instance: h.now.Instances[i].Name})
	}
	h.now.Groups = othersOf(h.now.Groups, e.Service)
	if len(h.now.Groups)+len(h.now.Instances) == 0 {
		h.now = nil
	}
	p.tell(Event{Kind: Removed, FMRI: e.String(), Text: "Deleted " + e.String() + ", whose manifest is gone."})
}

// instanceGone: files describe the service, but not the instance.
func (p *planner) instanceGone(e repo.Entity) {
	if p.customized(e) {
		p.tell(Event{Kind: Kept, FMRI: e.String(), Text: "Keeping " + e.String() + ", whose manifest is gone: it has been customized."})
		return
	}
	p.removeInstance(e)
	p.tell(Event{Kind: Removed, FMRI: e.String(), Text: "Deleted " + e.String() + ", whose manifest is gone."})
}

// customized says whether an instance is an administrator's: not imported, or with anything in it
// or its service that no manifest said. A bare place for dependents is nobody's.
func (p *planner) customized(e repo.Entity) bool {
	said, ok := p.frozen(e, repo.LastImport)
	if !ok {
		return p.configured(e)
	}
	return !p.as(e, said.Instance) || !p.as(repo.Entity{Service: e.Service}, said.Service)
}

// as says whether the groups of an entity are as a manifest said them. Whether it is enabled, and
// all else in general, is not looked at, and groups that end with the boot are not.
func (p *planner) as(e repo.Entity, said []tree.Group) bool {
	ours := func(groups []tree.Group) []tree.Group {
		compared, _ := setAside(groups, nil)
		return slices.DeleteFunc(persistent(compared), func(g tree.Group) bool { return g.Name == groupGeneral || g.Name == groupDependents })
	}
	return sameGroups(ours(*p.groups(e)), ours(said))
}

// withdraw takes back what others were to depend on the entity for.
func (p *planner) withdraw(e repo.Entity) {
	list := p.group(e, groupDependents)
	if list == nil {
		return
	}
	for _, x := range slices.Clone(list.Props) {
		if now := p.present(e, x.Name); now != nil && now.group != nil && owned(now.group, e) {
			p.removeDependent(e, x.Name, now)
		}
	}
}

// removeInstance takes an instance away, but for the place of what others have put into it.
func (p *planner) removeInstance(e repo.Entity) {
	p.withdraw(e)
	h := p.draft.service(e.Service)
	i := h.now.Instance(e.Instance)
	if i.Groups = othersOf(i.Groups, e.Service); len(i.Groups) > 0 {
		if h.remade == nil {
			h.remade = map[string]bool{}
		}
		h.remade[e.Instance] = true
		return
	}
	h.now.Instances = slices.DeleteFunc(h.now.Instances, func(x tree.Instance) bool { return x.Name == e.Instance })
}

// othersOf are the dependencies that other services have put there.
func othersOf(groups []tree.Group, service string) []tree.Group {
	return slices.DeleteFunc(cloneGroups(groups), func(g tree.Group) bool {
		if !external(&g) {
			return true
		}
		on := g.Prop("entities")
		return on == nil || !slices.ContainsFunc(on.Values, func(v string) bool {
			owner, ok := entityOf(v)
			return ok && owner.Service != service
		})
	})
}
