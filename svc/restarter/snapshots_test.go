package restarter

import (
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// made creates an instance as svccfg add and setprop do: no snapshot of it is taken.
func (w *world) made(name, start string) {
	w.t.Helper()
	e := entity(name)
	var b repo.Batch
	b.Create(repo.Entity{Service: name})
	b.Create(e)
	text := func(group, name string, typ prop.Type, value string) {
		b.SetProperty(e, group, tree.Property{Name: name, Type: typ, Values: []string{value}})
	}
	b.CreateGroup(e, "start", "method", 0)
	text("start", "exec", prop.AString, start)
	text("start", "timeout_seconds", prop.Count, "30")
	text("start", "type", prop.AString, "method")
	b.CreateGroup(e, "stop", "method", 0)
	text("stop", "exec", prop.AString, ":true")
	text("stop", "timeout_seconds", prop.Count, "30")
	text("stop", "type", prop.AString, "method")
	b.CreateGroup(e, "startd", "framework", 0)
	text("startd", "duration", prop.AString, "transient")
	b.CreateGroup(e, "general", "framework", 0)
	text("general", "enabled", prop.Boolean, "true")
	_, err := w.repo.Apply(&b)
	must(w.t, err)
}

// in is a property of a snapshot; "none": there is no such snapshot.
func (w *world) in(name, snapshot, group, prop string) (value string) {
	_ = w.repo.View(func(v *repo.Reader) error {
		s, err := v.Snapshot(entity(name), snapshot)
		if err != nil {
			value = "none"
			return nil
		}
		if p, err := s.Property(group, prop); err == nil && len(p.Values) == 1 {
			value = p.Values[0]
		}
		return nil
	})
	return value
}

// restarted restarts what is online, and waits until it is again.
func (w *world) restarted(name string) {
	w.t.Helper()
	w.state(name, graph.Online)
	began := w.record(name).Stamp
	w.ask(name, "restart")
	testenv.Eventually(w.t, func() bool { r := w.record(name); return r.State == graph.Online && r.Stamp.After(began) }, "the restart of "+name)
	w.state(name, graph.Online)
}

// An instance that is first seen has its running snapshot from then on: what is changed later counts
// with a refresh. The start snapshot is what it was started with.
func TestSnapshotsOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.made("made", "/bin/true")
	w.state("made", graph.Online)
	if got := w.in("made", repo.Running, "start", "exec"); got != "/bin/true" {
		t.Errorf("its running snapshot has %q", got)
	}
	testenv.Eventually(t, func() bool { return w.in("made", snapStart, "start", "exec") == "/bin/true" }, "its start snapshot")

	exec := func(v string) tree.Property {
		return tree.Property{Name: "exec", Type: prop.AString, Values: []string{v}}
	}
	w.put("made", "start", exec("/bin/false"))
	w.restarted("made")
	if got := w.in("made", repo.Running, "start", "exec"); got != "/bin/true" {
		t.Errorf("not refreshed its running snapshot has %q", got)
	}

	w.put("made", "start", exec("/bin/echo changed"))
	w.ask("made", "refresh")
	testenv.Eventually(t, func() bool { return w.in("made", repo.Running, "start", "exec") == "/bin/echo changed" }, "its refresh")
	w.state("made", graph.Online)
	if got := w.in("made", snapStart, "start", "exec"); got != "/bin/true" {
		t.Errorf("refreshed, and not started again, its start snapshot has %q", got)
	}
	w.ask("made", "restart")
	testenv.Eventually(t, func() bool { return w.in("made", snapStart, "start", "exec") == "/bin/echo changed" }, "its start snapshot after the restart")
}

// Nothing is written to the disk for a start with what was there at the one before.
func TestSameStartWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(service("a", "contract", "/bin/sh -c &quot;sleep 1000 &amp;&quot;", ""))
	w.run()
	w.state("a", graph.Online)
	testenv.Eventually(t, func() bool { return w.in("a", snapStart, "startd", "duration") == "contract" }, "its start snapshot")
	watch, err := w.repo.Watch(repo.Filter{})
	must(t, err)
	defer watch.Close()
	began := w.record("a").Stamp
	w.ask("a", "restart")
	testenv.Eventually(t, func() bool {
		r := w.record("a")
		return r.State == graph.Online && r.Next == graph.None && r.Stamp.After(began)
	}, "the restart")
	w.add(service("b", "transient", "/bin/true", "")) // what comes of it comes after what the restart had written
	testenv.Eventually(t, func() bool { return w.in("b", snapStart, "start", "exec") == "/bin/true" }, "the other's start snapshot")
	for {
		e, ok, err := watch.Next()
		must(t, err)
		if !ok {
			break
		}
		if e.Kind == repo.SnapshotChanged && e.On == entity("a") {
			t.Errorf("the snapshot %s was taken again", e.Name)
		}
	}
}

// What a svc.startd that was killed has not taken the next one takes.
func TestSnapshotsOfWhoWasKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(service("a", "contract", "/bin/sh -c &quot;sleep 1000 &amp;&quot;", ""))
	w.run()
	w.state("a", graph.Online)
	w.die()
	var b repo.Batch
	err := w.repo.View(func(v *repo.Reader) error {
		for _, name := range v.Snapshots(entity("a")) {
			if name == snapStart || name == repo.Running {
				b.DeleteSnapshot(entity("a"), name)
			}
		}
		return nil
	})
	must(t, err)
	_, err = w.repo.Apply(&b)
	must(t, err)
	w.run()
	testenv.Eventually(t, func() bool { return w.in("a", snapStart, "startd", "duration") == "contract" }, "both snapshots")
	if got := w.in("a", repo.Running, "startd", "duration"); got != "contract" {
		t.Errorf("its running snapshot has %q", got)
	}
}
