package restarter

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/ends"
	"github.com/linuxzones/zones/svc/graph"
)

// Records is where processes of instances with utmpx_prefix, and run levels, are recorded: a
// utmp.Recorder. None of it is waited for.
type Records interface {
	// Ended: a process that may have a record has ended.
	Ended(pid int, status unix.WaitStatus)
	// Left: some with these prefixes may have, while nobody looked. The ends of others are still told.
	Left(prefixes []string, others []int)
	Level(level byte)
	Down()
}

// levels are the run levels of milestones. That a zone is to come to all is the last of them.
var levels = map[string]byte{
	milestonePrefix + "single-user:default":       'S',
	milestonePrefix + "multi-user:default":        '2',
	milestonePrefix + "multi-user-server:default": '3',
}

// recordState: an instance has come to rest. A milestone that has come up, and is the one that is set,
// is a run level. Who was logged in at a service that is down is not any more, also when his process
// was not the one that was started.
func (r *Restarter) recordState(u *unit) {
	isUp := up(u.rec.State)
	switch {
	case r.cfg.Records == nil:
	case !isUp && u.prefix != "":
		r.cfg.Records.Left([]string{u.prefix}, slices.Collect(maps.Keys(r.byPid)))
	case isUp && levels[u.fmri] != 0 && r.down.since.IsZero():
		target := r.wanted()
		if target == "all" {
			target = milestonePrefix + "multi-user-server:default"
		}
		if u.fmri == target {
			r.setLevel(target)
		}
	}
}

// setLevel records the run level of a milestone. One that is recorded already, by a svc.startd before
// this one, is left by who records.
func (r *Restarter) setLevel(milestone string) {
	if level := levels[milestone]; level != 0 && level != r.level && r.cfg.Records != nil {
		r.level = level
		r.cfg.Records.Level(level)
	}
}

// recordEnd records the end of a process. How one ended that nobody knows of is as if it was well.
func (r *Restarter) recordEnd(u *unit, e *ends.End) {
	if u.prefix != "" && r.cfg.Records != nil {
		r.cfg.Records.Ended(e.Pid, unix.WaitStatus(e.Status))
	}
}

// recordsLeft has the records looked at of what ended while there was no svc.startd.
func (r *Restarter) recordsLeft() {
	var prefixes []string
	for _, u := range r.units {
		if u.prefix != "" && u.rec.State != graph.None {
			prefixes = append(prefixes, u.prefix)
		}
	}
	if len(prefixes) > 0 && r.cfg.Records != nil {
		r.cfg.Records.Left(prefixes, slices.Collect(maps.Keys(r.byPid)))
	}
}
