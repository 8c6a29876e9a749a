package graphcfg

import (
	"errors"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// Names of the groups that are looked at as they are now.
const (
	General  = "general"
	Override = "general_ovr"
	Deathrow = "deathrow"
)

// Dependency is the type of the groups that say what an instance depends on.
const Dependency = "dependency"

// ErrNotConfigured: the instance has no general/enabled, so it is nobody's to run.
var ErrNotConfigured = errors.New("general/enabled is not set")

// Of reads the configuration of an instance. ErrNotConfigured; repo.ErrNotFound and what else the
// reader says.
func Of(v *repo.Reader, e repo.Entity) (graph.Config, error) {
	composed, err := v.Composed(e)
	if err != nil {
		return graph.Config{}, err
	}
	var now []tree.Group
	for _, name := range []string{General, Override, Deathrow} {
		g, err := composed.Group(name)
		switch {
		case errors.Is(err, repo.ErrNotFound):
			continue
		case err != nil:
			return graph.Config{}, err
		}
		now = append(now, g)
	}
	effective, err := v.Effective(e)
	if err != nil {
		return graph.Config{}, err
	}
	running, err := effective.Groups()
	if err != nil {
		return graph.Config{}, err
	}
	return Config(now, running)
}

// Queries are what a door.Store is asked for: with the first the groups of now, with the second
// those of the running snapshot. What is in both of an instance goes to Config. names are groups
// that the caller wants to see as they are now besides.
func Queries(on repo.Entity, names ...string) (now, running door.Query) {
	now = door.Query{On: on, Levels: door.Instances, View: door.Composed, Groups: append([]string{General, Override, Deathrow}, names...)}
	running = door.Query{On: on, Levels: door.Instances, View: door.Effective, Types: []string{Dependency}}
	return now, running
}

// Config makes a configuration of composed groups: of those of now General, Override and Deathrow
// count, of those of the running snapshot the ones of type Dependency. Others may be among them.
// ErrNotConfigured.
func Config(now, running []tree.Group) (graph.Config, error) {
	var c graph.Config
	enabled, is := false, false
	for i := range now {
		g := &now[i]
		switch g.Name {
		case General:
			enabled, is = boolean(g, "enabled")
			c.Restarter, _ = word(g, "restarter")
			c.Single, _ = boolean(g, "single_instance")
		case Override:
			if v, is := boolean(g, "enabled"); is {
				c.Override = graph.OverrideDisabled
				if v {
					c.Override = graph.OverrideEnabled
				}
			}
		case Deathrow:
			c.Deathrow, _ = boolean(g, "deathrow")
		}
	}
	if !is && !c.Deathrow {
		return graph.Config{}, ErrNotConfigured
	}
	c.Enabled = enabled
	for i := range running {
		if running[i].Type != Dependency || len(running[i].Props) == 0 {
			continue
		}
		d, ok, text := dependency(&running[i])
		if ok {
			c.Dependencies = append(c.Dependencies, d)
		}
		if text != "" && c.Invalid == "" {
			c.Invalid = text
		}
	}
	return c, nil
}

// boolean is a property that is one boolean; is: it is one.
func boolean(g *tree.Group, name string) (value, is bool) {
	p := g.Prop(name)
	if p == nil || p.Type != prop.Boolean || len(p.Values) != 1 {
		return false, false
	}
	return p.Values[0] == "true", true
}

// word is a property that is one string, and not empty; is: it is one.
func word(g *tree.Group, name string) (value string, is bool) {
	p := g.Prop(name)
	if p == nil || !p.Type.Is(prop.AString) || len(p.Values) != 1 || p.Values[0] == "" {
		return "", false
	}
	return p.Values[0], true
}
