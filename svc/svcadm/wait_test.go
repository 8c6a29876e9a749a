package svcadm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// patient is for tests in which the state comes: nothing is given up before.
func patient() patience {
	long := testenv.Deadline(time.Minute)
	return patience{recheck: 50 * time.Millisecond, spacing: time.Millisecond, unspoken: long, settle: 100 * time.Millisecond, maintenance: long, stall: long}
}

// acts has f play the restarter while svcadm runs: it begins when svcadm watches.
type acts struct {
	door.Store
	f func()
}

func (acts) Close() error { return nil }

func (a *acts) Watch(f repo.Filter) (door.Watch, error) {
	w, err := a.Store.Watch(f)
	if a.f != nil {
		go a.f()
		a.f = nil
	}
	return w, err
}

// while runs svcadm, and f beside it from the time on that it watches.
func (r *rig) while(line string, f func()) (out, errs string, code int) {
	r.t.Helper()
	done := make(chan struct{})
	r.env.Open = func() (door.Store, error) {
		return &acts{r.store, func() { defer close(done); f() }}, nil
	}
	out, errs, code = r.run(line)
	<-done
	return out, errs, code
}

// TestWaitComes: the state is reached by several steps.
func TestWaitComes(t *testing.T) {
	const x = "x:default"
	for _, c := range []struct {
		line, enabled, state string
		steps                [][2]string
		errs                 string
		code                 int
	}{
		{"enable -s x", "false", "disabled", [][2]string{{"offline", "none"}, {"offline", "online"}, {"online", "none"}}, "", 0},
		{"enable -st x", "false", "disabled", [][2]string{{"offline", "none"}, {"offline", "online"}, {"online", "none"}}, "", 0},
		{"enable -rs x", "false", "disabled", [][2]string{{"offline", "online"}, {"degraded", "none"}}, "", 0},
		{"enable -s x", "false", "", [][2]string{{"uninitialized", "none"}, {"offline", "online"}, {"online", "none"}}, "", 0},
		{"enable -s x", "true", "offline", [][2]string{{"offline", "online"}, {"maintenance", "none"}}, "svcadm: Instance \"svc:/x:default\" is in maintenance state.\n", 3},
		{"enable -s x", "true", "maintenance", [][2]string{{"offline", "none"}, {"online", "none"}}, "", 0},
		{"disable -s x", "true", "online", [][2]string{{"online", "disabled"}, {"disabled", "none"}}, "", 0},
		{"disable -st x", "true", "maintenance", [][2]string{{"uninitialized", "none"}, {"disabled", "none"}}, "", 0},
		{"disable -s x", "false", "uninitialized", [][2]string{{"disabled", "none"}}, "", 0},
	} {
		r := newRig(t)
		r.patience = patient()
		e := r.instance(x, c.enabled, c.state)
		out, errs, code := r.while(c.line, func() {
			for _, s := range c.steps {
				r.setState(e, s[0], s[1])
			}
		})
		if out != "" || errs != c.errs || code != c.code {
			t.Errorf("%s (%s %s): %d %s%s", c.line, c.enabled, c.state, code, out, errs)
		}
	}
}

// TestWaitIsSo: what is so already is not waited for.
func TestWaitIsSo(t *testing.T) {
	r := newRig(t)
	r.instance("x:default", "true", "online")
	r.instance("y:default", "false", "disabled")
	r.says("enable -s x", "", "", 0)
	r.says("disable -s y", "", "", 0)
	r.says("-S online enable -s", "", "", 0)
	r.says("enable -s none x", "", "svcadm: Pattern 'none' doesn't match any instances\n", 1)
}

// TestWaitGivesUp: states that never come.
func TestWaitGivesUp(t *testing.T) {
	const itself = "svcadm: Instance \"svc:/x:default\" "
	needs := func(grouping, kind, entity string) []*tree.Group {
		return []*tree.Group{dependency("d", grouping, kind, entity)}
	}
	unsatisfied := itself + "has unsatisfied dependencies: "
	for _, c := range []struct {
		name, line, enabled, state string
		groups                     []*tree.Group
		errs                       string
		code                       int
	}{
		{"no restarter", "enable -s x", "false", "", nil, "svcadm: svc:/x:default is misconfigured (lacks \"restarter\" property group): no restarter looks after it.\n", 3},
		{"no restarter", "disable -s x", "false", "", nil, "svcadm: svc:/x:default is misconfigured (lacks \"restarter\" property group): no restarter looks after it.\n", 3},
		{"broken", "enable -s x", "true", "maintenance", nil, itself + "is in maintenance state.\n", 3},
		{"asked out", "enable -s x", "true", "maintenance", []*tree.Group{volatile("restarter_actions", integer("maint_off", "5"))}, itself + "is in maintenance state.\n", 3},
		{"broken", "disable -s x", "true", "maintenance", nil, itself + "is in maintenance state; try svcadm clear.\n", 3},
		{"an idle restarter", "enable -s x", "false", "disabled", nil, itself + "is disabled for 0.3 seconds, and its restarter does nothing about it.\n", 3},
		{"an idle restarter", "disable -s x", "true", "online", nil, itself + "is online for 0.3 seconds, and its restarter does nothing about it.\n", 3},
		{"an idle restarter", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/on"), itself + "is offline for 0.3 seconds, and its restarter does nothing about it.\n", 3},
		{"disabled", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/off"), unsatisfied + "svc:/off:default is disabled.\n", 4},
		{"disabled, any", "enable -s x", "true", "offline", needs("require_any", "service", "svc:/off:default"), unsatisfied + "svc:/off:default is disabled.\n", 4},
		{"disabled, optional", "enable -s x", "true", "offline", needs("optional_all", "service", "svc:/off:default"), itself + "is offline for 0.3 seconds, and its restarter does nothing about it.\n", 3},
		{"at once", "enable -s x", "false", "disabled", needs("require_all", "service", "svc:/off:default"), unsatisfied + "svc:/off:default is disabled.\n", 4},
		{"absent", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/gone:default"), unsatisfied + "svc:/gone:default is absent.\n", 4},
		{"maintenance", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/bad:default"), unsatisfied + "svc:/bad:default is in maintenance.\n", 4},
		{"far", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/far:default"), unsatisfied + "svc:/bad:default is in maintenance.\n", 4},
		{"excluded", "enable -s x", "true", "offline", needs("exclude_all", "service", "svc:/on:default"), unsatisfied + "svc:/on:default is in the way.\n", 4},
		{"no file", "enable -s x", "true", "offline", needs("require_all", "path", "file:///none"), unsatisfied + "file:///none is not there.\n", 4},
		{"a file", "enable -s x", "true", "offline", needs("require_all", "path", "file:///there"), itself + "is offline for 0.3 seconds, and its restarter does nothing about it.\n", 3},
		{"waits", "enable -s x", "true", "offline", needs("require_all", "service", "svc:/slow:default"), unsatisfied + "svc:/slow:default comes up, for 0.3 seconds.\n", 4},
		{"a bad dependency", "enable -s x", "true", "offline", needs("perhaps", "service", "svc:/on:default"), "svcadm: Instance \"svc:/x:default\" cannot come up: it has an invalid dependency: ", 3},
		{"not configured", "enable -s x", "true", "offline", []*tree.Group{groupOf("general", "framework", str("enabled", "x"))}, "", 3},
	} {
		r := newRig(t)
		r.files["/there"] = true
		r.instance("on:default", "true", "online")
		r.instance("off:default", "false", "disabled")
		r.instance("bad:default", "true", "maintenance")
		r.instance("slow:default", "true", "offline")
		r.instance("far:default", "true", "offline", requires("svc:/bad:default"))
		e := r.instance("x:default", c.enabled, c.state, c.groups...)
		if c.name == "not configured" {
			r.apply(func(b *repo.Batch) { b.PutGroup(e, groupOf("general", "framework")) })
			r.env.Open = func() (door.Store, error) { return ruin{kept{r.store}, e}, nil }
			r.says("enable -s x", "", "svcadm: Instance \"svc:/x:default\" has been disabled by another entity.\n", 3)
			continue
		}
		out, errs, code := r.run(c.line)
		if c.name == "a bad dependency" && len(errs) > len(c.errs) {
			errs = errs[:len(c.errs)]
		}
		if out != "" || errs != c.errs || code != c.code {
			t.Errorf("%s, %s: %d %s%s", c.name, c.line, code, out, errs)
		}
	}
}

// ruin takes general/enabled away when somebody watches.
type ruin struct {
	door.Store
	e repo.Entity
}

func (x ruin) Watch(f repo.Filter) (door.Watch, error) {
	w, err := x.Store.Watch(f)
	var b repo.Batch
	b.DeleteProperty(x.e, "general", "enabled")
	_, bad := x.Store.Apply(&b)
	return w, errors.Join(err, bad)
}

// TestWaitMilestone: what the milestone does not want does not come up.
func TestWaitMilestone(t *testing.T) {
	r := newRig(t)
	r.instance("milestone/single-user:default", "true", "online")
	r.instance("system/svc/restarter:default", "true", "online")
	r.instance("x:default", "true", "offline")
	for _, name := range []string{"none", "single-user"} {
		r.says("milestone "+name, "", "", 0)
		full, _ := milestone(name)
		r.says("enable -s x", "", "svcadm: Instance \"svc:/x:default\" has unsatisfied dependencies: the milestone "+full+" does not want it; try svcadm milestone all.\n", 4)
	}
	// One that is not there is not gone to.
	r.says("milestone multi-user", "", "", 0)
	r.says("enable -s x", "", "svcadm: Instance \"svc:/x:default\" is offline for 0.3 seconds, and its restarter does nothing about it.\n", 3)
}

// TestWaitRestarter: a restarter that does not run.
func TestWaitRestarter(t *testing.T) {
	r := newRig(t)
	e := r.instance("x:default", "true", "offline")
	r.instance("inetd:default", "false", "disabled")
	r.apply(func(b *repo.Batch) { b.SetProperty(e, "general", str("restarter", "svc:/inetd:default")) })
	r.says("enable -s x", "", "svcadm: Restarter for instance \"svc:/x:default\" is unavailable: svc:/inetd:default is disabled.\n", 4)
	r.says("disable -s x", "", "svcadm: Restarter for instance \"svc:/x:default\" is unavailable: svc:/inetd:default is disabled.\n", 4)
}

// TestWaitSeveral: of several, one that is to blame itself counts more.
func TestWaitSeveral(t *testing.T) {
	r := newRig(t)
	r.instance("bad:default", "true", "maintenance")
	r.instance("needy:default", "true", "offline", requires("svc:/gone"))
	r.instance("on:default", "true", "online")
	want := "svcadm: Instance \"svc:/needy:default\" has unsatisfied dependencies: svc:/gone is absent.\n"
	bad := "svcadm: Instance \"svc:/bad:default\" is in maintenance state.\n"
	r.says("enable -s needy on", "", want, 4)
	r.says("enable -s needy bad", "", want+bad, 3)
	r.says("enable -s bad needy", "", bad+want, 3)
	r.says("enable -s bad needy none", "", "svcadm: Pattern 'none' doesn't match any instances\n"+bad+want, 1)
}

// TestWaitForOthers: what an instance waits for takes longer than a restarter may be idle, but goes on.
func TestWaitForOthers(t *testing.T) {
	r := newRig(t)
	r.instance("x:default", "true", "offline", requires("svc:/y"))
	y := r.instance("y:default", "true", "offline", requires("svc:/z"))
	z := r.instance("z:default", "true", "offline")
	x := entity(t, "x:default")
	state := func(b *repo.Batch, e repo.Entity, state, next string) {
		b.PutGroup(e, volatile("restarter", str("state", state), str("next_state", next)))
	}
	// At each moment something happens: nobody is to give up, however long it takes.
	r.setState(z, "offline", "online")
	out, errs, code := r.while("enable -s x", func() {
		methodRuns := func() { <-time.After(3 * r.patience.stall) }
		methodRuns()
		r.apply(func(b *repo.Batch) { state(b, z, "online", "none"); state(b, y, "offline", "online") })
		methodRuns()
		r.apply(func(b *repo.Batch) { state(b, y, "online", "none"); state(b, x, "online", "none") })
	})
	if out != "" || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// TestWaitFile: a file that comes while it is waited for is not an administrator's doing, and a
// svcadm in the zone sees that it is missing; from the host nobody looks.
func TestWaitFile(t *testing.T) {
	r := newRig(t)
	r.host("web")
	makeInstance(t, r.zones["web"], "x:default", "true", "offline", dependency("d", "require_all", "path", "file:///none"))
	r.says("-z web enable -s x", "", "svcadm: Instance \"svc:/x:default\" has unsatisfied dependencies: files, perhaps, which are looked for only within the zone.\n", 4)
}

// TestWaitUndone: another administrator does the opposite, or deletes the instance.
func TestWaitUndone(t *testing.T) {
	for _, c := range []struct {
		line, errs string
		change     func(b *repo.Batch, e repo.Entity)
	}{
		{"enable -s x", "svcadm: Instance \"svc:/x:default\" has been disabled by another entity.\n", func(b *repo.Batch, e repo.Entity) { b.SetProperty(e, "general", boolean("enabled", "false")) }},
		{"enable -s x", "svcadm: Instance \"svc:/x:default\" has been disabled by another entity.\n", func(b *repo.Batch, e repo.Entity) {
			b.PutGroup(e, volatile("general_ovr", boolean("enabled", "false")))
		}},
		{"disable -s x", "svcadm: Instance \"svc:/x:default\" has been enabled by another entity.\n", func(b *repo.Batch, e repo.Entity) { b.SetProperty(e, "general", boolean("enabled", "true")) }},
		{"disable -st x", "svcadm: Instance \"svc:/x:default\" has been enabled by another entity.\n", func(b *repo.Batch, e repo.Entity) { b.PutGroup(e, volatile("general_ovr", boolean("enabled", "true"))) }},
		{"enable -s x", "svcadm: Instance \"svc:/x:default\" was deleted by another entity.\n", func(b *repo.Batch, e repo.Entity) { b.Delete(e, repo.WithChildren) }},
		{"disable -s x", "svcadm: Instance \"svc:/x:default\" was deleted by another entity.\n", func(b *repo.Batch, e repo.Entity) { b.Delete(repo.Entity{Service: e.Service}, repo.WithChildren) }},
	} {
		r := newRig(t)
		r.patience = patient()
		e := r.instance("x:default", "true", "offline")
		if out, errs, code := r.while(c.line, func() { r.apply(func(b *repo.Batch) { c.change(b, e) }) }); out != "" || errs != c.errs || code != 3 {
			t.Errorf("%s: %d %s%s", c.line, code, out, errs)
		}
	}
}

// TestWaitInterrupted: the end of the context ends a wait.
func TestWaitInterrupted(t *testing.T) {
	r := newRig(t)
	r.patience = patient()
	r.instance("x:default", "true", "offline")
	ctx, cancel := context.WithCancelCause(context.Background())
	r.ctx = ctx
	if out, errs, code := r.while("enable -s x", func() { cancel(errors.New("that was long enough")) }); out != "" || errs != "svcadm: that was long enough\n" || code != 1 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}
