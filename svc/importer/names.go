package importer

import (
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Names of groups, types and properties. Source: libscf.h.
const (
	typeFramework  = "framework"
	typeDependency = "dependency"

	groupGeneral    = "general"
	groupDependents = "dependents"
	groupFiles      = "manifestfiles"

	propEnabled  = "enabled"
	propExternal = "external"
)

// external says whether a group is another service's dependent.
func external(g *tree.Group) bool {
	if g.Type != typeDependency {
		return false
	}
	p := g.Prop(propExternal)
	return p != nil && p.Type == prop.Boolean && len(p.Values) == 1 && p.Values[0] == "true"
}

// single is the value of a property that has one.
func single(p *tree.Property) (string, bool) {
	if p == nil || len(p.Values) != 1 {
		return "", false
	}
	return p.Values[0], true
}

// entityOf is the service or the instance that an FMRI names.
func entityOf(text string) (repo.Entity, bool) {
	f, err := fmri.Parse(text)
	if err != nil || f.Scheme != fmri.Service || f.Group != "" {
		return repo.Entity{}, false
	}
	return repo.Entity{Service: f.Service, Instance: f.Instance}, true
}

// groupIn finds a group by name, whatever their order.
func groupIn(groups []tree.Group, name string) *tree.Group {
	for i := range groups {
		if groups[i].Name == name {
			return &groups[i]
		}
	}
	return nil
}

func cloneGroups(groups []tree.Group) []tree.Group {
	var out []tree.Group
	for i := range groups {
		out = append(out, groups[i].Clone())
	}
	return out
}

func cloneService(s *tree.Service) *tree.Service {
	c := &tree.Service{Name: s.Name, Groups: cloneGroups(s.Groups)}
	for i := range s.Instances {
		c.Instances = append(c.Instances, tree.Instance{Name: s.Instances[i].Name, Groups: cloneGroups(s.Instances[i].Groups)})
	}
	return c
}

// sameGroups compares groups that are in the order of names.
func sameGroups(a, b []tree.Group) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(&b[i]) {
			return false
		}
	}
	return true
}

// persistent are the groups that a snapshot would hold.
func persistent(groups []tree.Group) []tree.Group {
	var out []tree.Group
	for i := range groups {
		if groups[i].Flags&tree.NonPersistent == 0 {
			out = append(out, groups[i])
		}
	}
	return out
}
