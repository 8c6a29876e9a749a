package restarter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svclog"
	"github.com/linuxzones/zones/svc/tree"
)

// Members is Contracts'.
func (w *world) Members(id contract.ID) ([]int32, error) { return w.members(id), nil }

// ears is a world whose init has the socket: it outlives each restarter.
type ears struct {
	*world
	fd       int
	path     string
	receiver *notify.Receiver
}

func newEars(t *testing.T) *ears {
	t.Helper()
	e := &ears{world: newWorld(t), path: filepath.Join(t.TempDir(), "notify")}
	var err error
	e.fd, err = notify.Make(e.path, "")
	must(t, err)
	t.Cleanup(func() {
		e.die()
		unix.Close(e.fd)
	})
	return e
}

func (e *ears) run() {
	e.t.Helper()
	r, err := notify.Listen(e.fd, func(text string) { e.mu.Lock(); e.said = append(e.said, text); e.mu.Unlock() })
	must(e.t, err)
	e.receiver = r
	e.notify = Notify{From: r, Socket: e.path} // all processes of the test are in one cgroup
	e.world.run()
}

func (e *ears) die() {
	e.world.die()
	if e.receiver != nil {
		e.receiver.Close()
		e.receiver = nil
	}
}

// send is a stranger, this process.
func (e *ears) send(text string) {
	e.t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(e.t, err)
	defer unix.Close(fd)
	must(e.t, unix.Sendto(fd, []byte(text), 0, &unix.SockaddrUnix{Name: e.path}))
}

func (e *ears) heard(part string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, text := range e.said {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

// notifying is a service that says when it is ready; its start method is told how long it may take.
func notifying(name, duration, start string, seconds int) string {
	text := service(name, duration, start, "")
	text = strings.Replace(text, "timeout_seconds='30'", fmt.Sprintf("timeout_seconds='%d'", seconds), 1)
	return strings.Replace(text, "</property_group>", "<propval name='notify' type='astring' value='ready'/></property_group>", 1)
}

// speaker is a start method that becomes a daemon which sends each line that it finds in a file of its
// own, when it finds one.
func (e *ears) speaker(name string) string {
	script := filepath.Join(e.dir, name+".py")
	must(e.t, os.WriteFile(script, []byte(`import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
open("`+e.words(name)+`", "a").close()
f = open("`+e.words(name)+`")
f.seek(0, 2)
open("`+filepath.Join(e.dir, name)+`", "a").write("start\n")
while True:
    line = f.readline()
    if line == "exit\n":
        os._exit(0)
    if line:
        s.sendto(line.strip().replace("|", "\n").encode(), os.environ["NOTIFY_SOCKET"])
    else:
        time.sleep(0.01)
`), 0o644))
	return "python3 " + script
}

func (e *ears) words(name string) string { return filepath.Join(e.dir, name+".words") }

// speak has a speaker say something.
func (e *ears) speak(name, line string) {
	e.t.Helper()
	f, err := os.OpenFile(e.words(name), os.O_APPEND|os.O_WRONLY, 0)
	must(e.t, err)
	_, err = f.WriteString(line + "\n")
	must(e.t, err)
	must(e.t, f.Close())
}

// waits waits until a service's start waits for a word of the n-th process that was started.
func (e *ears) waits(name string, n int) {
	e.t.Helper()
	testenv.Eventually(e.t, func() bool {
		rec := e.record(name)
		return e.starts(name) == n && rec.State == graph.Offline && rec.Next == graph.Online && len(rec.Primary) == 1
	}, name+" to wait until it is ready")
}

func (e *ears) log(name string) string {
	b, _ := os.ReadFile(filepath.Join(e.dir, "log", svclog.Name(entity(name))))
	return string(b)
}

// TestReady: a service is online when a member says so, and not before; whoever depends on it waits.
func TestReady(t *testing.T) {
	e := newEars(t)
	e.add(notifying("a", "contract", e.speaker("a"), 30))
	e.add(notifying("c", "child", e.speaker("c"), 30))
	e.add(notifying("f", "contract", "/bin/sh -c &quot;"+e.speaker("f")+" &amp;&quot;", 30))
	e.add(service("after", "transient", e.writes("after", "true"), needs("svc:/a", "none")))
	e.run()
	for _, name := range []string{"a", "c", "f"} {
		e.waits(name, 1)
		e.speak(name, "STATUS=soon")
		testenv.Eventually(t, func() bool { return e.record(name).StatusText == "soon" }, name+"'s status")
	}
	testenv.Eventually(t, func() bool { return e.record("f").MethodPid == 0 }, "the method that forks to end")
	e.send("READY=1")
	testenv.Eventually(t, func() bool { return e.heard("of no service that says when it is ready") == 1 }, "the stranger to be told of")
	for _, name := range []string{"a", "c", "f"} {
		if rec := e.record(name); rec.State != graph.Offline || rec.Next != graph.Online || rec.Method != "start" {
			t.Errorf("%s: %+v", name, rec)
		}
	}
	if n := e.starts("after"); n != 0 {
		t.Errorf("it was started %d times before what it needs was ready", n)
	}
	for _, name := range []string{"a", "c", "f"} {
		e.speak(name, "X=1|READY=1|STATUS=serving")
		e.state(name, graph.Online)
		testenv.Eventually(t, func() bool { return e.record(name).StatusText == "serving" }, name+"'s status")
		if rec := e.record(name); rec.Method != "" || !rec.Started || rec.StartStatus != 0 || !strings.Contains(e.log(name), "The service is ready.") {
			t.Errorf("%s: %+v\n%s", name, rec, e.log(name))
		}
	}
	e.state("after", graph.Online)
	// The end of what became a daemon is the end of the service, as ever.
	e.speak("a", "exit")
	e.speak("c", "exit")
	e.waits("a", 2)
	e.waits("c", 2)
	e.speak("a", "READY=1")
	e.speak("c", "READY=1")
	e.state("a", graph.Online)
	e.state("c", graph.Online)
	if rec := e.record("a"); rec.StatusText != "" {
		t.Errorf("what a process said that is gone: %q", rec.StatusText)
	}
}

// TestNeverReady: too late, or nobody left, three times; then maintenance.
func TestNeverReady(t *testing.T) {
	t.Parallel() // it takes its time, in which a process must have come to say that it was started
	e := newEars(t)
	e.add(notifying("late", "contract", e.writes("late", "exec sleep 1000"), 5))
	e.add(notifying("gone", "contract", e.writes("gone", "true"), 30))
	e.add(notifying("child", "child", e.writes("child", "true"), 30))
	e.add(notifying("forks", "contract", e.writes("forks", "sleep 1000 &amp; true"), 5))
	e.run()
	for name, line := range map[string]string{
		"late": "The service has not said in time that it is ready.", "forks": "The service has not said in time that it is ready.",
		"gone": "The service has ended, and was not ready before.", "child": "The service has ended, and was not ready before.",
	} {
		e.state(name, graph.Maintenance)
		if rec := e.record(name); rec.Aux != "fault_threshold_reached" || e.starts(name) != 3 || strings.Count(e.log(name), line) != 3 {
			t.Errorf("%s was started %d times: %+v\n%s", name, e.starts(name), rec, e.log(name))
		}
	}
	e.holds(0)
}

// TestBadNotify: a word that is unknown, and a zone without a socket, fail the start and say why; a
// service that runs can be stopped all the same.
func TestBadNotify(t *testing.T) {
	e := newEars(t)
	e.add(strings.Replace(notifying("bad", "contract", e.writes("bad", "true"), 30), "value='ready'", "value='often'", 1))
	e.add(notifying("deaf", "contract", e.writes("deaf", "true"), 30))
	e.add(strings.Replace(notifying("none", "contract", e.writes("none", "test -z $NOTIFY_SOCKET; sleep 1000 &amp;"), 30), "value='ready'", "value='none'", 1))
	e.world.run()
	for name, line := range map[string]string{
		"bad": `startd/notify is "often": it is ready, or none.`, "deaf": `startd/notify is "ready", and init has no socket`,
	} {
		e.state(name, graph.Maintenance)
		if e.starts(name) != 0 || !strings.Contains(e.log(name), line) {
			t.Errorf("%s was started %d times\n%s", name, e.starts(name), e.log(name))
		}
	}
	e.state("none", graph.Online)
}

// TestKilledWhileItWaits: the next restarter goes on waiting, and hears what was said meanwhile.
func TestKilledWhileItWaits(t *testing.T) {
	e := newEars(t)
	names := map[string]string{"a": "contract", "c": "child", "f": "contract"}
	for name, duration := range names {
		start := e.speaker(name)
		if name == "f" {
			start = "/bin/sh -c &quot;" + start + " &amp;&quot;"
		}
		e.add(notifying(name, duration, start, 60))
	}
	e.run()
	for name := range names {
		e.waits(name, 1)
	}
	testenv.Eventually(t, func() bool { return e.record("f").MethodPid == 0 }, "the method that forks to end")
	for range 3 {
		e.die()
		e.run()
	}
	for name := range names {
		if rec := e.record(name); rec.State != graph.Offline || rec.Next != graph.Online || e.starts(name) != 1 {
			t.Errorf("%s: %d starts, %+v", name, e.starts(name), rec)
		}
	}
	e.die()
	for name := range names {
		e.speak(name, "EXTEND_TIMEOUT_USEC=100000000")
		e.speak(name, "STATUS=said to nobody|READY=1")
	}
	time.Sleep(300 * time.Millisecond) // they say it while nobody listens
	e.run()
	for name := range names {
		e.state(name, graph.Online)
		testenv.Eventually(t, func() bool { return e.record(name).StatusText == "said to nobody" }, name+"'s status")
		if rec := e.record(name); e.starts(name) != 1 || !rec.StartDeadline.IsZero() {
			t.Errorf("%s: %d starts, %+v", name, e.starts(name), rec)
		}
	}
	// And what runs is not touched by another death.
	e.die()
	e.run()
	for name := range names {
		e.state(name, graph.Online)
		if e.starts(name) != 1 || e.record(name).StatusText != "said to nobody" {
			t.Errorf("%s: %d starts", name, e.starts(name))
		}
	}
}

// TestExtend: who asks for more time has it, also from the next restarter.
func TestExtend(t *testing.T) {
	t.Parallel()
	const seconds = 10 // in which it must have come to ask for more
	e := newEars(t)
	e.add(notifying("a", "contract", e.speaker("a"), seconds))
	e.run()
	e.waits("a", 1)
	e.speak("a", "EXTEND_TIMEOUT_USEC=60000000")
	testenv.Eventually(t, func() bool { return !e.record("a").StartDeadline.IsZero() }, "the deadline to move")
	rec := e.record("a")
	if left := rec.StartDeadline.Sub(rec.StartAt); left < 60*time.Second || left > (60+seconds+1)*time.Second+testenv.Deadline(time.Minute) {
		t.Errorf("it may last %v", left)
	}
	e.die()
	e.run()
	time.Sleep(time.Until(rec.StartAt.Add((seconds + 2) * time.Second)))
	e.speak("a", "READY=1")
	e.state("a", graph.Online)
	if e.starts("a") != 1 {
		t.Errorf("%d starts\n%s", e.starts("a"), e.log("a"))
	}
}

// TestChatter: a service that speaks all the time costs a write a second, and keeps nobody else from
// being heard.
func TestChatter(t *testing.T) {
	e := newEars(t)
	script := filepath.Join(e.dir, "chatter.py")
	must(t, os.WriteFile(script, []byte(`import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1")
n = 0
while True:
    n += 1
    s.send(b"STATUS=%d" % n)
`), 0o644))
	e.add(notifying("chatter", "contract", "python3 "+script, 60))
	e.add(notifying("a", "contract", e.speaker("a"), 60))
	e.run()
	e.state("chatter", graph.Online)
	e.waits("a", 1)
	before, begun := e.repo.Generation(), time.Now()
	first := e.record("chatter").StatusText
	e.speak("a", "READY=1")
	e.state("a", graph.Online)
	testenv.Eventually(t, func() bool { return e.record("chatter").StatusText != first }, "the status to be written")
	writes, seconds := e.repo.Generation()-before, time.Since(begun).Seconds()
	if float64(writes) > 2*seconds+8 {
		t.Errorf("%d writes in %.1f s", writes, seconds)
	}
	t.Logf("%d writes in %.1f s, status %s", writes, seconds, e.record("chatter").StatusText)
}

// TestDisabledUnready: who is disabled, or goes down with the zone, is stopped and not waited for.
func TestDisabledUnready(t *testing.T) {
	e := newEars(t)
	for _, name := range []string{"a", "b"} {
		e.add(notifying(name, "contract", e.speaker(name), 0))
	}
	e.run()
	e.waits("a", 1)
	e.waits("b", 1)
	var b repo.Batch
	b.PutGroup(entity("a"), &tree.Group{Name: graphcfg.General, Type: "framework", Props: []tree.Property{{Name: "enabled", Type: prop.Boolean, Values: []string{"false"}}}})
	_, err := e.repo.Apply(&b)
	must(t, err)
	e.state("a", graph.Disabled)
	if rec := e.record("a"); len(rec.Primary) != 0 || rec.Method != "" {
		t.Errorf("%+v", rec)
	}
	close(e.down)
	e.ends()
	for _, id := range e.all() {
		if e.populated(id) {
			t.Errorf("contract %d has processes", id)
		}
	}
}

// done counts messages that are taken.
type done struct{ n int }

func (d *done) Messages() <-chan *notify.Message { return nil }
func (d *done) Done(int)                         { d.n++ }

// TestSaidEarly: a service may speak before the loop is told that its method was started. What it says
// waits for that, and for nothing else: a stranger's word is let go of when no start is left that was
// under way when it came.
func TestSaidEarly(t *testing.T) {
	for _, stranger := range []bool{false, true} {
		taken, said := &done{}, 0
		a := &unit{fmri: "svc:/a:default", m: instance.New("svc:/a:default")}
		a.found.startd.Notify, a.voice.starting = true, true
		other := &unit{fmri: "svc:/b:default"}
		other.voice.starting = true
		r := &Restarter{
			units: map[string]*unit{a.fmri: a, other.fmri: other}, byCT: map[contract.ID]*unit{},
			cfg: Config{Notify: Notify{From: taken, Place: func(int) uint64 { return 77 }}, Say: func(string) { said++ }},
		}
		m := &notify.Message{Sender: notify.Sender{Pid: 4711, Cgroup: 77}, Fields: notify.Fields{HasStatus: true, Status: "early"}}
		if stranger {
			m.Cgroup = 78
		}
		r.heard(m)
		if r.listened() || taken.n != 0 || said != 0 {
			t.Fatalf("it did not wait: %d taken, %d told", taken.n, said)
		}
		r.byCT[5] = a
		r.place(&begun{u: a, b: Begun{Contract: 5}})
		if !r.listened() {
			t.Fatal("it is not looked at again")
		}
		if stranger {
			if r.listened(); taken.n != 0 {
				t.Error("another start is under way")
			}
			r.place(&begun{u: other, err: os.ErrNotExist})
			if !r.listened() {
				t.Fatal("it is not looked at again")
			}
		}
		if r.listened() || taken.n != 1 || (said == 1) != stranger {
			t.Errorf("stranger %v: %d taken, %d told", stranger, taken.n, said)
		}
		if n := len(a.actions); (n == 1 && a.actions[0].Text == "early") == stranger {
			t.Errorf("stranger %v: %+v", stranger, a.actions)
		}
	}
}

// TestPlaces: the place of a contract that is gone is nobody's any more, and the table does not grow.
func TestPlaces(t *testing.T) {
	r := &Restarter{byCT: map[contract.ID]*unit{}}
	u := &unit{}
	for id := contract.ID(1); id <= 1000; id++ {
		delete(r.byCT, id-1)
		r.byCT[id] = u
		r.notePlace(id, uint64(id)+100)
	}
	if len(r.hearing.places) != 1 || len(r.hearing.placed) != 1 || r.hearing.places[1100] != 1000 {
		t.Errorf("%v %v", r.hearing.places, r.hearing.placed)
	}
	r.notePlace(1001, 0) // the kernel does not say
	if got, _, cost := r.senderOf(&notify.Message{Sender: notify.Sender{Cgroup: 5, Pid: 1}}); got != nil || cost != 0 {
		t.Errorf("%v %d", got, cost)
	}
}
