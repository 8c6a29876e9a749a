package svcadm

import (
	"errors"
	"slices"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// outlook is what there is to hope for an instance.
type outlook struct {
	never bool
	// itself: it is to blame itself that it never comes up.
	itself bool
	// restarter: it is its restarter.
	restarter bool
	// moving: a method runs of it, or of what it waits for.
	moving bool
	// waits: it waits for others, that may come up.
	waits bool
	// blind: it depends on files that nobody can look at from here.
	blind bool
	// why is a line for people, empty when nothing is wrong.
	why string
	// waitsFor are what it waits for in the end, with their states: while they change, something
	// goes on.
	waitsFor string
}

// potential looks at all instances, and says what there is to hope for one.
func (r *run) potential(on repo.Entity) (o outlook, err error) {
	p, err := r.draw()
	if err != nil {
		return o, err
	}
	e, err := p.graph.Explain(on.String())
	if err != nil { // it is not configured: no restarter knows it
		return outlook{never: true, itself: true, why: "it has no property general/enabled"}, nil
	}
	o.moving = p.next[on.String()] != graph.None
	o.blind = p.blind[on.String()]
	o.waits = e.Ready != graph.Satisfied
	for _, chain := range e.Chains {
		last := &chain[len(chain)-1]
		o.moving = o.moving || p.next[last.FMRI] != graph.None
		o.waitsFor += last.FMRI + " " + last.State.String() + "\n"
	}
	switch {
	case e.Broken.Event != 0:
		o.never, o.itself, o.why = true, true, broken(&e)
	case !e.Inside:
		o.never, o.why = true, "the milestone "+p.milestone+" does not want it; try svcadm milestone all"
	case e.Ready == graph.Never:
		o.never = true
		o.restarter, o.why = blame(&e)
	case len(e.Chains) > 0:
		o.restarter, o.why = blame(&e)
	}
	return o, nil
}

func broken(e *graph.Explanation) string {
	switch e.Broken.Event {
	case graph.DependencyCycle:
		return "it is part of a dependency cycle"
	case graph.InvalidRestarter:
		return "its restarter \"" + e.Config.Restarter + "\" is invalid"
	}
	return "it has an invalid dependency: " + e.Broken.Detail
}

// blame says what is at the end of the first chain that is as hopeless as the whole.
func blame(e *graph.Explanation) (restarter bool, why string) {
	if len(e.Chains) == 0 {
		return false, "something is missing"
	}
	chain := e.Chains[0]
	for _, c := range e.Chains {
		if c[0].Verdict == e.Ready && c[len(c)-1].Verdict == e.Ready {
			chain = c
			break
		}
	}
	last := &chain[len(chain)-1]
	return chain[0].Dependency == "", last.FMRI + " " + wrong(last)
}

// wrongs says what is wrong with a cause.
var wrongs = map[graph.Why]string{
	graph.Absent: "is absent", graph.NoFile: "is not there", graph.IsOff: "is disabled", graph.IsBroken: "is in maintenance",
	graph.NotReported: "is uninitialized", graph.InTheWay: "is in the way", graph.GoingDown: "goes down", graph.ComingUp: "comes up",
	graph.Waiting: "waits", graph.Cyclic: "is part of a dependency cycle", graph.Misconfigured: "is misconfigured",
}

func wrong(c *graph.Cause) string { return wrongs[c.Why] }

// picture is a graph of all that is configured.
type picture struct {
	graph     *graph.Graph
	milestone string
	next      map[string]graph.State
	blind     map[string]bool
	files     map[string]string // paths, by FMRI
}

// draw reads the picture. An instance that is enabled and still disabled is on its way, and so counts
// as offline: its restarter has not come to it.
func (r *run) draw() (*picture, error) {
	now, running := graphcfg.Queries(repo.Entity{}, record.Group, groupOptions, groupOptionsOverride)
	present, err := r.store.Scan(now)
	if err != nil {
		return nil, err
	}
	ran, err := r.store.Scan(running)
	if err != nil {
		return nil, err
	}
	dependencies := map[repo.Entity][]door.Group{}
	for i := range ran.Entries {
		dependencies[ran.Entries[i].On] = ran.Entries[i].Groups
	}
	p := &picture{graph: graph.New(), next: map[string]graph.State{}, blind: map[string]bool{}, files: map[string]string{}, milestone: "all"}
	var states []graph.Op
	for i := range present.Entries {
		e := &present.Entries[i]
		op, is, err := r.configure(p, e, dependencies[e.On])
		if err != nil {
			return nil, err
		}
		if is {
			states = append(states, op)
		}
		if e.On == startd {
			p.milestone = chosen(e.Groups)
		}
	}
	for name, path := range p.files {
		states = append(states, graph.Op{Kind: graph.File, FMRI: name, Present: r.env.Present(path)})
	}
	for _, op := range states {
		if err := p.graph.Apply(op); err != nil {
			return nil, err
		}
	}
	// One that is not there, or is none, is not gone to.
	err = p.graph.Apply(graph.Op{Kind: graph.Milestone, FMRI: p.milestone, Present: true})
	if errors.Is(err, graph.ErrMilestone) || errors.Is(err, graph.ErrNotThere) {
		err = nil
	}
	return p, err
}

// configure puts an instance into the graph; op: the state that it is in, if there is one.
func (r *run) configure(p *picture, e *door.Entry, ran []door.Group) (op graph.Op, is bool, err error) {
	name := e.On.String()
	c, err := graphcfg.Config(trees(e.Groups), trees(ran))
	if err != nil { // nobody's to run
		return op, false, nil
	}
	c.Dependencies = slices.DeleteFunc(c.Dependencies, func(d graph.Dependency) bool {
		if d.Scheme != graph.Paths {
			return false
		}
		if r.zone != "" {
			p.blind[name] = true
			return true
		}
		for _, text := range d.Entities {
			if f, err := fmri.Parse(text); err == nil {
				p.files[f.String()] = f.Path
			}
		}
		return false
	})
	if err := p.graph.Apply(graph.Op{Kind: graph.Configure, FMRI: name, Config: c}); err != nil {
		return op, false, err
	}
	said := record.Of(group(e.Groups, record.Group))
	if said.State == graph.None {
		return op, false, nil
	}
	p.next[name] = said.Next
	if said.State == graph.Disabled && enabledBy(&c) {
		said.State = graph.Offline
	}
	return graph.Op{Kind: graph.Changed, FMRI: name, State: said.State, Next: said.Next}, true, nil
}

// enabledBy says whether the instance is to run.
func enabledBy(c *graph.Config) bool {
	if c.Override != graph.NoOverride {
		return c.Override == graph.OverrideEnabled
	}
	return c.Enabled
}

// chosen is the milestone that counts.
func chosen(groups []door.Group) string {
	for _, name := range []string{groupOptionsOverride, groupOptions} {
		if g := group(groups, name); g != nil {
			if p := g.Prop(propMilestone); p != nil && p.Type.Is(prop.AString) && len(p.Values) == 1 {
				return p.Values[0]
			}
		}
	}
	return "all"
}

func group(groups []door.Group, name string) *tree.Group {
	for i := range groups {
		if groups[i].Name == name {
			return &groups[i].Group
		}
	}
	return nil
}

func trees(groups []door.Group) []tree.Group {
	list := make([]tree.Group, len(groups))
	for i := range groups {
		list[i] = groups[i].Group
	}
	return list
}
