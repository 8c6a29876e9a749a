package repo

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/svc/tree"
)

// model is a repository as one would write it who has memory enough and needs no files.
type model struct {
	groups    map[Entity]map[string]tree.Group // the entities that are there
	snapshots map[Entity]map[string]frozen
}

type frozen struct{ service, instance map[string]tree.Group }

func newModel() *model {
	return &model{groups: map[Entity]map[string]tree.Group{}, snapshots: map[Entity]map[string]frozen{}}
}

func (m *model) clone() *model {
	c := newModel()
	for e, g := range m.groups {
		c.groups[e] = maps.Clone(g)
	}
	for e, s := range m.snapshots {
		c.snapshots[e] = maps.Clone(s)
	}
	return c
}

func persistentOf(groups map[string]tree.Group) map[string]tree.Group {
	p := map[string]tree.Group{}
	for name, g := range groups {
		if g.Flags == 0 {
			p[name] = g
		}
	}
	return p
}

func (m *model) do(o *Op) error {
	groups, there := m.groups[o.On]
	switch o.Verb {
	case Create:
		switch _, parent := m.groups[o.On.service()]; {
		case there:
			return ErrExists
		case o.On.Instance != "" && !parent:
			return ErrNotFound
		}
		m.groups[o.On] = map[string]tree.Group{}
		return nil
	case Ensure:
		for _, e := range []Entity{o.On.service(), o.On} {
			if m.groups[e] == nil {
				m.groups[e] = map[string]tree.Group{}
			}
		}
		return nil
	}
	switch {
	case o.On.Instance == "" && o.Verb >= TakeSnapshot:
		return ErrInvalidOp
	case !there:
		return ErrNotFound
	}
	switch o.Verb {
	case Delete:
		return m.delete(o)
	case PutGroup:
		groups[o.Tree.Name] = o.Tree.Clone()
		return nil
	case TakeSnapshot, CopySnapshot, DeleteSnapshot, Revert:
		return m.snapshot(o)
	}
	return m.property(o, groups)
}

func (m *model) delete(o *Op) error {
	for e := range m.groups {
		if o.On.Instance == "" && e.Service == o.On.Service && e.Instance != "" && o.Children != WithChildren {
			return ErrInUse
		}
	}
	for e := range m.groups {
		if e == o.On || o.On.Instance == "" && e.Service == o.On.Service {
			delete(m.groups, e)
			delete(m.snapshots, e)
		}
	}
	return nil
}

func (m *model) property(o *Op, groups map[string]tree.Group) error {
	g, there := groups[o.Name]
	switch {
	case o.Verb == CreateGroup && there:
		return ErrExists
	case o.Verb == CreateGroup:
		groups[o.Name] = tree.Group{Name: o.Name, Type: o.Type, Flags: o.Flags}
		return nil
	case !there:
		return ErrNotFound
	case o.Verb == DeleteGroup:
		delete(groups, o.Name)
		return nil
	}
	g = g.Clone()
	at := slices.IndexFunc(g.Props, func(p tree.Property) bool { return p.Name == o.Prop.Name })
	switch {
	case o.Verb == SetProperty && at < 0:
		g.Props = append(g.Props, o.Prop)
	case at < 0:
		return ErrNotFound
	case o.Verb == DeleteProperty:
		g.Props = slices.Delete(g.Props, at, at+1)
	default:
		g.Props[at] = o.Prop
	}
	sorted := []tree.Group{g}
	tree.SortGroups(sorted)
	groups[o.Name] = sorted[0]
	return nil
}

func (m *model) snapshot(o *Op) error {
	names := m.snapshots[o.On]
	if names == nil {
		names = map[string]frozen{}
		m.snapshots[o.On] = names
	}
	from := o.Name
	if o.Verb == CopySnapshot {
		from = o.From
	}
	s, there := names[from]
	switch {
	case o.Verb == TakeSnapshot:
		names[o.Name] = frozen{persistentOf(m.groups[o.On.service()]), persistentOf(m.groups[o.On])}
	case !there:
		return ErrNotFound
	case o.Verb == CopySnapshot:
		names[o.Name] = s
	case o.Verb == DeleteSnapshot:
		delete(names, o.Name)
	default:
		for e, saved := range map[Entity]map[string]tree.Group{o.On.service(): s.service, o.On: s.instance} {
			maps.DeleteFunc(m.groups[e], func(_ string, g tree.Group) bool { return g.Flags == 0 })
			maps.Copy(m.groups[e], saved)
		}
	}
	return nil
}

var drawOp = rapid.Custom(func(t *rapid.T) Op {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	o := Op{
		Verb:     rapid.SampledFrom([]Verb{Create, Ensure, Ensure, Delete, CreateGroup, PutGroup, PutGroup, PutGroup, DeleteGroup, SetProperty, SetProperty, SetValues, DeleteProperty, TakeSnapshot, TakeSnapshot, CopySnapshot, DeleteSnapshot, Revert}).Draw(t, "verb"),
		On:       Entity{Service: rapid.SampledFrom([]string{"s", "s/t", "s-t"}).Draw(t, "service"), Instance: rapid.SampledFrom([]string{"", "i", "i-j", "j"}).Draw(t, "instance")},
		Name:     name.Draw(t, "name"),
		From:     name.Draw(t, "from"),
		Type:     "t",
		Flags:    tree.Flags(rapid.IntRange(0, 1).Draw(t, "flags")),
		Children: Children(rapid.IntRange(0, 1).Draw(t, "children")),
		Prop:     str(name.Draw(t, "property"), rapid.SliceOfN(rapid.SampledFrom([]string{"", "1", "2"}), 0, 2).Draw(t, "values")...),
	}
	if o.Verb == PutGroup {
		g := drawGroup.Draw(t, "tree")
		sorted := []tree.Group{*g}
		tree.SortGroups(sorted)
		sorted[0].Name = o.Name
		o.Tree = &sorted[0]
	}
	return o
})

// TestModel does random batches to a repository and to the model, closing and opening it now and
// then: both refuse the same, for the same reason, and hold the same.
func TestModel(t *testing.T) {
	dirs := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(dirs, "")
		if err != nil {
			t.Fatal(err)
		}
		cfg := config(dir)
		r, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		m := newModel()
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			b := Batch{Ops: rapid.SliceOfN(drawOp, 1, 6).Draw(t, "ops")}
			next := m.clone()
			var want error
			for i := range b.Ops {
				if want = next.do(&b.Ops[i]); want != nil {
					break
				}
			}
			before := r.Generation()
			after, err := r.Apply(&b)
			if !errors.Is(err, want) || err != nil && want == nil {
				t.Fatalf("%+v: %v, want %v", b.Ops, err, want)
			}
			if err == nil {
				m = next
			}
			if err == nil && after != before && after != before+1 {
				t.Fatalf("generation %d after %d", after, before)
			}
			if rapid.IntRange(0, 3).Draw(t, "reopen") == 0 {
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if r, err = Open(cfg); err != nil {
					t.Fatal(err)
				}
			}
			m.compare(t, r)
		}
	})
}

func (m *model) compare(t *rapid.T, r *Repo) {
	err := r.View(func(v *Reader) error {
		n := 0
		for service := range v.Services() {
			s, err := v.Service(service)
			if err != nil {
				return err
			}
			n += 1 + len(s.Instances)
			m.same(t, Entity{Service: service}, s.Groups, m.groups[Entity{Service: service}])
			for _, i := range s.Instances {
				e := Entity{service, i.Name}
				m.same(t, e, i.Groups, m.groups[e])
				if got, want := v.Snapshots(e), slices.Sorted(maps.Keys(m.snapshots[e])); !slices.Equal(got, want) {
					t.Fatalf("%v: snapshots %q, want %q", e, got, want)
				}
				for name, want := range m.snapshots[e] {
					f, err := v.Frozen(e, name)
					if err != nil {
						return err
					}
					m.same(t, e, f.Service, want.service)
					m.same(t, e, f.Instance, want.instance)
				}
			}
		}
		if n != len(m.groups) {
			t.Fatalf("%d entities, want %d", n, len(m.groups))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) same(t *rapid.T, e Entity, got []tree.Group, want map[string]tree.Group) {
	ok := len(got) == len(want) && slices.IsSortedFunc(got, func(a, b tree.Group) int { return strings.Compare(a.Name, b.Name) })
	for i := range got {
		w := want[got[i].Name]
		ok = ok && got[i].Equal(&w)
	}
	if !ok {
		t.Fatalf("%v: %+v, want %+v", e, got, want)
	}
}
