package graph

import "slices"

// closes says whether an edge from owner to member would close a cycle, and notes the path. It
// searches from both ends in turn and ends when either side is exhausted: what is new has
// nobody that depends on it, or no dependencies, and costs nothing.
func (g *Graph) closes(owner, member *vertex) bool {
	down := newSearch(member, below)
	up := newSearch(owner, above)
	if owner == member {
		return g.cycle(owner, []string{owner.name, owner.name})
	}
	for {
		g.steps++
		v, more := down.step(owner)
		if v != nil {
			path := append(down.path(v), owner.name)
			slices.Reverse(path)
			return g.cycle(owner, path)
		}
		if !more {
			return false
		}
		v, more = up.step(member)
		if v != nil {
			return g.cycle(owner, append([]string{owner.name}, up.path(v)...))
		}
		if !more {
			return false
		}
	}
}

// cycle notes the first cycle of an instance: one is enough to mend.
func (g *Graph) cycle(owner *vertex, path []string) bool {
	if owner.broken.Event != DependencyCycle {
		owner.broken = Order{Event: DependencyCycle, Path: path}
	}
	return true
}

// search looks at one vertex a step.
type search struct {
	next   func(v *vertex, visit func(*vertex))
	parent map[*vertex]*vertex
	queue  []*vertex
}

func newSearch(from *vertex, next func(*vertex, func(*vertex))) *search {
	return &search{next: next, parent: map[*vertex]*vertex{from: nil}, queue: []*vertex{from}}
}

func (s *search) step(goal *vertex) (found *vertex, more bool) {
	v := s.queue[0]
	s.queue = s.queue[1:]
	s.next(v, func(w *vertex) {
		if _, seen := s.parent[w]; seen {
			return
		}
		s.parent[w] = v
		s.queue = append(s.queue, w)
		if w == goal {
			found = w
		}
	})
	return found, len(s.queue) > 0
}

// path is from v back to where the search began.
func (s *search) path(v *vertex) (names []string) {
	for ; v != nil; v = s.parent[v] {
		names = append(names, v.name)
	}
	return names
}

// below visits what v depends on. Exclusion is no dependency: two may exclude each other.
func below(v *vertex, visit func(*vertex)) {
	for _, i := range v.instances {
		visit(i)
	}
	if v.hold != nil {
		visit(v.hold.member)
	}
	for _, group := range v.groups {
		if group.grouping == ExcludeAll {
			continue
		}
		for _, e := range group.edges {
			visit(e.member)
		}
	}
}

// above visits what depends on v.
func above(v *vertex, visit func(*vertex)) {
	if v.service != nil {
		visit(v.service)
	}
	for _, e := range v.dependents {
		if !e.excludes() {
			visit(e.owner)
		}
	}
}
