package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// The functions of this file make elements of groups. They need not be exact: what is not read
// back as the group that it was is thrown away.

// text is the value of a single-valued property of a type.
func text(p *tree.Property, t prop.Type) (string, bool) {
	if p == nil || p.Type != t || len(p.Values) != 1 {
		return "", false
	}
	return p.Values[0], true
}

// take makes attributes of the properties that are single-valued strings, and gives the others.
func take(g *tree.Group, n *node, names ...string) (rest []tree.Property) {
	for _, name := range names {
		if value, ok := text(g.Prop(name), prop.AString); ok {
			n.attrs = append(n.attrs, attr{name, value})
		}
	}
	for _, p := range g.Props {
		if _, ok := text(&p, prop.AString); !ok || !slices.Contains(names, p.Name) {
			rest = append(rest, p)
		}
	}
	return rest
}

// without are properties that have none of the names.
func without(props []tree.Property, names ...string) []tree.Property {
	return slices.DeleteFunc(slices.Clone(props), func(p tree.Property) bool { return slices.Contains(names, p.Name) })
}

// propertyNodes are the children of a group's element: its stability, then its properties.
func propertyNodes(props []tree.Property) []*node {
	var nodes []*node
	for i := range props {
		if props[i].Name == propStability && isStability(&props[i]) {
			nodes = append([]*node{newNode(propStability, "value", props[i].Values[0])}, nodes...)
			continue
		}
		nodes = append(nodes, propertyNode(&props[i]))
	}
	return nodes
}

func isStability(p *tree.Property) bool {
	value, ok := text(p, prop.AString)
	return ok && slices.Contains(stabilities, value)
}

func propertyNode(p *tree.Property) *node {
	kind := p.Type.String()
	if len(p.Values) == 1 {
		return newNode("propval", "name", p.Name, "type", kind, "value", p.Values[0])
	}
	n := newNode("property", "name", p.Name, "type", kind)
	if len(p.Values) > 0 {
		list := newNode(kind + "_list")
		list.add(valueNodes(p.Values)...)
		n.add(list)
	}
	return n
}

func valueNodes(values []string) []*node {
	var nodes []*node
	for _, v := range values {
		nodes = append(nodes, newNode("value_node", "value", v))
	}
	return nodes
}

func dependencyNode(g *tree.Group) *node {
	n := newNode("dependency", "name", g.Name)
	rest := take(g, n, "grouping", "restart_on", "type")
	entities := g.Prop("entities")
	if entities == nil {
		return nil
	}
	for _, value := range entities.Values {
		n.add(newNode("service_fmri", "value", value))
	}
	n.add(propertyNodes(without(rest, "entities"))...)
	return n
}

func methodNode(g *tree.Group) *node {
	n := newNode("exec_method", "name", g.Name)
	rest := take(g, n, "type", "exec")
	timeout, ok := text(g.Prop("timeout_seconds"), prop.Count)
	if !ok {
		return nil
	}
	n.attrs = append(n.attrs, attr{"timeout_seconds", timeout})
	context, rest := contextNode(&tree.Group{Props: without(rest, "timeout_seconds")})
	if len(context.attrs)+len(context.kids) > 0 {
		n.add(context)
	}
	n.add(propertyNodes(rest)...)
	return n
}

// contextNode makes a method_context of the properties that can be in one, and gives the others.
func contextNode(g *tree.Group) (n *node, rest []tree.Property) {
	n = newNode("method_context")
	left := &tree.Group{Props: take(g, n, contextAttributes...)}
	switch value, _ := text(left.Prop("use_profile"), prop.Boolean); value {
	case "true":
		if name, ok := text(left.Prop("profile"), prop.AString); ok {
			n.add(newNode("method_profile", "name", name))
			left.Props = without(left.Props, "use_profile", "profile")
		}
	case "false":
		if _, ok := text(left.Prop("user"), prop.AString); ok {
			credential := newNode("method_credential")
			left.Props = without(take(left, credential, credentialAttributes...), "use_profile")
			n.add(credential)
		}
	}
	if environment := environmentNode(left.Prop("environment")); environment != nil {
		n.add(environment)
		left.Props = without(left.Props, "environment")
	}
	return n, left.Props
}

func environmentNode(p *tree.Property) *node {
	if p == nil || p.Type != prop.AString || len(p.Values) == 0 {
		return nil
	}
	n := newNode("method_environment")
	for _, v := range p.Values {
		name, value, ok := strings.Cut(v, "=")
		if !ok || badVariable(name) != "" {
			return nil
		}
		n.add(newNode("envvar", "name", name, "value", value))
	}
	return n
}

// notifyNode makes notification_parameters of a group that holds them.
func notifyNode(g *tree.Group) *node {
	n := newNode("notification_parameters")
	n.add(newNode("event", "value", strings.TrimSuffix(g.Name, notifyPostfix)))
	for i := range g.Props {
		p := &g.Props[i]
		name, parameter, ok := strings.Cut(p.Name, ",")
		if !ok {
			return nil
		}
		// Properties are in the order of names, so those of a type follow each other.
		last := n.kids[len(n.kids)-1]
		if last.name != "type" || last.attr("name") != name {
			last = newNode("type", "name", name)
			n.add(last)
		}
		switch {
		case parameter == "active":
			value, _ := text(p, prop.Boolean)
			last.attrs = append(last.attrs, attr{"active", value})
		case len(p.Values) == 1 && p.Values[0] != "":
			last.add(newNode("paramval", "name", parameter, "value", p.Values[0]))
		default:
			parameters := newNode("parameter", "name", parameter)
			parameters.add(valueNodes(p.Values)...)
			last.add(parameters)
		}
	}
	return n
}

// general exports group general: by elements what they can say, the rest as a group.
func (x *exporter) general(g *tree.Group) error {
	rest := g.Clone()
	var nodes []*node
	if x.inst != "" {
		rest.Props = without(rest.Props, propEnabled)
		if len(rest.Props) == 0 && len(g.Props) > 0 {
			return nil
		}
	}
	whole := rest.Clone()
	if value, ok := text(rest.Prop(propRestarter), prop.FMRI); ok {
		n := newNode(propRestarter)
		n.add(newNode("service_fmri", "value", value))
		nodes, rest.Props = append(nodes, n), without(rest.Props, propRestarter)
	}
	if value, _ := text(rest.Prop(propSingleInstance), prop.Boolean); x.inst == "" && value == "true" {
		nodes, rest.Props = append(nodes, newNode(propSingleInstance)), without(rest.Props, propSingleInstance)
	}
	if p := rest.Prop(propEntityStability); x.inst == "" && p != nil && isStability(p) {
		nodes, rest.Props = append(nodes, newNode(propStability, "value", p.Values[0])), without(rest.Props, propEntityStability)
	}
	if len(nodes) == 0 {
		return x.generic(&whole)
	}
	if len(rest.Props) > 0 {
		n := newNode("property_group", "name", g.Name, "type", g.Type)
		n.add(propertyNodes(rest.Props)...)
		nodes = append(nodes, n)
	}
	h, err := x.read(nodes...)
	if err != nil {
		return x.generic(&whole)
	}
	if got := h.finish(); len(got) != 1 || !got[0].Equal(&whole) {
		return x.generic(&whole)
	}
	x.put(nodes...)
	return nil
}
