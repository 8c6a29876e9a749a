package graph

// Work is the second phase: what is to be done now, in that order. What it said once it does not
// say again.
func (g *Graph) Work() []Order {
	g.sortOut()
	g.settle()
	for i := 0; i < len(g.dirty); i++ {
		v := g.dirty[i]
		v.touched = false
		g.steps++
		g.decide(v)
		if i == len(g.dirty)-1 {
			g.settle() // which may add to them
		}
	}
	g.dirty = recycle(g.dirty)
	for _, v := range g.starts {
		if v.startable() && !(g.takenOver && !v.inside) {
			g.order(v, Start)
		}
	}
	g.starts = recycle(g.starts)
	if g.descending && g.outside == 0 {
		g.descending = false
		g.orders = append(g.orders, Order{Event: Down, FMRI: g.milestone})
	}
	orders := g.orders
	g.orders = nil
	return orders
}

func recycle(list []*vertex) []*vertex {
	clear(list)
	return list[:0]
}

// decide gives the order that an instance's state and wish call for. Starts wait until all else
// is decided.
func (g *Graph) decide(v *vertex) {
	if !v.configured {
		return
	}
	if v.broken.Event != 0 && !v.given {
		v.given = true
		g.emit(v, v.broken)
	}
	if v.restarter == unset {
		return
	}
	if v.leaving && v.above == 0 {
		g.leaf(v)
	}
	switch v.state {
	case Uninitialized:
		g.order(v, pick(v.enabled(), EnableInstance, DisableInstance))
	case Disabled:
		if v.enabled() && !v.leaving {
			g.order(v, EnableInstance)
		}
	case Maintenance:
		if v.toggled {
			g.order(v, pick(v.enabled(), EnableInstance, AdminDisable))
		}
	case Offline:
		if !v.enabled() {
			g.order(v, pick(v.toggled, AdminDisable, DisableInstance))
		} else {
			g.starts = append(g.starts, v)
		}
		return
	default:
		g.decideRunning(v)
		return
	}
	v.toggled = false
}

// leaf disables what is outside of the milestone and holds nobody up.
func (g *Graph) leaf(v *vertex) {
	if v.config.Override != OverrideDisabled {
		g.override(v, OverrideDisabled)
	}
	if !v.state.up() {
		v.leaving = false
		g.letGo(v)
	}
}

func pick(yes bool, one, other Event) Event {
	if yes {
		return one
	}
	return other
}

func (g *Graph) decideRunning(v *vertex) {
	switch {
	case v.enabled():
		v.toggled = false
		if v.disabling && v.asked != AdminDisable {
			g.withdraw(v)
		}
	case !v.toggled && !v.disabling:
		g.order(v, DisableInstance)
		return
	case !v.disabling:
		g.fall(v)
	}
	switch {
	case v.falling && v.above > 0:
	case v.disabling:
		g.order(v, AdminDisable)
	case v.falling || v.missed >= Restarted:
		g.order(v, StopReset)
	case v.missed == Fault:
		g.order(v, Stop)
	}
}

func (v *vertex) startable() bool {
	return v.configured && v.state == Offline && v.next == None && v.asked == 0 && v.enabled() &&
		!v.falling && !v.leaving && v.ready() == Satisfied && v.rival() == nil
}

// rival is the instance that keeps one from being started of whose service one runs at a time.
func (v *vertex) rival() *vertex {
	if !v.config.Single {
		return nil
	}
	for _, i := range v.service.instances {
		if i != v && i.configured && (i.state.running() || i.starting() || i.mayStart) {
			return i
		}
	}
	return nil
}

// noRival has the others of a service looked at when one does not run any more.
func (g *Graph) noRival(v *vertex) {
	if !v.config.Single {
		return
	}
	for _, i := range v.service.instances {
		g.steps++
		if i != v {
			g.touch(i)
		}
	}
}

// order tells v's restarter, unless an order that it has not answered says as much.
func (g *Graph) order(v *vertex, event Event) {
	if v.asked == event {
		return
	}
	switch event {
	case Stop, StopReset:
		if v.asked == Stop || v.asked == StopReset || v.asked == DisableInstance || v.asked == AdminDisable ||
			v.next != None && !v.next.running() {
			return
		}
	case DisableInstance:
		if v.asked == AdminDisable {
			return
		}
	case AdminDisable:
		v.toggled = false
	}
	v.asked = event
	v.unanswered++
	v.mayStart = v.mayStart || event == Start
	g.emit(v, Order{Event: event})
}

func (g *Graph) emit(v *vertex, order Order) {
	order.FMRI = v.name
	if v.restarter != unset {
		order.Restarter = v.restarter
	}
	g.orders = append(g.orders, order)
}

// override sets general_ovr/enabled on behalf of the milestone.
func (g *Graph) override(v *vertex, to Override) {
	before := v.enabled()
	v.config.Override = to
	g.emit(v, Order{Event: SetOverride, Override: to})
	if v.enabled() != before {
		v.toggled = true
	}
	g.changed(v)
}
