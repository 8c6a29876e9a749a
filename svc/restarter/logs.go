package restarter

import (
	"time"

	"github.com/linuxzones/zones/svc/repo"
)

// logsEvery is how often the logs of services that run are looked at: who has one open is not asked
// before he writes. It is all that wakes svc.startd while nothing happens. Tests have less.
var logsEvery = time.Minute

// lookAtLogs has those that are full put aside, which takes as long as they are large: by another
// goroutine, one at a time.
func (r *Restarter) lookAtLogs() {
	if !r.looking.CompareAndSwap(false, true) {
		return
	}
	var list []repo.Entity
	for _, u := range r.units {
		if len(u.rec.Primary) > 0 || u.rec.MethodPid != 0 {
			list = append(list, u.on)
		}
	}
	r.others.Go(func() {
		defer r.looking.Store(false)
		for _, on := range list {
			if r.ctx.Err() != nil {
				return
			}
			r.cfg.Logs.Look(on)
		}
	})
}
