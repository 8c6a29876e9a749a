package svcs

import (
	"slices"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// picture is all that -x knows: what was read, and a graph of it.
type picture struct {
	*listing
	r     *run
	graph *graph.Graph
	// configs are those of the instances that the graph has.
	configs map[*instance]graph.Config
	// blind are those that depend on files which nobody can look at from here.
	blind map[*instance]bool
	// there are the files that were looked for.
	there map[string]bool
}

var stateOf = map[string]graph.State{
	uninitialized: graph.Uninitialized, disabled: graph.Disabled, offline: graph.Offline, online: graph.Online,
	degraded: graph.Degraded, maintenance: graph.Maintenance,
}

// draw puts configurations and states into a graph. What svc.startd put into maintenance since it
// closes a cycle comes last, so that it is the one that closes it here too.
func (r *run) draw(l *listing) (*picture, error) {
	p := &picture{
		listing: l, r: r, graph: graph.New(), configs: map[*instance]graph.Config{}, blind: map[*instance]bool{}, there: map[string]bool{},
	}
	var last []*instance
	for _, in := range l.all {
		if in.state() == maintenance && in.of("auxiliary_state") == "dependency_cycle" {
			last = append(last, in)
		} else if err := p.configure(in); err != nil {
			return nil, err
		}
	}
	for _, in := range last {
		if err := p.configure(in); err != nil {
			return nil, err
		}
	}
	for file, present := range p.there {
		if err := p.graph.Apply(graph.Op{Kind: graph.File, FMRI: file, Present: present}); err != nil {
			return nil, err
		}
	}
	for _, in := range l.all {
		state, known := stateOf[in.state()]
		if _, is := p.configs[in]; !is || !known {
			continue
		}
		if err := p.graph.Apply(graph.Op{Kind: graph.Changed, FMRI: in.fmri, State: state, Next: stateOf[in.next()]}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *picture) configure(in *instance) error {
	c, err := graphcfg.Config(trees(in.now), trees(in.ran))
	if err != nil { // not configured: svc.startd does not know it either
		return nil
	}
	c.Dependencies = slices.DeleteFunc(c.Dependencies, func(d graph.Dependency) bool {
		if d.Scheme != graph.Paths {
			return false
		}
		if p.zone != "" {
			p.blind[in] = true
			return true
		}
		p.lookFor(d.Entities)
		return false
	})
	p.configs[in] = c
	return p.graph.Apply(graph.Op{Kind: graph.Configure, FMRI: in.fmri, Config: c})
}

func (p *picture) lookFor(files []string) {
	for _, text := range files {
		if f, err := fmri.Parse(text); err == nil {
			if name := f.String(); !p.there[name] {
				p.there[name] = p.r.env.Present(f.Path)
			}
		}
	}
}

func trees(groups []door.Group) []tree.Group {
	list := make([]tree.Group, len(groups))
	for i := range groups {
		list[i] = groups[i].Group
	}
	return list
}

// spoken says whether a restarter has ever said what state the instance is in.
func (in *instance) spoken() bool { return in.state() != "" }

func running(in *instance) bool {
	s := in.state()
	return s == online || s == degraded
}

// stays says whether an instance is offline and not on its way: then others may be to blame.
func (in *instance) stays() bool { return in.state() == offline && in.next() == "" }

// roots are the instances that are to blame for something: those that do not run for a reason of
// their own although they should, and those that keep another from it. Each instance is looked at
// once, with what it names itself.
func (p *picture) roots() (roots []*instance) {
	blamed := map[*instance]bool{}
	blame := func(in *instance) {
		if in != nil && !blamed[in] {
			blamed[in] = true
			roots = append(roots, in)
		}
	}
	for _, in := range p.all {
		if _, is := p.configs[in]; !is || !in.spoken() {
			continue
		}
		enabled, _, _ := in.effective()
		switch state := in.state(); {
		case in.stays():
			p.blameFor(in, blame)
		case state == disabled && enabled, state != disabled && state != uninitialized && !running(in):
			blame(in)
		}
	}
	return roots
}

// blameFor finds who is to blame that an instance is offline: itself, when it is nobody else.
func (p *picture) blameFor(in *instance, blame func(*instance)) {
	others := false
	hold := func(other *instance, excluded bool) {
		if !other.spoken() { // there is nothing to tell of it
			return
		}
		others = true
		if excluded || !other.stays() { // else it has its turn
			blame(other)
		}
	}
	for _, d := range p.configs[in].Dependencies {
		if d.Scheme == graph.Services {
			p.holders(d, hold)
		}
	}
	if !others {
		if f, err := fmri.Parse(p.configs[in].Restarter); err == nil {
			if by := p.byFMRI[f.String()]; by != nil && by.fmri != startd && !running(by) {
				hold(by, false)
			}
		}
	}
	if !others {
		blame(in)
	}
}

// holders are the instances for which a dependency is not satisfied.
func (p *picture) holders(d graph.Dependency, hold func(in *instance, excluded bool)) {
	var held []*instance
	satisfied := false
	for _, entity := range d.Entities {
		members := p.members(entity)
		runs := slices.ContainsFunc(members, running)
		satisfied = satisfied || runs
		for _, in := range members {
			var holds bool
			switch d.Grouping {
			case graph.RequireAll, graph.RequireAny:
				holds = !runs
			case graph.OptionalAll:
				holds = !running(in) && p.inTheWay(in)
			case graph.ExcludeAll:
				holds = in.state() != disabled && in.state() != maintenance
			}
			if holds {
				held = append(held, in)
			}
		}
	}
	if d.Grouping == graph.RequireAny && satisfied {
		return
	}
	for _, in := range held {
		hold(in, d.Grouping == graph.ExcludeAll)
	}
}

// members are the configured instances that an entity stands for.
func (p *picture) members(entity string) []*instance {
	f, err := fmri.Parse(entity)
	switch {
	case err != nil || f.Scheme != fmri.Service:
		return nil
	case f.Instance != "":
		if in := p.byFMRI[f.String()]; in != nil && p.has(in) {
			return []*instance{in}
		}
		return nil
	}
	var all []*instance
	for _, in := range p.below[f.Service] {
		if p.has(in) {
			all = append(all, in)
		}
	}
	return all
}

func (p *picture) has(in *instance) bool {
	c, is := p.configs[in]
	return is && !c.Deathrow
}

// impact are the instances that do not run because of one, near or far: those that are offline, or
// have no state yet.
func (p *picture) impact(in *instance) []string {
	names, err := p.graph.Impact(in.fmri)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		other := p.byFMRI[name]
		return other == nil || other.state() == maintenance || other.state() == disabled
	})
}
