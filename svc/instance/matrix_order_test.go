package instance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/graph"
)

// matrixOfWaits is what an order or request comes to that is given while a method runs: the states that
// are written after the method's end, the first of them behind those of the end itself. Columns are a
// start, a stop and a refresh that succeed, and a start that fails for good.
var matrixOfWaits = []struct {
	event graph.Event
	want  [4]string
}{
	{graph.EnableInstance, [4]string{"-", "-", "-", "-"}},
	{graph.DisableInstance, [4]string{"online->disabled", "disabled", "online->disabled", "-"}},
	{graph.AdminDisable, [4]string{"online->disabled", "disabled", "online->disabled", "uninitialized"}},
	{graph.Start, [4]string{"-", "offline->online", "-", "-"}},
	{graph.Stop, [4]string{"online->offline", "-", "online->offline", "-"}},
	{graph.StopReset, [4]string{"online->offline", "-", "online->offline", "-"}},
	{graph.DependencyCycle, [4]string{"online->maintenance", "maintenance", "online->maintenance", "-"}},
	{graph.InvalidDependency, [4]string{"online->maintenance", "maintenance", "online->maintenance", "-"}},
	{graph.AdminRestart, [4]string{"online->offline", "-", "online->offline", "-"}},
	{graph.AdminRefresh, [4]string{"online->online", "-", "online->online", "-"}},
	{graph.AdminMaintOn, [4]string{"online->maintenance", "maintenance", "online->maintenance", "-"}},
	{graph.AdminMaintOnImmediate, [4]string{"maintenance", "maintenance", "maintenance", "-"}},
	{graph.AdminMaintOff, [4]string{"-", "-", "-", "uninitialized"}},
	{graph.AdminDegraded, [4]string{"degraded", "-", "degraded", "-"}},
}

// TestAskedMeanwhile is every order and request while every method runs, of every duration that a method's run
// is something to wait for.
//
//shows:3.1/in-order
//shows:3.1/disable-plain by disable/start that fails/contract
func TestAskedMeanwhile(t *testing.T) {
	if len(matrixOfWaits) != len(verbs) {
		t.Errorf("%d events have a row, %d are known", len(matrixOfWaits), len(verbs))
	}
	for _, row := range matrixOfWaits {
		for column, word := range row.want {
			while := []string{"start", "stop", "refresh", "start that fails"}[column]
			for _, d := range []Duration{Contract, Transient, Child} {
				if d == Child && strings.HasPrefix(while, "start") {
					continue // it is done as soon as there is a process
				}
				t.Run(fmt.Sprintf("%s/%s/%s", row.event, while, d), func(t *testing.T) {
					got := askedMeanwhile(t, row.event, while, d)
					if got != word {
						t.Errorf("then %q is written, not %q", got, word)
					}
					if d == Contract {
						t.Attr("cell", fmt.Sprintf("3.1/in-order|%s|%s|%s", row.event, while, word))
					}
				})
			}
		}
	}
}

// askedMeanwhile gives the event while the method runs, and says what is written for it.
func askedMeanwhile(t *testing.T, event graph.Event, while string, d Duration) string {
	t.Helper()
	method := map[string]Method{"start": Start, "stop": Stop, "refresh": Refresh, "start that fails": Start}[while]
	r := lead(t, method, Config{Duration: d})
	primary := r.m.primary
	r.order(event)
	r.says("") // also while it is looked up
	r.found(Spec{Kind: Exec, Text: "/bin/m"})
	r.do(Input{Kind: Started, Pid: 500, Contract: 50})
	end := Input{Kind: Ended, Pid: 500}
	if while == "start that fails" {
		end.Status = exited(95)
	}
	r.do(end)
	said := r.lines
	if r.m.going != nil && r.m.going.phase == emptying {
		r.do(Input{Kind: Emptied, Contract: primary})
		said = r.lines
	}
	var states []string
	for _, line := range said {
		if text, ok := strings.CutPrefix(line, "write "); ok {
			states = append(states, strings.Fields(text)[0])
		}
	}
	ends := map[string]string{"start": "online", "stop": "offline", "refresh": "online", "start that fails": "maintenance"}[while]
	if len(states) == 0 || states[0] != ends {
		t.Fatalf("the %s ends with %q", while, said)
	}
	if len(states) == 1 {
		r.check.rest() // answered, that is
		return "-"
	}
	return states[1]
}
