package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

func (h *holder) restarter(n *node) {
	g := h.group(n, groupGeneral, typeFramework)
	for _, kid := range n.kids {
		g.set(kid, propRestarter, prop.FMRI, kid.attr("value"))
	}
}

func (h *holder) dependency(n *node) {
	g := h.group(n, n.attr("name"), typeDependency)
	g.attributes(n, "type", "restart_on", "grouping")
	var entities []string
	for _, kid := range n.kids {
		if kid.name == "service_fmri" {
			entities = append(entities, kid.attr("value"))
		}
	}
	g.set(n, "entities", prop.FMRI, entities...)
	g.properties(n)
	g.delete(n)
}

// dependent makes the dependency that the other service is to have. What is external is not
// exported there: its owner exports it.
func (h *holder) dependent(n *node) {
	name := n.attr("name")
	if err := fmri.CheckName(name); err != nil {
		h.faults.invalid(n, "name of a dependent: %v", err)
		return
	}
	if h.findGroup(name) != nil {
		h.faults.invalid(n, "property group and dependent of %s have same name %s", h.self(), quote(name))
		return
	}
	if h.others[name] {
		h.faults.invalid(n, "dependent %s is defined twice", quote(name))
		return
	}
	if h.others == nil {
		h.others = map[string]bool{}
	}
	h.others[name] = true
	d := Dependent{
		Position: n.Position, Name: name, Target: n.kids[0].attr("value"),
		Delete: n.attr("delete") == "true", Override: n.attr("override") == "true",
	}
	if _, err := Value(prop.FMRI, d.Target); err != nil {
		h.faults.invalid(n.kids[0], "illegal value: %s", printable.Cut(err.Error(), 200))
		return
	}
	// It is no group of this service: its properties are collected apart.
	scratch := &holder{mapper: h.mapper, service: h.service, inst: h.inst, kind: h.kind}
	g := scratch.group(n, name, typeDependency)
	g.attributes(n, "restart_on", "grouping")
	g.set(n, "entities", prop.FMRI, h.self())
	g.set(n, propExternal, prop.Boolean, "true")
	for _, kid := range n.kids {
		if kid.name == propStability {
			g.set(kid, propEntityStability, prop.AString, kid.attr("value"))
		}
	}
	g.properties(&node{Position: n.Position, name: n.name, kids: slices.DeleteFunc(slices.Clone(n.kids), func(k *node) bool { return k.name == propStability })})
	if g.find("type") == nil {
		g.set(n, "type", prop.AString, "service")
	}
	tree.SortGroups([]tree.Group{g.Group})
	d.Group = g.Group
	h.Dependents = append(h.Dependents, d)
	if !d.Delete {
		h.group(n, groupDependents, typeFramework).set(n, name, prop.FMRI, d.Target)
	}
}

func (h *holder) method(n *node) {
	g := h.group(n, n.attr("name"), typeMethod)
	g.attributes(n, "type", "exec")
	timeout, err := count(n.attr("timeout_seconds"))
	if err != nil {
		h.faults.invalid(n, "illegal value %s for timeout_seconds: %v", quote(n.attr("timeout_seconds")), err)
	} else {
		g.set(n, "timeout_seconds", prop.Count, timeout)
	}
	for _, kid := range n.kids {
		if kid.name == "method_context" {
			g.context(kid)
		}
	}
	g.properties(n)
	g.delete(n)
}

// Attributes of contexts and credentials, which are properties of the same names.
var (
	contextAttributes    = []string{"working_directory", "project", "resource_pool", "security_flags"}
	credentialAttributes = []string{"user", "group", "supp_groups", "privileges", "limit_privileges"}
)

// context adds the properties of a method_context.
func (g *group) context(n *node) {
	g.attributes(n, contextAttributes...)
	for _, kid := range n.kids {
		switch kid.name {
		case "method_profile":
			g.set(kid, "use_profile", prop.Boolean, "true")
			g.set(kid, "profile", prop.AString, kid.attr("name"))
		case "method_credential":
			g.set(kid, "use_profile", prop.Boolean, "false")
			g.attributes(kid, credentialAttributes...)
		case "method_environment":
			g.environment(kid)
		}
	}
}

func (g *group) environment(n *node) {
	var values []string
	for _, kid := range n.kids {
		name := kid.attr("name")
		if why := badVariable(name); why != "" {
			g.holder.faults.invalid(kid, "invalid environment variable %s%s", quote(name), why)
			continue
		}
		values = append(values, name+"="+kid.attr("value"))
	}
	g.set(n, "environment", prop.AString, values...)
}

// badVariable says why a name is none of an environment variable that a method may have.
func badVariable(name string) string {
	switch {
	case name == "":
		return ": it has no name"
	case strings.Contains(name, "="):
		return ": '=' in its name"
	case strings.HasPrefix(name, "SMF_"):
		return `; "SMF_" prefix is reserved`
	}
	return ""
}
