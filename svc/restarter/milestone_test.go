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

// TestBootMilestone: the milestone that a zone was booted to counts until another is set, for good or
// for this boot, and does not come back with the next restarter.
func TestBootMilestone(t *testing.T) {
	const single = "svc:/milestone/single-user:default"
	w := newWorld(t)
	w.milestone = "single-user"
	w.add(w.stops("system/svc/restarter", "true", ""))
	w.add(w.stops("milestone/single-user", "true", ""))
	w.add(w.stops("a", "true", ""))
	w.add(service("marker", "contract", w.writes("marker", "sleep 1000 &amp;"), ""))
	w.run()
	w.state("milestone/single-user", graph.Online)
	w.state("a", graph.Disabled)
	w.die()
	w.run()
	w.state("a", graph.Disabled)
	w.bring("all")
	w.state("a", graph.Online)
	w.bring(single)
	w.state("a", graph.Disabled)
	var b repo.Batch // svcadm milestone -d all
	b.CreateGroup(entityOf(FMRI), "options", "framework", 0)
	b.SetProperty(entityOf(FMRI), "options", tree.Property{Name: "milestone", Type: prop.AString, Values: []string{"all"}})
	b.DeleteProperty(entityOf(FMRI), optionsOverride, "milestone")
	_, err := w.repo.Apply(&b)
	must(t, err)
	w.state("a", graph.Online)
	w.state("marker", graph.Online)
	w.die()
	w.run()
	w.heard("marker")
	w.state("a", graph.Online)
}
