package door

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Groups is where the groups of an entity are read: a repo.Source, or one level of a snapshot.
type Groups interface {
	Group(name string) (tree.Group, error)
	Groups() ([]tree.Group, error)
}

// level is groups in the order of names.
type level struct {
	on     repo.Entity
	groups []tree.Group
}

func (l level) Groups() ([]tree.Group, error) { return l.groups, nil }

func (l level) Group(name string) (tree.Group, error) {
	at, found := slices.BinarySearchFunc(l.groups, name, func(g tree.Group, n string) int { return strings.Compare(g.Name, n) })
	if !found {
		return tree.Group{}, &absent{l.on.String() + "/:properties/" + name}
	}
	return l.groups[at], nil
}

// absent is an ErrNotFound with a name.
type absent struct{ name string }

func (a *absent) Error() string { return a.name + ": " + repo.ErrNotFound.Error() }
func (a *absent) Unwrap() error { return repo.ErrNotFound }

// Of gives what the view shows of an entity.
func (w View) Of(v *repo.Reader, e repo.Entity) (Groups, error) {
	switch w.Kind {
	case kindDirect:
		return v.Direct(e)
	case kindComposed:
		return v.Composed(e)
	case kindEffective:
		return v.Effective(e)
	case kindSnapshot:
		return v.Snapshot(e, w.Snapshot)
	case kindSnapshotInstance, kindSnapshotService:
		f, err := v.Frozen(e, w.Snapshot)
		if err != nil {
			return nil, err
		}
		if w.Kind == kindSnapshotService {
			return level{repo.Entity{Service: e.Service}, f.Service}, nil
		}
		return level{e, f.Instance}, nil
	}
	return nil, repo.ErrInvalidOp
}

// ReadGroup gives one group as the view shows it, with its generation where the view is Direct.
func (w View) ReadGroup(v *repo.Reader, e repo.Entity, name string) (g Group, err error) {
	if w.Kind == kindDirect {
		g.Group, g.Generation, err = v.Group(e, name)
		return g, err
	}
	groups, err := w.Of(v, e)
	if err == nil {
		g.Group, err = groups.Group(name)
	}
	return g, err
}

// ReadProperty gives one property as the view shows it.
func (w View) ReadProperty(v *repo.Reader, e repo.Entity, group, name string) (tree.Property, error) {
	groups, err := w.Of(v, e)
	if err != nil {
		return tree.Property{}, err
	}
	if s, ok := groups.(*repo.Source); ok {
		return s.Property(group, name)
	}
	g, err := groups.Group(group)
	if err != nil {
		return tree.Property{}, err
	}
	if p := g.Prop(name); p != nil {
		return *p, nil
	}
	return tree.Property{}, &absent{e.String() + "/:properties/" + group + "/" + name}
}

// Scan walks what a query asks for, behind a cursor. emit is called for each entity, with nil, and
// then for each of its groups; its error ends the walk and is given back.
func (q *Query) Scan(v *repo.Reader, after Cursor, emit func(e repo.Entity, g *Group) error) error {
	if q.On.Service == "" {
		for name := range v.Services() {
			if name < after.On.Service {
				continue
			}
			if err := q.service(v, name, after, emit); err != nil {
				return err
			}
		}
		return nil
	}
	if !v.Exists(q.On) {
		return &absent{q.On.String()}
	}
	if q.On.Instance != "" {
		return q.entity(v, q.On, after, emit)
	}
	return q.service(v, q.On.Service, after, emit)
}

func (q *Query) service(v *repo.Reader, name string, after Cursor, emit func(repo.Entity, *Group) error) error {
	e := repo.Entity{Service: name}
	if q.Levels&Services != 0 && !before(e, after.On) {
		if err := q.entity(v, e, after, emit); err != nil {
			return err
		}
	}
	if q.Levels&Instances == 0 {
		return nil
	}
	instances, err := v.Instances(name)
	if err != nil {
		return err
	}
	for _, instance := range instances {
		e := repo.Entity{Service: name, Instance: instance}
		if before(e, after.On) {
			continue
		}
		if err := q.entity(v, e, after, emit); err != nil {
			return err
		}
	}
	return nil
}

// before says whether a page before had all of the entity e, its cursor standing at c.
func before(e, c repo.Entity) bool {
	if e.Service != c.Service {
		return e.Service < c.Service
	}
	return e.Instance < c.Instance
}

// entity emits one service or instance, or what of it is behind the cursor.
func (q *Query) entity(v *repo.Reader, e repo.Entity, after Cursor, emit func(repo.Entity, *Group) error) error {
	groups, err := q.View.Of(v, e)
	if errors.Is(err, repo.ErrNotFound) && e != q.On {
		return nil
	}
	if err != nil {
		return err
	}
	if e != after.On {
		if err := emit(e, nil); err != nil {
			return err
		}
		after.Group = ""
	}
	if q.Names {
		return nil
	}
	if len(q.Types) == 0 && len(q.Groups) > 0 {
		return q.named(v, e, after, emit)
	}
	all, err := groups.Groups()
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Name <= after.Group || !q.wants(&all[i]) {
			continue
		}
		if err := emit(e, &Group{Group: all[i]}); err != nil {
			return err
		}
	}
	return nil
}

// named emits groups that the query names, each read by itself.
func (q *Query) named(v *repo.Reader, e repo.Entity, after Cursor, emit func(repo.Entity, *Group) error) error {
	names := slices.Clone(q.Groups)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name <= after.Group {
			continue
		}
		g, err := q.View.ReadGroup(v, e, name)
		if errors.Is(err, repo.ErrNotFound) {
			continue
		}
		if err == nil {
			err = emit(e, &g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *Query) wants(g *tree.Group) bool {
	return len(q.Groups) == 0 && len(q.Types) == 0 || slices.Contains(q.Groups, g.Name) || slices.Contains(q.Types, g.Type)
}
