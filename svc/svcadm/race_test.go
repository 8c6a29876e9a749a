package svcadm

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// TestPlay: a day of an administrator.
func TestPlay(t *testing.T) {
	s := serve(t)
	s.patience = patient()
	e := s.instance("x:default", "false", "disabled")
	p := play(t, s.client())
	for _, c := range []struct {
		line, out, errs string
		code            int
	}{
		{"-v enable -s x", "svc:/x:default enabled.\n", "", 0},
		{"enable -s x", "", "", 0},
		{"-v restart x", "Action restart set for svc:/x:default.\n", "", 0},
		{"disable -st x", "", "", 0},
		{"enable -s x", "", "", 0},
		{"mark maintenance x", "", "", 0},
	} {
		s.says(c.line, c.out, c.errs, c.code)
	}
	testenv.Eventually(t, func() bool { return strings.Contains(s.values(e, "restarter"), "state=maintenance") }, "maintenance")
	s.says("enable -s x", "", "svcadm: Instance \"svc:/x:default\" is in maintenance state.\n", 3)
	s.says("clear x", "", "", 0)
	testenv.Eventually(t, func() bool { return strings.Contains(s.values(e, "restarter"), "state=online") }, "online")
	s.says("disable -s x", "", "", 0)
	s.says("clear x", "", "svcadm: Instance \"svc:/x:default\" is not in a maintenance or degraded state.\n", 1)
	p.end()
	var names []string
	for _, r := range p.done[e] {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "restart maint_on maint_off" {
		t.Errorf("it did %s", got)
	}
	if got := s.values(e, actions.Group); got != "auxiliary_tty=true taken=stamp" {
		t.Errorf("left is %q", got)
	}
}

// TestManyAskers: everything that was asked while svc.startd takes is done, after it was asked.
func TestManyAskers(t *testing.T) {
	s := serve(t)
	e := s.instance("x:default", "true", "online")
	p := play(t, s.client())
	rounds := testenv.Rounds(25, 5)
	var group sync.WaitGroup
	for _, name := range []string{"restart", "refresh", "restart", "mark degraded"} {
		group.Go(func() {
			for range rounds {
				from := time.Now().UnixNano()
				if out, errs, code := s.run(name + " x"); out != "" || errs != "" || code != 0 {
					t.Errorf("%s: %d %s%s", name, code, out, errs)
					return
				}
				want := strings.TrimPrefix(name, "mark ")
				testenv.Eventually(t, func() bool { return p.did(e, want, from) }, want+" to be done")
			}
		})
	}
	group.Wait()
	testenv.Eventually(t, func() bool { return s.values(e, actions.Group) == "auxiliary_tty=true taken=stamp" }, "all requests to be taken")
	p.end()
	last := map[string]int64{}
	for _, r := range p.done[e] {
		if r.Stamp <= last[r.Name] {
			t.Errorf("%s %d was done after %d", r.Name, r.Stamp, last[r.Name])
		}
		last[r.Name] = r.Stamp
	}
}

// did says whether a request that was made after a time was done.
func (p *player) did(on repo.Entity, name string, from int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.done[on] {
		if r.Name == name && r.Stamp >= from {
			return true
		}
	}
	return false
}

// TestTwoAtOnce: those who enable and those who disable leave it as one of them wants it, for good and
// for this boot alike.
func TestTwoAtOnce(t *testing.T) {
	s := serve(t)
	e := s.instance("x:default", "true", "online")
	var group sync.WaitGroup
	for _, line := range []string{"enable x", "disable -c first x", "disable -t -c second x", "enable -t x"} {
		group.Go(func() {
			for range testenv.Rounds(20, 5) {
				if out, errs, code := s.run(line); out != "" || errs != "" || code != 0 {
					t.Errorf("%s: %d %s%s", line, code, out, errs)
					return
				}
			}
		})
	}
	group.Wait()
	for name, may := range map[string]string{
		"general":     "|enabled=true|comment=first enabled=false|",
		"general_ovr": "|-||enabled=true|comment=second enabled=false|",
	} {
		if got := s.values(e, name); !strings.Contains(may, "|"+got+"|") {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// gone deletes an instance when it is read for the nth time.
type gone struct {
	door.Store
	e     repo.Entity
	reads *int
	at    int
}

func (gone) Close() error { return nil }

func (g gone) Group(e repo.Entity, v door.View, name string) (door.Group, error) {
	x, err := g.Store.Group(e, v, name)
	if *g.reads++; *g.reads == g.at {
		var b repo.Batch
		b.Delete(g.e, repo.WithChildren)
		_, _ = g.Store.Apply(&b)
	}
	return x, err
}

// TestGoneMeanwhile: an instance that goes between any two steps is told of, and the next one is done.
func TestGoneMeanwhile(t *testing.T) {
	for _, line := range []string{"enable x y", "disable -t x y", "restart x y", "refresh x y", "clear x y", "mark -I degraded x y", "mark maintenance x y", "enable -rs x y", "enable -s x", "disable -s x"} {
		for at := 1; ; at++ {
			r := newRig(t)
			r.patience = patient()
			state := "online"
			switch {
			case strings.HasPrefix(line, "clear"):
				state = "maintenance"
			case strings.HasSuffix(line, "-s x"): // not as it should be: it is waited for
				state = "offline"
			}
			x := r.instance("x:default", "true", state)
			r.instance("y:default", "true", state)
			reads := 0
			r.env.Open = func() (door.Store, error) { return gone{r.store, x, &reads, at}, nil }
			out, errs, code := r.run(line)
			if reads < at || at > 8 && state == "offline" { // who waits reads on
				break
			}
			ok := code == 0 && errs == "" || code == 1 && errs == "svcadm: No such instance \"svc:/x:default\".\n" ||
				code == 3 && errs == "svcadm: Instance \"svc:/x:default\" was deleted by another entity.\n"
			if !ok || out != "" {
				t.Errorf("%s, gone at the read %d: %d %s%s", line, at, code, out, errs)
			}
			if at > 40 {
				t.Fatal("it reads without end")
			}
		}
	}
}

// busy has others write before each batch.
type busy struct {
	door.Store
	e     repo.Entity
	n     int
	times int
}

func (*busy) Close() error { return nil }

func (s *busy) Apply(b *repo.Batch) (uint64, error) {
	if s.n++; s.n <= s.times {
		var other repo.Batch
		other.PutGroup(s.e, volatile(actions.Group, integer("restart", strconv.Itoa(s.n))))
		if _, err := s.Store.Apply(&other); err != nil {
			return 0, err
		}
	}
	return s.Store.Apply(b)
}

// TestBusy: who is overtaken reads again, not without end.
func TestBusy(t *testing.T) {
	r := newRig(t)
	e := r.instance("x:default", "true", "online")
	for times, want := range map[int]string{1: "", triesMax - 1: "", triesMax: "svcadm: svc:/x:default: others change the instance all the time; try again\n"} {
		r.apply(func(b *repo.Batch) { b.PutGroup(e, volatile(actions.Group)) })
		r.env.Open = func() (door.Store, error) { return &busy{Store: r.store, e: e, times: times}, nil }
		if out, errs, code := r.run("mark maintenance x"); out != "" || errs != want || (code == 0) != (want == "") {
			t.Errorf("%d: %d %s%s", times, code, out, errs)
		}
		if got := r.values(e, actions.Group); want == "" && got != "auxiliary_tty=true maint_on=stamp restart=stamp" {
			t.Errorf("%d: %s", times, got)
		}
	}
}

// unsure does a batch, or does not, and does not say so.
type unsure struct {
	door.Store
	n     *int
	does  func() bool
	after func() // it is done
	err   error  // what is said of one that is done
}

func (unsure) Close() error { return nil }

func (s unsure) Apply(b *repo.Batch) (uint64, error) {
	*s.n++
	if !s.does() {
		return 0, door.ErrUnknown
	}
	_, err := s.Store.Apply(b)
	if err == nil {
		s.after()
		err = s.err
	}
	return 0, err
}

// TestUnknown: what nobody knows of is asked again, not without end; but not when it is there, or was
// done already, whatever else was asked meanwhile.
func TestUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		does  bool
		after func(r *rig, e repo.Entity)
		errs  string
		code  int
		tries int
		left  string
	}{
		"never":      {false, nil, "svcadm: svc:/x:default: it is not known whether the change was made\n", 1, unknownMax + 1, "-"},
		"it waits":   {true, func(*rig, repo.Entity) {}, "", 0, 1, "auxiliary_tty=true restart=stamp"},
		"it is done": {true, func(r *rig, e repo.Entity) { r.took(e) }, "", 0, 1, "auxiliary_tty=true taken=stamp"},
		"it is done, and another asked": {true, func(r *rig, e repo.Entity) {
			r.took(e)
			r.apply(func(b *repo.Batch) {
				actions.Ask(b, e, r.group(e, actions.Group), 0, 1, actions.Asked{TTY: true}, actions.Refresh)
				b.Ops = b.Ops[1:] // whatever was there
			})
		}, "", 0, 1, "auxiliary_tty=true refresh=stamp taken=stamp"},
	} {
		// A batch that was sent again to another server, and was done by the first, is stale there:
		// the client says both.
		for _, why := range []error{door.ErrUnknown, errors.Join(door.ErrUnknown, repo.ErrStale), errors.Join(door.ErrUnknown, repo.ErrExists)} {
			t.Run(name+"/"+strings.ReplaceAll(why.Error(), "\n", " "), func(t *testing.T) {
				r := newRig(t)
				e := r.instance("x:default", "true", "online")
				n := 0
				r.env.Open = func() (door.Store, error) {
					return unsure{r.store, &n, func() bool { return c.does }, func() { c.after(r, e) }, why}, nil
				}
				r.says("restart x", "", c.errs, c.code)
				if n != c.tries {
					t.Errorf("%d times", n)
				}
				if got := r.values(e, actions.Group); got != c.left {
					t.Errorf("left is %s", got)
				}
			})
		}
	}
}

// took takes all requests of an instance, as svc.startd does.
func (r *rig) took(e repo.Entity) {
	r.t.Helper()
	x, err := r.store.Group(e, door.Direct, actions.Group)
	must(r.t, err)
	r.apply(func(b *repo.Batch) {
		if !actions.Took(b, e, &x.Group, x.Generation, actions.Of(&x.Group).Requests) {
			r.t.Error("nothing was asked")
		}
	})
}

// TestServerRestarted: a wait goes on when another server takes over, and what happened meanwhile is seen.
func TestServerRestarted(t *testing.T) {
	s := serve(t)
	s.patience = patient()
	e := s.instance("x:default", "false", "disabled")
	type result struct {
		out, errs string
		code      int
	}
	done := make(chan result, 1)
	go func() {
		out, errs, code := s.run("enable -s x")
		done <- result{out, errs, code}
	}()
	testenv.Eventually(t, func() bool { return s.values(e, "general") == "enabled=true" }, "the instance to be enabled")
	for range testenv.Rounds(5, 2) {
		s.setState(e, "offline", "online")
		s.restart()
		s.setState(e, "offline", "none")
		select {
		case r := <-done:
			t.Fatalf("it ended: %+v", r)
		case <-time.After(50 * time.Millisecond):
		}
	}
	must(t, s.server.Close())
	var b repo.Batch
	b.PutGroup(e, restarter("online"))
	_, err := s.repo.Apply(&b)
	must(t, err)
	s.start(s.listener)
	if r := <-done; r.out != "" || r.errs != "" || r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// TestRights: who may do what, each user's process asked by the kernel.
func TestRights(t *testing.T) {
	s := serve(t)
	const nobody, admin, operator, actor = 1001, 1002, 1003, 1004
	s.users = map[uint32]auth.Set{admin: auth.Of("solaris.smf.modify"), operator: auth.Of("solaris.smf.manage"), actor: auth.Of("site.action")}
	e := s.instance("x:default", "true", "online")
	s.instance("system/svc/restarter:default", "true", "online")
	s.apply(func(b *repo.Batch) {
		b.SetProperty(e, "general", str("action_authorization", "site.action"))
		b.PutGroup(e, groupOf("config", "application", str("x", "old")))
		b.TakeSnapshot(e, repo.Running)
	})
	for _, line := range []string{
		"disable -c why x", "enable x", "disable -t -c why x", "enable -t x", "enable x", "restart -d x", "refresh x", "mark maintenance x", "mark -I degraded x", "milestone none",
	} {
		for uid, may := range map[uint32]bool{nobody: false, admin: true, operator: line != "milestone none", actor: line != "milestone none"} {
			out, errs, code := s.as(uid, line)
			who := "svc:/x:default"
			if line == "milestone none" {
				who = "svc:/system/svc/restarter:default"
			}
			want := "svcadm: " + who + ": Permission denied.\n"
			if may {
				want = ""
			}
			if out != "" || errs != want || (code == 0) != may {
				t.Errorf("%s by %d: %d %s%s", line, uid, code, out, errs)
			}
		}
	}
	// With -v it is said what would do.
	if _, errs, code := s.as(nobody, "-v enable -t x"); code != 1 || errs != "svcadm: svc:/x:default: Couldn't modify \"general_ovr/enabled\" property (permission denied: it takes the authorization solaris.smf.manage).\n" {
		t.Errorf("%d %s", code, errs)
	}
	// Who may act and not modify leaves the snapshot to svc.startd.
	snapshot := func() string {
		p, err := s.store.Property(e, door.Snapshot(repo.Running), "config", "x")
		must(t, err)
		return p.Values[0]
	}
	s.apply(func(b *repo.Batch) { b.SetProperty(e, "config", str("x", "new")) })
	if out, errs, code := s.as(actor, "-v refresh x"); out != "Action refresh set for svc:/x:default.\n" || errs != "" || code != 0 || snapshot() != "old" {
		t.Errorf("%d %s%s%s", code, out, errs, snapshot())
	}
	if _, _, code := s.as(admin, "refresh x"); code != 0 || snapshot() != "new" {
		t.Errorf("%d %s", code, snapshot())
	}
}
