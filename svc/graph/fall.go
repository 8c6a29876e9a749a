package graph

// An instance that is disabled while it runs takes its subtree down before it: all that run and
// would be stopped by it, which are its dependents by restart_on restart or refresh, and theirs.
// Each of them holds what it depends on (below); what nobody holds any more (above is 0) is a
// leaf, and stops. A milestone brings down what is outside of it by the same count.
//
// What is held is noted when the fall begins: dependencies that are added or taken away
// meanwhile change no order of stops.

// fall begins it. An instance that is in a subtree already has marked its own.
func (g *Graph) fall(root *vertex) {
	root.disabling = true
	g.changed(root)
	if root.falling {
		return
	}
	root.falling = true
	list := []*vertex{root}
	for i := 0; i < len(list); i++ {
		v := list[i]
		g.eachDependent(v, func(e *edge) {
			o := e.owner
			if !e.takesDown() || !(o.state.running() || o.starting()) {
				return
			}
			g.holdUp(o, v)
			if !o.falling {
				o.falling = true
				g.changed(o)
				list = append(list, o)
			}
		})
	}
}

// takesDown says whether a member that is disabled takes the owner with it.
func (e *edge) takesDown() bool {
	return e.group == nil || !e.excludes() && e.group.restartOn >= Restarted
}

// holdUp has holder come down before held.
func (g *Graph) holdUp(holder, held *vertex) {
	holder.below = append(holder.below, held)
	held.above++
}

// letGo has v hold nothing any more.
func (g *Graph) letGo(v *vertex) {
	for _, held := range v.below {
		g.steps++
		if held.above--; held.above == 0 {
			g.touch(held)
		}
	}
	v.below = nil
}

// land ends the fall of an instance that does not run any more. The milestone's is down when it
// is not offline either.
func (g *Graph) land(v *vertex) {
	v.falling = false
	switch {
	case v.state != Offline:
		v.disabling, v.leaving = false, false
		g.letGo(v)
	case !v.leaving:
		g.letGo(v)
	}
}

// unfall ends it for one that is no more. Who holds it holds a vertex that no one looks at.
func (g *Graph) unfall(v *vertex) {
	v.falling, v.disabling, v.leaving = false, false, false
	g.letGo(v)
}

// withdraw ends it for one that is to stay. It falls on when it is in the subtree of another.
func (g *Graph) withdraw(v *vertex) {
	v.disabling = false
	v.falling = len(v.below) > 0
	g.changed(v)
}
