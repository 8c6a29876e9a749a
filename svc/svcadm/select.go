package svcadm

import (
	"errors"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// targets are the instances that are meant, each once, in the order of operands. What an operand
// does not stand for, or not alone, is told, and the others are gone on with.
func (r *run) targets() (all []repo.Entity, err error) {
	if r.order.search {
		return r.inState()
	}
	seen := map[repo.Entity]bool{}
	for _, text := range r.order.operands {
		found, err := r.find(text)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if !seen[e] {
				seen[e] = true
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// inState are all instances in the state of -S. One that no restarter has looked at has none.
func (r *run) inState() (all []repo.Entity, err error) {
	result, err := r.store.Scan(door.Query{Levels: door.Instances, View: door.Direct, Groups: []string{record.Group}})
	for i := range result.Entries {
		e := &result.Entries[i]
		for j := range e.Groups {
			if s := record.Of(&e.Groups[j].Group).State; s != graph.None && s.String() == r.order.state {
				all = append(all, e.On)
			}
		}
	}
	return all, err
}

// find gives what an operand stands for. A service that is named in full, and a pattern, stand for
// several instances; what is short for several does not stand for any.
func (r *run) find(text string) ([]repo.Entity, error) {
	if strings.HasPrefix(text, "lrc:") {
		r.fail("Operation not supported on legacy service '" + text + "'")
		return nil, nil
	}
	matches, err := operand.Find(r.store, text, operand.Instances)
	var none *operand.NoMatchError
	var long *operand.TooLongError
	switch {
	case errors.As(err, &none), errors.As(err, &long):
		r.fail(err.Error())
		return nil, nil
	case err != nil:
		return nil, err
	}
	p, err := fmri.ParsePattern(text)
	if len(matches) > 1 && err == nil && !r.several(p, matches) {
		return nil, nil
	}
	var all []repo.Entity
	for _, m := range matches {
		all = append(all, m.On)
	}
	return all, nil
}

// several says whether the pattern may stand for more than one, and says why not.
func (r *run) several(p fmri.Pattern, matches []operand.Match) bool {
	switch {
	case p.Kind() == fmri.Abbreviation:
		text := "Partial FMRI '" + p.String() + "' matches multiple instances:"
		for _, m := range matches {
			text += "\n    " + m.String()
		}
		r.fail(text)
		return false
	case p.Kind() == fmri.Exact && r.order.command.name == "enable" && r.order.has("r"):
		r.fail(ambiguous(p.FMRI().String()))
		return false
	}
	return true
}

func ambiguous(service string) string {
	return "operation on service " + service + " is ambiguous; instance specification needed."
}
