package manifest

import (
	"encoding/base32"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
)

// Names of template groups and properties. Source: libscf.h, libscf_priv.h.
const (
	groupCommonName  = "tm_common_name"
	groupDescription = "tm_description"
	prefixMan        = "tm_man_"
	prefixDoc        = "tm_doc_"

	basePgPattern     = "tm_pgpat" // then n, t, nt for what the pattern has, and an underscore
	prefixPropPattern = "tm_proppat_"

	prefixCommonName  = "common_name_"
	prefixDescription = "description_"
	prefixUnits       = "units_"
	prefixValue       = "value_"
	unknownLocale     = "unknown"
)

// encoding32 makes a property name of any value.
var encoding32 = base32.StdEncoding.WithPadding('-')

func (h *holder) template(n *node) {
	for _, kid := range n.kids {
		switch kid.name {
		case "common_name":
			h.group(kid, groupCommonName, typeTemplate).texts(kid, "")
		case "description":
			h.group(kid, groupDescription, typeTemplate).texts(kid, "")
		case "documentation":
			h.documentation(kid)
		case "pg_pattern":
			h.pgPattern(kid)
		}
	}
}

// texts adds a property for each language: the prefix and the locale.
func (g *group) texts(n *node, prefix string) {
	for _, kid := range n.kids {
		text := strings.Trim(kid.text, " \t\n\r")
		if text == "" {
			g.holder.faults.invalid(kid, "loctext element has no content")
			continue
		}
		g.set(kid, prefix+locale(kid.attr("xml:lang")), prop.UString, text)
	}
}

// locale is a language as part of a property's name.
func locale(language string) string {
	if language == "" {
		return unknownLocale
	}
	return nameCharacters(language, "_")
}

// nameCharacters makes an underscore of each byte that is no letter, digit or one of others.
func nameCharacters(s, others string) string {
	out := []byte(s)
	for i, c := range out {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(others, c) < 0 {
			out[i] = '_'
		}
	}
	return string(out)
}

// labelled is the name of a group for a label: of one that is too long, the beginning and the end.
func labelled(prefix, label string) string {
	name := prefix + label
	if len(name) > fmri.NameBytesMax {
		half := (fmri.NameBytesMax - 2) / 2
		name = name[:half] + ".." + name[len(name)-half:]
	}
	return nameCharacters(name, "_-")
}

func (h *holder) documentation(n *node) {
	for _, kid := range n.kids {
		if kid.name == "manpage" {
			name := labelled(prefixMan, kid.attr("title")+kid.attr("section"))
			h.group(kid, name, typeTemplate).attributes(kid, "title", "section", "manpath")
			continue
		}
		name := labelled(prefixDoc, kid.attr("name"))
		h.group(kid, name, typeTemplate).attributes(kid, "name", "uri")
	}
}

// pgPatternName is the name of the group that holds a pattern: what it has is part of it.
func pgPatternName(name, kind string) string {
	switch {
	case name != "" && kind != "":
		return basePgPattern + "nt_" + name
	case name != "":
		return basePgPattern + "n_" + name
	case kind != "":
		return basePgPattern + "t_" + kind
	}
	return basePgPattern + "_"
}

// strictGroup makes a group that may be made once only.
func (h *holder) strictGroup(n *node, name, kind string) *group {
	if h.findGroup(name) != nil {
		h.faults.invalid(n, "is not unique in %s", h.self())
		return nil
	}
	return h.group(n, name, kind)
}

func (h *holder) pgPattern(n *node) {
	if why := h.badTarget(n.attr("target")); why != "" {
		h.faults.invalid(n, "target cannot be %s: %s", quote(n.attr("target")), why)
		return
	}
	if name := n.attr("name"); name != "" && fmri.CheckName(name) != nil {
		h.faults.invalid(n, "%s is no name of a property group", quote(name))
		return
	}
	g := h.strictGroup(n, pgPatternName(n.attr("name"), n.attr("type")), typePgPattern)
	if g == nil {
		return
	}
	g.attributes(n, "name", "type", "target")
	g.boolean(n, "required")
	for _, kid := range n.kids {
		switch kid.name {
		case "common_name":
			g.texts(kid, prefixCommonName)
		case "description":
			g.texts(kid, prefixDescription)
		case "prop_pattern":
			h.propPattern(kid, g.Name)
		}
	}
}

// badTarget says what the DTD cannot: whose patterns may be about whom.
func (h *holder) badTarget(target string) string {
	switch {
	case target == "instance" && h.inst != "":
		return "only a service's pattern may be about its instances"
	case target == "delegate" && h.kind != "restarter":
		return "it is not in a restarter service"
	case target == "all" && h.self() != globalService:
		return "only " + globalService + " may be about all services"
	}
	return ""
}

func (h *holder) propPattern(n *node, pattern string) {
	name := n.attr("name")
	if fmri.CheckName(name) != nil {
		h.faults.invalid(n, "%s is no name of a property", quote(name))
		return
	}
	unique := strings.TrimPrefix(pattern, basePgPattern)
	g := h.strictGroup(n, prefixPropPattern+unique+"_"+name, typePropPattern)
	if g == nil {
		return
	}
	g.set(n, "pg_pattern", prop.AString, pattern)
	g.set(n, "name", prop.AString, name)
	g.set(n, "type", prop.AString, n.attr("type"))
	g.boolean(n, "required")
	for _, kid := range n.kids {
		g.patternPart(kid)
	}
}

func (g *group) patternPart(n *node) {
	switch n.name {
	case "common_name":
		g.texts(n, prefixCommonName)
	case "description":
		g.texts(n, prefixDescription)
	case "units":
		g.texts(n, prefixUnits)
	case "visibility":
		g.attributes(&node{Position: n.Position, name: n.name, attrs: []attr{{"visibility", n.attr("value")}}}, "visibility")
	case "cardinality":
		g.cardinality(n)
	case "internal_separators":
		g.separators(n)
	case "values":
		g.choice(n, "values_name", "", "")
	case "constraints":
		g.choice(n, "constraint_name", "constraint_range", "")
	case "choices":
		g.choice(n, "choices_name", "choices_range", "choices_include_values")
	}
}

func (g *group) cardinality(n *node) {
	bounds := make([]uint64, 2)
	for i, name := range []string{"min", "max"} {
		text := strings.TrimLeft(n.attr(name), " \t\n")
		value, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			g.holder.faults.invalid(n, "%s is not a legal number for %s", quote(text), name)
			return
		}
		bounds[i] = value
	}
	if bounds[1] < bounds[0] {
		g.holder.faults.invalid(n, "max is less than min")
		return
	}
	for i, name := range []string{"cardinality_min", "cardinality_max"} {
		g.set(n, name, prop.Count, strconv.FormatUint(bounds[i], 10))
	}
}

// separators are characters; the original takes bytes, and there are none but of ASCII.
func (g *group) separators(n *node) {
	var values []string
	for _, c := range n.text {
		values = append(values, string(c))
	}
	if values == nil {
		g.holder.faults.invalid(n, "an empty list of separators")
		return
	}
	g.set(n, "internal_separators", prop.AString, values...)
}

// choice adds the names, ranges and inclusions of a set of values, under the names of properties.
func (g *group) choice(n *node, names, ranges, includes string) {
	found := map[string][]string{}
	for _, kid := range n.kids {
		switch kid.name {
		case "value":
			found[names] = append(found[names], kid.attr("name"))
			encoded := prefixValue + encoding32.EncodeToString([]byte(kid.attr("name"))) + "_"
			for _, text := range kid.kids {
				g.texts(text, encoded+text.name+"_")
			}
		case "range":
			if err := checkRange(kid.attr("min"), kid.attr("max")); err != nil {
				g.holder.faults.invalid(kid, "%v", err)
				continue
			}
			found[ranges] = append(found[ranges], kid.attr("min")+","+kid.attr("max"))
		case "include_values":
			found[includes] = append(found[includes], kid.attr("type"))
		}
	}
	for _, name := range []string{names, ranges, includes} {
		if values := found[name]; values != nil {
			g.set(n, name, prop.AString, values...)
		}
	}
}

// checkRange holds a range to numbers of the same kind, the lower first.
func checkRange(low, high string) error {
	texts := []string{strings.TrimLeft(low, " \t\n"), strings.TrimLeft(high, " \t\n")}
	inverted := false
	if slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, "-") }) {
		a, errA := strconv.ParseInt(texts[0], 0, 64)
		b, errB := strconv.ParseInt(texts[1], 0, 64)
		if err := errors.Join(errA, errB); err != nil {
			return errors.New("min and max are not both numbers")
		}
		inverted = b < a
	} else {
		a, errA := strconv.ParseUint(texts[0], 0, 64)
		b, errB := strconv.ParseUint(texts[1], 0, 64)
		if err := errors.Join(errA, errB); err != nil {
			return errors.New("min and max are not both numbers")
		}
		inverted = b < a
	}
	if inverted {
		return errors.New("maximum less than minimum")
	}
	return nil
}
