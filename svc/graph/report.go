package graph

// report takes a restarter's word for the state of an instance.
func (g *Graph) report(v *vertex, op Op) {
	before := v.state
	g.setState(v, op.State)
	v.next = op.Next
	if op.Answers && v.unanswered > 0 {
		if v.unanswered--; v.unanswered == 0 {
			v.asked, v.mayStart = 0, false
		}
	}
	switch {
	case before.running() && !op.State.running():
		g.spreadStop(v, op.Class)
	case !before.running() && op.State.running():
		// What was running before svc.startd was is news to nobody.
		if before != Uninitialized {
			g.spreadStart(v)
		}
	case op.State.running() && op.Class == Refreshed && op.Next == None:
		g.spreadStop(v, Refreshed)
	}
	if op.State == Uninitialized && before != Uninitialized {
		g.build(v) // what was wrong with it may have been mended
		g.outdate()
	}
	down := !op.State.running() && !v.starting()
	if down {
		v.missed = NoClass
		g.land(v)
	}
	g.changed(v)
	if down {
		g.noRival(v) // who ran goes before others when it is to run again
	}
}

// setState keeps count of who must come down before the milestone is reached.
func (g *Graph) setState(v *vertex, state State) {
	if !v.inside && g.milestone != all {
		switch {
		case v.state.up() && !state.up():
			g.outside--
		case !v.state.up() && state.up():
			g.outside++
		}
	}
	v.state = state
}

// eachDependent visits the edges by which v is a member, itself or as one of its service.
func (g *Graph) eachDependent(v *vertex, visit func(*edge)) {
	for _, e := range v.dependents {
		g.steps++
		visit(e)
	}
	for _, e := range v.service.dependents {
		g.steps++
		visit(e)
	}
}

// spreadStop has dependents stop because v did, or was refreshed.
func (g *Graph) spreadStop(v *vertex, class Class) {
	if class == NoClass {
		return
	}
	g.eachDependent(v, func(e *edge) {
		if e.group == nil || !e.excludes() && class <= e.group.restartOn {
			g.due(e.owner, class)
		}
	})
}

// spreadStart has those stop that exclude v, and those restart that want to when something they
// use comes anew.
func (g *Graph) spreadStart(v *vertex) {
	g.eachDependent(v, func(e *edge) {
		if e.group != nil && (e.excludes() || e.group.restartOn >= Restarted) {
			g.due(e.owner, Restarted)
		}
	})
}

// due notes that v must stop; one that is starting must when it is up.
func (g *Graph) due(v *vertex, class Class) {
	if v.falling || !v.state.running() && !v.starting() {
		return
	}
	v.missed = max(v.missed, class)
	g.touch(v)
}
