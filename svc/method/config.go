package method

import (
	"errors"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Config is where groups are looked up by name, composed: a repo.Source is one. A group that is not
// there is repo.ErrNotFound.
type Config interface {
	Group(name string) (tree.Group, error)
}

// Groups are a Config, in any order.
type Groups []tree.Group

// Group finds a group. repo.ErrNotFound.
func (g Groups) Group(name string) (tree.Group, error) {
	for i := range g {
		if g[i].Name == name {
			return g[i], nil
		}
	}
	return tree.Group{}, &missing{name}
}

// missing is repo.ErrNotFound of a group.
type missing struct{ name string }

func (e *missing) Error() string { return "group " + e.name + ": " + repo.ErrNotFound.Error() }
func (e *missing) Unwrap() error { return repo.ErrNotFound }

// Instance is whose methods are read.
type Instance struct {
	// Service and Instance are its names.
	Service, Instance string
	// Running is what it runs with: the running snapshot, or what is configured now when there
	// is none.
	Running Config
	// Current is what is configured now: there a token looks for what Running does not have.
	// Nil: nowhere.
	Current Config
	// Other gives both of another instance, and the second alone of a service (no instance is
	// named), for the tokens that name one. repo.ErrNotFound. Nil: there is no other.
	Other func(service, instance string) (running, current Config, err error)
}

// FMRI is the instance's.
func (i *Instance) FMRI() string { return fmri.Of(i.Service, i.Instance) }

// group looks for a group; nil when there is none.
func group(c Config, name string) (*tree.Group, error) {
	if c == nil {
		return nil, nil
	}
	g, err := c.Group(name)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &g, nil
}

// property is one of a group that may be nil.
func property(g *tree.Group, name string) *tree.Property {
	if g == nil {
		return nil
	}
	return g.Prop(name)
}

// word is a property that is one string.
func word(p *tree.Property) (string, bool) {
	if p == nil || !p.Type.Is(prop.AString) || len(p.Values) != 1 {
		return "", false
	}
	return p.Values[0], true
}

// truth is a property that is one boolean; otherwise it has the value that it has by default.
func truth(p *tree.Property, otherwise bool) bool {
	if p == nil || p.Type != prop.Boolean || len(p.Values) != 1 {
		return otherwise
	}
	return p.Values[0] == "true"
}

// number is a property that is one count or integer. Of an integer below 0, and of what is beyond a
// count, ok is false.
func number(p *tree.Property) (n uint64, ok bool) {
	if p == nil || p.Type != prop.Count && p.Type != prop.Integer || len(p.Values) != 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.Values[0], 10, 64)
	return n, err == nil
}

// name says which property a notice is about.
func name(g, p string) string { return g + "/" + p }

// listed joins words for a notice.
func listed(words []string) string { return strings.Join(words, ", ") }
