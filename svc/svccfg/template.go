package svccfg

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// Types and names of groups in which templates are kept. Source: libscf.h; package manifest.
const (
	typeTemplate    = "template"
	typePgPattern   = "template_pg_pattern"
	typePropPattern = "template_prop_pattern"
	groupCommonName = "tm_common_name"
	groupText       = "tm_description"
	prefixMan       = "tm_man_"
	prefixDoc       = "tm_doc_"
)

// globalInstance is the one whose templates are about all services, and whose notification parameters
// about all instances that have none.
var globalInstance = repo.Entity{Service: "system/svc/global", Instance: "default"}

// defaultRestarter is the one of instances that name none.
var defaultRestarter = repo.Entity{Service: "system/svc/restarter", Instance: "default"}

// templates are what is said of an entity's groups: by itself and its service, by its restarter,
// and of all services, in this order.
type templates struct{ levels [][]door.Group }

// pattern is one of a group or a property. The zero pattern says nothing.
type pattern struct{ *tree.Group }

// one is a property's only value; empty when it has none.
func (p pattern) one(name string) string {
	if p.Group == nil {
		return ""
	}
	return single(p.Prop(name))
}

func single(x *tree.Property) string {
	if x == nil || len(x.Values) != 1 {
		return ""
	}
	return x.Values[0]
}

// text is a text in the language of all programs, or else in any.
func (p pattern) text(prefix string) string {
	if p.Group == nil {
		return ""
	}
	for _, locale := range []string{"C", "en", "unknown"} {
		if v := p.one(prefix + locale); v != "" {
			return v
		}
	}
	for i := range p.Props {
		if strings.HasPrefix(p.Props[i].Name, prefix) {
			return single(&p.Props[i])
		}
	}
	return ""
}

// values are all of a property's; none when it is not there.
func (p pattern) values(name string) []string {
	if p.Group == nil {
		return nil
	}
	if x := p.Prop(name); x != nil {
		return x.Values
	}
	return nil
}

// templates reads what is said of an entity.
func (s *Session) templates(e repo.Entity) (*templates, error) {
	own, err := s.store.Groups(e, door.Composed)
	if err != nil {
		return nil, err
	}
	return templatesOf(s.store, own)
}

// templatesOf reads what is said of an entity that has the groups.
func templatesOf(store door.Store, own []door.Group) (*templates, error) {
	t := &templates{levels: [][]door.Group{about(own, "")}}
	for _, level := range []struct {
		on     repo.Entity
		target string
	}{{restarterOf(own), "delegate"}, {globalInstance, "all"}} {
		groups, err := store.Groups(level.on, door.Composed)
		if errors.Is(err, repo.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t.levels = append(t.levels, about(groups, level.target))
	}
	return t, nil
}

// about are the patterns that have the target; an empty one stands for those about the entity
// itself.
func about(groups []door.Group, target string) []door.Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g door.Group) bool {
		said := pattern{&g.Group}.one("target")
		elsewhere := said == "delegate" || said == "all"
		switch g.Type {
		case typePropPattern:
			return false
		case typePgPattern:
			return target == "" && elsewhere || target != "" && said != target
		}
		return true
	})
}

// restarterOf is the restarter of who has the groups.
func restarterOf(groups []door.Group) repo.Entity {
	for i := range groups {
		if groups[i].Name != groupGeneral {
			continue
		}
		f, err := fmri.Parse(single(groups[i].Prop("restarter")))
		if err == nil && f.Scheme == fmri.Service {
			return repo.Entity{Service: f.Service, Instance: f.Instance}
		}
	}
	return defaultRestarter
}

// group finds the pattern that says most of a group, and the level that it is of: one with its
// name and type, with its name, with its type, with neither.
func (t *templates) group(g *tree.Group) (pattern, []door.Group) {
	for _, level := range t.levels {
		best, points := pattern{}, -1
		for i := range level {
			p := pattern{&level[i].Group}
			name, kind := p.one("name"), p.one("type")
			if p.Type != typePgPattern || name != "" && name != g.Name || kind != "" && kind != g.Type {
				continue
			}
			n := 0
			if name != "" {
				n += 2
			}
			if kind != "" {
				n++
			}
			if n > points {
				best, points = p, n
			}
		}
		if best.Group != nil {
			return best, level
		}
	}
	return pattern{}, nil
}

// property finds the pattern of a property.
func (t *templates) property(g *tree.Group, name string) pattern {
	of, level := t.group(g)
	for _, p := range propertiesOf(of, level) {
		if p.one("name") == name {
			return p
		}
	}
	return pattern{}
}

// propertiesOf are the patterns of properties that belong to that of a group.
func propertiesOf(of pattern, level []door.Group) (list []pattern) {
	if of.Group == nil {
		return nil
	}
	for i := range level {
		p := pattern{&level[i].Group}
		if p.Type == typePropPattern && p.one("pg_pattern") == of.Name {
			list = append(list, p)
		}
	}
	return list
}
