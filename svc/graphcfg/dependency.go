package graphcfg

import (
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

var groupings = map[string]graph.Grouping{
	"require_all": graph.RequireAll, "require_any": graph.RequireAny, "optional_all": graph.OptionalAll, "exclude_all": graph.ExcludeAll,
}

var restarts = map[string]graph.Class{
	"none": graph.NoClass, "error": graph.Fault, "restart": graph.Restarted, "refresh": graph.Refreshed,
}

// dependency reads one group. ok: it can be given to a graph, at least with some of its entities.
// text is the first thing that is wrong with it.
func dependency(g *tree.Group) (d graph.Dependency, ok bool, text string) {
	d.Name = g.Name
	if d.Grouping, ok = one(g, "grouping", groupings); !ok {
		return d, false, wrong(g, "grouping")
	}
	if d.RestartOn, ok = one(g, "restart_on", restarts); !ok {
		return d, false, wrong(g, "restart_on")
	}
	entities := g.Prop("entities")
	switch {
	case entities == nil:
		return d, false, about(g, "entities is missing")
	case !entities.Type.Is(prop.AString):
		return d, false, about(g, "entities is of type "+entities.Type.String()+", not fmri")
	}
	kind, _ := word(g, "type")
	if kind == "path" {
		d.Scheme = graph.Paths
	}
	for _, entity := range entities.Values {
		if bad := unfit(entity, kind); bad != "" {
			if text == "" {
				text = about(g, bad)
			}
			continue
		}
		d.Entities = append(d.Entities, entity)
	}
	// What names only what it cannot mean is not satisfied by having no entities.
	return d, len(d.Entities) > 0 || len(entities.Values) == 0, text
}

// unfit says why an entity cannot stand in a dependency of that type, or nothing.
func unfit(entity, kind string) string {
	path := strings.HasPrefix(entity, "file:")
	switch {
	case path && kind == "path":
		return ""
	case path || kind != "service":
		return quote(entity) + " does not fit the type " + quote(kind)
	}
	f, err := fmri.Parse(entity)
	switch {
	case err != nil || f.Scheme != fmri.Service:
		return quote(entity) + " is not an FMRI"
	case f.Group != "":
		return quote(entity) + " is neither a service nor an instance"
	}
	return ""
}

// one is a property that is one of some words.
func one[T any](g *tree.Group, name string, words map[string]T) (value T, is bool) {
	text, _ := word(g, name)
	value, is = words[text]
	return value, is
}

// wrong says of a property that should be one of some words what it is.
func wrong(g *tree.Group, name string) string {
	p := g.Prop(name)
	switch {
	case p == nil:
		return about(g, name+" is missing")
	case !p.Type.Is(prop.AString):
		return about(g, name+" is of type "+p.Type.String()+", not astring")
	case len(p.Values) != 1:
		return about(g, name+" has "+strconv.Itoa(len(p.Values))+" values, not one")
	}
	return about(g, "unknown "+name+" "+quote(p.Values[0]))
}

func about(g *tree.Group, text string) string { return "dependency " + quote(g.Name) + ": " + text }

// quoteMax is how much of a value is told: enough for any FMRI that a person wrote, and it keeps a
// line a line.
const quoteMax = 200

func quote(s string) string {
	if len(s) > quoteMax {
		return strconv.Quote(s[:quoteMax]) + "..."
	}
	return strconv.Quote(s)
}
