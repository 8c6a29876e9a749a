package graph

import (
	"slices"
	"strings"
	"testing"
)

// TestEnabledOutside: a graph that begins with a milestone overrides all that is outside, and what
// comes later and is outside. What is enabled afterwards, by a profile say, waits for the milestone to
// be left; whom an administrator enables, which takes the override away, does not.
func TestEnabledOutside(t *testing.T) {
	g := New()
	const single, early, late = "svc:/milestone/single-user:default", "svc:/early:i", "svc:/late:i"
	off := func(name string) {
		t.Helper()
		apply(t, g, Op{Kind: Configure, FMRI: name, Config: Config{}})
	}
	work := func() string {
		t.Helper()
		var lines []string
		for _, o := range g.Work() {
			switch o.Event {
			case SetOverride:
				lines = append(lines, overrides[o.Override]+" "+o.FMRI)
			case AddInstance:
				apply(t, g, Op{Kind: Changed, FMRI: o.FMRI, State: Uninitialized})
			case DisableInstance:
				apply(t, g, Op{Kind: Changed, FMRI: o.FMRI, State: Disabled, Answers: true})
			case EnableInstance:
				lines = append(lines, "enable "+o.FMRI)
				apply(t, g, Op{Kind: Changed, FMRI: o.FMRI, State: Offline, Answers: true})
			}
		}
		slices.Sort(lines)
		return strings.Join(lines, ", ")
	}
	apply(t, g, Op{Kind: Configure, FMRI: single, Config: on()})
	off(early)
	apply(t, g, Op{Kind: Milestone, FMRI: single})
	if got := work(); got != "enable "+single+", off "+early {
		t.Errorf("at first: %s", got)
	}
	off(late)
	if got := work(); got != "off "+late {
		t.Errorf("one that comes later: %s", got)
	}
	for _, name := range []string{early, late} {
		apply(t, g, Op{Kind: Configure, FMRI: name, Config: Config{Enabled: true, Override: OverrideDisabled}})
		if got := work(); got != "" {
			t.Errorf("%s is enabled: %s", name, got)
		}
	}
	apply(t, g, Op{Kind: Enable, FMRI: early, Config: Config{Enabled: true}})
	if got := work(); got != "enable "+early {
		t.Errorf("by an administrator: %s", got)
	}
	apply(t, g, Op{Kind: Milestone, FMRI: all})
	if got := work(); got != "enable "+late+", none "+late {
		t.Errorf("the milestone is left: %s", got)
	}
}
