package restarter

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
)

const (
	// statusEvery is how often what one service says of itself is written: a person reads it.
	statusEvery = time.Second
	// lookCost is what a look at the members of a contract costs, in messages: it is a question to the
	// zone's supervisor.
	lookCost = 8
)

// errNoSocket is a start that would never be done.
var errNoSocket = errors.New("startd/notify is \"ready\", and init has no socket at which the service could say so: see the zone's console log")

// Readiness is where services say that they are ready: a notify.Receiver. It gives the next message
// when the one before is Done.
type Readiness interface {
	Messages() <-chan *notify.Message
	Done(cost int)
}

// Notify is what services say of themselves, and how it is found out which of them does. The zero
// value: none can.
type Notify struct {
	From   Readiness
	Socket string // its path, for methods
	// Place is the cgroup of a pidfd's process; 0: the kernel does not say. nil: it never does, and
	// the members of contracts are looked at.
	Place func(pidfd int) uint64
}

// hearing is the restarter's side of it.
type hearing struct {
	acted bool            // the last message was acted upon, and is not taken yet
	cost  int             // of that
	held  *notify.Message // of nobody who is known, while methods were just being started
	after map[*unit]bool  // those methods' units, as far as they are still being started
	again bool            // one of them is not any more

	places    map[uint64]contract.ID // cgroups of the contracts of services that may say something
	placed    map[contract.ID]uint64
	strangers notify.Count
	later     []*unit // whose status is written later
}

// voice is that of a unit.
type voice struct {
	starting bool      // a method of it is just being started
	written  time.Time // when what it says was written last
	later    bool      // text is to be written
	text     string
}

func (r *Restarter) messages() <-chan *notify.Message {
	if r.cfg.Notify.From == nil {
		return nil
	}
	return r.cfg.Notify.From.Messages()
}

// heard takes a message. Of one whose sender is not known that may be because the loop has not been
// told yet that its method was started: it is looked at again when it has.
func (r *Restarter) heard(m *notify.Message) {
	u, id, cost := r.senderOf(m)
	h := &r.hearing
	if u == nil {
		if h.held == nil {
			h.after = map[*unit]bool{}
			for _, other := range r.units {
				if other.voice.starting {
					h.after[other] = true
				}
			}
		}
		if len(h.after) > 0 {
			h.held = m
			return
		}
		r.stranger(m)
	}
	h.held, h.after = nil, nil
	h.acted, h.cost = true, cost
	if u == nil {
		return
	}
	if m.HasStatus {
		r.status(u, m.Status)
	}
	if m.Extend > 0 {
		u.do(r, instance.Input{Kind: instance.Extended, Contract: id, For: m.Extend})
	}
	if m.Ready {
		u.do(r, instance.Input{Kind: instance.Ready, Contract: id})
	}
}

// listened takes the last message from the kernel, when what follows of it is written. (When it
// cannot be, the service goes on all the same, and so does the next one's message.) It says whether
// there is something to do again.
func (r *Restarter) listened() bool {
	h := &r.hearing
	if h.held != nil && h.again {
		h.again = false
		r.heard(h.held)
		return true
	}
	if h.acted {
		h.acted = false
		r.cfg.Notify.From.Done(h.cost)
	}
	return false
}

// senderOf is the unit that a message is of, and the contract that its sender is a member of. The cgroup
// of a pidfd's process is beyond doubt. Otherwise the number is looked for among the members, and was
// its own if the process lives after that.
func (r *Restarter) senderOf(m *notify.Message) (u *unit, id contract.ID, cost int) {
	if m.Cgroup != 0 {
		if id, is := r.hearing.places[m.Cgroup]; is {
			return r.byCT[id], id, 0
		}
	}
	if m.Pid <= 0 || !m.Alive() {
		return nil, 0, 0
	}
	for id, u := range r.byCT {
		if _, is := r.hearing.placed[id]; is || !u.found.startd.Notify {
			continue
		}
		cost += lookCost
		members, err := r.cfg.Contracts.Members(id)
		if err == nil && slices.Contains(members, int32(m.Pid)) && m.Alive() {
			return u, id, cost
		}
	}
	return nil, 0, cost
}

func (r *Restarter) stranger(m *notify.Message) {
	if n := &r.hearing.strangers; n.Add() {
		r.cfg.Say("process " + strconv.Itoa(m.Pid) + " has written to " + r.cfg.Notify.Socket +
			", and is of no service that says when it is ready: it is ignored, as " + n.String() + " messages so far")
	}
}

// place notes where the members of a contract are that was just made.
func (r *Restarter) place(b *begun) {
	b.u.voice.starting = false
	if h := &r.hearing; h.after[b.u] {
		delete(h.after, b.u)
		h.again = true
	}
	if b.err == nil && b.u.found.startd.Notify && r.cfg.Notify.Place != nil {
		r.notePlace(b.b.Contract, r.cfg.Notify.Place(b.b.Pidfd))
	}
}

func (r *Restarter) notePlace(id contract.ID, cgroup uint64) {
	h := &r.hearing
	for old, where := range h.placed {
		if old != id && r.byCT[old] == nil {
			delete(h.placed, old)
			delete(h.places, where)
		}
	}
	if cgroup != 0 {
		if h.places == nil {
			h.places, h.placed = map[uint64]contract.ID{}, map[contract.ID]uint64{}
		}
		h.places[cgroup], h.placed[id] = id, cgroup
	}
}

// findPlace notes where the members of a contract are that was made by another svc.startd: where one
// of them is, who is a member after that was asked.
func (r *Restarter) findPlace(st *contract.Status) {
	if r.cfg.Notify.Place == nil {
		return
	}
	for _, pid := range st.Members {
		fd, err := sys.PidfdOpen(int(pid))
		if err != nil {
			continue
		}
		cgroup := r.cfg.Notify.Place(fd.Int())
		members, err := r.cfg.Contracts.Members(st.ID)
		alive := !sys.PidfdExited(fd.Int())
		fd.Close()
		if err == nil && alive && slices.Contains(members, pid) {
			r.notePlace(st.ID, cgroup)
			return
		}
	}
}

// status has what a service says of itself written, now or a moment later.
func (r *Restarter) status(u *unit, text string) {
	v := &u.voice
	switch {
	case v.later:
		v.text = text
	case text == u.rec.StatusText:
	case time.Since(v.written) >= statusEvery:
		r.writeStatus(u, text)
	default:
		v.later, v.text = true, text
		r.hearing.later = append(r.hearing.later, u)
		r.schedule(statusEvery)
	}
}

func (r *Restarter) writeStatus(u *unit, text string) {
	u.voice.written = time.Now()
	u.actions = append(u.actions, instance.Action{Kind: instance.NoteText, Text: text})
	r.activate(u)
}

// writeStatuses writes what was to be written later.
func (r *Restarter) writeStatuses() {
	r.hearing.later = slices.DeleteFunc(r.hearing.later, func(u *unit) bool {
		v := &u.voice
		if v.later && time.Since(v.written) < statusEvery {
			r.schedule(statusEvery)
			return false
		}
		if v.later {
			v.later = false
			r.writeStatus(u, v.text)
		}
		return true
	})
}

// newVoice is for a process that has not said anything yet.
func (u *unit) newVoice() {
	u.rec.StatusText, u.voice.later = "", false
}

// silence forgets what a service has said of itself, which does not run any more. In maintenance it
// may tell why.
func (u *unit) silence() {
	if u.rec.Next == graph.None && (u.rec.State == graph.Offline || u.rec.State == graph.Disabled) {
		u.newVoice()
	}
}

// startdOf reads the group startd of a unit for one of its methods. What is wrong in it is a start's
// alone: a service must be stopped all the same.
func startdOf(i *method.Instance, name instance.Method) (method.Startd, error) {
	s, err := i.Startd()
	var bad *method.Error
	if name != instance.Start && errors.As(err, &bad) {
		err = nil
	}
	return s, err
}

// notifies says whether a start method is one whose service says when it is ready.
func (r *Restarter) notifies(name instance.Method, s *method.Startd) (bool, error) {
	if name != instance.Start || !s.Notify {
		return false, nil
	}
	if r.cfg.Notify.From == nil {
		return false, errNoSocket
	}
	return true, nil
}

// environment is what methods have beside what all have.
func (r *Restarter) environment(u *unit) []string {
	if !u.found.startd.Notify || r.cfg.Notify.From == nil {
		return nil
	}
	return []string{"NOTIFY_SOCKET=" + r.cfg.Notify.Socket}
}

// waiting is a start whose method has ended well under a svc.startd that is dead, and whose service was
// not ready; nil when there is none.
func waiting(rec *record.Record) *instance.InFlight {
	if rec.Method != instance.Start.String() || rec.MethodPid != 0 || rec.Next == graph.None || len(rec.Primary) == 0 {
		return nil
	}
	return &instance.InFlight{Contract: rec.Primary[len(rec.Primary)-1], Began: rec.StartAt, Done: true}
}

// recoverVoice finds who may say something of a recovered unit, and what its start waits for.
func (r *Restarter) recoverVoice(u *unit, rec *record.Record, f *instance.InFlight, owned []*contract.Status) {
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err == nil {
			u.found.startd, err = startdOf(i, instance.Refresh)
		}
		return err
	})
	u.prefix = u.found.startd.UtmpxPrefix
	if !u.found.startd.Notify || r.cfg.Notify.From == nil {
		return
	}
	if f != nil && rec.Method == instance.Start.String() {
		f.Notify, f.Deadline = true, rec.StartDeadline
	}
	for _, st := range owned {
		r.findPlace(st)
	}
}

// Members are the processes of a contract.
func (z *zoneContracts) Members(id contract.ID) ([]int32, error) {
	st, err := z.fs.Contract(id).Status()
	return st.Members, err
}
