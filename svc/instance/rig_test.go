package instance

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

var epoch = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// rig is a machine that is led through its inputs one by one.
type rig struct {
	t     *testing.T
	m     *Machine
	check *checker
	now   time.Time
	last  []Action // of the last input
	lines []string // all of them, rendered
	pid   int
	ct    contract.ID
}

func newRig(t *testing.T, config Config) *rig {
	r := bareRig(t)
	r.do(Input{Kind: Order, Event: graph.AddInstance, Config: &config})
	return r
}

func bareRig(t *testing.T) *rig {
	r := &rig{t: t, m: New("svc:/site/web:default"), now: epoch, pid: 100, ct: 10}
	r.check = newChecker(func(format string, args ...any) { t.Helper(); t.Errorf(format, args...) })
	return r
}

func (r *rig) do(in Input) []Action {
	r.t.Helper()
	r.check.child = r.m.config.Duration == Child
	out, err := r.m.Do(in, r.now)
	if err != nil {
		r.t.Fatalf("%+v: %v", in, err)
	}
	r.check.before(in)
	r.lines = nil
	for _, a := range out {
		r.check.act(a)
		r.lines = append(r.lines, render(a))
	}
	r.last = out
	return out
}

func (r *rig) refused(in Input, want error) {
	r.t.Helper()
	out, err := r.m.Do(in, r.now)
	if err == nil || !strings.Contains(err.Error(), want.Error()) || len(out) != 0 {
		r.t.Errorf("%+v: %v %v, not %v", in, out, err, want)
	}
}

func (r *rig) order(e graph.Event) { r.t.Helper(); r.do(Input{Kind: Order, Event: e}) }

func (r *rig) found(s Spec) { r.t.Helper(); r.do(Input{Kind: Found, Spec: s}) }

// run answers a look-up and the Run that follows it.
func (r *rig) run(s Spec) {
	r.t.Helper()
	if s.Kind == 0 {
		s.Kind, s.Text, s.Critical = Exec, "/lib/svc/method/web", contract.Empty|contract.Core|contract.Signal|contract.Hwerr
	}
	r.found(s)
	r.pid++
	r.ct++
	r.do(Input{Kind: Started, Pid: r.pid, Contract: r.ct})
}

func exited(code int) syscall.WaitStatus         { return syscall.WaitStatus(code << 8) }
func killed(s syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(s) }

func (r *rig) ended(status syscall.WaitStatus) {
	r.t.Helper()
	r.do(Input{Kind: Ended, Pid: r.pid, Status: status})
}

func (r *rig) event(e contract.Events) {
	r.t.Helper()
	r.do(Input{Kind: Event, Contract: r.m.primary, Events: e})
}

func (r *rig) fire() {
	r.t.Helper()
	r.do(Input{Kind: Fired, Number: r.m.timer})
}

// after lets time pass.
func (r *rig) after(d time.Duration) { r.now = r.now.Add(d) }

// online brings a new instance up.
func (r *rig) online() *rig {
	r.t.Helper()
	r.order(graph.EnableInstance)
	r.order(graph.Start)
	r.run(Spec{})
	if r.m.config.Duration != Child {
		r.ended(0)
	}
	r.is(graph.Online, graph.None)
	return r
}

func (r *rig) is(state, next graph.State) {
	r.t.Helper()
	if s, n := r.m.State(); s != state || n != next {
		r.t.Fatalf("it is %s->%s, not %s->%s; %q", s, n, state, next, r.lines)
	}
}

// says wants the last input's actions to be these lines, all and in this order.
func (r *rig) says(want string) {
	r.t.Helper()
	got := strings.Join(r.lines, "\n")
	var lines []string
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if want = strings.Join(lines, "\n"); got != want {
		r.t.Errorf("it says:\n%s\nnot:\n%s", got, want)
	}
}

// has wants the last input's actions to contain a line.
func (r *rig) has(want string) {
	r.t.Helper()
	for _, line := range r.lines {
		if line == want {
			return
		}
	}
	r.t.Errorf("no %q in %q", want, r.lines)
}

func (r *rig) hasNot(part string) {
	r.t.Helper()
	for _, line := range r.lines {
		if strings.Contains(line, part) {
			r.t.Errorf("%q in %q", part, r.lines)
		}
	}
}
