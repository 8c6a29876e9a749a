package graph

import (
	"fmt"
	"testing"
)

// matrixOfVerdicts is what a member is worth, by its situation; columns are require_all, require_any,
// optional_all and exclude_all. The dependency names what is put up by do: an instance, unless another
// entity is given.
var matrixOfVerdicts = []struct {
	row    string
	entity string
	do     func(*pair)
	want   [4]string
}{
	{"uninitialized", member, func(p *pair) { p.is(member, Uninitialized, Config{Enabled: true}) },
		[4]string{"wait", "wait", "wait", "wait"}},
	{"disabled", member, func(p *pair) { p.is(member, Disabled, Config{}) },
		[4]string{"never", "never", "yes", "yes"}},
	{"disabled, just enabled", member, func(p *pair) { p.is(member, Disabled, Config{Enabled: true}) },
		[4]string{"never", "never", "wait", "yes"}},
	{"offline, can come up", member, func(p *pair) { p.is(member, Offline, Config{Enabled: true}) },
		[4]string{"wait", "wait", "wait", "wait"}},
	{"offline, waits for one that can", member, func(p *pair) {
		p.is("svc:/n:i", Offline, Config{Enabled: true})
		p.is(member, Offline, on(dep(RequireAll, NoClass, "svc:/n:i")))
	}, [4]string{"wait", "wait", "wait", "wait"}},
	{"offline, waits for one that cannot", member, func(p *pair) {
		p.is("svc:/n:i", Disabled, Config{})
		p.is(member, Offline, on(dep(RequireAll, NoClass, "svc:/n:i")))
	}, [4]string{"never", "never", "yes", "wait"}},
	{"online", member, func(p *pair) { p.is(member, Online, Config{Enabled: true}) },
		[4]string{"yes", "yes", "yes", "never"}},
	{"online, is to be disabled", member, func(p *pair) {
		p.is(member, Online, Config{Enabled: true})
		p.apply(Op{Kind: Enable, FMRI: member})
		p.told()
	}, [4]string{"never", "never", "never", "wait"}},
	{"online, goes down with another", member, func(p *pair) {
		p.is("svc:/n:i", Online, Config{Enabled: true})
		p.is(member, Online, on(dep(RequireAll, Restarted, "svc:/n:i")))
		p.apply(Op{Kind: Enable, FMRI: "svc:/n:i"})
		p.told()
	}, [4]string{"wait", "wait", "wait", "never"}},
	{"degraded", member, func(p *pair) { p.is(member, Degraded, Config{Enabled: true}) },
		[4]string{"yes", "yes", "yes", "never"}},
	{"maintenance", member, func(p *pair) { p.is(member, Maintenance, Config{Enabled: true}) },
		[4]string{"never", "never", "yes", "yes"}},
	{"not there", member, func(p *pair) {}, [4]string{"never", "never", "yes", "yes"}},
	{"its package is about to go", member, func(p *pair) {
		p.is(member, Uninitialized, Config{Enabled: true, Deathrow: true})
	}, [4]string{"yes", "yes", "yes", "yes"}},
	{"no members", "", func(p *pair) {}, [4]string{"yes", "yes", "yes", "yes"}},
	{"a file that is there", needed, func(p *pair) { p.apply(Op{Kind: File, FMRI: needed, Present: true}) },
		[4]string{"yes", "yes", "yes", "never"}},
	{"a file that is not", needed, func(p *pair) { p.apply(Op{Kind: File, FMRI: needed}) },
		[4]string{"never", "never", "never", "yes"}},
	{"a file nobody has looked at", needed, func(p *pair) {}, [4]string{"wait", "wait", "wait", "wait"}},
	{"a service without instances", "svc:/m", func(p *pair) {}, [4]string{"never", "never", "yes", "yes"}},
	{"a service: online, disabled", "svc:/m", func(p *pair) {
		p.is(member, Online, Config{Enabled: true})
		p.is("svc:/m:j", Disabled, Config{})
	}, [4]string{"yes", "yes", "yes", "never"}},
	{"a service: online, offline", "svc:/m", func(p *pair) {
		p.is(member, Online, Config{Enabled: true})
		p.is("svc:/m:j", Offline, Config{Enabled: true})
	}, [4]string{"yes", "yes", "wait", "never"}},
	{"a service: maintenance, offline", "svc:/m", func(p *pair) {
		p.is(member, Maintenance, Config{Enabled: true})
		p.is("svc:/m:j", Offline, Config{Enabled: true})
	}, [4]string{"wait", "wait", "wait", "wait"}},
	{"a service: maintenance, disabled", "svc:/m", func(p *pair) {
		p.is(member, Maintenance, Config{Enabled: true})
		p.is("svc:/m:j", Disabled, Config{})
	}, [4]string{"never", "never", "yes", "yes"}},
}

var verdicts = map[string]Verdict{"yes": Satisfied, "wait": NotYet, "never": Never}

// TestMembers is every grouping by every situation of its one member: whether it counts as satisfied,
// whatever restart_on says, and that the dependent is started when it does and not otherwise.
//
//shows:3.6/members 3.6/start-when-satisfied
//shows:3.6/empty by no members/require_any
//shows:3.6/optional-all by offline, waits for one that cannot/optional_all
//shows:3.6/exclude-all by online/exclude_all
//shows:3.6/missing by not there/require_all
//shows:3.6/deathrow by its package is about to go/require_all
//shows:3.6/going-down-counts-not by online, is to be disabled/require_all
//shows:3.6/service-any by a service: online, disabled/require_all
//shows:3.6/service-empty by a service without instances/require_all
//shows:3.6/file by a file that is not/require_all
func TestMembers(t *testing.T) {
	for _, c := range matrixOfVerdicts {
		for grouping := RequireAll; grouping <= ExcludeAll; grouping++ {
			t.Run(fmt.Sprintf("%s/%s", c.row, grouping), func(t *testing.T) {
				for restartOn := NoClass; restartOn <= Refreshed; restartOn++ {
					d := Dependency{Name: "d", Grouping: grouping, RestartOn: restartOn}
					if c.entity != "" {
						d.Entities = []string{c.entity}
					}
					if c.entity == needed {
						d.Scheme = Paths
					}
					for _, first := range []bool{true, false} {
						weigh(t, d, c.do, first).judge(t, c.want[grouping-1])
					}
				}
				t.Attr("cell", fmt.Sprintf("3.6/members|%s|%s|%s", c.row, grouping, c.want[grouping-1]))
			})
		}
	}
}

// found is what a graph says of the dependent.
type found struct {
	ready   Verdict
	started bool
}

// weigh has a dependency, and what it depends on, come in either order.
func weigh(t *testing.T, d Dependency, do func(*pair), first bool) found {
	t.Helper()
	p := newPair(t)
	add := func() {
		p.is(dependent, Offline, Config{Enabled: true, Dependencies: []Dependency{d}})
	}
	if first || d.Scheme == Paths { // nobody looks at a file that no one asks for
		add()
		do(p)
	} else {
		do(p)
		add()
	}
	p.told() // which is also when who is disabled begins to go down
	e, err := p.g.Explain(dependent)
	if err != nil {
		t.Fatal(err)
	}
	return found{e.Ready, p.g.vertices[dependent].asked == Start}
}

func (f found) judge(t *testing.T, word string) {
	t.Helper()
	want, known := verdicts[word]
	if !known {
		t.Fatalf("%q is no verdict", word)
	}
	if f.ready != want || f.started != (want == Satisfied) {
		t.Errorf("it is %s, started %v, not %s", f.ready, f.started, word)
	}
}

// matrixOfPairs is what two members make of a group. Rows are the verdicts of both.
var matrixOfPairs = []struct {
	one, other string
	want       [4]string
}{
	{"yes", "yes", [4]string{"yes", "yes", "yes", "yes"}},
	{"yes", "wait", [4]string{"wait", "yes", "wait", "wait"}},
	{"yes", "never", [4]string{"never", "yes", "never", "never"}},
	{"wait", "yes", [4]string{"wait", "yes", "wait", "wait"}},
	{"wait", "wait", [4]string{"wait", "wait", "wait", "wait"}},
	{"wait", "never", [4]string{"never", "wait", "never", "never"}},
	{"never", "yes", [4]string{"never", "yes", "never", "never"}},
	{"never", "wait", [4]string{"never", "wait", "never", "never"}},
	{"never", "never", [4]string{"never", "never", "never", "never"}},
}

// worth brings an instance to where it counts as word in a grouping.
func (p *pair) worth(name string, grouping Grouping, word string) {
	p.t.Helper()
	switch {
	case word == "wait":
		p.is(name, Offline, Config{Enabled: true})
	case word == "yes" && grouping == ExcludeAll, word == "never" && grouping <= RequireAny:
		p.is(name, Disabled, Config{})
	default:
		p.is(name, Online, Config{Enabled: true})
	}
	if word == "never" && grouping == OptionalAll { // for a moment only: it is going down
		p.apply(Op{Kind: Enable, FMRI: name})
	}
}

// TestGroups is every grouping by the verdicts of two members, and that two groups are satisfied
// together only.
//
//shows:3.6/groups 3.6/all-groups
//shows:3.6/require-all by yes and wait/require_all
//shows:3.6/require-any by never and yes/require_any
//shows:3.6/exclude-worst by wait and never/exclude_all
func TestGroups(t *testing.T) {
	for _, c := range matrixOfPairs {
		row := c.one + " and " + c.other
		for grouping := RequireAll; grouping <= ExcludeAll; grouping++ {
			t.Run(fmt.Sprintf("%s/%s", row, grouping), func(t *testing.T) {
				do := func(p *pair) {
					p.worth("svc:/m:i", grouping, c.one)
					p.worth("svc:/n:i", grouping, c.other)
				}
				weigh(t, dep(grouping, NoClass, "svc:/m:i", "svc:/n:i"), do, true).judge(t, c.want[grouping-1])
				weigh(t, dep(grouping, NoClass, "svc:/n:i", "svc:/m:i"), do, false).judge(t, c.want[grouping-1])
				t.Attr("cell", fmt.Sprintf("3.6/groups|%s|%s|%s", row, grouping, c.want[grouping-1]))
			})
		}
		// Each in a group of its own: as in one of require_all.
		p := newPair(t)
		p.worth("svc:/m:i", RequireAll, c.one)
		p.worth("svc:/n:i", RequireAll, c.other)
		p.is(dependent, Offline, on(dep(RequireAny, NoClass, "svc:/m:i"), dep(RequireAny, NoClass, "svc:/n:i")))
		e, err := p.g.Explain(dependent)
		if err != nil || e.Ready != verdicts[c.want[0]] {
			t.Errorf("%s, in two groups: %s, %v", row, e.Ready, err)
		}
	}
}
