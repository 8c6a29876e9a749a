package svcprop

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

// entity shows all of a service or an instance, or what -p names.
func (r *run) entity(e repo.Entity) error {
	if err := r.hasSnapshot(e); err != nil {
		return err
	}
	if len(r.order.paths) > 0 {
		return r.paths(e)
	}
	if r.order.quiet {
		return nil
	}
	groups, err := r.store.Groups(e, r.order.of(e))
	if errors.Is(err, repo.ErrNotFound) { // it has gone meanwhile
		return nil
	}
	for i := range groups {
		if err := r.group(e, &groups[i]); err != nil {
			return err
		}
	}
	return err
}

// hasSnapshot says what is wrong with -s for the entity.
func (r *run) hasSnapshot(e repo.Entity) error {
	switch {
	case r.order.view != 's':
		return nil
	case e.Instance == "":
		return &fatal{"Only instances have snapshots."}
	case fmri.CheckName(r.order.snapshot) != nil:
		return &fatal{"Invalid snapshot name."}
	}
	names, err := r.store.Snapshots(e)
	if err == nil && !slices.Contains(names, r.order.snapshot) {
		err = &fatal{"No such snapshot."}
	}
	return err
}

// paths shows what -p names of an entity.
func (r *run) paths(e repo.Entity) error {
	for _, p := range r.order.paths {
		if err := r.path(e, p); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) path(e repo.Entity, p path) error {
	g, err := r.named(e, p.first)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return r.missing("Couldn't find property group `" + p.first + "' for " + kind(e) + " `" + e.String() + "'.")
	case err != nil:
		return err
	case !p.two:
		return r.group(e, &g)
	}
	x := g.Prop(p.second)
	if x == nil {
		return r.missing("Couldn't find property `" + p.String() + "' for " + kind(e) + " `" + e.String() + "'.")
	}
	return r.property(e, &g, x)
}

// named is a group by its name. One that a snapshot does not have since it ends with the boot is
// the present one.
func (r *run) named(e repo.Entity, name string) (door.Group, error) {
	g, err := r.store.Group(e, r.order.of(e), name)
	if r.order.view != 's' || !errors.Is(err, repo.ErrNotFound) {
		return g, err
	}
	now, nowErr := r.store.Group(e, door.Composed, name)
	if nowErr == nil && now.Flags&tree.NonPersistent != 0 {
		return now, nil
	}
	return g, err
}

// group shows all properties of a group, with their names.
func (r *run) group(e repo.Entity, g *door.Group) error {
	r.order.types = true
	for i := range g.Props {
		if err := r.property(e, g, &g.Props[i]); err != nil {
			return err
		}
	}
	return nil
}

// property shows one.
func (r *run) property(e repo.Entity, g *door.Group, p *tree.Property) error {
	if r.order.quiet {
		return nil
	}
	if g.Withheld && len(r.order.paths) > 0 {
		return &fatal{"Permission denied."}
	}
	if r.order.types {
		name := g.Name + "/" + p.Name
		if r.order.fmris {
			name = operand.Match{On: e, Group: g.Name, Property: p.Name}.String()
		}
		r.out = append(r.out, name+" "+p.Type.String()+" "...)
	}
	for i, value := range p.Values {
		if i > 0 {
			r.out = append(r.out, ' ')
		}
		r.out = prop.AppendShell(r.out, value)
	}
	r.out = append(r.out, '\n')
	if len(r.out) < outMax {
		return nil
	}
	return r.flush()
}
