package restarter

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/svclog"
)

// spy is a world that sees what the restarter does to others, and how the repository is just then.
type spy struct {
	*world
	name string // of the service that is looked at

	calls sync.Mutex
	seen  []call
}

type call struct {
	what string
	id   contract.ID
	rec  record.Record
}

func (s *spy) note(what string, id contract.ID) {
	rec := s.record(s.name)
	s.calls.Lock()
	defer s.calls.Unlock()
	s.seen = append(s.seen, call{what, id, rec})
}

// take gives what was seen since it was asked last.
func (s *spy) take() []call {
	s.calls.Lock()
	defer s.calls.Unlock()
	list := s.seen
	s.seen = nil
	return list
}

func (s *spy) Ack(id contract.ID, ev contract.EventID) error {
	s.note("ack", id)
	return s.world.Ack(id, ev)
}

func (s *spy) Abandon(id contract.ID) error {
	s.note("abandon", id)
	return s.world.Abandon(id)
}

func (s *spy) Empty(id contract.ID) (bool, error) {
	s.note("empty", id)
	return s.world.Empty(id)
}

func (s *spy) Kill(id contract.ID, sig int) error {
	s.note("kill", id)
	return s.world.Kill(id, sig)
}

func (s *spy) Start(st *Start) (Begun, instance.Failure, error) {
	s.note("start", st.Terms.Transfer)
	return s.world.Start(st)
}

func (s *spy) run() { s.runAs(s, s) }

func (s *spy) runAs(c Contracts, l Launcher) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan error, 1)
	say := func(text string) { s.mu.Lock(); s.said = append(s.said, text); s.mu.Unlock() }
	go func() {
		s.done <- Run(ctx, Config{
			Repo: s.repo, Contracts: c, Launcher: l, Logs: svclog.Logs{Dir: s.dir + "/log"}, Host: method.Zone, Zone: "z",
			Say: say, Alert: say, Console: func(instance.Notice, string) {},
		})
	}()
}

// again waits until the service was started n times and is online.
func (s *spy) again(n int) record.Record {
	s.t.Helper()
	for end := time.Now().Add(testenv.Deadline(20 * time.Second)); s.starts(s.name) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log", svclog.Name(entity(s.name))))
			s.t.Fatalf("%s was started %d times, not %d: %+v\n%s%q", s.name, s.starts(s.name), n, s.record(s.name), log, s.said)
		}
	}
	s.state(s.name, graph.Online)
	return s.record(s.name)
}

// TestWrittenBefore: what is done to others was written before, and an event is acknowledged after
// what has followed from it was.
func TestWrittenBefore(t *testing.T) {
	s := &spy{world: newWorld(t), name: "a"}
	s.add(service("a", "contract", s.writes("a", "sleep 1000 &amp;"), ""))
	s.run()
	rec := s.again(1)
	for n := range testenv.Rounds(10, 4) {
		s.take()
		killed := n%2 == 0
		if killed {
			must(t, s.world.Kill(rec.Primary[0], int(unix.SIGKILL)))
		} else {
			s.ask("a", actions.Restart)
		}
		before := rec
		rec = s.again(n + 2)
		var what []string
		for _, c := range s.take() {
			what = append(what, c.what)
			next := graph.Online
			switch c.what {
			case "start":
				if c.rec.State != graph.Offline || c.rec.Next != graph.Online || c.id != before.Primary[0] {
					t.Errorf("%v at %+v", c, c.rec)
				}
			case "kill":
				next = graph.Offline
				fallthrough
			case "empty":
				if c.what == "kill" && (c.rec.State != graph.Online || c.rec.Next != next) {
					t.Errorf("%v at %+v", c, c.rec)
				}
			case "ack":
				if c.id == before.Primary[0] && slices.Equal(c.rec.Primary, before.Primary) && c.rec.Next == graph.None {
					t.Errorf("acknowledged at %+v", c.rec)
				}
			}
		}
		if !slices.Contains(what, "start") || !killed && !slices.Contains(what, "kill") {
			t.Errorf("%v", what)
		}
	}
}

// TestKnownEmpty: of a service whose contract has told that it is empty nobody is looked for or
// killed, and its events need no acknowledgement once the next contract has taken it over.
func TestKnownEmpty(t *testing.T) {
	s := &spy{world: newWorld(t), name: "a"}
	s.add(service("a", "contract", s.writes("a", "sleep 1000 &amp;"), ""))
	s.run()
	for n := range testenv.Rounds(8, 4) {
		rec := s.again(n + 1)
		s.take()
		at := s.repo.Generation()
		must(t, s.world.Kill(rec.Primary[0], int(unix.SIGKILL)))
		s.again(n + 2)
		for _, c := range s.take() {
			if c.what != "start" && c.id == rec.Primary[0] {
				t.Errorf("%s of a contract that is empty, and taken over", c.what)
			}
		}
		// One that it is to stop, one that it is to start, one that it runs, one that it is up.
		if batches := s.repo.Generation() - at; batches > 4 {
			t.Errorf("%d batches", batches)
		}
	}
}

// TestHeldEvents: events of services that nobody lets go are acknowledged, however busy it is.
func TestHeldEvents(t *testing.T) {
	s := &spy{world: newWorld(t), name: "a"}
	s.add(service("a", "contract", s.writes("a", "sleep 1000 &amp;"), ""))
	s.add(service("b", "contract", s.writes("b", "sleep 1000 &amp;"), ""))
	s.run()
	s.state("b", graph.Online)
	rec := s.again(1)
	s.ask("b", actions.MaintOnImmediate)
	s.state("b", graph.Maintenance)
	must(t, s.world.Kill(rec.Primary[0], int(unix.SIGKILL)))
	s.again(2)
	s.die()
	s.run() // what the dead one has not acknowledged is told to this one
	testenv.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.unread) == 0 }, "all events to be acknowledged")
	if n := s.starts("a"); n != 2 {
		t.Errorf("started %d times", n)
	}
}
