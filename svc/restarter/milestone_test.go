package restarter

import (
	"testing"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// override writes or deletes a temporary enable, as an administrator does.
func (w *world) override(name string, enabled string) {
	w.t.Helper()
	var b repo.Batch
	if enabled == "" {
		b.DeleteGroup(entity(name), graphcfg.Override)
	} else {
		b.PutGroup(entity(name), &tree.Group{Name: graphcfg.Override, Type: "framework", Flags: tree.NonPersistent, Props: []tree.Property{
			{Name: "enabled", Type: prop.Boolean, Values: []string{enabled}},
		}})
	}
	_, err := w.repo.Apply(&b)
	must(w.t, err)
}

// bring sets the milestone of the boot, as svcadm does.
func (w *world) bring(name string) {
	w.t.Helper()
	var b repo.Batch
	b.PutGroup(entityOf(FMRI), &tree.Group{Name: optionsOverride, Type: "framework", Flags: tree.NonPersistent, Props: []tree.Property{
		{Name: "milestone", Type: prop.AString, Values: []string{name}},
	}})
	_, err := w.repo.Apply(&b)
	must(w.t, err)
}

// TestMilestoneLeftHalf: a restarter that is killed when it has taken away half of a milestone's
// overrides, or none, is followed by one that takes away the rest, and not what an administrator has
// disabled for this boot.
func TestMilestoneLeftHalf(t *testing.T) {
	for name, half := range map[string]bool{"none": false, "half": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add(w.stops("system/svc/restarter", "true", ""))
			for _, name := range []string{"a", "b", "off"} {
				w.add(w.stops(name, "true", ""))
			}
			w.run()
			w.state("a", graph.Online)
			w.bring("none")
			for _, name := range []string{"a", "b", "off"} {
				w.state(name, graph.Disabled)
			}
			w.die()
			w.bring("all")
			if half {
				w.override("a", "")
			}
			w.override("off", "false")
			w.run()
			w.state("a", graph.Online)
			w.state("b", graph.Online)
			w.state("off", graph.Disabled)
			w.die()
			w.run() // and it stays so
			w.state("b", graph.Online)
			w.override("off", "")
			w.state("off", graph.Online)
		})
	}
}
