package restarter

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
)

// slain is a spy whose svc.startd is killed when it has just started a method: it hears nothing of the
// start any more.
type slain struct {
	spy
	dead   bool // guarded by calls
	victim chan struct{}
	end    chan struct{}
}

func (s *slain) Start(st *Start) (Begun, instance.Failure, error) {
	b, f, err := s.spy.Start(st)
	s.calls.Lock()
	dead := s.dead
	s.calls.Unlock()
	if dead {
		close(s.victim)
		<-s.end
	}
	return b, f, err
}

// TestLetGoAfterStart: what a child's end leaves is let go when the next one has been started, since
// whoever waits for the service waits for that.
func TestLetGoAfterStart(t *testing.T) {
	s := &spy{world: newWorld(t), name: "a"}
	s.add(service("a", "child", s.writes("a", "exec sleep 1000"), ""))
	s.run()
	rec := s.again(1)
	for n := range 3 {
		s.take()
		must(t, s.world.Kill(rec.Primary[0], int(unix.SIGKILL)))
		old := rec.Primary[0]
		rec = s.again(n + 2)
		testenv.Eventually(t, func() bool { return s.held() == 1 }, "the old contract to be let go")
		var what []string
		for _, c := range s.take() {
			if c.what == "start" || c.what == "abandon" && c.id == old {
				what = append(what, c.what)
			}
			if c.what == "abandon" && slices.Contains(c.rec.Primary, c.id) {
				t.Errorf("%d was let go when the repository still spoke of it: %+v", c.id, c.rec)
			}
		}
		if !slices.Equal(what, []string{"start", "abandon"}) {
			t.Errorf("%v", what)
		}
	}
}

// TestKilledBeforeLetGo: a svc.startd is killed when it has started a service again, and neither noted
// that nor let go what was before. The next one takes the one that runs, starts nothing, and lets the
// other go; whether something of the other is left or not.
func TestKilledBeforeLetGo(t *testing.T) {
	for _, left := range []string{"", "sleep 1000 &amp; "} {
		s := &slain{spy: spy{world: newWorld(t), name: "a"}, victim: make(chan struct{}), end: make(chan struct{})}
		s.add(service("a", "child", s.writes("a", left+"exec sleep 1000"), ""))
		s.runAs(s, s)
		rec := s.again(1)
		s.calls.Lock()
		s.dead = true
		s.calls.Unlock()
		must(t, unix.Kill(rec.StartPid, unix.SIGKILL))
		<-s.victim
		s.stop()
		close(s.end)
		must(t, <-s.done)
		if n := s.held(); n != 2 {
			t.Fatalf("%q: %d contracts are held", left, n)
		}
		s.calls.Lock()
		s.dead = false
		s.calls.Unlock()
		s.runAs(&s.spy, &s.spy)
		testenv.Eventually(t, func() bool { return s.held() == 1 }, "the old contract to be let go")
		s.state("a", graph.Online)
		s.began("a", 2)
		time.Sleep(testenv.Deadline(50 * time.Millisecond)) // a second start would come now
		if now := s.record("a"); s.starts("a") != 2 || len(now.Primary) != 1 || now.Primary[0] == rec.Primary[0] || now.StartPid == rec.StartPid {
			t.Errorf("%q: %d starts, %+v, was %+v", left, s.starts("a"), now, rec)
		}
		s.die()
		must(t, s.world.Kill(rec.Primary[0], int(unix.SIGKILL)))
	}
}
