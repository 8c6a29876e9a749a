package graph

import (
	"fmt"
	"strings"
	"testing"
)

const (
	member    = "svc:/m:i"
	dependent = "svc:/d:i"
	needed    = "file:///f"
)

// pair is a member and its dependent. Nobody stands between them and the graph.
type pair struct {
	t *testing.T
	g *Graph
}

func newPair(t *testing.T) *pair { return &pair{t, New()} }

func (p *pair) apply(op Op) {
	p.t.Helper()
	if err := p.g.Apply(op); err != nil {
		p.t.Fatalf("%+v: %v", op, err)
	}
}

// is has an instance be in a state from the beginning.
func (p *pair) is(name string, state State, c Config) {
	p.t.Helper()
	p.apply(Op{Kind: Configure, FMRI: name, Config: c})
	if state != Uninitialized {
		p.apply(Op{Kind: Changed, FMRI: name, State: state})
	}
}

func (p *pair) becomes(name string, state State, class Class) {
	p.t.Helper()
	p.apply(Op{Kind: Changed, FMRI: name, State: state, Class: class})
}

// answers is the end of what name was ordered.
func (p *pair) answers(name string, state State, class Class) {
	p.t.Helper()
	p.apply(Op{Kind: Changed, FMRI: name, State: state, Class: class, Answers: true})
}

// told are the events that an instance is sent now, in their order.
func (p *pair) told() map[string]string {
	said := map[string]string{}
	for _, o := range p.g.Work() {
		if o.Event != AddInstance && o.Event != Watch {
			said[o.FMRI] = strings.TrimSpace(said[o.FMRI] + " " + o.Event.String())
		}
	}
	return said
}

// matrixOfChanges is what a dependent that runs is told, by what happens to the member. The words are
// for restart_on none, error, restart and refresh; columns are require_all, require_any, optional_all,
// exclude_all.
var matrixOfChanges = []struct {
	row  string
	from State
	do   func(*pair)
	want [4]string
}{
	{"stops by an error", Online, func(p *pair) { p.becomes(member, Offline, Fault) },
		[4]string{"- stop stop stop", "- stop stop stop", "- stop stop stop", "- - - -"}},
	{"stops otherwise", Online, func(p *pair) { p.becomes(member, Offline, Restarted) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "- - - -"}},
	{"is refreshed", Online, func(p *pair) { p.becomes(member, Online, Refreshed) },
		[4]string{"- - - reset", "- - - reset", "- - - reset", "- - - -"}},
	{"is refreshed, degraded", Degraded, func(p *pair) { p.becomes(member, Degraded, Refreshed) },
		[4]string{"- - - reset", "- - - reset", "- - - reset", "- - - -"}},
	{"fails to maintenance", Online, func(p *pair) { p.becomes(member, Maintenance, Fault) },
		[4]string{"- stop stop stop", "- stop stop stop", "- stop stop stop", "- - - -"}},
	{"is put into maintenance", Online, func(p *pair) { p.becomes(member, Maintenance, Restarted) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "- - - -"}},
	{"is disabled", Online, func(p *pair) { p.apply(Op{Kind: Enable, FMRI: member}) },
		[4]string{"- - first first", "- - first first", "- - first first", "- - - -"}},
	{"is disabled for this boot", Online, func(p *pair) {
		p.apply(Op{Kind: Enable, FMRI: member, Config: Config{Enabled: true, Override: OverrideDisabled}})
	}, [4]string{"- - first first", "- - first first", "- - first first", "- - - -"}},
	{"is disabled, degraded", Degraded, func(p *pair) { p.apply(Op{Kind: Enable, FMRI: member}) },
		[4]string{"- - first first", "- - first first", "- - first first", "- - - -"}},
	{"becomes degraded", Online, func(p *pair) { p.becomes(member, Degraded, NoClass) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
	{"is well again", Degraded, func(p *pair) { p.becomes(member, Online, NoClass) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
	{"comes online", Offline, func(p *pair) { p.becomes(member, Online, NoClass) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "reset reset reset reset"}},
	{"comes up degraded", Offline, func(p *pair) { p.becomes(member, Degraded, NoClass) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "reset reset reset reset"}},
	{"does not come up", Offline, func(p *pair) { p.becomes(member, Maintenance, Fault) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
	{"is enabled", Disabled, func(p *pair) { p.becomes(member, Offline, NoClass) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
	{"is deleted", Online, func(p *pair) { p.apply(Op{Kind: Remove, FMRI: member}) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "- - - -"}},
	{"is deleted, disabled", Disabled, func(p *pair) { p.apply(Op{Kind: Remove, FMRI: member}) },
		[4]string{"- - reset reset", "- - reset reset", "- - reset reset", "- - - -"}},
	{"a file: it vanishes", Online, func(p *pair) { p.apply(Op{Kind: File, FMRI: needed}) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
	{"a file: it appears", Offline, func(p *pair) { p.apply(Op{Kind: File, FMRI: needed, Present: true}) },
		[4]string{"- - - -", "- - - -", "- - - -", "- - - -"}},
}

// TestChanges is every grouping by every restart_on by all that can happen to a member: of a dependent
// that runs, of one that is just starting, which is told as soon as it is up, and of one that does
// neither, which is told to stop nothing.
//
//shows:3.6/changes 3.6/restart-on 3.6/class-order 3.6/stop-or-reset 3.6/coming-restarts 3.6/degraded-no-effect 3.6/files-stop-nobody
//shows:3.6/excluded-start by running/comes online/exclude_all none
//shows:3.6/disable-leaves-first by running/is disabled/require_all restart
//shows:3.6/disable-leaves-others by running/is disabled/require_all error
//shows:3.6/maintenance-spreads by running/fails to maintenance/require_all error
//shows:3.6/stop-while-starting by starting/stops otherwise/require_all restart
//shows:3.6/deleted by running/is deleted/require_all restart
func TestChanges(t *testing.T) {
	for _, state := range []string{"running", "starting", "offline"} {
		for _, c := range matrixOfChanges {
			for grouping := RequireAll; grouping <= ExcludeAll; grouping++ {
				words := strings.Fields(c.want[grouping-1])
				for restartOn, word := range words {
					on := Class(restartOn)
					t.Run(fmt.Sprintf("%s/%s/%s %s", state, c.row, grouping, on), func(t *testing.T) {
						p := newPair(t)
						p.before(grouping, on, c.from, strings.HasPrefix(c.row, "a file"))
						p.dependent(state)
						c.do(p)
						p.judge(state, word)
						if state == "running" {
							t.Attr("cell", fmt.Sprintf("3.6/changes|%s|%s/%s|%s", c.row, grouping, on, word))
						}
					})
				}
			}
		}
	}
}

// before has the member in its state, and the dependent configured. The member's enabled as it is
// usual in that state.
func (p *pair) before(grouping Grouping, on Class, from State, isFile bool) {
	p.t.Helper()
	d := Dependency{Name: "d", Grouping: grouping, RestartOn: on, Entities: []string{member}}
	if isFile {
		d.Scheme, d.Entities = Paths, []string{needed}
	}
	p.is(member, from, Config{Enabled: from != Disabled})
	p.apply(Op{Kind: Configure, FMRI: dependent, Config: Config{Enabled: true, Dependencies: []Dependency{d}}})
	if isFile {
		p.apply(Op{Kind: File, FMRI: needed, Present: from == Online})
	}
}

// dependent brings it to its state; what was to be said until then is said.
func (p *pair) dependent(state string) {
	p.t.Helper()
	switch state {
	case "running":
		p.becomes(dependent, Online, NoClass)
	case "starting":
		p.becomes(dependent, Offline, NoClass)
		p.apply(Op{Kind: Changed, FMRI: dependent, State: Offline, Next: Online})
	case "offline":
		p.becomes(dependent, Offline, NoClass)
	}
	p.told()
}

var orderOf = map[string]string{"-": "", "stop": "stop", "reset": "stop_reset", "first": "stop_reset"}

func (p *pair) judge(state, word string) {
	p.t.Helper()
	want, known := orderOf[word]
	if !known {
		p.t.Fatalf("%q is no word", word)
	}
	told := p.told()
	switch state {
	case "offline":
		if got := told[dependent]; got != "" && got != "start" {
			p.t.Errorf("what does not run is told: %s", got)
		}
		return
	case "starting":
		if got := told[dependent]; got != "" {
			p.t.Errorf("while it starts it is told: %s", got)
		}
		if got := told[member]; word == "first" && got != "" {
			p.t.Errorf("the member is told before its dependent is up: %s", got)
		}
		before := told[member]
		p.apply(Op{Kind: Changed, FMRI: dependent, State: Online, Answers: true})
		told = p.told()
		told[member] = before + told[member]
	}
	if got := told[dependent]; got != want {
		p.t.Errorf("it is told %q, not %q", got, want)
	}
	if again := p.told(); len(again) != 0 {
		p.t.Errorf("said twice: %v", again)
	}
	if word == "first" { // the member waits for it
		if got := told[member]; got != "" {
			p.t.Errorf("the member is told before its dependent is down: %s", got)
		}
		p.answers(dependent, Offline, Restarted)
		told = p.told()
		if got := told[member]; got != "admin_disable" {
			p.t.Errorf("then the member is told %q", got)
		}
		if got := told[dependent]; got != "" {
			p.t.Errorf("and the dependent %q", got)
		}
	} else if v := p.g.vertices[member]; v != nil && v.disabling && told[member] != "admin_disable" {
		p.t.Errorf("nobody is in the way, and the member is told %q", told[member])
	}
}
