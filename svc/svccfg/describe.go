package svccfg

import (
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
)

// Indents of what templates say.
const (
	indentValue = "  "
	indent      = "    "
	indentTwice = "        "
)

// describe shows properties with what templates say of them.
func (s *Session) describe(a *args) error {
	verbose, alone := false, false
	words := a.words
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		for _, c := range words[0][1:] {
			switch c {
			case 'v':
				verbose = true
			case 't':
				alone = true
			default:
				return errSyntax
			}
		}
		words = words[1:]
	}
	if len(words) > 1 {
		return errSyntax
	}
	_, err := s.open()
	switch {
	case err != nil:
		return err
	case s.at.Service == "":
		return errNoEntity
	}
	t, err := s.templates(s.at)
	if err != nil {
		return err
	}
	name := strings.Join(words, "")
	if len(words) == 0 {
		if err := s.describeEntity(verbose); err != nil {
			return err
		}
	}
	if alone {
		s.describeTemplates(t, name, len(words) == 0, verbose)
		return nil
	}
	rows, err := s.rows(name, len(words) == 0, false)
	if err != nil {
		return err
	}
	s.printRows(rows, func(r row) {
		if r.prop == nil {
			p, _ := t.group(&r.group.Group)
			s.describeGroup(p, verbose)
			return
		}
		s.describeProperty(t.property(&r.group.Group, r.prop.Name), verbose)
	})
	return nil
}

// item prints a line, unless there is nothing to say.
func (s *Session) item(before, label, text string) {
	switch {
	case text == "":
	case label == "":
		s.print(before + text + "\n")
	default:
		s.print(before + label + ": " + text + "\n")
	}
}

// describeEntity shows what the entity says of itself.
func (s *Session) describeEntity(verbose bool) error {
	groups, err := s.store.Groups(s.at, s.view())
	if err != nil {
		return err
	}
	for i := range groups {
		p := pattern{&groups[i].Group}
		switch {
		case p.Type != typeTemplate:
		case p.Name == groupCommonName:
			s.item(indent, "common name", p.text(""))
		case !verbose:
		case p.Name == groupText:
			s.item(indent, "description", p.text(""))
		case strings.HasPrefix(p.Name, prefixDoc):
			s.print(indent + "doc_link:\n")
			s.items(p, "name", "uri")
		case strings.HasPrefix(p.Name, prefixMan):
			s.print(indent + "manpage:\n")
			s.items(p, "title", "section", "manpath")
		}
	}
	return nil
}

func (s *Session) items(p pattern, names ...string) {
	for _, name := range names {
		s.item(indentTwice, name, p.one(name))
	}
}

func (s *Session) describeGroup(p pattern, verbose bool) {
	if !verbose {
		s.item(indent, "", p.text("description_"))
		return
	}
	s.item(indent, "name", p.one("name"))
	s.item(indent, "type", p.one("type"))
	s.item(indent, "required", p.one("required"))
	s.item(indent, "target", p.one("target"))
	s.item(indent, "common name", p.text("common_name_"))
	s.item(indent, "description", p.text("description_"))
}

func (s *Session) describeProperty(p pattern, verbose bool) {
	if !verbose {
		s.item(indent, "", p.text("description_"))
		return
	}
	if p.Group == nil {
		return
	}
	kind := p.one("type")
	if kind == "" {
		kind = "(any)"
	}
	s.item(indent, "type", kind)
	s.item(indent, "required", p.one("required"))
	s.item(indent, "common name", p.text("common_name_"))
	s.item(indent, "units", p.text("units_"))
	s.item(indent, "", p.text("description_"))
	s.item(indent, "visibility", p.one("visibility"))
	s.item(indent, "minimum number of values", p.one("cardinality_min"))
	s.item(indent, "maximum number of values", unlimited(p.one("cardinality_max")))
	if list := p.values("internal_separators"); list != nil {
		s.print(indent + "internal separators: \"" + strings.Join(list, "\" \"") + "\"\n")
	}
	s.choices("value constraints", p.values("constraint_name"), p.values("constraint_range"))
	s.choices("value choices", p.values("choices_name"), p.values("choices_range"))
}

func unlimited(n string) string {
	if n == "18446744073709551615" {
		return "unlimited"
	}
	return n
}

func (s *Session) choices(label string, names, ranges []string) {
	if len(names)+len(ranges) == 0 {
		return
	}
	s.print(indentValue + label + ":\n")
	for _, name := range names {
		s.item(indent, "value name", name)
	}
	for _, r := range ranges {
		s.item(indent, "range", strings.Replace(r, ",", " to ", 1))
	}
}

// describeTemplates shows what templates say, whether there are such properties or not.
func (s *Session) describeTemplates(t *templates, glob string, all, verbose bool) {
	for _, level := range t.levels {
		for i := range level {
			g := pattern{&level[i].Group}
			if g.Type != typePgPattern {
				continue
			}
			name := g.one("name")
			whole := all || name != "" && fmri.Match(glob, name)
			if whole {
				s.item("", "name", name)
				s.item("", "type", g.one("type"))
				s.describeGroupRest(g, verbose)
			}
			for _, p := range propertiesOf(g, level) {
				if whole || name != "" && fmri.Match(glob, name+"/"+p.one("name")) {
					s.item(indentValue, "name", p.one("name"))
					s.describeProperty(p, verbose)
				}
			}
		}
	}
}

func (s *Session) describeGroupRest(g pattern, verbose bool) {
	if !verbose {
		s.item(indent, "", g.text("description_"))
		return
	}
	s.item(indent, "required", g.one("required"))
	s.item(indent, "target", g.one("target"))
	s.item(indent, "common name", g.text("common_name_"))
	s.item(indent, "description", g.text("description_"))
}
