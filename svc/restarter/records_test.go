package restarter

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
)

// recorded are records that are written down.
type recorded struct {
	mu   sync.Mutex
	list []string
}

func (r *recorded) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, text)
}

func (r *recorded) Ended(pid int, status unix.WaitStatus) {
	r.note(fmt.Sprintf("end %d %d", pid, status))
}
func (r *recorded) Left(prefixes []string, others []int) {
	slices.Sort(prefixes)
	r.note(fmt.Sprintf("left %q %v", prefixes, others))
}
func (r *recorded) Level(level byte) { r.note("level " + string(level)) }
func (r *recorded) Down()            { r.note("down") }

// all is what was noted so far.
func (r *recorded) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.list, "; ")
}

func (r *recorded) is(t *testing.T, want string) {
	t.Helper()
	testenv.Eventually(t, func() bool { return r.all() == want }, "records "+want)
}

// utmpx is a service with a prefix.
func utmpx(name, duration, start, prefix string) string {
	return strings.Replace(service(name, duration, start, ""), "<propval name='duration'", "<propval name='utmpx_prefix' type='astring' value='"+prefix+"'/><propval name='duration'", 1)
}

// TestRecords: ends of processes of an instance with a prefix are recorded, those before svc.startd's own
// time too, and others' are not.
//
//shows:3.3/utmpx
func TestRecords(t *testing.T) {
	w := newWorld(t)
	rec := &recorded{}
	w.records = rec
	w.add(utmpx("getty", "child", w.writes("getty", "exec sleep 1000"), "tt"))
	w.add(service("other", "child", w.writes("other", "exec sleep 1000"), ""))
	w.run()
	w.state("getty", graph.Online)
	w.state("other", graph.Online)
	w.began("getty", 1)
	w.began("other", 1)
	pid := w.record("getty").StartPid
	_ = w.Kill(w.record("other").Primary[0], int(unix.SIGKILL))
	testenv.Eventually(t, func() bool { return w.starts("other") == 2 }, "the other's restart")
	w.state("other", graph.Online)
	if got := rec.all(); got != "" {
		t.Errorf("nothing of it has ended: %s", got)
	}
	// It goes on under the next one, and ends under the one after that.
	w.die()
	w.run()
	w.state("getty", graph.Online)
	both := []int{pid, w.record("other").StartPid}
	testenv.Eventually(t, func() bool {
		return rec.all() == fmt.Sprintf("left [\"tt\"] %v", both) || rec.all() == fmt.Sprintf("left [\"tt\"] [%d %d]", both[1], both[0])
	}, "the records of the one before to be looked at")
	w.die()
	rec.list = nil
	_ = w.Kill(w.record("getty").Primary[0], int(unix.SIGKILL))
	w.run()
	testenv.Eventually(t, func() bool { return w.starts("getty") == 2 }, "the restart")
	w.state("getty", graph.Online)
	if got := rec.all(); strings.Count(got, fmt.Sprintf("end %d ", pid)) != 1 {
		t.Errorf("its end: %s", got)
	}
	pid = w.record("getty").StartPid
	rec.list = nil
	w.override("getty", "false")
	w.state("getty", graph.Disabled)
	testenv.Eventually(t, func() bool {
		got := rec.all()
		return strings.Count(got, fmt.Sprintf("end %d 15", pid)) == 1 && strings.Count(got, "left [\"tt\"]") == 1
	}, "its end, and a look at what was begun at it")
}

// TestRunLevels: a run level is reached when the milestone is that the zone was to come to, and when what is
// outside of it is down.
func TestRunLevels(t *testing.T) {
	w := newWorld(t)
	rec := &recorded{}
	w.records = rec
	w.milestone = "single-user"
	w.add(w.stops("system/svc/restarter", "true", ""))
	w.add(w.stops("milestone/single-user", "true", ""))
	w.add(w.stops("milestone/multi-user", "true", needs("svc:/milestone/single-user", "none")))
	w.add(w.stops("milestone/multi-user-server", "while ! test -e "+w.dir+"/go; do sleep 0.01; done", needs("svc:/milestone/multi-user", "none")))
	w.run()
	w.state("milestone/single-user", graph.Online)
	rec.is(t, "level S")
	w.bring("all")
	w.state("milestone/multi-user-server", graph.Online)
	rec.is(t, "level S; level 3")
	w.bring("svc:/milestone/single-user:default")
	testenv.Eventually(t, func() bool { return w.record("milestone/multi-user-server").Next == graph.Disabled }, "the way down")
	w.add(w.stops("more", "true", ""))
	w.state("more", graph.Disabled)
	if got := rec.all(); got != "level S; level 3" {
		t.Errorf("what is outside is not down yet: %s", got)
	}
	w.touch("go")
	rec.is(t, "level S; level 3; level S")
	w.bring("svc:/milestone/multi-user:default")
	rec.is(t, "level S; level 3; level S; level 2")
	close(w.down)
	w.ends()
	rec.is(t, "level S; level 3; level S; level 2; down")
}
