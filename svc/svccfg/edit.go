package svccfg

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg/lang"
	"github.com/linuxzones/zones/svc/tree"
)

// editBytesMax is for a file that comes back from an editor.
const editBytesMax = 16 << 20

// editprop has a person edit commands that would make the selection's properties what they are,
// each in a comment, and runs what is no comment then.
func (s *Session) editprop(*args) error {
	store, err := s.modifiable()
	if err != nil {
		return err
	}
	if s.env.Edit == nil {
		return problem("Could not launch editor.")
	}
	groups, err := store.Groups(s.at, door.Direct)
	if err != nil {
		return err
	}
	text, err := s.edited(script(s.at, groups))
	if err != nil {
		return err
	}
	return s.runEdited(text)
}

// script is what a person edits.
func script(e repo.Entity, groups []door.Group) string {
	var b strings.Builder
	b.WriteString("select " + e.String() + "\n\n")
	for i := range groups {
		g := &groups[i]
		flags := ""
		if g.Flags&tree.NonPersistent != 0 {
			flags = " P"
		}
		b.WriteString("# Property group \"" + g.Name + "\"\n# delprop " + g.Name + "\n# addpg " + g.Name + " " + g.Type + flags + "\n")
		if g.Withheld { // what is not seen would be made nothing
			b.WriteString("# Its values may not be read.\n\n")
			continue
		}
		for _, p := range g.Props {
			b.WriteString("# setprop " + g.Name + "/" + p.Name + " = " + p.Type.String() + ": ")
			b.WriteString(strings.ReplaceAll(valuesText(p.Values), "\n", "\n#") + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// valuesText is values as setprop takes them.
func valuesText(list []string) string {
	if len(list) == 1 {
		return prop.Quote(list[0])
	}
	return prop.List(list)
}

// edited gives what a person has made of a text.
func (s *Session) edited(text string) (out string, err error) {
	f, err := os.CreateTemp("", "svccfg")
	if err != nil {
		return "", problem("Could not create temporary file.")
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", problem("Error writing temporary file: " + reason(err) + ".")
	}
	if err := s.env.Edit(f.Name()); err != nil {
		return "", problem("Could not launch editor: " + reason(err) + ".")
	}
	back, err := os.Open(f.Name()) // an editor may have put another file in its place
	if err != nil {
		return "", problem("Could not open \"" + f.Name() + "\": " + reason(err) + ".")
	}
	defer back.Close()
	data, err := io.ReadAll(io.LimitReader(back, editBytesMax+1))
	if err == nil && len(data) > editBytesMax {
		err = lang.ErrTooLong
	}
	return string(data), err
}

// runEdited runs commands, up to the first mistake.
func (s *Session) runEdited(text string) error {
	where, line := s.where, s.line
	s.where = "<editor>"
	p := lang.NewParser()
	p.Feed(text)
	for !s.done {
		c, err := p.Next(true)
		if err != nil {
			return s.language(err)
		}
		if c == nil {
			break
		}
		s.line = c.Line
		if c.Name() == "editprop" {
			return errSyntax
		}
		if err := s.run(c); err != nil {
			return err
		}
	}
	s.where, s.line = where, line
	return nil
}
