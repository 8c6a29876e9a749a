package restarter

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

// unit is one instance of ours.
type unit struct {
	fmri string
	on   repo.Entity
	m    *instance.Machine
	cfg  graph.Config
	// before is what was recovered of it, until its machine is told.
	before *instance.Before

	rec     record.Record
	dirty   bool // rec is to be written: it is in the restarter's list, unless it is gone
	gone    bool // from the repository
	actions []instance.Action
	queued  bool // it is in active
	// takes are requests that were passed on, and are to be deleted with what they have brought about.
	takes []taken
	// extra is what was said with a request, until the graph passes it on.
	extra map[graph.Event]instance.Input
	// tookAt is when its snapshot was taken here last: what the repository tells of that is known.
	tookAt uint64

	// hollow is the contract of its that was last known to have no member any more. None will come.
	hollow contract.ID

	// found is the method that was looked up last.
	found  found
	timer  uint64 // that runs; 0: none
	clock  *time.Timer
	parked *instance.Action // a Run that waits for its turn
	voice  voice

	besides besides

	// prefix is that of its records of utmp, since the last start; empty: there are none.
	prefix string
}

// taken is a request, and how its machine knows it.
type taken struct {
	actions.Request
	ticket uint64
}

type found struct {
	method  method.Method
	context method.Context
	startd  method.Startd
}

// do gives the machine an input and queues what it says.
func (u *unit) do(r *Restarter, in instance.Input) {
	list, err := u.m.Do(in, time.Now())
	if err != nil {
		r.cfg.Say(err.Error()) // which names it
		return
	}
	u.actions = append(u.actions, list...)
	r.activate(u)
}

func (r *Restarter) activate(u *unit) {
	if len(u.actions) > 0 && !u.queued {
		u.queued = true
		r.active = append(r.active, u)
	}
}

// settle does what follows of all that was taken, until nothing does. What is to be written is
// written before anything is done outside of this process, and at the end.
func (r *Restarter) settle() {
	for {
		for _, o := range r.g.Work() {
			r.order(o)
		}
		if len(r.active) == 0 && len(r.reports) == 0 {
			break
		}
		active := r.active
		r.active = nil
		for _, u := range active {
			u.queued = false
			r.write(u)
		}
		r.report()
		r.pressing = false
		for _, u := range active {
			r.act(u)
			r.activate(u)
			r.accompany(u)
		}
		if r.pressing && !r.flush() {
			r.schedule(retryAfter)
		}
	}
	if (len(r.dirty) > 0 || len(r.taking) > 0) && !r.flush() {
		r.schedule(retryAfter)
	}
}

// soil has a unit's record written.
func (r *Restarter) soil(u *unit) {
	if !u.dirty {
		u.dirty = true
		r.dirty = append(r.dirty, u)
	}
}

// writes says whether an action is one that the repository or the graph is told.
func writes(k instance.ActionKind) bool {
	switch k {
	case instance.WriteStates, instance.Answer, instance.Remember, instance.Forget, instance.NoteMethod, instance.NoteStatus,
		instance.NoteText, instance.NoteWait, instance.NoteDeadline, instance.NoteEnd:
		return true
	}
	return false
}

// write takes the writing at the head of a unit's actions.
func (r *Restarter) write(u *unit) {
	n := 0
	for ; n < len(u.actions) && writes(u.actions[n].Kind); n++ {
		r.note(u, &u.actions[n])
	}
	u.actions = u.actions[n:]
}

// note takes one action into the unit's record, and what the graph is told of it.
func (r *Restarter) note(u *unit, a *instance.Action) {
	rec := &u.rec
	if a.Kind != instance.Answer {
		r.soil(u)
	}
	switch a.Kind {
	case instance.WriteStates:
		s := a.States
		r.tellState(u, &s)
		r.noteNews(u, &s)
		if up(s.State) && !up(rec.State) {
			r.cameUp(u)
		}
		if s.State != rec.State || s.Next != rec.Next {
			rec.Stamp = time.Now()
		}
		rec.State, rec.Next, rec.Aux, rec.AuxFMRI, rec.AuxTTY, rec.Detail = s.State, s.Next, s.Aux, s.AuxFMRI, s.AuxTTY, s.Detail
		u.silence()
		r.changed(u, a)
		if s.Next == graph.None {
			r.recordState(u)
		}
	case instance.Answer:
		r.changed(u, a)
	case instance.Remember:
		if a.Transient {
			rec.Transient = a.Contract
		} else if !slices.Contains(rec.Primary, a.Contract) {
			rec.Primary = append(slices.Clone(rec.Primary), a.Contract)
		}
		r.byCT[a.Contract] = u
	case instance.Forget:
		if a.Transient {
			rec.Transient = 0
		} else {
			rec.Primary = slices.DeleteFunc(slices.Clone(rec.Primary), func(id contract.ID) bool { return id == a.Contract })
		}
		delete(r.byCT, a.Contract)
		delete(r.emptied, a.Contract)
	case instance.NoteMethod:
		rec.Method, rec.MethodPid = a.Method.String(), a.Pid
		if a.Method == instance.Start {
			rec.StartPid, rec.StartAt, rec.StartDeadline = a.Pid, a.Time, time.Time{}
		}
	case instance.NoteStatus:
		rec.StartStatus, rec.Started = int(a.Status), true
	case instance.NoteText:
		rec.StatusText = a.Text
	case instance.NoteWait:
		rec.MethodPid = 0
	case instance.NoteDeadline:
		rec.StartDeadline = a.Time
	case instance.NoteEnd:
		rec.Method, rec.MethodPid, rec.StartDeadline = "", 0, time.Time{}
	}
}

func (r *Restarter) changed(u *unit, a *instance.Action) {
	r.reports = append(r.reports, graph.Op{
		Kind: graph.Changed, FMRI: u.fmri, State: a.States.State, Next: a.States.Next, Class: a.Class, Answers: a.Answers,
	})
}

// report tells the graph.
func (r *Restarter) report() {
	for _, op := range r.reports {
		r.apply(op)
	}
	r.reports = r.reports[:0]
}

// acksMax is how many events may be unacknowledged, and contracts not let go, while methods are being
// started.
const acksMax = 64

// acknowledge acknowledges the events of which all that follows is written. While a method is being
// started the supervisor has better things to do. A contract that was let go takes its events with
// it.
func (r *Restarter) acknowledge() {
	if r.failing || r.starts > 0 && len(r.acks)+len(r.lets) < acksMax {
		return
	}
	r.letGo()
	for _, a := range r.acks {
		if !a.ours || r.byCT[a.id] != nil {
			_ = r.cfg.Contracts.Ack(a.id, a.ev)
		}
	}
	r.acks = nil
}

// let is a contract that is to be let go, and whose it was.
type let struct {
	id   contract.ID
	fmri string
}

// letGo abandons the contracts that nothing in the repository speaks of any more. No member of theirs
// is killed by that, so that it need not be before others are started. Of one that is left so by a
// svc.startd that is killed the next one finds that it is of a start that was noted: recoverOne.
func (r *Restarter) letGo() {
	for _, l := range r.lets {
		if err := r.cfg.Contracts.Abandon(l.id); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
			r.cfg.Say(l.fmri + ": abandon contract " + strconv.FormatUint(uint64(l.id), 10) + ": " + err.Error())
		}
	}
	r.lets = nil
}

// staleMax is how often a batch is made anew while others write requests.
const staleMax = 16

// flush writes all that is to be written, in one batch. What the repository refuses for one
// instance, which is gone, does not keep the others from it. false: it cannot be written now; the
// services go on all the same.
func (r *Restarter) flush() bool {
	units := slices.Clip(r.dirty)
	for _, u := range r.taking {
		if !u.dirty {
			units = append(units, u)
		}
	}
	for stale := 0; ; {
		b, of := r.batch(units)
		var err error
		if len(b.Ops) > 0 {
			_, err = r.cfg.Repo.Apply(b)
		}
		var op *repo.OpError
		switch {
		case err == nil:
			for _, u := range r.dirty {
				u.dirty = u.gone // until another of its name comes
			}
			r.dirty, r.failing = nil, false
			r.forgetTaken(units)
			r.tellNews()
			return true
		case errors.As(err, &op) && errors.Is(err, repo.ErrNotFound) && op.Index < len(of):
			of[op.Index].gone = true
			continue
		case errors.Is(err, repo.ErrStale) && stale < staleMax:
			stale++
			continue
		case !r.failing:
			r.cfg.Say("the states of services cannot be written, and are kept until they can: " + err.Error())
		}
		r.failing = true
		return false
	}
}

// batch is what is to be written of units, with the unit of each operation.
func (r *Restarter) batch(units []*unit) (b *repo.Batch, of []*unit) {
	b = &repo.Batch{}
	for _, u := range units {
		if u.gone {
			continue
		}
		if u.dirty {
			g := u.rec.Tree()
			b.PutGroup(u.on, &g)
		}
		r.take(b, u)
		for len(of) < len(b.Ops) {
			of = append(of, u)
		}
	}
	return b, of
}

// schedule has lookAgain called, not later than that.
func (r *Restarter) schedule(after time.Duration) {
	if due := time.Now().Add(after); r.due.IsZero() || due.Before(r.due) {
		r.due = due
		r.again.Reset(after)
	}
}

// lookAgain does what nobody tells: contracts that are to become empty, and what could not be
// written.
func (r *Restarter) lookAgain() {
	r.due = time.Time{}
	if r.failing && !r.flush() {
		r.schedule(retryAfter)
	}
	r.lookEmpty()
	r.writeStatuses()
}

// order carries an order of the graph to the instance, or does what is svc.startd's own.
func (r *Restarter) order(o graph.Order) {
	r.tellOrder(&o)
	switch o.Event {
	case graph.Watch:
		path := pathOf(o.FMRI)
		r.paths[path] = o.FMRI
		r.files.Want(path)
		return
	case graph.Unwatch:
		path := pathOf(o.FMRI)
		delete(r.paths, path)
		r.files.Drop(path)
		return
	case graph.SetOverride:
		r.setOverride(o)
		return
	case graph.Down:
		r.reached(o.FMRI)
		return
	}
	u := r.units[o.FMRI]
	if u == nil {
		return
	}
	if o.Restarter != "" && o.Event != graph.RemoveInstance {
		if o.Event == graph.AddInstance {
			r.cfg.Say(o.FMRI + ": its restarter " + o.Restarter + " is not svc.startd: it is left alone")
		}
		return
	}
	if o.Event == graph.InvalidRestarter {
		r.cfg.Say(o.FMRI + ": its restarter is no instance: general/restarter is " + strconv.Quote(o.Detail))
		r.refuse(u)
		return
	}
	in := u.extra[o.Event]
	delete(u.extra, o.Event)
	in.Kind, in.Event = instance.Order, o.Event
	if o.Event == graph.AddInstance {
		r.takeRunning(u)
		cfg := r.configOf(u)
		in.Config = &cfg
		if u.before != nil {
			in.Kind, in.Before, u.before = instance.Recovered, *u.before, nil
			if up(u.rec.State) {
				r.cameUp(u)
			}
		}
	}
	if o.Event == graph.DependencyCycle {
		r.cfg.Say(u.fmri + ": its dependencies form a cycle: " + cycle(o.Path))
	}
	if o.Detail != "" {
		r.cfg.Say(u.fmri + ": " + o.Detail)
	}
	u.do(r, in)
}

func cycle(path []string) string {
	text := ""
	for i, p := range path {
		if i > 0 {
			text += " > "
		}
		text += p
	}
	return text
}

// overrideOf, in an override, names the milestone that it is for: an administrator's has none.
const overrideOf = "milestone"

// setOverride writes or deletes a temporary enable for the milestone.
func (r *Restarter) setOverride(o graph.Order) {
	u := r.units[o.FMRI]
	if u == nil || u.gone {
		return
	}
	var b repo.Batch
	if o.Override == graph.NoOverride {
		b.DeleteGroup(u.on, graphcfg.Override)
	} else {
		g := tree.Group{Name: graphcfg.Override, Type: record.Type, Flags: tree.NonPersistent, Props: []tree.Property{
			{Name: "enabled", Type: prop.Boolean, Values: []string{strconv.FormatBool(o.Override == graph.OverrideEnabled)}},
		}}
		if r.down.since.IsZero() { // else nothing takes it away in this boot
			g.Props = append(g.Props, tree.Property{Name: overrideOf, Type: prop.AString, Values: []string{r.wanted()}})
		}
		b.PutGroup(u.on, &g)
	}
	if _, err := r.cfg.Repo.Apply(&b); err != nil && !errors.Is(err, repo.ErrNotFound) {
		r.cfg.Say(u.fmri + ": " + err.Error())
	}
	u.cfg.Override = o.Override
}
