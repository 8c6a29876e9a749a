package graph

import (
	"fmt"

	"github.com/linuxzones/zones/svc/fmri"
)

// Graph is the dependency graph of a zone.
type Graph struct {
	vertices  map[string]*vertex
	configs   []*vertex // configured instances, in the order they came in but for removals
	places    map[*vertex]int
	unsettled []*vertex
	spare     []*vertex
	dirty     []*vertex
	starts    []*vertex
	orders    []Order
	steps     uint64
	marks     uint64

	// See milestone.go.
	milestone  string // "all", "none" or an FMRI
	takenOver  bool   // nobody was brought down for it yet
	stale      bool   // who is inside must be found out again
	descending bool
	outside    int // instances outside that are up
}

// New has an empty graph, at milestone all.
func New() *Graph {
	return &Graph{vertices: map[string]*vertex{}, places: map[*vertex]int{}, milestone: all}
}

// Steps is how many vertices and edges were looked at so far.
func (g *Graph) Steps() uint64 { return g.steps }

// Apply takes notice of one thing that happened. ErrFMRI, ErrNotThere, ErrState, ErrMilestone,
// ErrTooMany. What is to be done is in the next Work.
func (g *Graph) Apply(op Op) error {
	if err := g.apply(op); err != nil {
		return fmt.Errorf("%s: %w", op.FMRI, err)
	}
	g.settle()
	return nil
}

func (g *Graph) apply(op Op) error {
	switch op.Kind {
	case Configure:
		return g.configure(op.FMRI, op.Config)
	case File:
		return g.file(op.FMRI, op.Present)
	case Milestone:
		return g.setMilestone(op.FMRI, op.Present)
	}
	v := g.find(op.FMRI)
	if v == nil || v.kind != instance || !v.configured {
		return ErrNotThere
	}
	switch op.Kind {
	case Remove:
		g.remove(v)
	case Enable:
		g.enable(v, op.Config)
	case Request:
		if op.Event < AdminRestart || op.Event > AdminDegraded {
			return ErrState
		}
		g.emit(v, Order{Event: op.Event})
	case Changed:
		if op.State == None || op.State > Maintenance || op.Next > Maintenance || op.Class > Refreshed {
			return ErrState
		}
		g.report(v, op)
	default:
		return ErrState
	}
	return nil
}

func (g *Graph) find(text string) *vertex {
	if v := g.vertices[text]; v != nil {
		return v
	}
	f, err := fmri.Parse(text)
	if err != nil {
		return nil
	}
	return g.vertices[f.String()]
}

// enable notes what general/enabled and general_ovr/enabled are.
func (g *Graph) enable(v *vertex, wish Config) {
	before, noted := v.enabled(), v.config.Enabled
	v.config.Enabled, v.config.Override = wish.Enabled, wish.Override
	if v.enabled() != before {
		v.toggled = true
		g.changed(v)
	}
	if noted != wish.Enabled {
		g.outdate()
	}
}

func (g *Graph) file(text string, present bool) error {
	f, err := fmri.Parse(text)
	if err != nil || f.Scheme != fmri.File {
		return ErrFMRI
	}
	if v := g.vertices[f.String()]; v != nil { // else nobody asks any more
		v.known, v.present = true, present
		g.unsettle(v)
	}
	return nil
}

// vertexOf has the vertex of an FMRI, new if need be; an instance has its service's with it.
func (g *Graph) vertexOf(f fmri.FMRI) *vertex {
	name := f.String()
	if v := g.vertices[name]; v != nil {
		return v
	}
	v := &vertex{name: name, kind: instance}
	switch {
	case f.Scheme == fmri.File:
		v.kind = file
		g.orders = append(g.orders, Order{Event: Watch, FMRI: name})
	case f.Instance == "":
		v.kind = service
	}
	v.verdicts = v.judge()
	g.vertices[name] = v
	if v.kind == instance {
		f.Instance = ""
		s := g.vertexOf(f)
		v.service = s
		s.instances = append(s.instances, v)
		for i := range s.counts {
			s.counts[i][v.verdicts[i]+1]++
		}
		g.unsettle(s)
	}
	return v
}

// release forgets a vertex that nothing is known of and nobody asks for.
func (g *Graph) release(v *vertex) {
	if len(v.dependents) > 0 || g.vertices[v.name] != v {
		return
	}
	switch v.kind {
	case file:
		g.orders = append(g.orders, Order{Event: Unwatch, FMRI: v.name})
	case service:
		if len(v.instances) > 0 {
			return
		}
	case instance:
		if v.configured || v.deathrow {
			return
		}
		defer g.release(v.service) // once: a service has none
		g.leaveService(v)
	}
	delete(g.vertices, v.name)
}

func (g *Graph) leaveService(v *vertex) {
	s := v.service
	for i, other := range s.instances {
		g.steps++
		if other == v {
			s.instances = append(s.instances[:i], s.instances[i+1:]...)
			break
		}
	}
	for i := range s.counts {
		s.counts[i][v.verdicts[i]+1]--
	}
	g.unsettle(s)
}

// list keeps the configured instances in an order that two equal graphs share.
func (g *Graph) list(v *vertex) {
	g.places[v] = len(g.configs)
	g.configs = append(g.configs, v)
}

func (g *Graph) unlist(v *vertex) {
	place, last := g.places[v], g.configs[len(g.configs)-1]
	g.configs[place] = last
	g.places[last] = place
	g.configs = g.configs[:len(g.configs)-1]
	delete(g.places, v)
}
