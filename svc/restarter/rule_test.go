package restarter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/svclog"
	"github.com/linuxzones/zones/svc/tree"
)

// put changes a property of an instance.
func (w *world) put(name, group string, p tree.Property) {
	w.t.Helper()
	var b repo.Batch
	b.SetProperty(entity(name), group, p)
	_, err := w.repo.Apply(&b)
	must(w.t, err)
}

// log is all that the log of an instance says.
func (w *world) log(name string) string {
	b, _ := os.ReadFile(filepath.Join(w.dir, "log", svclog.Name(entity(name))))
	return string(b)
}

// TestInvalidRestarter: who names as its restarter what is no instance is in maintenance for it,
// whether it ran before or not, until the name is mended; the next restarter sees it likewise.
func TestInvalidRestarter(t *testing.T) {
	restarter := func(value string) tree.Property {
		return tree.Property{Name: "restarter", Type: prop.AString, Values: []string{value}}
	}
	w := newWorld(t)
	w.add(service("new", "contract", w.writes("new", "sleep 1000 &amp;"), ""))
	w.add(service("old", "contract", w.writes("old", "sleep 1000 &amp;"), ""))
	w.add(service("user", "contract", w.writes("user", "sleep 1000 &amp;"), needs("svc:/old", "restart")))
	w.put("new", graphcfg.General, restarter("svc:/only/service"))
	refused := func(name string) {
		t.Helper()
		w.state(name, graph.Maintenance)
		if rec := w.record(name); rec.Aux != "invalid_restarter" || len(rec.Primary) != 0 || rec.Method != "" || rec.Log == "" {
			t.Errorf("%s: %+v", name, rec)
		}
	}
	w.run()
	w.state("user", graph.Online)
	refused("new")
	if n := w.starts("new"); n != 0 {
		t.Errorf("it was started %d times", n)
	}
	w.put("old", graphcfg.General, restarter("nonsense\nof two lines"))
	refused("old")
	w.state("user", graph.Offline)
	testenv.Eventually(t, func() bool { return w.held() == 1 }, "the contract of who ran to be let go, and that of the stopped user not")
	w.ask("old", actions.MaintOff) // that is no help
	refused("old")
	w.die()
	w.run()
	refused("old")
	refused("new")
	w.put("old", graphcfg.General, restarter("svc:/system/svc/restarter:default"))
	w.put("new", graphcfg.General, restarter(""))
	for _, name := range []string{"old", "new", "user"} {
		w.state(name, graph.Online)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.said {
		if strings.Contains(line, "\n") {
			t.Errorf("%q", line)
		}
	}
}

// TestInvalidRestarterMeanwhile: the name is spoiled while no svc.startd runs; what ran is let go.
func TestInvalidRestarterMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.add(service("a", "contract", w.writes("a", "sleep 1000 &amp;"), ""))
	w.run()
	w.state("a", graph.Online)
	w.die()
	w.put("a", graphcfg.General, tree.Property{Name: "restarter", Type: prop.AString, Values: []string{"file:///x"}})
	w.run()
	testenv.Eventually(t, func() bool { return w.record("a").Aux == "invalid_restarter" && w.held() == 0 }, "the refusal")
	w.put("a", graphcfg.General, tree.Property{Name: "restarter", Type: prop.AString, Values: []string{FMRI}})
	w.state("a", graph.Online)
	if n, rec := w.starts("a"), w.record("a"); n != 2 || len(rec.Primary) != 1 {
		t.Errorf("%d starts, %+v", n, rec)
	}
	w.holds(1)
}

// preparation is a start of a method, and what stood in the repository then.
type preparation struct {
	start Start
	rec   record.Record
}

// TestNotedBefore: before a method runs it stands in the repository what the instance is to become,
// and where its log is; its contract says whose it is, and is inherited when svc.startd dies.
func TestNotedBefore(t *testing.T) {
	w := newWorld(t)
	methods := make(chan preparation, 16)
	w.look = func(s *Start) { methods <- preparation{*s, w.record(s.On.Service)} }
	for _, duration := range []string{"contract", "transient", "child"} {
		then := map[string]string{"contract": "sleep 1000 &amp;", "transient": "true", "child": "exec sleep 1000"}[duration]
		w.add(strings.Replace(service(duration, duration, w.writes(duration, then), ""), "exec=':kill'", "exec='/bin/true'", 1))
	}
	w.run()
	for _, duration := range []string{"contract", "transient", "child"} {
		w.state(duration, graph.Online)
	}
	w.ask("contract", actions.MaintOnTemporary)
	w.ask("transient", actions.MaintOn)
	testenv.Eventually(t, func() bool { return len(methods) == 5 }, "five methods")
	for range 5 {
		s := <-methods
		name, terms, rec := s.start.On.Service, s.start.Terms, s.rec
		if terms.FMRI != "svc:/"+name+":default" || terms.Aux != s.start.Name || s.start.Run.Restarter != FMRI || s.start.Run.Method != s.start.Name {
			t.Errorf("%s of %s: %+v, %+v", s.start.Name, name, terms, s.start.Run)
		}
		want := contract.Inherit | contract.Regent
		if name == "child" {
			want |= contract.PgrpOnly
		}
		if terms.Params != want || terms.Informative != 0 {
			t.Errorf("%s of %s: params %v", s.start.Name, name, terms.Params)
		}
		state, next := graph.Offline, graph.Online
		if s.start.Name == "stop" {
			state, next = graph.Online, graph.Maintenance
		}
		if rec.State != state || rec.Next != next || rec.Log == "" || rec.Method != "" || s.start.Name == "start" && rec.StartPid != 0 {
			t.Errorf("%s of %s begins with %+v", s.start.Name, name, rec)
		}
	}
	// Maintenance until the next boot is maintenance. The processes of what was stopped are killed: its
	// stop method has not done it.
	must(t, w.Kill(w.record("contract").Primary[0], int(unix.SIGKILL)))
	w.state("contract", graph.Maintenance)
	w.state("transient", graph.Maintenance)
	if rec := w.record("contract"); rec.Aux != "administrative_request" {
		t.Errorf("%+v", rec)
	}
}

// TestRunningSnapshot: methods are those of the running snapshot, until a refresh takes another; without
// one they are as they stand. What is enabled counts at once.
func TestRunningSnapshot(t *testing.T) {
	w := newWorld(t)
	value := func(v string) tree.Property {
		return tree.Property{Name: "value", Type: prop.AString, Values: []string{v}}
	}
	w.add(service("a", "contract", "/bin/sh -c &quot;echo %{config/value} &gt;&gt;"+filepath.Join(w.dir, "values")+"; sleep 1000 &amp;&quot;", ""))
	var b repo.Batch
	b.CreateGroup(entity("a"), "config", "application", 0)
	b.SetProperty(entity("a"), "config", value("one"))
	b.TakeSnapshot(entity("a"), repo.Running)
	_, err := w.repo.Apply(&b)
	must(t, err)
	values := func() string {
		b, _ := os.ReadFile(filepath.Join(w.dir, "values"))
		return strings.Join(strings.Fields(string(b)), " ")
	}
	step := func(want string) {
		t.Helper()
		w.ask("a", actions.Restart)
		testenv.Eventually(t, func() bool { return values() == want }, "the values "+want)
		w.state("a", graph.Online)
	}
	w.run()
	w.state("a", graph.Online)
	w.put("a", "config", value("two"))
	step("one one")
	w.ask("a", actions.Refresh)
	testenv.Eventually(t, func() bool { return len(w.asked("a")) == 0 }, "the refresh")
	step("one one two")
	w.put("a", "config", value("three"))
	b = repo.Batch{}
	b.DeleteSnapshot(entity("a"), repo.Running)
	_, err = w.repo.Apply(&b)
	must(t, err)
	step("one one two three")
	if log := w.log("a"); !strings.Contains(log, "Rereading configuration.") || !strings.Contains(log, "echo two >>") {
		t.Errorf("%s", log)
	}
	w.put("a", graphcfg.General, tree.Property{Name: "enabled", Type: prop.Boolean, Values: []string{"false"}})
	w.state("a", graph.Disabled)
}

// TestMilestoneOfBoot: options_ovr/milestone brings the zone there and back, by overrides that leave
// what is enabled as it is.
func TestMilestoneOfBoot(t *testing.T) {
	w := newWorld(t)
	w.add(w.stops("system/svc/restarter", "true", ""))
	w.add(w.stops("a", "true", ""))
	w.add(service("b", "contract", w.writes("b", "sleep 1000 &amp;"), needs("svc:/a", "restart")))
	to := func(name string) {
		t.Helper()
		var b repo.Batch
		b.PutGroup(repo.Entity{Service: "system/svc/restarter", Instance: "default"}, &tree.Group{
			Name: "options_ovr", Type: "framework", Flags: tree.NonPersistent,
			Props: []tree.Property{{Name: "milestone", Type: prop.AString, Values: []string{name}}},
		})
		_, err := w.repo.Apply(&b)
		must(t, err)
	}
	w.run()
	w.state("b", graph.Online)
	to("none")
	w.state("a", graph.Disabled)
	w.state("b", graph.Disabled)
	w.state("system/svc/restarter", graph.Online)
	overridden := func(name string) (override, enabled string) {
		_ = w.repo.View(func(v *repo.Reader) error {
			s, err := v.Composed(entity(name))
			if err != nil {
				return err
			}
			if p, err := s.Property(graphcfg.Override, "enabled"); err == nil {
				override = strings.Join(p.Values, " ")
			}
			if p, err := s.Property(graphcfg.General, "enabled"); err == nil {
				enabled = strings.Join(p.Values, " ")
			}
			return nil
		})
		return override, enabled
	}
	if override, enabled := overridden("a"); override != "false" || enabled != "true" {
		t.Errorf("enabled is %q, overridden %q", enabled, override)
	}
	to("all")
	w.state("a", graph.Online)
	w.state("b", graph.Online)
	if override, _ := overridden("a"); override != "" {
		t.Errorf("overridden %q", override)
	}
	if n := w.starts("b"); n != 2 {
		t.Errorf("%d starts", n)
	}
	w.holds(1)
}

// TestRestarterMendedMeanwhile: the name is mended while no svc.startd runs.
func TestRestarterMendedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.add(service("a", "contract", w.writes("a", "sleep 1000 &amp;"), ""))
	name := tree.Property{Name: "restarter", Type: prop.AString, Values: []string{"lrc:/x"}}
	w.put("a", graphcfg.General, name)
	w.run()
	w.state("a", graph.Maintenance)
	w.die()
	name.Values = []string{FMRI}
	w.put("a", graphcfg.General, name)
	w.run()
	w.state("a", graph.Online)
	if n, rec := w.starts("a"), w.record("a"); n != 1 || rec.Aux != "dependencies_satisfied" {
		t.Errorf("%d starts, %+v", n, rec)
	}
}
