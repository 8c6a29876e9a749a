package svcprop

import (
	"context"
	"errors"

	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// errNotFound is what -w says of what is not there, or no longer.
var errNotFound = &fatal{"Not found."}

// wait is svcprop -w: it waits for a change of a group of the entity itself, and shows it.
func (r *run) wait(ctx context.Context) error {
	m, err := operand.One(r.store, r.order.operands[0], operand.Properties)
	if err != nil {
		return err
	}
	if err := r.target(&m); err != nil {
		return err
	}
	// Whatever happens from here on is told, so that nothing is missed between reading and waiting.
	w, err := r.store.Watch(repo.Filter{On: m.On, Groups: []string{m.Group}})
	if err != nil {
		return err
	}
	defer w.Close()
	was, err := r.there(m)
	if err != nil {
		return err
	}
	if m.Property != "" && was.Prop(m.Property) == nil {
		return errNotFound
	}
	for {
		if _, err := w.Next(ctx); err != nil {
			return waitError(err)
		}
		g, err := r.there(m)
		if err != nil {
			return err
		}
		if g.Generation != was.Generation { // else it was its service's, or there are more to come
			return r.changed(m, &g)
		}
	}
}

func waitError(err error) error {
	if errors.Is(err, repo.ErrClosed) {
		return &fatal{"Repository connection broken.  Exiting."}
	}
	return err
}

// target completes what is waited for by -p.
func (r *run) target(m *operand.Match) error {
	var p path
	if len(r.order.paths) > 0 {
		p = r.order.paths[0]
	}
	switch {
	case m.Property != "" && p.first != "":
		return &misuse{"-p cannot be used with property FMRIs.", false}
	case m.Property != "":
	case m.Group != "" && p.two:
		return &misuse{"-p argument \"" + p.String() + "\" has too many components for property group " + m.String() + ".", false}
	case m.Group != "":
		m.Property = p.first
	case p.first == "" && m.On.Instance == "":
		return &misuse{"Cannot wait for a service.", false}
	case p.first == "":
		return &misuse{"Cannot wait for an instance.", false}
	default:
		m.Group, m.Property = p.first, p.second
	}
	return nil
}

func (r *run) there(m operand.Match) (door.Group, error) {
	g, err := r.store.Group(m.On, door.Direct, m.Group)
	if errors.Is(err, repo.ErrNotFound) {
		err = errNotFound
	}
	return g, err
}

// changed shows what was waited for.
func (r *run) changed(m operand.Match, g *door.Group) error {
	if m.Property == "" {
		return r.group(m.On, g)
	}
	p := g.Prop(m.Property)
	if p == nil {
		return r.missing(errNotFound.text)
	}
	return r.property(m.On, g, p)
}
