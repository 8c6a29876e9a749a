package graph

import (
	"fmt"
	"testing"
)

// shape is a system of n instances: how many entities the i-th depends on, and which.
type shape func(i int) []string

func chain(i int) []string {
	if i == 0 {
		return nil
	}
	return []string{fmt.Sprintf("svc:/n%d:i", i-1)}
}

// fan is one that all others depend on.
func fan(i int) []string {
	if i == 0 {
		return nil
	}
	return []string{"svc:/n0:i"}
}

// layers are hundreds of instances, each of which depends on four of the layer before.
func layers(i int) (entities []string) {
	const width = 100
	for k := range 4 {
		if i >= width {
			entities = append(entities, fmt.Sprintf("svc:/n%d", i/width*width-width+(i*7+k*13)%width))
		}
	}
	return entities
}

// boot brings n instances up and answers every order at once. It returns how many edges there are.
func boot(g *Graph, n int, s shape) (edges int) {
	for i := range n {
		entities := s(i)
		edges += len(entities)
		c := Config{Enabled: true, Dependencies: []Dependency{{Name: "d", Grouping: RequireAll, RestartOn: Restarted, Entities: entities}}}
		if err := g.Apply(Op{Kind: Configure, FMRI: fmt.Sprintf("svc:/n%d:i", i), Config: c}); err != nil {
			panic(err)
		}
	}
	answer(g)
	return edges
}

// answer carries out orders until there are none, and counts them.
func answer(g *Graph) (orders int) {
	for {
		list := g.Work()
		if len(list) == 0 {
			return orders
		}
		orders += len(list)
		for _, o := range list {
			op := Op{Kind: Changed, FMRI: o.FMRI, Answers: true}
			switch o.Event {
			case EnableInstance:
				op.State = Offline
			case DisableInstance, AdminDisable:
				op.State, op.Class = Disabled, Restarted
			case Start:
				op.State = Online
			case Stop, StopReset:
				op.State, op.Class = Offline, Restarted
			default:
				continue
			}
			if err := g.Apply(op); err != nil {
				panic(err)
			}
		}
	}
}

var shapes = map[string]shape{"chain": chain, "fan": fan, "layers": layers}

// TestLinear holds the cost of a boot, of a restart of the root with all that depends on it, of
// its disable, and of going down, to a multiple of vertices and edges that does not grow.
func TestLinear(t *testing.T) {
	const perEdge = 40
	for name, s := range shapes {
		for _, n := range []int{500, 4000} {
			g := New()
			last := g.Steps()
			edges := boot(g, n, s) + n
			check := func(what string, want int) {
				got := g.Steps() - last
				if last = g.Steps(); got > uint64(perEdge*edges) {
					t.Errorf("%s of %d: %s costs %d steps for %d vertices and edges", name, n, what, got, edges)
				}
				if running(g) != want {
					t.Errorf("%s of %d: %s: %d run, not %d", name, n, what, running(g), want)
				}
			}
			check("boot", n)
			apply(t, g, Op{Kind: Changed, FMRI: "svc:/n0:i", State: Offline, Class: Restarted})
			answer(g)
			check("restart", n)
			apply(t, g, Op{Kind: Enable, FMRI: "svc:/n0:i"})
			answer(g)
			if name == "layers" {
				last = g.Steps() // how many go down is a matter of numbers
			} else {
				check("disable", 0)
			}
			apply(t, g, Op{Kind: Enable, FMRI: "svc:/n0:i", Config: Config{Enabled: true}})
			answer(g)
			check("enable", n)
			apply(t, g, Op{Kind: Milestone, FMRI: none})
			answer(g)
			check("shutdown", 0)
		}
	}
}

func apply(t testing.TB, g *Graph, op Op) {
	t.Helper()
	if err := g.Apply(op); err != nil {
		t.Fatal(err)
	}
}

func running(g *Graph) (n int) {
	for _, v := range g.configs {
		if v.state.running() {
			n++
		}
	}
	return n
}

func BenchmarkBootAndShutdown(b *testing.B) {
	for name, s := range shapes {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				g := New()
				boot(g, 10000, s)
				apply(b, g, Op{Kind: Milestone, FMRI: none})
				answer(g)
				if running(g) != 0 {
					b.Fatal("not all are down")
				}
			}
		})
	}
}

// BenchmarkCrash is one of 10,000 that dies and comes back.
func BenchmarkCrash(b *testing.B) {
	g := New()
	boot(g, 10000, layers)
	for b.Loop() {
		apply(b, g, Op{Kind: Changed, FMRI: "svc:/n9999:i", State: Offline, Class: Fault})
		answer(g)
	}
}
