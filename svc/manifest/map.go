package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// Names of groups, types and properties that have elements of their own. Source: libscf.h.
const (
	typeFramework   = "framework"
	typeMethod      = "method"
	typeDependency  = "dependency"
	typeTemplate    = "template"
	typePgPattern   = "template_pg_pattern"
	typePropPattern = "template_prop_pattern"
	typeNotify      = "notify_params"

	groupGeneral       = "general"
	groupDependents    = "dependents"
	groupMethodContext = "method_context"
	groupManifestFiles = "manifestfiles"

	propEnabled         = "enabled"
	propRestarter       = "restarter"
	propSingleInstance  = "single_instance"
	propEntityStability = "entity_stability"
	propStability       = "stability"
	propExternal        = "external"
)

// mapper makes configuration of elements.
type mapper struct {
	faults  *faults
	profile bool
	bundle  *Bundle
	seen    map[string]bool // names of the services in it
}

// holder is a service or an instance that is being made.
type holder struct {
	Directives
	*mapper
	service string // its name
	inst    string // an instance's; empty for a service
	kind    string // of the service
	groups  []*group
	index   map[string]*group // of groups, by name
	others  map[string]bool   // names of dependents
}

// group is a property group that is being made.
type group struct {
	tree.Group
	holder  *holder
	node    *node
	index   map[string]int // of Props, by name
	deleted bool
}

func (h *holder) self() string {
	if h.inst == "" {
		return "svc:/" + h.service
	}
	return "svc:/" + h.service + ":" + h.inst
}

func (h *holder) findGroup(name string) *group { return h.index[name] }

// group finds a group, or makes it. A profile need not say a type, where it is empty.
func (h *holder) group(n *node, name, kind string) *group {
	g := h.findGroup(name)
	if g == nil {
		if err := fmri.CheckName(name); err != nil {
			h.faults.invalid(n, "name of a property group: %v", err)
		}
		g = &group{Group: tree.Group{Name: name, Type: kind}, holder: h, node: n, index: map[string]int{}}
		if h.index == nil {
			h.index = map[string]*group{}
		}
		h.index[name], h.groups = g, append(h.groups, g)
		h.place(n, name, "")
	}
	switch {
	case g.Type == "":
		g.Type = kind
	case kind != "" && g.Type != kind:
		h.faults.invalid(n, "property group %s is defined with type %s and with type %s", quote(name), quote(g.Type), quote(kind))
	}
	return g
}

func (h *holder) place(n *node, group, property string) {
	if h.places == nil {
		h.places = map[Path]Position{}
	}
	h.places[Path{group, property}] = n.Position
}

// set adds a property.
func (g *group) set(n *node, name string, t prop.Type, values ...string) {
	if err := fmri.CheckName(name); err != nil {
		g.holder.faults.invalid(n, "name of a property: %v", err)
		return
	}
	if g.find(name) != nil {
		g.holder.faults.invalid(n, "property %s of group %s is defined twice", quote(name), quote(g.Name))
		return
	}
	if len(values) > valuesMax {
		g.holder.faults.add(n.fault(ErrLimit, "property %s of group %s has more than %d values", quote(name), quote(g.Name), valuesMax))
		return
	}
	for i, value := range values {
		// The type that a profile does not say checks the value when it is known.
		if canonical, err := prop.Canonical(t, value); err == nil {
			values[i] = canonical
		} else if t.Valid() {
			g.holder.faults.invalid(n, "property %s of group %s: illegal value: %s", quote(name), quote(g.Name), printable.Cut(err.Error(), 200))
			return
		}
	}
	g.index[name] = len(g.Props)
	g.Props = append(g.Props, tree.Property{Name: name, Type: t, Values: values})
	g.holder.place(n, g.Name, name)
}

func (g *group) find(name string) *tree.Property {
	if i, ok := g.index[name]; ok {
		return &g.Props[i]
	}
	return nil
}

// attributes adds an astring property for each attribute that is there, under the same name.
func (g *group) attributes(n *node, names ...string) {
	for _, name := range names {
		if value, ok := n.lookup(name); ok {
			g.set(n, name, prop.AString, value)
		}
	}
}

// boolean adds a boolean property for an attribute that is there.
func (g *group) boolean(n *node, name string) {
	if value, ok := n.lookup(name); ok {
		g.set(n, name, prop.Boolean, value)
	}
}

// services maps the services of a bundle and of those within it.
func (m *mapper) services(n *node) {
	for _, kid := range n.kids {
		if kid.name == root {
			m.services(kid)
			continue
		}
		if s := m.service(kid); m.seen[s.Config.Name] {
			m.faults.invalid(kid, "service %s is defined twice", quote(s.Config.Name))
		} else {
			m.seen[s.Config.Name] = true
			m.bundle.Services = append(m.bundle.Services, s)
		}
	}
}

func (m *mapper) service(n *node) Service {
	name := n.attr("name")
	if err := fmri.CheckService(name); err != nil {
		m.faults.invalid(n, "name of a service: %v", err)
	}
	s := Service{Kind: n.attr("type"), Version: n.attr("version"), Instances: map[string]*Directives{}}
	s.Config.Name = name
	h := &holder{mapper: m, service: name, kind: s.Kind, Directives: Directives{Position: n.Position}}
	for _, kid := range n.kids {
		switch kid.name {
		case "create_default_instance":
			m.instance(&s, kid, "default")
		case "instance":
			m.instance(&s, kid, kid.attr("name"))
		default:
			h.part(kid)
		}
	}
	s.Config.Groups = h.finish()
	s.Own = h.Directives
	s.Config.Sort()
	return s
}

func (m *mapper) instance(s *Service, n *node, name string) {
	if err := fmri.CheckName(name); err != nil {
		m.faults.invalid(n, "name of an instance: %v", err)
	}
	if s.Instances[name] != nil {
		m.faults.invalid(n, "instance %s is defined twice", quote(name))
		return
	}
	h := &holder{mapper: m, service: s.Config.Name, inst: name, kind: s.Kind, Directives: Directives{Position: n.Position}}
	switch n.attr(propEnabled) {
	case "true":
		h.Enabled = On
	case "false":
		h.Enabled = Disabled
	}
	for _, kid := range n.kids {
		h.part(kid)
	}
	h.takeEnabled()
	s.Config.Instances = append(s.Config.Instances, tree.Instance{Name: name, Groups: h.finish()})
	s.Instances[name] = &h.Directives
}

// takeEnabled takes general/enabled out of an instance's groups, where a property group sets it.
func (h *holder) takeEnabled() {
	g := h.findGroup(groupGeneral)
	if g == nil {
		return
	}
	p := g.find(propEnabled)
	if p == nil || !p.Type.Is(prop.Boolean) && p.Type != prop.Invalid || len(p.Values) != 1 {
		return
	}
	if h.Enabled != Unset {
		h.faults.invalid(g.node, "general/enabled is defined twice")
		return
	}
	h.Enabled = Disabled
	if p.Values[0] == "true" {
		h.Enabled = On
	}
	g.Props = slices.DeleteFunc(g.Props, func(p tree.Property) bool { return p.Name == propEnabled })
	if len(g.Props) == 0 {
		h.groups = slices.DeleteFunc(h.groups, func(x *group) bool { return x == g })
	}
}

// part maps a child of a service or an instance, but instances.
func (h *holder) part(n *node) {
	switch n.name {
	case propSingleInstance:
		h.group(n, groupGeneral, typeFramework).set(n, propSingleInstance, prop.Boolean, "true")
	case propStability:
		h.group(n, groupGeneral, typeFramework).set(n, propEntityStability, prop.AString, n.attr("value"))
	case propRestarter:
		h.restarter(n)
	case "dependency":
		h.dependency(n)
	case "dependent":
		h.dependent(n)
	case "method_context":
		h.group(n, groupMethodContext, typeFramework).context(n)
	case "exec_method":
		h.method(n)
	case "notification_parameters":
		h.notification(n)
	case "property_group":
		h.propertyGroup(n)
	case "template":
		if h.profile {
			h.faults.invalid(n, "a profile may not modify template data")
			return
		}
		h.template(n)
	}
}

// finish gives the groups to keep, and lists those to delete.
func (h *holder) finish() []tree.Group {
	var keep []tree.Group
	for _, g := range h.groups {
		if g.deleted {
			h.Deletes = append(h.Deletes, Deletion{g.node.Position, g.Name, g.Type})
			continue
		}
		keep = append(keep, g.Group)
	}
	tree.SortGroups(keep)
	slices.SortFunc(h.Deletes, func(a, b Deletion) int { return strings.Compare(a.Group, b.Group) })
	slices.SortFunc(h.Overrides, func(a, b Path) int {
		if c := strings.Compare(a.Group, b.Group); c != 0 {
			return c
		}
		return strings.Compare(a.Property, b.Property)
	})
	return keep
}

func (h *holder) propertyGroup(n *node) {
	g := h.group(n, n.attr("name"), n.attr("type"))
	if n.attr("type") == "" && !h.profile {
		h.faults.invalid(n, "property group %s has no type", quote(g.Name))
	}
	g.properties(n)
	g.delete(n)
}

// delete notes a group's mark; of several the last one counts.
func (g *group) delete(n *node) { g.deleted = n.attr("delete") == "true" }

// properties adds what the properties within an element say.
func (g *group) properties(n *node) {
	for _, kid := range n.kids {
		switch kid.name {
		case propStability:
			g.set(kid, propStability, prop.AString, kid.attr("value"))
		case "propval":
			g.property(kid, kid.attr("type"), []*node{kid})
		case "property":
			kind := kid.attr("type")
			if len(kid.kids) == 0 {
				g.property(kid, kind, nil)
				continue
			}
			listed := strings.TrimSuffix(kid.kids[0].name, "_list")
			if kind != "" && kind != listed {
				g.holder.faults.invalid(kid, "property %s of type %s has a %s", quote(kid.attr("name")), kind, kid.kids[0].name)
				continue
			}
			g.property(kid, listed, kid.kids[0].kids)
		}
	}
}

// property adds one property; the nodes have its values.
func (g *group) property(n *node, kind string, values []*node) {
	t, _ := prop.ParseType(kind)
	name := n.attr("name")
	var texts []string
	for _, v := range values {
		text := v.attr("value")
		var err error
		if t.Valid() { // what a profile does not say, what exists does
			text, err = Value(t, text)
		}
		if err != nil {
			g.holder.faults.invalid(v, "illegal value %s for %s: %v", quote(v.attr("value")), kind, err)
			continue
		}
		texts = append(texts, text)
	}
	g.set(n, name, t, texts...)
	if n.attr("override") == "true" {
		g.holder.Overrides = append(g.holder.Overrides, Path{g.Name, name})
	}
}
