package instance

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// endings is the matrix of smf_method(5): what becomes of an instance by how its method ends, or does
// not. The words are fates. Columns are contract, transient and child of start, stop and refresh.
var matrixOfEnds = []struct {
	row  string
	end  Input
	late bool   // it is killed because its time is over
	set  Config // besides the duration
	want [9]string
}{
	{row: "exit 0", end: exits(0), want: [9]string{"up", "up-", "off", "down", "down", "down", "same", "same", "same"}},
	{row: "exit 94", end: exits(94), want: [9]string{"up-", "up-", "err", "down", "down", "down", "same", "same", "same"}},
	{row: "exit 95", end: exits(95), want: [9]string{"fatal", "fatal", "err", "fatal", "fatal", "fatal", "fatal", "fatal", "fatal"}},
	{row: "exit 96", end: exits(96), want: [9]string{"config", "config", "config*", "config", "config", "config", "config", "config", "config"}},
	{row: "exit 97", end: exits(97), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 98", end: exits(98), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 99", end: exits(99), want: [9]string{"failed", "failed", "err", "failed", "failed", "failed", "failed", "failed", "failed"}},
	{row: "exit 100", end: exits(100), want: [9]string{"failed", "failed", "err", "failed", "failed", "failed", "failed", "failed", "failed"}},
	{row: "exit 1", end: exits(1), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 10", end: exits(10), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 93", end: exits(93), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 101", end: exits(101), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 127", end: exits(127), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "exit 255", end: exits(255), want: [9]string{"3x", "3x", "err", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal HUP", end: dies(1), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal KILL", end: dies(9), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal TERM", end: dies(15), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal SEGV, core", end: dies(11 | 0x80), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal SEGV, no core", end: dies(11), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "signal 40, real time", end: dies(40), want: [9]string{"3x", "3x", "off", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "time over", late: true, end: dies(9), want: [9]string{"3x", "3x", "none", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "time over, exit 0", late: true, end: exits(0), want: [9]string{"up", "up-", "none", "over", "down", "over", "same", "same", "same"}},
	{row: "time over, exit 95", late: true, end: exits(95), want: [9]string{"fatal", "fatal", "none", "fatal", "fatal", "fatal", "fatal", "fatal", "fatal"}},
	{row: "time over, no retry", late: true, end: dies(9), set: Config{NoTimeoutRetry: true},
		want: [9]string{"late", "late", "none", "late", "late", "late", "late", "late", "late"}},
	{row: "time over, no retry, exit 0", late: true, end: exits(0), set: Config{NoTimeoutRetry: true},
		want: [9]string{"late", "late", "none", "late", "late", "late", "late", "late", "late"}},
	{row: "end not known", end: Input{Kind: Ended, Lost: true}, want: [9]string{"up", "up-", "off", "down", "down", "down", "same", "same", "same"}},
	{row: "no process: EAGAIN", end: Input{Kind: NotRun, Failure: NotNow, Detail: "why"}, want: [9]string{"3x", "3x", "3x", "3x", "3x", "3x", "3x", "3x", "3x"}},
	{row: "no process: EINVAL", end: Input{Kind: NotRun, Failure: Invalid, Detail: "why"},
		want: [9]string{"failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed"}},
	{row: "no process: EFAULT", end: Input{Kind: NotRun, Failure: NotPossible, Detail: "why"},
		want: [9]string{"failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed"}},
	{row: "no process: ECANCELED", end: Input{Kind: NotRun, Failure: NeverStarted, Detail: "why"},
		want: [9]string{"failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed"}},
}

func exits(code int) Input { return Input{Kind: Ended, Status: exited(code)} }
func dies(n int) Input     { return Input{Kind: Ended, Status: syscall.WaitStatus(n)} }

// fate is what is seen of an instance from outside when all is over.
type fate struct {
	runs       int    // how often the method was run
	state, aux string // as they are written
	class      string // what dependents hear of
	notice     string // on the console, besides "starting"
	primary    string // own: the method's; before: what it was; none
}

var fates = map[string]fate{
	"up":      {1, "online", "dependencies_satisfied", "", "", "own"},
	"up-":     {1, "online", "dependencies_satisfied", "", "", "none"},
	"off":     {1, "offline", "ct_ev_exit", "restart", "", "none"},
	"err":     {1, "offline", "ct_ev_exit", "restart", "", "none"},
	"config*": {1, "maintenance", "method_failed", "error", "", "none"},
	"down":    {1, "offline", "dependency_activity", "restart", "", "before"},
	"over":    {1, "maintenance", "method_failed", "error", "failed", "before"},
	"same":    {1, "online", "dependencies_satisfied", "refresh", "", "before"},
	"3x":      {3, "maintenance", "fault_threshold_reached", "error", "failed", "before"},
	"failed":  {1, "maintenance", "method_failed", "error", "failed", "before"},
	"fatal":   {1, "maintenance", "method_failed", "error", "failed fatally", "before"},
	"config":  {1, "maintenance", "method_failed", "error", "misconfigured", "before"},
	"late":    {1, "maintenance", "method_failed", "error", "timed out", "before"},
	"none":    {1, "online", "dependencies_satisfied", "", "", "own"}, // and there is no timer
}

// TestEnds is every method by every way to end, of every duration.
//
//shows:3.3/ends 3.3/exit-0 3.3/exit-other 3.3/exit-monitor 3.3/killed 3.3/retry 3.3/retry-all-methods 3.3/timeout-stop-refresh
//shows:3.3/exit-94 by exit 94/start/contract
//shows:3.3/exit-95 by exit 95/start/contract
//shows:3.3/exit-96 by exit 96/start/contract
//shows:3.3/exit-99-100 by exit 99/start/contract
//shows:3.3/timeout-no-retry by time over, no retry/start/contract
//shows:3.3/end-unknown by end not known/start/contract
//shows:3.3/fork-again by no process: EAGAIN/start/contract
//shows:3.2/child-no-timeout by time over/start/child
func TestEnds(t *testing.T) {
	for _, e := range matrixOfEnds {
		for column, word := range e.want {
			method, duration := Method(column/3), Duration(column%3)
			t.Run(fmt.Sprintf("%s/%s/%s", e.row, method, duration), func(t *testing.T) {
				config := e.set
				config.Duration = duration
				s := &trial{rig: lead(t, method, config), method: method}
				s.before = s.m.primary
				s.play(e.end, e.late)
				s.judge(word)
				t.Attr("cell", fmt.Sprintf("3.3/ends|%s|%s/%s|%s", e.row, method, duration, word))
			})
		}
	}
}

// trial is one field of the matrix.
type trial struct {
	*rig
	method Method
	before contract.ID
	runs   int
	timers int
	own    []contract.ID // of the method's attempts
	all    []string      // what was said
	writes []Action
}

func (s *trial) put(in Input) {
	s.t.Helper()
	for _, a := range s.do(in) {
		switch a.Kind {
		case Run:
			s.runs++
		case SetTimer:
			s.timers++
		case WriteStates:
			s.writes = append(s.writes, a)
		}
	}
	s.all = append(s.all, s.lines...)
}

// play runs the method, which ends as it is said to, as often as it is run.
func (s *trial) play(end Input, late bool) {
	s.t.Helper()
	for s.runs < 10 && (s.runs == 0 || strings.HasPrefix(s.lines[len(s.lines)-1], "lookup "+s.method.String())) {
		s.put(Input{Kind: Found, Spec: Spec{Kind: Exec, Text: "/bin/m", Timeout: time.Minute, Critical: contract.Empty}})
		s.after(time.Second)
		if end.Kind == NotRun {
			s.put(end)
			continue
		}
		s.pid++
		s.ct++
		s.own = append(s.own, s.ct)
		s.put(Input{Kind: Started, Pid: s.pid, Contract: s.ct})
		if s.method == Start && s.m.config.Duration == Child && late {
			s.after(time.Hour)
			return
		}
		if late {
			s.after(time.Minute)
			s.put(Input{Kind: Fired, Number: s.m.timer})
			s.has(fmt.Sprintf("kill %d with 9", s.ct))
		}
		end.Pid = s.pid
		s.put(end)
		if s.method == Stop && s.m.going != nil && s.m.going.phase == emptying {
			s.put(Input{Kind: Emptied, Contract: s.before})
		}
	}
	for s.m.going != nil { // a child's way to maintenance is by a stop that has nothing to stop
		s.put(Input{Kind: Found, Spec: Spec{Kind: Exec, Text: "/bin/never"}})
	}
}

// judge compares with the table, and with what the words say of contracts.
func (s *trial) judge(word string) {
	s.t.Helper()
	want, known := fates[word]
	if !known {
		s.t.Fatalf("%q is no fate", word)
	}
	last := s.writes[len(s.writes)-1]
	class := last.Class.String()
	if last.Class == graph.NoClass {
		class = ""
	}
	got := fate{runs: s.runs, state: last.States.State.String(), aux: last.States.Aux, class: class, primary: "other"}
	for _, line := range s.all {
		if text, ok := strings.CutPrefix(line, "say [ site/web:default "); ok && !strings.HasPrefix(text, "starting") {
			notice, _, _ := strings.Cut(text, ": ")
			got.notice += notice
		}
	}
	got.primary = s.holds(want.primary)
	if s.method == Start && want.primary == "before" { // of a start that fails nothing is kept
		want.primary = "none"
		got.primary = s.holds("none")
	}
	if got != want {
		s.t.Errorf("%+v\nnot %s, %+v\n%q", got, word, want, s.all)
	}
	if word == "none" && s.timers != 0 {
		s.t.Error("there is a timer")
	}
	if last.States.Next != graph.None || s.m.going != nil {
		s.t.Error("it is not at rest")
	}
	for _, id := range s.own { // a method's contract is the service's, or nobody's
		if let := s.check.let[id]; let == (id == s.m.primary) {
			s.t.Errorf("contract %d: let go %v, primary %d", id, let, s.m.primary)
		}
	}
	s.check.rest()
}

// holds says whether the primary contract is what want says, by its word.
func (s *trial) holds(want string) string {
	is := map[string]contract.ID{"none": 0, "before": s.before}
	if len(s.own) > 0 {
		is["own"] = s.own[len(s.own)-1]
	}
	if id, ok := is[want]; ok && id == s.m.primary {
		return want
	}
	return fmt.Sprintf("contract %d", s.m.primary)
}
