package graph

import (
	"fmt"
	"reflect"
	"testing"
)

// TestOptionalIsFreed: who waits for one that is on its way starts when that goes to maintenance.
func TestOptionalIsFreed(t *testing.T) {
	for _, to := range []State{Maintenance, Disabled} {
		for _, from := range []State{Offline, Uninitialized} {
			p := newPair(t)
			p.is(member, from, Config{Enabled: true})
			p.is(dependent, Offline, on(dep(OptionalAll, NoClass, member)))
			if got := p.told()[dependent]; got != "" {
				t.Errorf("member %s: it is told %q", from, got)
			}
			if to == Disabled {
				p.apply(Op{Kind: Enable, FMRI: member})
				p.told()
			}
			p.answers(member, to, Fault)
			if got := p.told()[dependent]; got != "start" {
				t.Errorf("member %s, then %s: it is told %q", from, to, got)
			}
		}
	}
}

// TestCycleHoldsOthers: the last of a cycle is in maintenance, the others of it stay offline, and who
// needs none of them runs.
func TestCycleHoldsOthers(t *testing.T) {
	p := newPair(t)
	p.is("svc:/a:i", Offline, on(dep(RequireAll, NoClass, "svc:/b:i")))
	p.is("svc:/b:i", Offline, on(dep(RequireAll, NoClass, "svc:/c:i")))
	p.is("svc:/other:i", Offline, on())
	p.is("svc:/c:i", Offline, on(dep(RequireAll, NoClass, "svc:/a:i")))
	told := p.told()
	if want := map[string]string{"svc:/c:i": "dependency_cycle", "svc:/other:i": "start"}; !reflect.DeepEqual(told, want) {
		t.Errorf("%v, not %v", told, want)
	}
	p.becomes("svc:/c:i", Maintenance, Restarted)
	if told := p.told(); len(told) != 0 {
		t.Errorf("then: %v", told)
	}
	// Mended, the last one is cleared, and all of them can.
	p.apply(Op{Kind: Configure, FMRI: "svc:/c:i", Config: on()})
	p.becomes("svc:/c:i", Uninitialized, Restarted)
	p.told()
	p.answers("svc:/c:i", Offline, NoClass)
	for _, name := range []string{"svc:/c:i", "svc:/b:i", "svc:/a:i"} {
		if told := p.told(); told[name] != "start" || len(told) != 1 {
			t.Fatalf("%s: %v", name, told)
		}
		p.answers(name, Online, NoClass)
	}
}

// TestOverride is general/enabled by general_ovr/enabled, whatever was before: the override counts.
func TestOverride(t *testing.T) {
	wishes := []Config{
		{}, {Enabled: true}, {Override: OverrideDisabled}, {Enabled: true, Override: OverrideDisabled},
		{Override: OverrideEnabled}, {Enabled: true, Override: OverrideEnabled},
	}
	runs := []bool{false, true, false, false, true, true}
	for i, from := range wishes {
		for j, to := range wishes {
			t.Run(fmt.Sprintf("%v %s to %v %s", from.Enabled, overrides[from.Override], to.Enabled, overrides[to.Override]), func(t *testing.T) {
				p := newPair(t)
				state := map[bool]State{true: Online, false: Disabled}[runs[i]]
				p.is(member, state, from)
				if told := p.told(); len(told) != 0 {
					t.Fatalf("before: %v", told)
				}
				p.apply(Op{Kind: Enable, FMRI: member, Config: to})
				want := ""
				switch {
				case runs[j] && !runs[i]:
					want = "enable"
				case runs[i] && !runs[j]:
					want = "admin_disable"
				}
				if got := p.told()[member]; got != want {
					t.Errorf("it is told %q, not %q", got, want)
				}
			})
		}
	}
}

var overrides = map[Override]string{NoOverride: "none", OverrideDisabled: "off", OverrideEnabled: "on"}

// TestMilestoneStory goes down to a milestone and up again, with each order in its place: used by all
// is base; top uses mid, which uses base; the milestone needs base alone.
func TestMilestoneStory(t *testing.T) {
	p := newPair(t)
	names := []string{"svc:/base:i", "svc:/mid:i", "svc:/top:i"}
	p.is(names[0], Online, on())
	p.is(names[1], Online, on(dep(RequireAll, NoClass, names[0])))
	p.is(names[2], Online, on(dep(RequireAll, NoClass, names[1])))
	p.is("svc:/off:i", Disabled, Config{})
	p.is(Milestones[0], Online, on(dep(RequireAll, NoClass, names[0])))
	p.is(startd, Online, on()) // is never told anything
	p.told()
	says := func(want string) {
		t.Helper()
		got := ""
		for _, o := range p.g.Work() {
			got += o.Event.String()
			if o.Event == SetOverride {
				got += " " + overrides[o.Override]
			}
			got += " " + o.FMRI + "\n"
		}
		if got != want {
			t.Errorf("it says:\n%snot:\n%s", got, want)
		}
	}
	p.apply(Op{Kind: Milestone, FMRI: Milestones[0]})
	says("set_override off svc:/top:i\nadmin_disable svc:/top:i\n")
	says("")
	p.answers(names[2], Disabled, Restarted)
	says("set_override off svc:/mid:i\nadmin_disable svc:/mid:i\n")
	p.answers(names[1], Disabled, Restarted)
	says("down " + Milestones[0] + "\n")
	for _, name := range names[1:] { // what an administrator wants is not touched
		if e, err := p.g.Explain(name); err != nil || !e.Config.Enabled || e.Enabled || e.Inside {
			t.Errorf("%+v, %v", e, err)
		}
	}
	p.apply(Op{Kind: Milestone, FMRI: "all"})
	says("set_override none svc:/mid:i\nset_override none svc:/top:i\nenable svc:/mid:i\nenable svc:/top:i\n")
	p.answers(names[1], Offline, NoClass)
	p.answers(names[2], Offline, NoClass)
	says("start svc:/mid:i\n")
	p.answers(names[1], Online, NoClass)
	says("start svc:/top:i\n")
	p.answers(names[2], Online, NoClass)
	p.apply(Op{Kind: Milestone, FMRI: "none"})
	for _, list := range [][]string{{names[2], Milestones[0]}, {names[1]}, {names[0]}} {
		told := p.told()
		for _, name := range list {
			if told[name] != "set_override admin_disable" {
				t.Errorf("%s is told %q", name, told[name])
			}
			p.answers(name, Disabled, Restarted)
		}
		if len(told) != len(list) {
			t.Errorf("%v", told)
		}
	}
	says("down none\n")
}
