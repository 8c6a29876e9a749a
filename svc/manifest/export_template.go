package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// templates exports what template data a template element can say, and notes which groups that
// are. Without a common name there is no template.
func (x *exporter) templates() {
	t := newNode("template")
	if !x.templatePart(t, groupCommonName, "common_name") {
		return
	}
	x.templatePart(t, groupDescription, "description")
	documents := newNode("documentation")
	for _, g := range x.groups {
		var n *node
		switch {
		case g.Type != typeTemplate:
		case strings.HasPrefix(g.Name, prefixMan):
			n = newNode("manpage")
			take(&g, n, "title", "section", "manpath")
			n.attrs = slices.DeleteFunc(n.attrs, func(a attr) bool { return a == attr{"manpath", ":default"} })
		case strings.HasPrefix(g.Name, prefixDoc):
			n = newNode("doc_link")
			take(&g, n, "name", "uri")
		}
		if n == nil {
			continue
		}
		wrapped := newNode("documentation")
		wrapped.add(n)
		if x.templateHolds(wrapped, g) {
			documents.add(n)
		}
	}
	if len(documents.kids) > 0 {
		t.add(documents)
	}
	properties := map[string][]tree.Group{} // by the group of their pattern
	for _, g := range x.groups {
		if owner, ok := text(g.Prop("pg_pattern"), prop.AString); ok && g.Type == typePropPattern {
			properties[owner] = append(properties[owner], g)
		}
	}
	for _, g := range x.groups {
		if g.Type == typePgPattern {
			x.pattern(t, g, properties[g.Name])
		}
	}
	x.put(t)
}

// templatePart adds an element of texts for a group, if it says all of it.
func (x *exporter) templatePart(t *node, group, name string) bool {
	i := slices.IndexFunc(x.groups, func(g tree.Group) bool { return g.Name == group && g.Type == typeTemplate })
	if i < 0 {
		return false
	}
	n := textsNode(&x.groups[i], name, "")
	if n == nil || !x.templateHolds(n, x.groups[i]) {
		return false
	}
	t.add(n)
	return true
}

// templateHolds says whether reading a part of a template gives the groups, which are done with
// if it does.
func (x *exporter) templateHolds(n *node, groups ...tree.Group) bool {
	t := newNode("template")
	t.add(n)
	if x.unlike(t, groups...) != nil {
		return false
	}
	for _, g := range groups {
		x.done[g.Name] = true
	}
	return true
}

// textsNode is an element of the texts whose names begin with a prefix; nil if there are none.
func textsNode(g *tree.Group, name, prefix string) *node {
	n := newNode(name)
	for i := range g.Props {
		language, ok := strings.CutPrefix(g.Props[i].Name, prefix)
		value, single := text(&g.Props[i], prop.UString)
		if !ok || !single {
			continue
		}
		loctext := newNode("loctext", "xml:lang", language)
		loctext.text = value
		n.add(loctext)
	}
	if len(n.kids) == 0 {
		return nil
	}
	return n
}

func (n *node) addTexts(g *tree.Group, kid, prefix string) {
	if texts := textsNode(g, kid, prefix); texts != nil {
		n.add(texts)
	}
}

// attribute adds an attribute that has a value other than its standard one.
func (n *node) attribute(name string, p *tree.Property, t prop.Type, standard string) {
	if value, ok := text(p, t); ok && value != standard {
		n.attrs = append(n.attrs, attr{name, value})
	}
}

// pattern exports a pattern of groups, with its patterns of properties.
func (x *exporter) pattern(t *node, g tree.Group, properties []tree.Group) {
	n := newNode("pg_pattern")
	n.attribute("name", g.Prop("name"), prop.AString, "")
	n.attribute("type", g.Prop("type"), prop.AString, "")
	n.attribute("required", g.Prop("required"), prop.Boolean, "false")
	n.attribute("target", g.Prop("target"), prop.AString, "this")
	n.addTexts(&g, "common_name", prefixCommonName)
	n.addTexts(&g, "description", prefixDescription)
	for i := range properties {
		n.add(propPatternNode(&properties[i]))
	}
	if x.templateHolds(n, append([]tree.Group{g}, properties...)...) {
		t.add(n)
	}
}

func propPatternNode(g *tree.Group) *node {
	n := newNode("prop_pattern")
	n.attribute("name", g.Prop("name"), prop.AString, "")
	n.attribute("type", g.Prop("type"), prop.AString, "")
	n.attribute("required", g.Prop("required"), prop.Boolean, "false")
	n.addTexts(g, "common_name", prefixCommonName)
	n.addTexts(g, "description", prefixDescription)
	n.addTexts(g, "units", prefixUnits)
	if value, ok := text(g.Prop("visibility"), prop.AString); ok {
		n.add(newNode("visibility", "value", value))
	}
	least, hasLeast := text(g.Prop("cardinality_min"), prop.Count)
	most, hasMost := text(g.Prop("cardinality_max"), prop.Count)
	if hasLeast && hasMost {
		n.add(newNode("cardinality", "min", least, "max", most))
	}
	if p := g.Prop("internal_separators"); p != nil {
		separators := newNode("internal_separators")
		separators.text = strings.Join(p.Values, "")
		n.add(separators)
	}
	described := map[string]bool{}
	n.addChoice(g, described, "values", "values_name", "", "")
	n.addChoice(g, described, "constraints", "constraint_name", "constraint_range", "")
	n.addChoice(g, described, "choices", "choices_name", "choices_range", "choices_include_values")
	return n
}

// addChoice adds a set of values. A value's texts are the group's, not the set's: the first set
// that has the value shows them.
func (n *node) addChoice(g *tree.Group, described map[string]bool, kid, names, ranges, includes string) {
	set := newNode(kid)
	for _, name := range valuesOf(g, names) {
		value := newNode("value", "name", name)
		if !described[name] {
			described[name] = true
			prefix := prefixValue + encoding32.EncodeToString([]byte(name)) + "_"
			value.addTexts(g, "common_name", prefix+prefixCommonName)
			value.addTexts(g, "description", prefix+prefixDescription)
		}
		set.add(value)
	}
	for _, r := range valuesOf(g, ranges) {
		low, high, _ := strings.Cut(r, ",")
		set.add(newNode("range", "min", low, "max", high))
	}
	for _, kind := range valuesOf(g, includes) {
		set.add(newNode("include_values", "type", kind))
	}
	if len(set.kids) > 0 {
		n.add(set)
	}
}

func valuesOf(g *tree.Group, name string) []string {
	if p := g.Prop(name); p != nil {
		return p.Values
	}
	return nil
}
