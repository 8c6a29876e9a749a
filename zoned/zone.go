package zoned

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// Limits of the owner.
const (
	// inboxMax is how many events may wait for the owner. Senders wait beyond it.
	inboxMax = 64
	// queueMax is how many transitions may wait for the one under way; the next is refused.
	queueMax = 32
	// requestsMax is how many ended requests are remembered for callers that come back.
	requestsMax = 256
	// linger is how long a supervisor that is not needed any more stays, so that a script
	// that halts and boots does not start one for each command.
	linger = 300 * time.Millisecond
)

// Zone is the owner of one zone's state.
type Zone struct {
	name    string
	lay     layout.Layout
	log     *logrus.Entry
	keeper  *keeper.Client
	store   *configs.Store
	journal *journal
	console *console.Server
	ring    *consoleRing // to write to when the keeper is dead
	audit   *audit
	base    string // cgroup of this zone below the cgroup2 mount
	mount   string // cgroup2 mount
	libexec string // where zrun and the zone's programs are

	keeperBuild string // zsched's
	keeperPid   int    // it may be dead
	brand       configs.Brand
	slots       *slots // descriptors that the keeper holds too

	contracts atomic.Pointer[contracts] // nil when there are none
	mounts    atomic.Pointer[mounts]    // nil when there is no table of mounts
	lookers   atomic.Int32              // callers who look at them
	strays    chan struct{}             // closed when a predecessor's are taken care of

	inbox chan event
	// dead brings the keeper's deaths. It holds as many as the keeper does: who reads the keeper
	// must never wait for the owner, who may be waiting for the keeper's answer.
	dead  chan keeper.Death
	group sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc

	// The rest is the owner goroutine's alone.
	state    configs.State // Installed or above; below it the index says
	inc      *incarnation  // nil below ready
	busy     *request      // whose transition is under way
	queue    []*request
	requests map[string]*request
	order    []string // ids of requests, oldest first
	logins   map[string]*login
	deaths   []keeper.Death // of children that nobody was found for yet
	shutdown *request       // a graceful shutdown under way
	restarts restarts
	leaving  bool

	terminating bool // leave when the transition under way is over
	orphaned    bool // the keeper is dead
}

// incarnation is the zone between ready and halt.
type incarnation struct {
	id        int
	cgroup    string
	idBase    uint32
	initPid   int
	initStart uint64
	since     int64
	contract  contract.ID     // init's
	died      chan struct{}   // closed when init is dead
	status    unix.WaitStatus // its wait status, then
	// death is the keeper's word on it. The keeper forgets it with the incarnation: until then
	// what follows from it may have to be begun by a successor.
	death *keeper.Death
}

// event is what the owner is told.
type event interface{}

type (
	evRequest struct {
		r     *request
		reply chan *request // the request to follow: this or an earlier one of the same id
	}
	evGone  struct{}            // the keeper is dead
	evDone  struct{ o outcome } // a worker ended
	evTerm  struct{}            // SIGTERM
	evLogin struct {
		l      *login
		failed string // empty: it was started
		started
	}
	evTaken struct{ r *request } // a login's result was delivered
	evShut  struct {
		r      *request
		failed string // empty: the zone's init has ended
	}
	evState struct {
		s   configs.State
		inc *incarnation
	}
	evReboot struct{ n int } // the delay before an init is started again is over
)

// post gives the owner an event, unless the zone is going away.
func (z *Zone) post(e event) bool {
	select {
	case z.inbox <- e:
		return true
	case <-z.ctx.Done():
		return false
	}
}

// start runs f as one of the zone's goroutines: Run waits for it.
func (z *Zone) start(f func()) { z.group.Go(f) }

// loop is the owner.
func (z *Zone) loop() {
	idle := time.NewTimer(linger)
	defer idle.Stop()
	for !z.leaving {
		select {
		case e := <-z.inbox:
			z.handle(e)
			idle.Reset(linger)
		case d := <-z.dead:
			z.death(d)
			idle.Reset(linger)
		case <-idle.C:
			if z.unneeded() {
				z.leave()
			} else {
				idle.Reset(linger)
			}
		}
	}
}

func (z *Zone) handle(e event) {
	switch e := e.(type) {
	case evRequest:
		z.request(e)
	case evDone:
		z.done(e.o)
	case evState:
		z.setState(e.s, e.inc)
	case evLogin:
		z.loginStarted(e)
	case evTaken:
		z.loginTaken(e.r)
	case evShut:
		z.shutdownEnded(e.r, e.failed)
	case evUpgrade:
		z.upgradeDecided(e)
	case evReboot:
		if e.n == z.restarts.n {
			z.revive()
		}
	case evGone:
		z.keeperGone()
	case evTerm:
		z.log.Info("SIGTERM: leaving; the keeper starts a successor if the zone needs one")
		z.terminating = true
		z.leaving = z.busy == nil
	}
}

// unneeded: the zone is below ready and nobody is served.
func (z *Zone) unneeded() bool {
	return z.state < configs.Ready && z.restarts.pending == nil && z.busy == nil && len(z.queue) == 0 && z.shutdown == nil && z.console.Attached() == 0
}

// leave begins the death throes: callers that come now get no answer and start a successor.
func (z *Zone) leave() {
	z.leaving = true
	if err := z.keeper.Quit(); err != nil {
		z.log.WithError(err).Warn("tell the keeper")
	}
}

// request takes a call from the door.
func (z *Zone) request(e evRequest) {
	r := e.r
	if old, ok := z.requests[r.ID]; ok {
		r.release()
		e.reply <- old
		return
	}
	z.remember(r)
	e.reply <- r
	switch r.Verb {
	case api.VerbPing:
		z.finish(r, 0)
	case api.VerbLogin:
		z.login(r)
	case api.VerbWait:
		z.waitLogin(r)
	case api.VerbSignal:
		z.signalLogin(r)
	default:
		z.transition(r)
	}
}

func (z *Zone) remember(r *request) {
	z.requests[r.ID] = r
	z.order = append(z.order, r.ID)
	for i := 0; len(z.order) > requestsMax && i < len(z.order); {
		old := z.requests[z.order[i]]
		if _, ended, _ := old.since(0); !ended {
			i++
			continue
		}
		old.release()
		delete(z.requests, z.order[i])
		z.order = append(z.order[:i], z.order[i+1:]...)
	}
}

// transition decides what a verb means in the present state.
func (z *Zone) transition(r *request) {
	if z.busy != nil {
		z.enqueue(r)
		return
	}
	if r.Verb == api.VerbUpgrade {
		z.upgrade(r)
		return
	}
	st, err := z.effective(r)
	if err != nil {
		r.tell(message(api.LevelError, keyZoneState, err.Error()))
		z.finish(r, -1)
		return
	}
	c, ok := transitions[st][r.Verb]
	if r.Verb == api.VerbHalt || r.Verb == api.VerbShutdown || c.leave {
		if v := z.restarts.pending; v != nil {
			due := time.Duration(max(v.At-sys.Monotonic(), 0)).Round(time.Second)
			r.tell(message(api.LevelNote, keyRestartCancelled, due.String()))
		}
		z.cancelRevival()
	}
	switch {
	case st == configs.Installed && r.Verb == api.VerbShutdown && r.Reboot:
		// It is down, as the caller wanted, perhaps by what its request began under a
		// supervisor that died: the second half is left.
		z.begin(r, toBoot)
	case !ok:
		r.tell(message(api.LevelError, keyInvalidState, commandName(r.Verb), st.String()))
		z.finish(r, -1)
	case st == configs.Installed && r.Verb == api.VerbHalt:
		z.proveAgain(r, c.note)
	case c.note != "":
		r.tell(message(api.LevelNote, c.note))
		z.finish(r, 0)
	case c.shutdown:
		z.beginShutdown(r)
	case c.leave:
		z.uninstalling(r)
	default:
		z.begin(r, c.phases)
	}
}

// effective is the state that the table is asked with: the zone's own above installed, the
// index's below.
func (z *Zone) effective(r *request) (configs.State, error) {
	if z.state >= configs.Ready {
		return z.state, nil
	}
	e, err := z.store.Lookup(z.name)
	if err != nil {
		return 0, err
	}
	if e.State == configs.Incomplete && r.Force && r.Verb == api.VerbBoot {
		return configs.Installed, nil
	}
	return e.State, nil
}

func (z *Zone) enqueue(r *request) {
	if len(z.queue) >= queueMax {
		r.tell(message(api.LevelError, keyQueueFull, fmt.Sprint(queueMax)))
		z.finish(r, -1)
		return
	}
	r.tell(message(api.LevelProgress, keyBusy, commandName(z.busy.Verb)))
	z.queue = append(z.queue, r)
}

// finish gives a request its result.
func (z *Zone) finish(r *request, rval int) {
	z.audit.ended(r, rval, z.state.String())
	r.tell(api.Reply{Type: api.ReplyResult, Rval: rval, State: z.stateName()})
}

func (z *Zone) stateName() string {
	if z.state >= configs.Ready {
		return z.state.String()
	}
	if e, err := z.store.Lookup(z.name); err == nil {
		return e.State.String()
	}
	return z.state.String()
}

// uninstalling tells everybody at the console that the zone goes, and goes.
func (z *Zone) uninstalling(r *request) {
	z.notice(wire.Uninstalling, "")
	z.finish(r, 0)
	z.leave()
}

// notice tells the console. That it could not be told stops nothing.
func (z *Zone) notice(n wire.Notice, args string) {
	if err := z.console.Notice(n, args); err != nil {
		z.log.WithError(err).Warn("console notice")
	}
}

// bury forgets an incarnation that is halted.
func (z *Zone) bury(inc *incarnation) {
	if inc.death != nil {
		z.forget(*inc.death)
	}
	if !inc.isDead() {
		close(inc.died) // the keeper's word on its init is still on its way
	}
}

// setState takes a worker's word on where the zone is, and publishes it.
func (z *Zone) setState(s configs.State, inc *incarnation) {
	if inc != nil && z.inc != inc {
		z.matchDeaths(inc)
	}
	if s != z.state {
		z.log.WithFields(logrus.Fields{"from": z.state.String(), "state": s.String()}).Info("state")
	}
	if z.inc != nil && z.inc != inc {
		z.bury(z.inc)
	}
	z.state, z.inc = s, inc
	z.publish()
}
