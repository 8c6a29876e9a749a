package graph

// settle brings every verdict in line with what it depends on. It is the first of the two
// phases: nothing is decided here.
func (g *Graph) settle() {
	for len(g.unsettled) > 0 {
		queue := g.unsettled
		g.unsettled = g.spare[:0]
		for _, v := range queue {
			v.queued = false
			g.settleOne(v)
		}
		clear(queue)
		g.spare = queue[:0]
	}
}

func (g *Graph) settleOne(v *vertex) {
	g.steps++
	now := v.judge()
	if now == v.verdicts {
		return
	}
	before := v.verdicts
	v.verdicts = now
	if v.service != nil {
		for i := range v.service.counts {
			v.service.counts[i].move(before[i], now[i])
		}
		g.unsettle(v.service)
	}
	for _, e := range v.dependents {
		g.steps++
		g.revalue(e, now[e.view()])
	}
}

// revalue has an edge count as value with its group, and the group with its owner.
func (g *Graph) revalue(e *edge, value Verdict) {
	if e.value == value {
		return
	}
	before, owner := e.value, e.owner
	e.value = value
	ready := owner.ready()
	if e.group == nil {
		owner.need.move(before, value)
	} else {
		e.group.counts.move(before, value)
		g.rejudge(e.group)
	}
	if owner.ready() != ready {
		g.unsettle(owner)
		g.touch(owner)
	}
}

func (g *Graph) rejudge(group *group) {
	if now := group.judge(); now != group.verdict {
		group.owner.need.move(group.verdict, now)
		group.verdict = now
	}
}

// unsettle has v's verdicts looked at again.
func (g *Graph) unsettle(v *vertex) {
	if !v.queued {
		v.queued = true
		g.unsettled = append(g.unsettled, v)
	}
}

// touch has Work look at an instance.
func (g *Graph) touch(v *vertex) {
	if !v.touched {
		v.touched = true
		g.dirty = append(g.dirty, v)
	}
}

// changed is both.
func (g *Graph) changed(v *vertex) {
	g.unsettle(v)
	g.touch(v)
}
