package svcadm

import (
	"errors"
	"slices"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

// triesMax is how often a batch is planned anew because others wrote between reading and writing.
// Each time somebody else has succeeded.
const triesMax = 64

// errBusy: others wrote all the time.
var errBusy = errors.New("others change the instance all the time; try again")

// apply does a batch, which fill plans from what it reads. When others have written meanwhile, or the
// server ended before it said what became of the batch (lost), it is planned anew. So what is asked
// for is asked at least once.
func (r *run) apply(fill func(b *repo.Batch, lost bool) error) error {
	unknown := 0
	for range triesMax {
		var b repo.Batch
		if err := fill(&b, unknown > 0); err != nil {
			return err
		}
		if len(b.Ops) == 0 {
			return nil
		}
		_, err := r.store.Apply(&b)
		switch {
		case errors.Is(err, door.ErrUnknown) && unknown < unknownMax:
			unknown++ // also of one that is stale because it was done already, by a server that has ended
		case errors.Is(err, repo.ErrStale), errors.Is(err, repo.ErrExists):
		case errors.Is(err, repo.ErrHalf): // the server sees to the rest
			return nil
		default:
			return err
		}
	}
	return errBusy
}

// unknownMax is how many servers may end over one batch: what kills them is the batch, most likely.
const unknownMax = 3

// read gives a group of the entity itself; nil when there is none.
func (r *run) read(on repo.Entity, name string) (g *tree.Group, generation uint64, err error) {
	x, err := r.store.Group(on, door.Direct, name)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		if is, err := r.store.Exists(on); err != nil || !is {
			return nil, 0, errors.Join(err, repo.ErrNotFound)
		}
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	}
	return &x.Group, x.Generation, nil
}

// state is an instance's, as its restarter wrote it last.
func (r *run) state(on repo.Entity) (graph.State, error) {
	g, _, err := r.read(on, record.Group)
	if err != nil {
		return graph.None, err
	}
	return record.Of(g).State, nil
}

// each does something with all instances that are meant. What goes wrong with one is told, and the
// others are gone on with.
func (r *run) each(do func(on repo.Entity) error) error {
	all, err := r.targets()
	for _, on := range all {
		if err := do(on); err != nil {
			r.failed(on, err)
		}
	}
	return err
}

// failed says what went wrong with an instance.
func (r *run) failed(on repo.Entity, err error) {
	var denied *door.DeniedError
	var op *repo.OpError
	switch {
	case errors.As(err, &denied) && errors.As(err, &op) && r.order.verbose:
		r.fail(on.String() + ": Couldn't " + refused(op) + " (permission denied" + missing(denied) + ").")
	case errors.Is(err, door.ErrDenied):
		r.fail(on.String() + ": Permission denied.")
	case errors.Is(err, repo.ErrReadOnly):
		r.fail(on.String() + ": Repository read-only.")
	case errors.Is(err, repo.ErrNotFound):
		r.fail("No such instance \"" + on.String() + "\".")
	default:
		r.fail(on.String() + ": " + err.Error())
	}
}

// refused names what could not be done.
func refused(op *repo.OpError) string {
	switch op.Verb {
	case repo.CreateGroup:
		return "create \"" + op.Name + "\" property group"
	case repo.TakeSnapshot:
		return "take the snapshot \"" + op.Name + "\""
	}
	return "modify \"" + op.Name + "\" property"
}

func missing(denied *door.DeniedError) string {
	if denied.Missing == "" {
		return ""
	}
	return ": it takes the authorization " + denied.Missing
}

// ask makes requests of an instance, in one batch.
func (r *run) ask(on repo.Entity, names ...string) error {
	return r.askWith(on, func(*repo.Batch) {}, names...)
}

// askWith makes requests, and what fill adds before them.
func (r *run) askWith(on repo.Entity, fill func(*repo.Batch), names ...string) error {
	who := actions.Asked{TTY: r.env.Terminal(), FMRI: r.env.Service()}
	var stamps []int64
	err := r.apply(func(b *repo.Batch, lost bool) error {
		g, generation, err := r.read(on, actions.Group)
		if err != nil {
			return err
		}
		known := func(at int64) bool { return actions.Known(g, names[len(names)-1], at) }
		if lost && slices.ContainsFunc(stamps, known) {
			return nil // it was asked, and is not asked twice
		}
		fill(b)
		stamps = append(stamps, actions.Ask(b, on, g, generation, r.env.Now().UnixNano(), who, names...))
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		r.tell("Action " + name + " set for " + on.String() + ".")
	}
	return nil
}

func (r *run) restart() error {
	return r.each(func(on repo.Entity) error {
		if r.order.has("d") {
			return r.ask(on, actions.Dump, actions.Restart)
		}
		return r.ask(on, actions.Restart)
	})
}

// refresh takes the snapshot and asks. Who may act and not modify only asks: svc.startd takes it.
func (r *run) refresh() error {
	return r.each(func(on repo.Entity) error {
		err := r.askWith(on, func(b *repo.Batch) { b.TakeSnapshot(on, repo.Running) }, actions.Refresh)
		var op *repo.OpError
		if errors.Is(err, door.ErrDenied) && errors.As(err, &op) && op.Verb == repo.TakeSnapshot {
			err = r.ask(on, actions.Refresh)
		}
		return err
	})
}

// clear ends maintenance, or what is degraded.
func (r *run) clear() error {
	if r.order.search && r.order.state != "maintenance" && r.order.state != "degraded" {
		return &fatal{"State must be 'maintenance' or 'degraded'"}
	}
	return r.each(func(on repo.Entity) error {
		state, err := r.state(on)
		switch {
		case err != nil:
			return err
		case state == graph.Maintenance:
			return r.ask(on, actions.MaintOff)
		case state == graph.Degraded:
			return r.ask(on, actions.Restore)
		}
		r.fail("Instance \"" + on.String() + "\" is not in a maintenance or degraded state.")
		return nil
	})
}

func (r *run) mark() error {
	immediate, temporary := r.order.has("I"), r.order.has("t")
	if r.order.word == "degraded" {
		return r.each(func(on repo.Entity) error { return r.degrade(on, immediate) })
	}
	name := actions.MaintOn
	switch {
	case immediate && temporary:
		name = actions.MaintOnImmTemp
	case immediate:
		name = actions.MaintOnImmediate
	case temporary:
		name = actions.MaintOnTemporary
	}
	return r.each(func(on repo.Entity) error { return r.ask(on, name) })
}

func (r *run) degrade(on repo.Entity, immediate bool) error {
	state, err := r.state(on)
	switch {
	case err != nil:
		return err
	case state != graph.Online:
		r.fail("Instance \"" + on.String() + "\" is not online.")
		return nil
	case immediate:
		return r.ask(on, actions.DegradeImmediate)
	}
	return r.ask(on, actions.Degraded)
}
