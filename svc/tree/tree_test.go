package tree

import (
	"reflect"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
)

func TestFindAndSort(t *testing.T) {
	s := Service{
		Name:   "a/b",
		Groups: []Group{{Name: "z"}, {Name: "a", Props: []Property{{Name: "q"}, {Name: "p", Type: prop.Count, Values: []string{"1"}}}}},
		Instances: []Instance{
			{Name: "two"}, {Name: "default", Groups: []Group{{Name: "y"}, {Name: "x", Flags: NonPersistent}}},
		},
	}
	s.Sort()
	for _, name := range []string{"a", "z"} {
		if g := s.Group(name); g == nil || g.Name != name {
			t.Errorf("group %s: %+v", name, g)
		}
	}
	if g := s.Instance("default").Group("x"); g == nil || g.Flags != NonPersistent {
		t.Errorf("a group of an instance: %+v", g)
	}
	if p := s.Group("a").Prop("p"); p == nil || p.Type != prop.Count {
		t.Errorf("a property: %+v", p)
	}
	for _, g := range []*Group{s.Group("b"), s.Instance("two").Group("x")} {
		if g != nil {
			t.Errorf("a group that is not there: %+v", g)
		}
	}
	if s.Instance("one") != nil || s.Group("a").Prop("r") != nil {
		t.Error("found what is not there")
	}
}

func TestEqualAndClone(t *testing.T) {
	g := Group{Name: "a", Type: "application", Props: []Property{{Name: "p", Type: prop.Count, Values: []string{"1", "2"}}}}
	c := g.Clone()
	if !c.Equal(&g) || !reflect.DeepEqual(c, g) {
		t.Errorf("%+v is no copy of %+v", c, g)
	}
	for name, change := range map[string]func(*Group){
		"name": func(g *Group) { g.Name = "b" }, "type": func(g *Group) { g.Type = "framework" },
		"flags": func(g *Group) { g.Flags = NonPersistent }, "property": func(g *Group) { g.Props = nil },
		"its name": func(g *Group) { g.Props[0].Name = "q" }, "its type": func(g *Group) { g.Props[0].Type = prop.Integer },
		"a value": func(g *Group) { g.Props[0].Values[1] = "3" }, "order": func(g *Group) { v := g.Props[0].Values; v[0], v[1] = v[1], v[0] },
	} {
		x := g.Clone()
		change(&x)
		if x.Equal(&g) {
			t.Errorf("another %s is equal", name)
		}
	}
	if g.Props[0].Values[1] != "2" {
		t.Error("a copy shares its values")
	}
}
