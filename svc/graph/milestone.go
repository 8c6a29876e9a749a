package graph

import (
	"slices"

	"github.com/linuxzones/zones/svc/fmri"
)

// A milestone's subgraph is what it depends on, and what that does; of optional dependencies
// only what is enabled, of exclusions nothing. What is outside is disabled by override, last
// what others depend on. "all" is no milestone but the end of one, "none" has no subgraph.
// The instance that stands for svc.startd itself is outside of none.

const (
	all  = "all"
	none = "none"
)

func (g *Graph) setMilestone(text string, recovered bool) error {
	name := text
	if name != all && name != none {
		f, err := fmri.Parse(text)
		if err != nil || !slices.Contains(Milestones, f.String()) {
			return ErrMilestone
		}
		name = f.String()
		if v := g.vertices[name]; v == nil || !v.configured {
			return ErrNotThere
		}
	}
	if name == g.milestone && (recovered || !g.takenOver) {
		return nil
	}
	g.milestone, g.takenOver = name, recovered
	for _, v := range g.configs {
		g.steps++
		if v.leaving {
			v.leaving = false
			if !v.falling {
				g.letGo(v)
			}
		}
	}
	g.markInside()
	g.outside = 0
	for _, v := range g.configs {
		v.inside = g.contains(v)
		if v.state.up() && !v.inside {
			g.outside++
		}
	}
	g.stale, g.descending = false, name != all && !recovered
	if recovered {
		return nil
	}
	for _, v := range g.configs {
		switch {
		case !v.inside:
			g.leave(v)
		case v.config.Override != NoOverride:
			g.override(v, NoOverride)
		default:
			g.changed(v)
		}
	}
	return nil
}

// outdate has the next Work find out who is inside: once, however much was configured.
func (g *Graph) outdate() { g.stale = g.milestone != all }

// sortOut does it.
func (g *Graph) sortOut() {
	if !g.stale {
		return
	}
	g.stale = false
	g.markInside()
	for _, v := range g.configs {
		g.steps++
		inside := g.contains(v)
		if inside == v.inside {
			continue
		}
		v.inside = inside
		switch {
		case !inside:
			if v.state.up() {
				g.outside++
			}
			g.leave(v)
			continue
		case v.state.up():
			g.outside--
		}
		v.leaving = false
		if !v.falling {
			g.letGo(v)
		}
		if v.config.Override == OverrideDisabled {
			g.override(v, NoOverride)
		}
	}
}

// leave has an instance outside come down after who depends on it. One that nobody has said a word of
// yet is overridden also when it is not enabled: what enables it later, as a profile does when a zone
// boots to a milestone, does not start it before the milestone is left.
func (g *Graph) leave(v *vertex) {
	v.leaving = v.state.up() || v.enabled() || v.state == Uninitialized
	g.changed(v)
	if !v.leaving || !v.state.up() {
		return
	}
	below(v, func(member *vertex) {
		g.steps++
		if member.kind == service {
			for _, i := range member.instances {
				g.holdUp(v, i)
			}
		} else if member.kind == instance {
			g.holdUp(v, member)
		}
	})
}

func (g *Graph) contains(v *vertex) bool {
	return g.milestone == all || v.name == startd || g.milestone != none && v.mark>>1 == g.marks
}

// visit is a vertex that is reached through an optional group, or is not.
type visit struct {
	v      *vertex
	option bool
}

// markInside marks the subgraph: a vertex once as an option, and once as what is required.
func (g *Graph) markInside() {
	g.marks++
	root := g.vertices[g.milestone]
	if root == nil {
		return
	}
	root.mark = g.marks<<1 | 1
	queue := []visit{{v: root}}
	reach := func(v *vertex, option bool) {
		g.steps++
		mark := g.marks << 1
		if !option {
			mark |= 1
		}
		if v.mark >= mark || option && v.kind == instance && !v.config.Enabled {
			return
		}
		v.mark = mark
		queue = append(queue, visit{v, option})
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, i := range at.v.instances {
			reach(i, at.option)
		}
		if at.v.hold != nil {
			reach(at.v.hold.member, at.option)
		}
		for _, group := range at.v.groups {
			for _, e := range group.edges {
				if group.grouping != ExcludeAll {
					reach(e.member, at.option || group.grouping == OptionalAll)
				}
			}
		}
	}
}
