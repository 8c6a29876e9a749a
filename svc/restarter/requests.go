package restarter

import (
	"errors"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

// takesMax is how often requests of one instance are read while others come in.
const takesMax = 16

// asked is a request as the graph passes it on.
var asked = map[string]graph.Event{
	actions.Restart: graph.AdminRestart, actions.MaintOn: graph.AdminMaintOn, actions.MaintOnTemporary: graph.AdminMaintOn,
	actions.MaintOnImmediate: graph.AdminMaintOnImmediate, actions.MaintOnImmTemp: graph.AdminMaintOnImmediate,
	actions.MaintOff: graph.AdminMaintOff, actions.Restore: graph.AdminMaintOff, actions.Degraded: graph.AdminDegraded,
}

// requests does what is asked of an instance, and takes it from its group. It says whether a refresh
// was among it.
func (r *Restarter) requests(u *unit) (refreshed bool) {
	if u == nil || u.gone {
		return false
	}
	done := map[string]int64{}
	for range takesMax {
		var g *tree.Group
		var generation uint64
		err := r.cfg.Repo.View(func(v *repo.Reader) error {
			group, at, err := v.Group(u.on, actions.Group)
			if err == nil {
				g, generation = &group, at
			}
			return err
		})
		if err != nil {
			return refreshed
		}
		list := actions.Of(g)
		for _, q := range list.Requests {
			if done[q.Name] == q.Stamp || q.Moot {
				continue
			}
			done[q.Name] = q.Stamp
			refreshed = refreshed || q.Name == actions.Refresh
			r.request(u, q, &list)
		}
		var b repo.Batch
		if !actions.Took(&b, u.on, g, generation, list.Requests) {
			return refreshed
		}
		_, err = r.cfg.Repo.Apply(&b)
		if err == nil || !errors.Is(err, repo.ErrStale) {
			if err != nil && !errors.Is(err, repo.ErrNotFound) {
				r.cfg.Say(u.fmri + ": " + err.Error())
			}
			return refreshed
		}
	}
	return refreshed
}

// person says whether it is an administrator's request: also one from a script, at no terminal, is.
func person(a *actions.Asked) bool { return a.TTY || a.FMRI == "" }

func (r *Restarter) request(u *unit, q actions.Request, list *actions.Asked) {
	switch q.Name {
	case actions.Refresh:
		var b repo.Batch
		b.TakeSnapshot(u.on, "running")
		at, err := r.cfg.Repo.Apply(&b)
		if err != nil {
			r.cfg.Say(u.fmri + ": take its snapshot: " + err.Error())
		}
		u.tookAt = at
		r.reread(u.on, changed{})
		r.refresh(u)
	case actions.DegradeImmediate:
		u.do(r, instance.Input{Kind: instance.DegradeImmediate, TTY: person(list), AuxFMRI: list.FMRI})
	default:
		event := asked[q.Name]
		if u.extra == nil {
			u.extra = map[graph.Event]instance.Input{}
		}
		u.extra[event] = instance.Input{TTY: person(list), AuxFMRI: list.FMRI, Dump: q.Dump}
		r.apply(graph.Op{Kind: graph.Request, FMRI: u.fmri, Event: event})
	}
}
