package restarter

import (
	"errors"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/repo"
)

// snapStart is the snapshot that says what an instance was started with.
const snapStart = "start"

// takeRunning takes the running snapshot of an instance that has none when it is first seen: from
// then on changes count with a refresh, as they do for an instance that was imported. One that
// cannot be taken is taken when the instance is seen again: meanwhile the values of the moment count.
func (r *Restarter) takeRunning(u *unit) {
	missing := false
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		_, err := v.Snapshot(u.on, repo.Running)
		missing = errors.Is(err, repo.ErrNotFound)
		return nil
	})
	if missing {
		r.takeSnapshot(u)
	}
}

// takeSnapshot takes the running snapshot of an instance.
func (r *Restarter) takeSnapshot(u *unit) {
	var b repo.Batch
	b.TakeSnapshot(u.on, repo.Running)
	at, err := r.cfg.Repo.Apply(&b)
	if err != nil && !errors.Is(err, repo.ErrNotFound) { // or it was deleted, which is still to be heard
		r.cfg.Say(u.fmri + ": take its snapshot: " + err.Error())
	}
	u.tookAt = at
}

// cameUp notes an instance of which the start snapshot is to be taken.
func (r *Restarter) cameUp(u *unit) { r.up = append(r.up, u) }

// takeStarts takes the start snapshots of what came up, of all together that did so while methods were
// being started: they are on the disk, and a method has waited for that long enough. Of an instance
// that has not changed since its last start nothing is written. What a killed svc.startd has not taken
// the next one takes, of what it finds online.
func (r *Restarter) takeStarts() {
	if len(r.up) == 0 || r.starts > 0 && len(r.up) < upMax {
		return
	}
	units := r.up
	r.up = nil
	for len(units) > 0 {
		var b repo.Batch
		var of []*unit
		_ = r.cfg.Repo.View(func(v *repo.Reader) error {
			for _, u := range units {
				if _, err := v.Snapshot(u.on, repo.Running); err == nil && !v.SameSnapshot(u.on, repo.Running, snapStart) {
					b.CopySnapshot(u.on, repo.Running, snapStart)
					of = append(of, u)
				}
			}
			return nil
		})
		if len(of) == 0 {
			return
		}
		_, err := r.cfg.Repo.Apply(&b)
		var op *repo.OpError
		if err == nil {
			return
		}
		if !errors.As(err, &op) || !errors.Is(err, repo.ErrNotFound) || op.Index >= len(of) {
			r.cfg.Say("take the snapshots of what was started: " + err.Error())
			return
		}
		of[op.Index] = of[len(of)-1] // it is gone
		units = of[:len(of)-1]
	}
}

// upMax bounds what waits for its start snapshot while methods are being started.
const upMax = 64

// up says whether a state is one of an instance that was started.
func up(s graph.State) bool { return s == graph.Online || s == graph.Degraded }
