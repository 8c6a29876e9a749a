package svccfg

import (
	"errors"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// row is a line of listpg and listprop: a group, or a property of one.
type row struct {
	name  string
	group *door.Group
	prop  *tree.Property // nil: the group itself
}

// rows are the groups of the selection that match, and unless groups alone are wanted their
// properties. A group that matches has all of them.
func (s *Session) rows(pattern string, all, groupsOnly bool) ([]row, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	if s.at.Service == "" {
		return nil, errNoEntity
	}
	groups, err := store.Groups(s.at, s.view())
	if err != nil {
		return nil, err
	}
	var rows []row
	for i := range groups {
		g := &groups[i]
		whole := all || fmri.Match(pattern, g.Name)
		if whole {
			rows = append(rows, row{g.Name, g, nil})
		}
		if groupsOnly {
			continue
		}
		for j := range g.Props {
			if name := g.Name + "/" + g.Props[j].Name; whole || fmri.Match(pattern, name) {
				rows = append(rows, row{name, g, &g.Props[j]})
			}
		}
	}
	return rows, nil
}

// printRows prints them in columns, and what more says after each.
func (s *Session) printRows(rows []row, more func(row)) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r.name))
	}
	for _, r := range rows {
		s.print(r.name + strings.Repeat(" ", width-len(r.name)) + "  ")
		if r.prop == nil {
			s.print(r.group.Type)
			if r.group.Flags&tree.NonPersistent != 0 {
				s.print("\tNONPERSISTENT")
			}
		} else {
			s.printProperty(r.prop)
		}
		s.print("\n")
		more(r)
	}
}

// typeWidth is the least width of a property's type.
const typeWidth = 7

// printProperty prints type and values for people: values are quoted where they would not be
// told apart otherwise.
func (s *Session) printProperty(p *tree.Property) {
	word := p.Type.String()
	s.print(word + strings.Repeat(" ", max(0, typeWidth-len(word))) + " ")
	several := len(p.Values) > 1 && (p.Type == prop.AString || p.Type == prop.UString)
	for _, v := range p.Values {
		if several || strings.ContainsAny(v, " \t\n\"()") {
			v = prop.Quote(v)
		}
		s.print(" " + v)
	}
}

func (s *Session) listpg(a *args) error {
	rows, err := s.rows(a.word(0), len(a.words) == 0, true)
	if err == nil {
		s.printRows(rows, func(row) {})
	}
	return err
}

func (s *Session) listprop(a *args) error {
	rows, err := s.rows(a.word(0), len(a.words) == 0, false)
	if err == nil {
		s.printRows(rows, func(row) {})
	}
	return err
}

// addpg makes a group.
func (s *Session) addpg(a *args) error {
	if _, err := s.modifiable(); err != nil {
		return err
	}
	var flags tree.Flags
	for _, c := range a.word(2) {
		switch c {
		case 'P':
			flags |= tree.NonPersistent
		case 'p':
			flags &^= tree.NonPersistent
		default:
			return problem("Invalid property group flag " + string(c) + ".")
		}
	}
	var b repo.Batch
	b.CreateGroup(s.at, a.word(0), a.word(1), flags)
	if err := s.private(&b, s.at); err != nil {
		return err
	}
	err := s.do(&b)
	switch {
	case errors.Is(err, repo.ErrInvalidName):
		return problem("Name, type, or flags are invalid.")
	case errors.Is(err, repo.ErrExists):
		return problem("Property group already exists.")
	}
	return err
}

func (s *Session) delpg(a *args) error {
	if _, err := s.modifiable(); err != nil {
		return err
	}
	if name := a.word(0); strings.Contains(name, "/") {
		return badGroup(name)
	}
	return s.delprop(a)
}

func badGroup(name string) error  { return problem("Invalid property group name \"" + name + "\".") }
func badProp(name string) error   { return problem("Invalid property name \"" + name + "\".") }
func noGroup(name string) error   { return problem("No such property group \"" + name + "\".") }
func noProp(g, name string) error { return problem("No such property " + g + "/" + name + ".") }

// current gives a group of the selection itself.
func (s *Session) current(e repo.Entity, name string) (door.Group, error) {
	if fmri.CheckName(name) != nil {
		return door.Group{}, badGroup(name)
	}
	g, err := s.store.Group(e, door.Direct, name)
	if !errors.Is(err, repo.ErrNotFound) {
		return g, err
	}
	switch is, err := s.store.Exists(e); {
	case err != nil:
		return g, err // it is not known
	case !is:
		return g, repo.ErrNotFound
	}
	return g, noGroup(name)
}

// delprop deletes a property, or a whole group. A group that was made anew meanwhile is not the
// one that was to go.
func (s *Session) delprop(a *args) error {
	if _, err := s.modifiable(); err != nil {
		return err
	}
	name, property, has := strings.Cut(a.word(0), "/")
	e := s.at
	return s.change(func(b *repo.Batch) error {
		g, err := s.current(e, name)
		switch {
		case err != nil:
			return err
		case has && fmri.CheckName(property) != nil:
			return badProp(property)
		case has && g.Prop(property) == nil:
			return noProp(name, property)
		}
		b.ExpectGroup(e, name, g.Generation)
		if has {
			b.DeleteProperty(e, name, property)
		} else {
			b.DeleteGroup(e, name)
		}
		return s.private(b, e)
	})
}
