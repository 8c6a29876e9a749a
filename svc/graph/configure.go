package graph

import (
	"fmt"

	"github.com/linuxzones/zones/svc/fmri"
)

func (g *Graph) configure(text string, config Config) error {
	f, err := fmri.Parse(text)
	if err != nil || f.Scheme != fmri.Service || f.Instance == "" || f.Group != "" {
		return ErrFMRI
	}
	wanted := 4 // itself, its service, its restarter, its restarter's service
	for _, d := range config.Dependencies {
		wanted += 2 * len(d.Entities)
	}
	if len(g.vertices)+wanted > VerticesMax {
		return ErrTooMany
	}
	v := g.vertexOf(f)
	if config.Deathrow {
		if v.configured {
			g.remove(v)
			v = g.vertexOf(f) // nobody may have asked for it
		}
		v.deathrow = true
		g.unsettle(v)
		return nil
	}
	v.deathrow = false
	if !v.configured {
		g.insert(v, config)
	} else {
		g.reconfigure(v, config)
	}
	g.build(v)
	g.outdate()
	g.changed(v)
	return nil
}

// insert makes an instance known. Its restarter is told of it in build.
func (g *Graph) insert(v *vertex, config Config) {
	v.configured, v.config = true, config
	v.state = Uninitialized
	v.forgetOrders()
	v.restarter = unset
	v.inside = true // until it is found out
	g.list(v)
}

func (g *Graph) reconfigure(v *vertex, config Config) {
	before, noted := v.enabled(), v.config.Enabled
	v.config = config
	if v.enabled() != before {
		v.toggled = true
	}
	if noted != config.Enabled {
		g.outdate()
	}
}

// forgetOrders: what was ordered of the former restarter, nobody will answer.
func (v *vertex) forgetOrders() { v.next, v.asked, v.unanswered, v.mayStart = None, 0, 0, false }

// unset is the restarter of an instance that none was told of.
const unset = "-"

// build makes the edges of an instance as its configuration has them.
func (g *Graph) build(v *vertex) {
	former := g.detach(v)
	v.broken, v.given = Order{}, false
	if v.config.Invalid != "" {
		v.broken = Order{Event: InvalidDependency, Detail: v.config.Invalid}
	}
	g.attachRestarter(v)
	for _, d := range v.config.Dependencies {
		if err := g.attach(v, d); err != nil && v.broken.Event == 0 {
			v.broken = Order{Event: InvalidDependency, Detail: err.Error()}
		}
	}
	for _, member := range former {
		g.release(member)
	}
	g.changed(v)
}

// detach takes all edges of an instance away, and says whom they led to.
func (g *Graph) detach(v *vertex) (members []*vertex) {
	for _, group := range v.groups {
		for _, e := range group.edges {
			g.cut(e)
			members = append(members, e.member)
		}
	}
	if v.hold != nil {
		g.cut(v.hold)
		members = append(members, v.hold.member)
	}
	v.groups, v.hold, v.need = nil, nil, tally{}
	return members
}

// cut takes an edge from its member.
func (g *Graph) cut(e *edge) {
	g.steps++
	edges := e.member.dependents
	last := edges[len(edges)-1]
	edges[e.at] = last
	last.at = e.at
	edges[len(edges)-1] = nil
	e.member.dependents = edges[:len(edges)-1]
}

// join is its reverse. The caller counts the edge's value.
func (g *Graph) join(e *edge) {
	g.steps++
	e.at = len(e.member.dependents)
	e.member.dependents = append(e.member.dependents, e)
	e.value = e.member.verdicts[e.view()]
}

// attachRestarter has v depend on its restarter, and the restarter know of v.
func (g *Graph) attachRestarter(v *vertex) {
	name := ""
	if f, err := fmri.Parse(v.config.Restarter); err == nil && f.Instance != "" && f.Group == "" {
		name = f.String()
		if name == startd {
			name = ""
		} else if member := g.vertexOf(f); g.closes(v, member) {
			g.release(member)
			name = unset
		} else {
			v.hold = &edge{member: member, owner: v}
			g.join(v.hold)
			v.need[v.hold.value+1]++
		}
	} else if v.config.Restarter != "" {
		v.broken = Order{Event: InvalidRestarter, Detail: v.config.Restarter}
		name = unset
	}
	if name == v.restarter {
		return
	}
	if v.restarter != unset {
		g.emit(v, Order{Event: RemoveInstance})
		if v.state.running() {
			g.spreadStop(v, Restarted)
		}
		g.setState(v, Uninitialized)
		v.forgetOrders()
	}
	v.restarter = name
	if name != unset {
		g.emit(v, Order{Event: AddInstance})
	}
}

// attach has v depend on the members of d. Whatever is wrong with one, the rest is attached:
// who looks at the instance sees all of its dependencies.
func (g *Graph) attach(v *vertex, d Dependency) (bad error) {
	if d.Grouping < RequireAll || d.Grouping > ExcludeAll || d.RestartOn > Refreshed {
		return fmt.Errorf("dependency %q: unknown grouping or restart_on", d.Name)
	}
	group := &group{owner: v, name: d.Name, grouping: d.Grouping, restartOn: d.RestartOn}
	for _, entity := range d.Entities {
		f, err := fmri.Parse(entity)
		switch {
		case err != nil:
			bad = fmt.Errorf("dependency %q: %w", d.Name, err)
			continue
		case f.Group != "" || f.Scheme == fmri.Legacy || (f.Scheme == fmri.File) != (d.Scheme == Paths):
			bad = fmt.Errorf("dependency %q: %s is not what its type says", d.Name, entity)
			continue
		}
		member := g.vertexOf(f)
		if d.Grouping != ExcludeAll && g.closes(v, member) {
			g.release(member)
			continue
		}
		e := &edge{member: member, owner: v, group: group}
		g.join(e)
		group.edges = append(group.edges, e)
		group.counts[e.value+1]++
	}
	group.verdict = group.judge()
	v.need[group.verdict+1]++
	v.groups = append(v.groups, group)
	return bad
}

// remove forgets an instance. Who runs with its help is stopped as if it had stopped; who only
// names it has it missing from now on.
func (g *Graph) remove(v *vertex) {
	g.spreadStop(v, Restarted)
	if v.restarter != unset {
		g.emit(v, Order{Event: RemoveInstance})
	}
	former := g.detach(v)
	g.setState(v, None)
	g.unfall(v)
	g.unlist(v)
	g.noRival(v)
	v.configured, v.config, v.broken, v.given = false, Config{}, Order{}, false
	v.forgetOrders()
	v.missed, v.toggled, v.inside = NoClass, false, false
	g.outdate()
	g.changed(v)
	g.settleOne(v) // before its service forgets what it counted for
	for _, member := range former {
		g.release(member)
	}
	g.release(v)
}
