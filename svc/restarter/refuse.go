package restarter

import (
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/record"
)

// invalidRestarter is the reason for maintenance of who names a restarter that is none.
const invalidRestarter = "invalid_restarter"

// refuse has an instance in maintenance that names as its restarter what is no instance. There is no
// machine of it that could: nobody was told of it, or it was told that the instance is its no more.
// When its restarter is named anew it begins as one that was just added.
func (r *Restarter) refuse(u *unit) {
	if u.before != nil { // of a svc.startd that had it before it was misconfigured
		for _, h := range u.before.Contracts {
			if h.There {
				_ = r.cfg.Contracts.Abandon(h.ID)
			}
			delete(r.byCT, h.ID)
		}
		u.before = nil
	}
	u.rec = record.Record{Log: u.rec.Log, EarlyLog: u.rec.EarlyLog}
	r.noteLog(u)
	r.note(u, &instance.Action{
		Kind: instance.WriteStates, States: instance.States{State: graph.Maintenance, Aux: invalidRestarter}, Class: graph.Restarted,
	})
	if !u.queued {
		u.queued = true
		r.active = append(r.active, u)
	}
	r.log(u, "Stopping for maintenance due to "+invalidRestarter+".")
}

// refused says whether an instance was in maintenance for its restarter alone. It may be mended since:
// if it is not, it is refused again.
func refused(rec *record.Record) bool {
	return rec.State == graph.Maintenance && rec.Aux == invalidRestarter
}
