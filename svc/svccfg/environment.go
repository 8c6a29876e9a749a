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

const (
	groupContext    = "method_context"
	typeMethod      = "method"
	propEnvironment = "environment"
)

// variable is what setenv and unsetenv are told.
type variable struct {
	service, instance bool
	method            string
	name, value       string
	unset             bool
}

func parseVariable(words []string, unset bool) (v variable, err error) {
	v.unset = unset
	for len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' {
		word := words[0]
		words = words[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			switch word[i] {
			case 's':
				v.service = true
				continue
			case 'i':
				v.instance = true
				continue
			case 'm':
			default:
				return v, errSyntax
			}
			if v.method = word[i+1:]; v.method == "" {
				if len(words) == 0 {
					return v, errSyntax
				}
				v.method, words = words[0], words[1:]
			}
			break
		}
	}
	want := 2
	if unset {
		want = 1
	}
	if v.service && v.instance || len(words) != want {
		return v, errSyntax
	}
	if v.name = words[0]; !unset {
		v.value = words[1]
	}
	return v, nil
}

func (s *Session) setenv(a *args) error   { return s.variable(a, false) }
func (s *Session) unsetenv(a *args) error { return s.variable(a, true) }

// variable sets a variable of a method's environment, or takes it away.
func (s *Session) variable(a *args, unset bool) error {
	v, err := parseVariable(a.words, unset)
	if err != nil {
		return err
	}
	if _, err := s.modifiable(); err != nil {
		return err
	}
	e := s.at
	if v.service {
		e.Instance = ""
	}
	if v.instance && e.Instance == "" {
		return problem("No instance is selected.")
	}
	return s.change(func(b *repo.Batch) error {
		on, g, err := s.holder(b, e, &v)
		if err != nil {
			return err
		}
		if err := v.plan(b, on, &g); err != nil {
			return err
		}
		return s.private(b, on)
	})
}

// holder finds the group whose environment is meant, and whose it is. A method_context that is not
// there is made.
func (s *Session) holder(b *repo.Batch, e repo.Entity, v *variable) (repo.Entity, door.Group, error) {
	switch {
	case v.method != "":
		g, err := s.method(e, v.method)
		return e, g, err
	case !v.service && !v.instance:
		return s.startMethod(e)
	}
	g, err := s.store.Group(e, door.Direct, groupContext)
	if !errors.Is(err, repo.ErrNotFound) {
		return e, g, err
	}
	if v.unset {
		return e, g, noGroup(groupContext)
	}
	b.ExpectGroup(e, groupContext, 0)
	b.CreateGroup(e, groupContext, typeFramework, 0)
	g.Name = groupContext
	return e, g, nil
}

func (s *Session) method(e repo.Entity, name string) (door.Group, error) {
	if fmri.CheckName(name) != nil {
		return door.Group{}, problem("Invalid method name \"" + name + "\".")
	}
	g, err := s.store.Group(e, door.Direct, name)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		err = problem("Couldn't find the method \"" + name + "\".")
	case err == nil && g.Type != typeMethod:
		err = problem("Property group \"" + name + "\" is not of type \"method\".")
	}
	return g, err
}

// startMethod finds the method that starts the service: the instance's own, or its service's.
func (s *Session) startMethod(e repo.Entity) (repo.Entity, door.Group, error) {
	levels := []repo.Entity{e}
	if e.Instance != "" {
		levels = append(levels, repo.Entity{Service: e.Service})
	}
	for _, on := range levels {
		for _, name := range []string{"start", "inetd_start"} {
			g, err := s.store.Group(on, door.Direct, name)
			switch {
			case errors.Is(err, repo.ErrNotFound):
			case err != nil:
				return on, g, err
			case g.Type == typeMethod:
				return on, g, nil
			}
		}
	}
	return e, door.Group{}, problem("Couldn't find start method; please specify a method with '-m'.")
}

// plan changes the values of the group's environment: a variable is in it once.
func (v *variable) plan(b *repo.Batch, e repo.Entity, g *door.Group) error {
	old := g.Prop(propEnvironment)
	p := tree.Property{Name: propEnvironment, Type: prop.AString}
	switch {
	case old == nil && v.unset:
		return noProp(g.Name, propEnvironment)
	case g.Withheld:
		return errDenied
	case old != nil:
		p.Type = old.Type
		for _, value := range old.Values {
			if !strings.HasPrefix(value, v.name+"=") {
				p.Values = append(p.Values, value)
			}
		}
	}
	if !v.unset {
		value, err := canonical(p.Type, v.name+"="+v.value)
		if err != nil {
			return err
		}
		p.Values = append(p.Values, value)
	}
	if g.Generation != 0 {
		b.ExpectGroup(e, g.Name, g.Generation)
	}
	b.SetProperty(e, g.Name, p)
	return nil
}
