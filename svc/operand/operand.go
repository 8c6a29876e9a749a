package operand

import (
	"errors"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Among says what an operand may stand for.
type Among uint8

// What operands stand for.
const (
	// Entities: services, and instances whose service is not meant itself. svccfg select.
	Entities Among = iota + 1
	// Instances: those of a service too that is meant itself. svccfg validate.
	Instances
	// Services alone. svccfg export.
	Services
	// Properties: instances; a service when its FMRI is in full, or when it has no instance;
	// groups and properties. svcprop.
	Properties
)

var words = [...]string{Entities: "instances or services", Instances: "instances", Services: "services", Properties: "entities"}

// String is the word for it in messages.
func (a Among) String() string { return words[a] }

// Match is what an operand stands for.
type Match struct {
	On repo.Entity
	// Group is empty when the entity is meant, and Property when the group is.
	Group, Property string
}

// String is the FMRI.
func (m Match) String() string {
	return fmri.FMRI{Scheme: fmri.Service, Service: m.On.Service, Instance: m.On.Instance, Group: m.Group, Property: m.Property}.String()
}

// Store is what of a door.Store is needed.
type Store interface {
	Exists(e repo.Entity) (bool, error)
	Scan(q door.Query) (door.Result, error)
	Group(e repo.Entity, v door.View, name string) (door.Group, error)
}

const properties = "/:properties/"

// Find gives all that an operand stands for, services before their instances, in the order of
// names. NoMatchError, TooLongError, and errors of the store.
func Find(s Store, text string, a Among) ([]Match, error) {
	if len(text) > fmri.BytesMax {
		return nil, &TooLongError{text}
	}
	entity, below, has := strings.Cut(text, properties)
	if has && a != Properties {
		return nil, &NoMatchError{text, a}
	}
	matches, err := entities(s, entity, a)
	if err == nil && has {
		matches, err = inside(s, matches, below)
	}
	if err == nil && len(matches) == 0 {
		err = &NoMatchError{text, a}
	}
	return matches, err
}

// entities are the services and instances that the text stands for.
func entities(s Store, text string, a Among) ([]Match, error) {
	p, err := fmri.ParsePattern(text)
	if err != nil { // no name is so
		return nil, nil
	}
	if p.Kind() == fmri.Exact {
		return exact(s, p, a)
	}
	r, err := s.Scan(door.Query{Levels: door.Services | door.Instances, View: door.Direct, Names: true})
	if err != nil {
		return nil, err
	}
	return choose(&r, p, a), nil
}

// exact looks for what an FMRI in full names.
func exact(s Store, p fmri.Pattern, a Among) ([]Match, error) {
	f := p.FMRI()
	e := repo.Entity{Service: f.Service, Instance: f.Instance}
	if f.Scheme != fmri.Service || a == Services && e.Instance != "" {
		return nil, nil
	}
	is, err := s.Exists(e)
	if err != nil || !is {
		return nil, err
	}
	if a != Instances || e.Instance != "" {
		return []Match{{On: e}}, nil
	}
	r, err := s.Scan(door.Query{On: e, Levels: door.Instances, View: door.Direct, Names: true})
	if errors.Is(err, repo.ErrNotFound) { // it has gone meanwhile
		return nil, nil
	}
	return choose(&r, p, a), err
}

// choose takes of all entities those that are meant.
func choose(r *door.Result, p fmri.Pattern, a Among) (matches []Match) {
	for i := 0; i < len(r.Entries); {
		from := i
		service := r.Entries[i].On.Service
		var instances []Match
		for ; i < len(r.Entries) && r.Entries[i].On.Service == service; i++ {
			if e := r.Entries[i].On; e.Instance != "" && p.MatchInstance(service, e.Instance) {
				instances = append(instances, Match{On: e})
			}
		}
		own := p.MatchService(service) && r.Entries[from].On.Instance == ""
		switch {
		case a == Services, a == Entities && own, a == Properties && own && len(instances) == 0:
			if own {
				matches = append(matches, Match{On: repo.Entity{Service: service}})
			}
		default:
			matches = append(matches, instances...)
		}
	}
	return matches
}

// inside gives the group or property of those that have it.
func inside(s Store, all []Match, below string) (matches []Match, err error) {
	group, property, has := strings.Cut(below, "/")
	if group == "" || has && property == "" {
		return nil, nil
	}
	for _, m := range all {
		g, err := s.Group(m.On, door.Direct, group)
		switch {
		case errors.Is(err, repo.ErrNotFound), errors.Is(err, repo.ErrInvalidName):
			continue
		case err != nil:
			return nil, err
		case has && g.Prop(property) == nil:
			continue
		}
		matches = append(matches, Match{m.On, group, property})
	}
	return matches, nil
}

// One is the only thing that an operand stands for. AmbiguousError.
func One(s Store, text string, a Among) (Match, error) {
	matches, err := Find(s, text, a)
	if err != nil {
		return Match{}, err
	}
	if len(matches) > 1 {
		return Match{}, &AmbiguousError{text, matches}
	}
	return matches[0], nil
}
