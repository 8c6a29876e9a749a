package svccfg

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg/lang"
	"github.com/linuxzones/zones/svc/tree"
)

// assignment is what setprop and addpropvalue are told.
type assignment struct {
	group, property string
	typed           bool
	t               prop.Type
	values          []string
	bare            bool // one of a list is without quotes
}

// target takes the name of a property apart.
func target(text string) (group, property string, err error) {
	group, property, has := strings.Cut(text, "/")
	if !has {
		err = problem("Property names must contain a `/'.")
	}
	return group, property, err
}

// assign reads `= [type:] value` and `= [type:] (values)`, or for addpropvalue `[type:] value`.
func assign(name string, tokens []lang.Token) (a assignment, err error) {
	if a.group, a.property, err = target(name); err != nil {
		return a, err
	}
	if len(tokens) > 1 && isWord(tokens) && (len(tokens) == 2 || tokens[1].Kind == lang.Open) {
		if err := a.setType(tokens[0].Text); err != nil {
			return a, err
		}
		tokens = tokens[1:]
	}
	if len(tokens) == 1 && isWord(tokens) {
		a.values = []string{tokens[0].Text}
		return a, nil
	}
	n := len(tokens)
	if n < 2 || tokens[0].Kind != lang.Open || tokens[n-1].Kind != lang.Close {
		return a, errSyntax
	}
	for _, t := range tokens[1 : n-1] {
		if t.Kind != lang.Word && t.Kind != lang.String {
			return a, errSyntax
		}
		a.values = append(a.values, t.Text)
		a.bare = a.bare || t.Kind == lang.Word
	}
	return a, nil
}

func (a *assignment) setType(text string) error {
	word, has := strings.CutSuffix(text, ":")
	t, known := prop.ParseType(word)
	if !has || !known {
		return problem("Unknown type \"" + text + "\".")
	}
	a.t, a.typed = t, true
	return nil
}

// setprop sets a property, whatever it was.
func (s *Session) setprop(a *args) error {
	if len(a.values) == 0 || a.values[0].Kind != lang.Equals {
		return errSyntax
	}
	x, err := assign(a.word(0), a.values[1:])
	if err == errSyntax {
		return err
	}
	if _, bad := s.modifiable(); bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	e := s.at
	return s.change(func(b *repo.Batch) error {
		g, err := s.current(e, x.group)
		if err != nil {
			return err
		}
		p, err := s.property(e, &g, &x)
		if err != nil {
			return err
		}
		b.ExpectGroup(e, x.group, g.Generation)
		b.SetProperty(e, x.group, p)
		return s.private(b, e)
	})
}

// property is what setprop makes of the group's property.
func (s *Session) property(e repo.Entity, g *door.Group, x *assignment) (p tree.Property, err error) {
	if fmri.CheckName(x.property) != nil {
		return p, badProp(x.property)
	}
	p = tree.Property{Name: x.property, Type: x.t}
	if !x.typed {
		if p.Type, err = s.infer(e, g, x.property); err != nil {
			return p, err
		}
	}
	if x.bare && (p.Type == prop.AString || p.Type == prop.UString) {
		return p, problem("Multiple string values or string values with spaces must be quoted with '\"'.")
	}
	for _, v := range x.values {
		value, err := canonical(p.Type, v)
		if err != nil {
			return p, err
		}
		p.Values = append(p.Values, value)
	}
	return p, nil
}

// infer finds the type of a property for which none was said: its own, that of the service's
// property of the name, that of a template.
func (s *Session) infer(e repo.Entity, g *door.Group, name string) (prop.Type, error) {
	if p := g.Prop(name); p != nil {
		return p.Type, nil
	}
	if e.Instance != "" {
		p, err := s.store.Property(repo.Entity{Service: e.Service}, door.Direct, g.Name, name)
		switch {
		case err == nil:
			return p.Type, nil
		case !errors.Is(err, repo.ErrNotFound) && !errors.Is(err, door.ErrDenied):
			return prop.Invalid, err
		}
	}
	t, err := s.templates(e)
	if err != nil {
		return prop.Invalid, err
	}
	if word := t.property(&g.Group, name).one("type"); word != "" {
		if found, ok := prop.ParseType(word); ok {
			return found, nil
		}
	}
	return prop.Invalid, problem("Type required for new properties.")
}

func canonical(t prop.Type, text string) (string, error) {
	value, err := prop.Canonical(t, text)
	if err != nil {
		shown := text
		if len(shown) > 80 {
			shown = shown[:80] + "..."
		}
		return "", problem("Invalid \"" + t.String() + "\" value \"" + shown + "\".")
	}
	return value, nil
}

// addpropvalue adds a value to those that a property has. The property is made when it is not
// there.
func (s *Session) addpropvalue(a *args) error {
	for _, t := range a.values {
		if t.Kind != lang.Word && t.Kind != lang.String {
			return errSyntax
		}
	}
	x, err := assign(a.word(0), a.values)
	if err == errSyntax {
		return err
	}
	if _, bad := s.modifiable(); bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	e := s.at
	return s.change(func(b *repo.Batch) error {
		if err := s.planAdd(b, e, &x); err != nil {
			return err
		}
		return s.private(b, e)
	})
}

func (s *Session) planAdd(b *repo.Batch, e repo.Entity, x *assignment) error {
	g, err := s.current(e, x.group)
	if err != nil {
		return err
	}
	old := g.Prop(x.property)
	p := tree.Property{Name: x.property, Type: x.t}
	switch {
	case fmri.CheckName(x.property) != nil:
		return badProp(x.property)
	case old == nil && !x.typed:
		return problem("Type required for new properties.")
	case old != nil && x.typed && old.Type != x.t:
		return problem("Property \"" + x.property + "\" is not of type \"" + x.t.String() + ":\".")
	case g.Withheld: // what cannot be read cannot be kept
		return errDenied
	case old != nil:
		p.Type, p.Values = old.Type, slices.Clone(old.Values)
	}
	value, err := canonical(p.Type, x.values[0])
	if err != nil {
		return err
	}
	p.Values = append(p.Values, value)
	b.ExpectGroup(e, x.group, g.Generation)
	b.SetProperty(e, x.group, p)
	return nil
}

// delpropvalue takes away the values that match.
func (s *Session) delpropvalue(a *args) error {
	group, property, err := target(a.word(0))
	if _, bad := s.modifiable(); bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	e := s.at
	return s.change(func(b *repo.Batch) error {
		g, err := s.current(e, group)
		if err != nil {
			return err
		}
		if err := s.planTake(b, e, &g, property, a.word(1)); err != nil {
			return err
		}
		return s.private(b, e)
	})
}

func (s *Session) planTake(b *repo.Batch, e repo.Entity, g *door.Group, property, pattern string) error {
	old := g.Prop(property)
	switch {
	case fmri.CheckName(property) != nil:
		return badProp(property)
	case old == nil:
		return noProp(g.Name, property)
	case g.Withheld:
		return errDenied
	}
	p := tree.Property{Name: property, Type: old.Type}
	for _, v := range old.Values {
		if !fmri.Match(pattern, v) {
			p.Values = append(p.Values, v)
		}
	}
	b.ExpectGroup(e, g.Name, g.Generation)
	b.SetProperty(e, g.Name, p)
	return nil
}
