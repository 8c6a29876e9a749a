package svcs

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// list is svcs without a mode.
func (r *run) list(l *listing) error {
	if len(r.order.operands) > 0 {
		chosen, err := r.chosen(l)
		for _, in := range chosen {
			r.add(l, in)
		}
		return err
	}
	for _, in := range l.legacy {
		r.add(l, in)
	}
	for _, in := range l.all {
		permanent, _ := in.enabled(graphcfg.General)
		temporary, _ := in.enabled(graphcfg.Override)
		if r.order.all || len(r.order.restarters) > 0 || permanent || temporary {
			r.add(l, in)
		}
	}
	return nil
}

// rowsMax bounds a table: of all zones, and with -d, in which an instance may come often.
const rowsMax = 1 << 20

// add puts an instance into the table, unless -R says otherwise.
func (r *run) add(l *listing, in *instance) {
	if len(r.order.restarters) > 0 {
		f, err := fmri.Parse(in.restarter())
		if in.path != "" || err != nil || !slices.Contains(r.order.restarters, f.String()) {
			return
		}
	}
	if len(r.rows) == rowsMax {
		r.code = exitError
		r.once("too many lines: those after the first " + strconv.Itoa(rowsMax) + " are left out.")
		return
	}
	r.rows = append(r.rows, &row{instance: in, zone: l.zone})
}

// named has operands looked for among what was read.
type named struct{ l *listing }

func (n named) Exists(e repo.Entity) (bool, error) {
	if e.Instance != "" {
		return n.l.byFMRI[e.String()] != nil, nil
	}
	_, is := slices.BinarySearchFunc(n.l.names, e.Service, func(x door.Entry, service string) int {
		return strings.Compare(x.On.Service, service)
	})
	return is, nil
}

func (n named) Scan(q door.Query) (door.Result, error) {
	if q.On.Service == "" {
		return door.Result{Entries: n.l.names}, nil
	}
	var entries []door.Entry
	for _, in := range n.l.below[q.On.Service] {
		entries = append(entries, door.Entry{On: in.on})
	}
	return door.Result{Entries: entries}, nil
}

func (n named) Group(repo.Entity, door.View, string) (door.Group, error) {
	return door.Group{}, repo.ErrNotFound
}

// matches are what an operand stands for. What stands for nothing is told, once for all zones.
func (r *run) matches(l *listing, text string, a operand.Among) []operand.Match {
	matches, err := operand.Find(named{l}, text, a)
	if err == nil {
		r.found[text] = true
		return matches
	}
	var none *operand.NoMatchError
	if !r.order.allZones || !errors.As(err, &none) {
		r.fail(err.Error())
	}
	return nil
}

// chosen are the instances that operands stand for, each once; scripts too, in a table.
func (r *run) chosen(l *listing) (chosen []*instance, err error) {
	seen := map[*instance]bool{}
	take := func(in *instance) {
		if in != nil && !seen[in] {
			seen[in] = true
			chosen = append(chosen, in)
		}
	}
	for _, text := range r.order.operands {
		scripts := l.scripts(text)
		for _, in := range scripts {
			take(in)
		}
		if len(scripts) > 0 {
			r.found[text] = true
			if _, err := operand.Find(named{l}, text, operand.Instances); err != nil {
				continue
			}
		}
		for _, m := range r.matches(l, text, operand.Instances) {
			take(l.byFMRI[m.On.String()])
		}
	}
	return chosen, nil
}

// scripts are those that a pattern stands for.
func (l *listing) scripts(text string) (found []*instance) {
	p, err := fmri.ParsePattern(text)
	if err != nil {
		return nil
	}
	for _, in := range l.legacy {
		if p.MatchLegacy(in.path) {
			found = append(found, in)
		}
	}
	return found
}

// needs are the services and instances that an instance names in its dependencies, but for those it
// excludes. Files are none.
func (in *instance) needs() (all []repo.Entity) {
	for i := range in.ran {
		g := &in.ran[i]
		if g.Type != graphcfg.Dependency {
			continue
		}
		grouping, entities := g.Prop("grouping"), g.Prop("entities")
		if grouping == nil || entities == nil || grouping.Type != prop.AString || len(grouping.Values) != 1 || grouping.Values[0] == "exclude_all" {
			continue
		}
		for _, text := range entities.Values {
			f, err := fmri.Parse(text)
			if err == nil && f.Scheme == fmri.Service && f.Group == "" {
				all = append(all, repo.Entity{Service: f.Service, Instance: f.Instance})
			}
		}
	}
	return all
}

// dependencies is -d. What several need is listed for each of them, as with the original.
func (r *run) dependencies(l *listing) error {
	chosen, err := r.chosen(l)
	for _, in := range chosen {
		for _, e := range in.needs() {
			if e.Instance == "" {
				for _, member := range l.below[e.Service] {
					r.add(l, member)
				}
			} else if member := l.byFMRI[e.String()]; member != nil {
				r.add(l, member)
			}
		}
	}
	return err
}

// dependents is -D. Who needs a service as such needs each of its instances. A service that is
// named in full stands for itself: those are told that name it; one that is named for short, for its
// instances as well.
func (r *run) dependents(l *listing) error {
	users := map[repo.Entity][]*instance{}
	for _, in := range l.all {
		seen := map[repo.Entity]bool{}
		for _, e := range in.needs() {
			if !seen[e] {
				seen[e] = true
				users[e] = append(users[e], in)
			}
		}
	}
	for _, text := range r.order.operands {
		for _, m := range r.matches(l, text, operand.Entities) {
			asked := []repo.Entity{m.On, {Service: m.On.Service}}
			if p, err := fmri.ParsePattern(text); err == nil && p.Kind() != fmri.Exact && m.On.Instance == "" {
				for _, in := range l.below[m.On.Service] {
					asked = append(asked, in.on)
				}
			}
			seen := map[*instance]bool{}
			for _, e := range asked {
				for _, in := range users[e] {
					if !seen[in] {
						seen[in] = true
						r.add(l, in)
					}
				}
			}
		}
	}
	return nil
}
