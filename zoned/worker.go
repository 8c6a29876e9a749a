package zoned

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// attemptsMax is how many supervisors may die during one operation before it is given up:
// what kills the third will kill the fourth.
const attemptsMax = 3

// outcome is what a worker leaves to the owner.
type outcome struct {
	r     *request
	op    *operation
	rval  int
	state configs.State
	inc   *incarnation
}

// worker runs one operation. While it does, the journal and the zone's platform are its own.
type worker struct {
	z     *Zone
	r     *request
	op    *operation
	state configs.State
	inc   *incarnation
	log   *logrus.Entry

	bootArgs bootArgs

	collecting *collecting        // between the steps collector and events
	mounts     map[string]*sys.FD // of served file systems, until zrun has placed them

	// Of the zone that was halted: by what number the collector knew it, and its cgroups.
	haltedCgroup uint64
	haltedDirs   []string
}

// begin starts the transition of a request.
func (z *Zone) begin(r *request, phases []phase) {
	z.run(r, &operation{ID: r.ID, Verb: r.Verb, Phases: phases, BootArgs: r.BootArgs, BootArgsGiven: r.BootArgsGiven, Verbose: r.Verbose})
}

// run gives an operation a worker.
func (z *Zone) run(r *request, op *operation) {
	z.busy = r
	z.awaitRevival(op.Revive)
	z.hold()
	w := &worker{z: z, mounts: map[string]*sys.FD{}, r: r, op: op, state: z.state, inc: z.inc, log: z.log.WithField("op", string(r.Verb))}
	z.start(func() {
		rval := w.run()
		w.closeMounts()
		w.collecting.end()
		z.post(evDone{outcome{r: r, op: op, rval: rval, state: w.state, inc: w.inc}})
	})
}

// done takes the end of a transition.
func (z *Zone) done(o outcome) {
	z.busy = nil
	z.setState(o.state, o.inc)
	z.finish(o.r, o.rval)
	if z.terminating || z.orphaned && z.state < configs.Ready {
		z.leaving = true // who waits asks the successor
		return
	}
	if z.orphaned && z.state >= configs.Ready && z.state < configs.Down {
		z.begin(z.fromZone(api.VerbHalt), halt)
		return
	}
	if o.inc != nil && o.inc.isDead() && o.state != configs.Down {
		z.initDied(o.inc)
	}
	z.settleShutdown()
	z.next()
	z.revive()
	z.hold()
}

// next begins what has waited.
func (z *Zone) next() {
	for z.busy == nil && len(z.queue) > 0 {
		next := z.queue[0]
		z.queue = z.queue[1:]
		z.transition(next)
	}
}

// hold tells the keeper whether a supervisor must be started again whatever this one dies of:
// while there is a platform, or something is to be done without anybody asking for it.
func (z *Zone) hold() {
	if err := z.keeper.Hold(z.state >= configs.Ready || z.busy != nil || z.restarts.pending != nil); err != nil {
		z.log.WithError(err).Warn("tell the keeper")
	}
}

// run carries the operation out and gives its result code. The result is in the journal
// before anybody is told.
func (w *worker) run() int {
	err := w.z.journal.begin(w.op)
	if err == nil {
		err = w.phases()
	}
	rval := 0
	if err != nil {
		rval = -1
		w.log.WithError(err).Warn("transition failed")
	}
	said := append(w.r.said(), api.Reply{Type: api.ReplyResult, Rval: rval, State: w.state.String()})
	if err := w.z.journal.end(result{ID: w.op.ID, Replies: said}); err != nil {
		w.log.WithError(err).Error("journal")
	}
	return rval
}

func (w *worker) phases() error {
	if w.op.Attempt >= attemptsMax {
		w.say(api.LevelError, keyInterrupted, strconv.Itoa(w.op.Attempt), commandName(w.op.Verb))
		w.op.Phases = halt
		_ = w.halt()
		return errors.New("interrupted too often")
	}
	if w.op.Attempt == 0 {
		w.announce()
	}
	var left error
	for i, p := range w.op.Phases {
		var err error
		switch p {
		case phaseHalt:
			err = w.halt()
		case phaseReady:
			err = w.ready()
		case phaseBoot:
			err = w.boot()
		}
		if err != nil {
			w.failed(p, err)
			return err
		}
		if err := w.z.journal.log(&record{Type: recPhase, Phase: p}); err != nil {
			return err
		}
		if p == phaseHalt {
			left = w.proveHalted(i == len(w.op.Phases)-1 && w.op.Failed == nil)
		}
	}
	if w.op.Failed != nil {
		w.bootFailed()
		return errFailed
	}
	w.concluded()
	return left
}

// errFailed: the operation failed under a supervisor before this one, which said why.
var errFailed = errors.New("failed before the supervisor was replaced, undone since")

// announce tells the console what begins.
func (w *worker) announce() {
	if w.state < configs.Ready { // what is said here is of the boot that comes
		w.z.console.SetLog(w.z.consoleLogLimits())
	}
	switch w.op.Verb {
	case api.VerbBoot:
		w.z.notice(wire.Booting, w.op.BootArgs)
	case api.VerbReboot:
		w.z.notice(wire.Rebooting, w.op.BootArgs)
	}
}

// concluded tells the console what ended.
func (w *worker) concluded() {
	switch w.op.Phases[len(w.op.Phases)-1] {
	case phaseReady:
		w.z.notice(wire.Readied, "")
	case phaseHalt:
		if w.op.Revive == nil { // else it goes on: who wants to leave with the zone stays
			w.z.notice(wire.Halted, "")
		}
	}
}

// failed rolls a boot or ready back and says so. A halt that failed leaves the zone down, to
// be halted again.
func (w *worker) failed(p phase, err error) {
	if p == phaseHalt {
		w.say(api.LevelError, keyDestroyWhy, err.Error())
		w.say(api.LevelError, keyDestroy)
		return
	}
	var said *saidError
	if !errors.As(err, &said) {
		w.say(api.LevelError, keyStepFailed, commandName(w.op.Verb), err.Error())
	}
	if jerr := w.z.journal.log(&record{Type: recFailed, Replies: w.r.said()}); jerr != nil {
		w.log.WithError(jerr).Error("journal")
	}
	if herr := w.halt(); herr != nil {
		w.say(api.LevelError, keyDestroyWhy, herr.Error())
		w.say(api.LevelError, keyDestroy)
	} else {
		_ = w.proveHalted(false)
	}
	w.bootFailed()
}

// bootFailed tells the console.
func (w *worker) bootFailed() {
	if w.op.Verb != api.VerbReady {
		w.z.notice(wire.BootFailed, "")
	}
}

// saidError is an error that its message has been said of already.
type saidError struct{ err error }

func (e *saidError) Error() string { return e.err.Error() }
func (e *saidError) Unwrap() error { return e.err }

// say tells the caller; what comes from inside the zone goes to the log instead, as the
// original's syslog.
func (w *worker) say(level api.Level, key string, args ...string) {
	m := message(level, key, args...)
	w.r.tell(m)
	if w.r.origin == fromKernel && level != api.LevelProgress {
		w.log.WithField("key", key).Warn("[zone '" + w.z.name + "'] " + m.Text)
	}
}

// fail says a message and gives the error for it.
func (w *worker) fail(key string, args ...string) error {
	w.say(api.LevelError, key, args...)
	return &saidError{errors.New(message(api.LevelError, key, args...).Text)}
}

// to tells the owner where the zone is now.
func (w *worker) to(s configs.State) {
	w.state = s
	w.z.post(evState{s, w.inc})
}

// step is a journaled part of building a zone. do gets the data to fill in; what undo needs
// must be in it before do is called, or be found without it.
type step struct {
	name  string
	title string
	limit time.Duration
	plan  func(w *worker, d *stepData) error // what is known before: journaled first
	do    func(ctx context.Context, w *worker, d *stepData) error
	undo  func(ctx context.Context, w *worker, d *stepData) error
}

// perform journals and does steps in order.
func (w *worker) perform(steps []step) error {
	for i := range steps {
		s := &steps[i]
		w.say(api.LevelProgress, keyStep, s.title)
		var d stepData
		if s.plan != nil {
			if err := s.plan(w, &d); err != nil {
				return fmt.Errorf("%s: %w", s.title, err)
			}
		}
		if err := w.z.journal.log(&record{Type: recDo, Step: s.name, Data: &d}); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(w.z.ctx, s.limit, fmt.Errorf("not done after %s", s.limit))
		err := s.do(ctx, w, &d)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		if err := w.z.journal.log(&record{Type: recDone, Step: s.name, Data: &d}); err != nil {
			return err
		}
	}
	return nil
}

// rollBack undoes all live steps, last first. It goes on over what can not be undone and
// reports the first such.
func (w *worker) rollBack() error {
	var first error
	live := append([]liveStep(nil), w.z.journal.hist.steps...)
	for i := len(live) - 1; i >= 0; i-- {
		l := live[i]
		s, ok := stepNamed(l.Name)
		if !ok {
			w.log.WithField("step", l.Name).Error("the journal has a step that this program does not know")
			continue
		}
		if err := w.undo(s, &l.Data); err != nil && first == nil {
			first = fmt.Errorf("undo %s: %w", s.title, err)
		}
	}
	return first
}

func (w *worker) undo(s *step, d *stepData) error {
	if err := w.z.journal.log(&record{Type: recUndo, Step: s.name}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(w.z.ctx, s.limit, fmt.Errorf("not done after %s", s.limit))
	defer cancel()
	if s.undo != nil {
		if err := s.undo(ctx, w, d); err != nil {
			return err
		}
	}
	return w.z.journal.log(&record{Type: recUndone, Step: s.name})
}
