package svcadm

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// patience is how long -s waits for what.
type patience struct {
	recheck     time.Duration // between two looks, when nothing is told
	spacing     time.Duration // between two looks at all that is configured
	unspoken    time.Duration // for a restarter's first word
	settle      time.Duration // for what was asked just before to end maintenance
	maintenance time.Duration // for a restarter to end it
	stall       time.Duration // for a restarter whose turn it is
}

// usual: recheck is the original's. A restarter answers within milliseconds; on a host that swaps,
// within seconds.
var usual = patience{recheck: 3 * time.Second, spacing: time.Second, unspoken: 15 * time.Second, settle: time.Second, maintenance: 15 * time.Second, stall: time.Minute}

// wait is -s: it waits for all, one after the other.
func (r *run) wait(all []repo.Entity, enabled bool) error {
	w := &waiting{run: r, enabled: enabled}
	defer w.close()
	for _, on := range all {
		if err := w.instance(on); err != nil {
			return err
		}
	}
	return nil
}

// waiting is the wait for some instances.
type waiting struct {
	*run
	enabled bool
	watch   door.Watch

	// Of the instance that is waited for now.
	on     repo.Entity
	since  time.Time // since when nothing goes on
	fresh  bool      // nothing has gone on since the wait began
	was    record.Record
	looked time.Time // at all that is configured
	hope   outlook
}

func (w *waiting) close() {
	if w.watch != nil {
		_ = w.watch.Close()
	}
}

// instance waits for one.
func (w *waiting) instance(on repo.Entity) error {
	*w = waiting{run: w.run, enabled: w.enabled, watch: w.watch, on: on, since: w.env.Now()}
	for {
		if w.watch == nil { // whatever happens from here on is told
			watch, err := w.store.Watch(repo.Filter{Groups: []string{record.Group, graphcfg.General, graphcfg.Override, groupOptions, groupOptionsOverride}})
			if err != nil {
				return err
			}
			w.watch = watch
		}
		done, err := w.look()
		if done || err != nil {
			return err
		}
		if err := w.rest(); err != nil {
			return err
		}
	}
}

// errRecheck ends a rest in which nothing was told.
var errRecheck = errors.New("nothing was told")

// rest waits until something is told, or for a while. A watch that has ended, since its server has,
// is made anew by the next look, which waits for a server by itself.
func (w *waiting) rest() error {
	ctx, cancel := context.WithTimeoutCause(w.ctx, w.patience.recheck, errRecheck)
	defer cancel()
	_, err := w.watch.Next(ctx)
	switch {
	case err == nil, errors.Is(err, errRecheck):
		return nil
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	case errors.Is(err, repo.ErrClosed):
		w.close()
		w.watch = nil
		return nil
	}
	return err
}

// look says whether the wait for the instance is over: it is as it should be, or it was told why it
// never will.
func (w *waiting) look() (done bool, err error) {
	g, _, err := w.read(w.on, record.Group)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return w.give(exitItself, "Instance \""+w.on.String()+"\" was deleted by another entity."), nil
	case err != nil:
		return false, err
	}
	now := record.Of(g)
	if now.State != w.was.State || now.Next != w.was.Next || !now.Stamp.Equal(w.was.Stamp) {
		w.fresh = w.was.State == graph.None
		w.was, w.since = now, w.env.Now()
	}
	if now.State == graph.None {
		return w.unspoken()
	}
	if w.enabled && up(now.State) || !w.enabled && now.State == graph.Disabled {
		return true, nil
	}
	if w.enabled && now.State == graph.Maintenance {
		return w.broken()
	}
	return w.pending(&now)
}

// broken: the instance is in maintenance, and is to run. When it was so before the wait, it may have
// been asked out of it just now: by a request that is not taken yet, or is and not yet done.
func (w *waiting) broken() (bool, error) {
	g, _, err := w.read(w.on, actions.Group)
	if err != nil {
		return false, err
	}
	asked := g != nil && g.Prop(actions.MaintOff) != nil
	if asked && w.rested() < w.patience.maintenance || w.fresh && w.rested() < w.patience.settle {
		return false, nil
	}
	return w.give(exitItself, "Instance \""+w.on.String()+"\" is in maintenance state."), nil
}

// up says whether it is the state of what runs.
func up(s graph.State) bool { return s == graph.Online || s == graph.Degraded }

// give gives up an instance. One that is to blame itself counts more than one that waits for others.
// One that was deleted between two looks seems to be all kinds of things.
func (w *waiting) give(code int, text string) bool {
	if is, err := w.store.Exists(w.on); err == nil && !is {
		code, text = exitItself, "Instance \""+w.on.String()+"\" was deleted by another entity."
	}
	w.say(text)
	if w.code == exitOK || code == exitItself {
		w.code = code
	}
	return true
}

// unspoken: no restarter has said a word of the instance. A new one is looked at soon.
func (w *waiting) unspoken() (bool, error) {
	if w.rested() < w.patience.unspoken {
		return false, nil
	}
	return w.give(exitItself, w.on.String()+" is misconfigured (lacks \""+record.Group+"\" property group): no restarter looks after it."), nil
}

// rested is how long nothing goes on.
func (w *waiting) rested() time.Duration { return w.env.Now().Sub(w.since) }

// pending: the instance is not yet as it should be.
func (w *waiting) pending(now *record.Record) (bool, error) {
	enabled, err := w.switched()
	switch {
	case err != nil:
		return false, err
	case enabled != w.enabled && enabled:
		return w.give(exitItself, "Instance \""+w.on.String()+"\" has been enabled by another entity."), nil
	case enabled != w.enabled:
		return w.give(exitItself, "Instance \""+w.on.String()+"\" has been disabled by another entity."), nil
	case now.Next != graph.None:
		return false, nil // a method runs, which has a limit of its own
	case !w.enabled && now.State == graph.Maintenance:
		if w.rested() < w.patience.maintenance {
			return false, nil
		}
		return w.give(exitItself, "Instance \""+w.on.String()+"\" is in maintenance state; try svcadm clear."), nil
	}
	if at := w.env.Now(); w.looked.IsZero() || at.Sub(w.looked) >= w.patience.spacing {
		hope, err := w.potential(w.on)
		if err != nil {
			return false, err
		}
		if hope.moving || hope.waitsFor != w.hope.waitsFor { // something goes on
			w.since = at
		}
		w.hope, w.looked = hope, at
	}
	if w.enabled {
		return w.hopeless(), nil
	}
	return w.stuck(now), nil
}

// switched says whether the instance is enabled.
func (w *waiting) switched() (enabled bool, err error) {
	now, _ := graphcfg.Queries(w.on)
	result, err := w.store.Scan(now)
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		return false, err
	}
	for i := range result.Entries {
		if c, err := graphcfg.Config(trees(result.Entries[i].Groups), nil); err == nil {
			enabled = enabledBy(&c)
		}
	}
	return enabled, nil
}

// hopeless: an instance that is enabled and does not run.
func (w *waiting) hopeless() bool {
	name := w.on.String()
	switch o := &w.hope; {
	case o.never && o.itself:
		return w.give(exitItself, "Instance \""+name+"\" cannot come up: "+o.why+".")
	case o.never && o.restarter:
		return w.give(exitDependency, "Restarter for instance \""+name+"\" is unavailable: "+o.why+".")
	case o.never:
		return w.give(exitDependency, "Instance \""+name+"\" has unsatisfied dependencies: "+o.why+".")
	case w.rested() < w.patience.stall:
		return false
	case o.blind:
		return w.give(exitDependency, "Instance \""+name+"\" has unsatisfied dependencies: files, perhaps, which are looked for only within the zone.")
	case o.waits:
		return w.give(exitDependency, "Instance \""+name+"\" has unsatisfied dependencies: "+o.why+", for "+seconds(w.patience.stall)+".")
	}
	return w.give(exitItself, w.idle())
}

// stuck: an instance that is disabled and does not stop.
func (w *waiting) stuck(now *record.Record) bool {
	switch o := &w.hope; {
	case o.never && o.restarter:
		return w.give(exitDependency, "Restarter for instance \""+w.on.String()+"\" is unavailable: "+o.why+".")
	case w.rested() < w.patience.stall:
		return false
	}
	return w.give(exitItself, w.idle())
}

// idle is what is said of a restarter that does nothing.
func (w *waiting) idle() string {
	return "Instance \"" + w.on.String() + "\" is " + w.was.State.String() + " for " + seconds(w.patience.stall) + ", and its restarter does nothing about it."
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " seconds"
}
