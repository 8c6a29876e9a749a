package restarter

import (
	"slices"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

// asked is a request as the graph passes it on.
var asked = map[string]graph.Event{
	actions.Restart: graph.AdminRestart, actions.MaintOn: graph.AdminMaintOn, actions.MaintOnTemporary: graph.AdminMaintOn,
	actions.MaintOnImmediate: graph.AdminMaintOnImmediate, actions.MaintOnImmTemp: graph.AdminMaintOnImmediate,
	actions.MaintOff: graph.AdminMaintOff, actions.Restore: graph.AdminMaintOff, actions.Degraded: graph.AdminDegraded,
}

// requests passes on what is asked of an instance. It is taken from its group with the states that
// it has brought about, and not before: what waits for a method's end is there for the next
// svc.startd if this one is killed meanwhile. It says whether a refresh was among it.
func (r *Restarter) requests(u *unit) (refreshed bool) {
	if u == nil || u.gone {
		return false
	}
	g, _ := r.asks(u)
	list := actions.Of(g)
	for _, q := range list.Requests {
		if slices.ContainsFunc(u.takes, func(t taken) bool { return t.Name == q.Name && t.Stamp == q.Stamp }) {
			continue // it waits, or is being done
		}
		r.tickets++
		u.takes = append(u.takes, taken{q, r.tickets})
		if len(u.takes) == 1 {
			r.taking = append(r.taking, u)
		}
		if !q.Moot {
			refreshed = refreshed || q.Name == actions.Refresh
			r.request(u, q, &list, r.tickets)
		}
	}
	return refreshed
}

// asks reads an instance's requests; nil: there are none.
func (r *Restarter) asks(u *unit) (g *tree.Group, generation uint64) {
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		group, at, err := v.Group(u.on, actions.Group)
		if err == nil {
			g, generation = &group, at
		}
		return err
	})
	return g, generation
}

// take adds to a batch what deletes the requests of a unit that were done.
func (r *Restarter) take(b *repo.Batch, u *unit) {
	var done []actions.Request
	for _, t := range u.takes {
		if u.did(t) {
			done = append(done, t.Request)
		}
	}
	if len(done) > 0 {
		g, generation := r.asks(u)
		actions.Took(b, u.on, g, generation, done)
	}
}

// did says whether what a request brings about is written, or is with what is written now.
func (u *unit) did(t taken) bool {
	comes := func(a instance.Action) bool { return writes(a.Kind) || a.Kind == instance.SendKill }
	return !u.m.Waits(t.ticket) && !slices.ContainsFunc(u.actions, comes)
}

// forgetTaken forgets the requests of units that were deleted.
func (r *Restarter) forgetTaken(units []*unit) {
	for _, u := range units {
		u.takes = slices.DeleteFunc(u.takes, func(t taken) bool { return u.gone || u.did(t) })
	}
	r.taking = slices.DeleteFunc(r.taking, func(u *unit) bool { return len(u.takes) == 0 })
}

// person says whether it is an administrator's request: also one from a script, at no terminal, is.
func person(a *actions.Asked) bool { return a.TTY || a.FMRI == "" }

func (r *Restarter) request(u *unit, q actions.Request, list *actions.Asked, ticket uint64) {
	switch q.Name {
	case actions.Refresh:
		r.takeSnapshot(u)
		r.reread(u.on, changed{})
		r.refresh(u, ticket)
	case actions.DegradeImmediate:
		u.do(r, instance.Input{Kind: instance.DegradeImmediate, TTY: person(list), AuxFMRI: list.FMRI, Ticket: ticket})
	default:
		event := asked[q.Name]
		if u.extra == nil {
			u.extra = map[graph.Event]instance.Input{}
		}
		u.extra[event] = instance.Input{TTY: person(list), AuxFMRI: list.FMRI, Dump: q.Dump, Ticket: ticket}
		r.apply(graph.Op{Kind: graph.Request, FMRI: u.fmri, Event: event})
	}
}
