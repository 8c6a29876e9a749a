package restarter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/ends"
	"github.com/linuxzones/zones/svc/files"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/orphans"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svclog"
)

// FMRI is the restarter itself, as an instance.
const FMRI = "svc:/system/svc/restarter:default"

const (
	// startsMax is how many methods are started at once: more would only wait for each other.
	startsMax = 8
	// retryAfter is when a repository that cannot be written is tried again.
	retryAfter = time.Second
	// emptyFirst and emptyLater are how often the members of a contract are looked at that is to
	// become empty: of most, its event says so before.
	emptyFirst, emptyLater = 20 * time.Millisecond, 100 * time.Millisecond
	// emptyFirsts is how often the first of them is the distance.
	emptyFirsts = 20
)

// Contracts is what the restarter needs of the zone's contracts.
type Contracts interface {
	// Adopt takes over what the contract of this process has inherited, and gives the status of
	// all that this process owns then.
	Adopt() ([]contract.Status, error)
	// Events gives the critical events of contracts of this process, those together that came
	// together, until the context ends.
	Events(ctx context.Context, to func([]contract.Event)) error
	Ack(id contract.ID, ev contract.EventID) error
	Abandon(id contract.ID) error
	// Empty says whether a contract has no member (any more).
	Empty(id contract.ID) (bool, error)
	// Members are the numbers of those who are in a contract.
	Members(id contract.ID) ([]int32, error)
	// Kill sends a signal to all members.
	Kill(id contract.ID, sig int) error
}

// Start is a method that is to be started.
type Start struct {
	On      repo.Entity
	Name    string // of the method
	Command string
	Context method.Context
	Startd  method.Startd
	Terms   contract.Terms
	Run     method.Run
}

// Begun is a method that was started.
type Begun struct {
	Pid, Pidfd int
	Contract   contract.ID
	Refused    bool // the contract to transfer was not empty
}

// Launcher starts methods. It may be called from several goroutines.
type Launcher interface {
	Start(s *Start) (Begun, instance.Failure, error)
}

// Config is what a Restarter works with.
type Config struct {
	Repo      *repo.Repo
	Contracts Contracts
	Launcher  Launcher
	Orphans   *orphans.View // nil: how others' processes end is not known
	Logs      svclog.Logs
	Host      method.Host
	Zone      string   // its name, for methods
	Init      []string // init's environment
	Milestone string   // of the boot: "", or what -m milestone= says
	Debug     bool     // -m debug: tell all, whatever options/logging is
	Notify    Notify
	Records   Records // nil: nothing is recorded
	Outbox    Outbox  // nil: nobody is told of changes of states
	// Milestones are those that init asks for meanwhile: full names, "all" or "none".
	Milestones <-chan string
	// Down is closed when the zone goes down. nil: it never does.
	Down    <-chan struct{}
	Say     func(text string)
	Alert   func(text string) // what a person at the console must know
	Console func(n instance.Notice, text string)
}

// Restarter runs services.
type Restarter struct {
	cfg   Config
	g     *graph.Graph
	units map[string]*unit // by FMRI
	ends  *ends.Watcher
	files *files.Watcher
	watch *repo.Watcher

	active []*unit // that have actions
	dirty  []*unit // whose records are to be written
	// pressing: something is to be done that waits for the writing.
	pressing bool
	taking   []*unit // of which requests were passed on, and not deleted yet
	tickets  uint64  // of requests
	reports  []graph.Op
	acks     []ack
	lets     []let
	paths    map[string]string // of files that are wanted, to their FMRIs
	byCT     map[contract.ID]*unit
	byPid    map[int]*unit
	emptied  map[contract.ID]*emptying
	early    []contract.Event // of contracts whose methods are just being started
	starts   int              // under way
	waiting  []*unit          // for a start
	up       []*unit          // for their start snapshots

	events  chan []contract.Event
	begun   chan begun
	fired   chan fired
	again   *time.Timer // of what is looked at again
	due     time.Time   // when it fires; zero: it does not run
	failing bool        // the repository could not be written
	loud    loudness
	// badLogging is the word of options/logging that was read last.
	badLogging string
	looking    atomic.Bool // somebody looks at the logs
	down       down
	hearing    hearing
	company    company
	level      byte // the run level that was told last
	news       news
	ctx        context.Context
	others     sync.WaitGroup // goroutines that must not outlive Run
}

type ack struct {
	id   contract.ID
	ev   contract.EventID
	ours bool // of an instance; its contract was known
}

type begun struct {
	u       *unit
	b       Begun
	failure instance.Failure
	err     error
}

type fired struct {
	u      *unit
	number uint64
}

// emptying is a contract that a stop waits for.
type emptying struct {
	u     *unit
	looks int
}

// Run runs the services until the context ends, and leaves them running; or until they are all down,
// when Config.Down says so.
func Run(ctx context.Context, cfg Config) error {
	e, err := ends.New(cfg.Orphans)
	if err != nil {
		return err
	}
	defer e.Close()
	f := files.New()
	defer f.Close()
	w, err := cfg.Repo.Watch(repo.Filter{})
	if err != nil {
		return err
	}
	defer w.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := &Restarter{
		cfg: cfg, g: graph.New(), units: map[string]*unit{}, ends: e, files: f, watch: w,
		paths: map[string]string{}, byCT: map[contract.ID]*unit{}, byPid: map[int]*unit{}, emptied: map[contract.ID]*emptying{},
		events: make(chan []contract.Event), begun: make(chan begun), fired: make(chan fired),
		again: time.NewTimer(time.Hour), ctx: ctx, down: down{asked: cfg.Down}, company: newCompany(),
	}
	r.again.Stop()
	defer r.again.Stop()
	if err := r.recover(); err != nil {
		return err
	}
	told := make(chan error, 1)
	r.others.Go(func() { told <- cfg.Contracts.Events(ctx, r.hear) })
	err = r.loop(told)
	stop()
	r.others.Wait() // who comes next reads the same events, and finds what was just started
	return err
}

// hear passes events on to the loop.
func (r *Restarter) hear(list []contract.Event) {
	select {
	case r.events <- list:
	case <-r.ctx.Done():
	}
}

func (r *Restarter) loop(told <-chan error) error {
	logs := time.NewTicker(logsEvery)
	defer logs.Stop()
	for {
		if r.ctx.Err() != nil {
			return nil // what happens from now on is the next one's
		}
		for r.settle(); r.listened(); {
			r.settle()
		}
		r.acknowledge()
		r.takeStarts()
		if r.down.done {
			return nil
		}
		select {
		case <-r.ctx.Done():
			return nil
		case err := <-told:
			if r.ctx.Err() != nil {
				return nil
			}
			return err
		case <-r.watch.Ready():
			r.changes()
		case <-r.ends.Ready():
			r.changes() // what a method has written before it ended comes before its end
			for e, ok := r.ends.Next(); ok; e, ok = r.ends.Next() {
				r.ended(e)
			}
		case <-r.files.Ready():
			for c, ok := r.files.Next(); ok; c, ok = r.files.Next() {
				r.apply(graph.Op{Kind: graph.File, FMRI: r.paths[c.Path], Present: c.There})
			}
		case list := <-r.events:
			for _, e := range list {
				r.happened(e)
			}
		case m := <-r.messages():
			r.heard(m)
		case b := <-r.begun:
			r.started(b)
		case f := <-r.fired:
			if f.u.timer == f.number {
				f.u.do(r, instance.Input{Kind: instance.Fired, Number: f.number})
			}
		case b := <-r.company.begun:
			r.besideStarted(b)
		case f := <-r.company.fired:
			r.besideDue(f)
		case <-r.again.C:
			r.lookAgain()
		case <-logs.C:
			r.lookAtLogs()
		case name := <-r.cfg.Milestones:
			r.bringTo(name)
		case <-r.down.asked:
			r.beginDown()
		}
	}
}

func (r *Restarter) apply(op graph.Op) {
	if err := r.g.Apply(op); err != nil {
		r.cfg.Say(op.FMRI + ": " + err.Error())
	}
}
