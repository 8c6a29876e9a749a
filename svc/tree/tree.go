package tree

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
)

// Service is a service with its instances.
type Service struct {
	Name      string // without "svc:/"
	Groups    []Group
	Instances []Instance
}

// Instance is one instance of a service.
type Instance struct {
	Name   string
	Groups []Group
}

// Flags are those of a property group.
type Flags uint32

// NonPersistent: the group ends with the boot in which it was made.
const NonPersistent Flags = 1

// Group is a property group.
type Group struct {
	Name  string
	Type  string
	Flags Flags
	Props []Property
}

// Property is a property. Values are in their order, each as package prop writes it.
type Property struct {
	Name   string
	Type   prop.Type
	Values []string
}

// Group finds a group by name; nil when there is none.
func (s *Service) Group(name string) *Group { return findGroup(s.Groups, name) }

// Instance finds an instance by name; nil when there is none.
func (s *Service) Instance(name string) *Instance {
	i, ok := slices.BinarySearchFunc(s.Instances, name, func(x Instance, n string) int { return strings.Compare(x.Name, n) })
	if !ok {
		return nil
	}
	return &s.Instances[i]
}

// Group finds a group by name; nil when there is none.
func (i *Instance) Group(name string) *Group { return findGroup(i.Groups, name) }

func findGroup(groups []Group, name string) *Group {
	i, ok := slices.BinarySearchFunc(groups, name, func(g Group, n string) int { return strings.Compare(g.Name, n) })
	if !ok {
		return nil
	}
	return &groups[i]
}

// Prop finds a property by name; nil when there is none.
func (g *Group) Prop(name string) *Property {
	i, ok := slices.BinarySearchFunc(g.Props, name, func(p Property, n string) int { return strings.Compare(p.Name, n) })
	if !ok {
		return nil
	}
	return &g.Props[i]
}

// Sort puts everything below the service in the order of names.
func (s *Service) Sort() {
	SortGroups(s.Groups)
	slices.SortStableFunc(s.Instances, func(a, b Instance) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.Instances {
		SortGroups(s.Instances[i].Groups)
	}
}

// SortGroups puts groups and their properties in the order of names.
func SortGroups(groups []Group) {
	slices.SortStableFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	for i := range groups {
		slices.SortStableFunc(groups[i].Props, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
	}
}

// Equal says whether two properties have the same type and values.
func (p *Property) Equal(q *Property) bool {
	return p.Name == q.Name && p.Type == q.Type && slices.Equal(p.Values, q.Values)
}

// Equal says whether two groups are the same, with all that is in them.
func (g *Group) Equal(h *Group) bool {
	return g.Name == h.Name && g.Type == h.Type && g.Flags == h.Flags &&
		slices.EqualFunc(g.Props, h.Props, func(a, b Property) bool { return a.Equal(&b) })
}

// Clone is a copy that shares nothing.
func (g *Group) Clone() Group {
	c := *g
	c.Props = slices.Clone(g.Props)
	for i := range c.Props {
		c.Props[i].Values = slices.Clone(c.Props[i].Values)
	}
	return c
}
