package contracts

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(60*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func statuses(t *testing.T, z *testenv.Zones, zone string) []contract.Status {
	t.Helper()
	c := api.Client{Layout: z.Layout, Zone: zone}
	lines, err := c.Contracts(within(t))
	must(t, err)
	var all []contract.Status
	for _, l := range lines {
		var s contract.Status
		must(t, json.Unmarshal(l, &s))
		all = append(all, s)
	}
	return all
}

// TestContracts: the host sees the contracts of a zone with its own numbers.
func TestContracts(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	before := z.Status("a")
	run(t, z, "a", "exec sleep 1111")
	pid := hostPid(t, z, "a", "sleep 1111")
	// svc.startd has one of init's, and services have theirs; a login that has ended is given up a moment later.
	others := func() (all []contract.Status) {
		testenv.Eventually(t, func() bool {
			all = slices.DeleteFunc(statuses(t, z, "a"), func(st contract.Status) bool { return st.Terms.FMRI != "" })
			return len(all) == 2 && all[1].State == contract.Orphan
		}, "the contracts of init and of what a login left")
		return all
	}
	for _, all := range [][]contract.Status{others(), func() []contract.Status {
		successor(t, z, "a", z.KillZoned("a"))
		return others()
	}()} {
		if len(all) != 2 {
			t.Fatalf("%+v", all)
		}
		init, login := all[0], all[1]
		if init.Zone != "a" || init.ZoneID != before.ID || init.State != contract.Owned || init.Creator != "zsched" ||
			!slices.Contains(init.Members, int32(before.Init.Pid)) || init.Terms.Params != contract.NoOrphan {
			t.Errorf("init's: %+v, want pid %d in it", init, before.Init.Pid)
		}
		if login.State != contract.Orphan || !slices.Contains(login.Members, int32(pid)) || !strings.HasPrefix(login.Sources, "bpf") {
			t.Errorf("the login's: %+v, want pid %d in it", login, pid)
		}
	}
	silent(t, z, "a", "ready") // an incarnation without a process but the one that waits
	if all := statuses(t, z, "a"); len(all) != 1 || len(all[0].Members) != 1 {
		t.Errorf("in a ready zone: %+v", all)
	}
	console := z.Pty("zlogin", "-C", "a") // keeps the supervisor
	console.Expect(`\[Connected to zone 'a' console\]`)
	silent(t, z, "a", "halt")
	c := api.Client{Layout: z.Layout, Zone: "a"}
	var refused *api.RefusedError
	if _, err := c.Contracts(within(t)); !errors.As(err, &refused) || !strings.Contains(refused.Text, "not ready") {
		t.Errorf("of a halted zone: %v", err)
	}
	if err := c.ContractEvents(within(t), api.FromNow, nil); !errors.As(err, &refused) {
		t.Errorf("of a halted zone: %v", err)
	}
	console.Send("\r~.")
	console.Wait()
	testenv.Eventually(t, func() bool {
		_, err := c.Contracts(within(t))
		return errors.Is(err, api.ErrNoServer)
	}, "the supervisor to leave")
}

// seen are events as a stream brought them.
type seen struct {
	mu     sync.Mutex // guards the rest
	events []contract.Event
	err    error
	ended  bool
}

func (s *seen) count(satisfies func(contract.Event) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if satisfies(e) {
			n++
		}
	}
	return n
}

func (s *seen) over() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended, s.err
}

// follow reads the zone's events until it ends.
func follow(t *testing.T, z *testenv.Zones, zone string, from api.From, each func()) *seen {
	t.Helper()
	s := &seen{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := api.Client{Layout: z.Layout, Zone: zone}
		err := c.ContractEvents(ctx, from, func(line []byte) error {
			e, err := contract.ParseEvent(string(line))
			s.mu.Lock()
			if err == nil {
				s.events = append(s.events, e)
			}
			s.mu.Unlock()
			each()
			return err
		})
		s.mu.Lock()
		s.ended, s.err = true, err
		s.mu.Unlock()
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// TestContractEvents: the host follows a zone's events over the deaths of its supervisors to
// its end. Of what the zone does each event comes once, in order; what may have been missed
// while nobody was there is said.
func TestContractEvents(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	// The stream begins with an event that is there, so that it is known to have begun.
	inZone(t, z, "a", "true")
	s := follow(t, z, "a", api.FromNow, func() {})
	run(t, z, "a", "exec env "+as("births", "/var/tmp/stop", "/var/tmp/record"))
	empty := func(e contract.Event) bool { return e.Kind == contract.Empty && e.Critical }
	testenv.Eventually(t, func() bool { return s.count(empty) > 10 }, "events to come")
	gap := func(e contract.Event) bool { return e.ID == 0 && e.Kind == contract.Lost }
	for i := range 3 {
		successor(t, z, "a", z.KillZoned("a"))
		// What the dead one had sent may be read still: the next stream begins with the gap.
		testenv.Eventually(t, func() bool { return s.count(gap) > i }, "the stream to go on")
		n := s.count(empty)
		testenv.Eventually(t, func() bool { return s.count(empty) > n+10 }, "events to go on")
	}
	silent(t, z, "a", "halt")
	testenv.Eventually(t, func() bool { over, _ := s.over(); return over }, "the stream to end with the zone")
	if _, err := s.over(); err != nil {
		t.Error(err)
	}
	last := contract.EventID(0)
	gaps := 0
	for _, e := range s.events {
		if e.ID == 0 && e.Kind == contract.Lost {
			gaps++
			continue
		}
		if e.ID <= last {
			t.Errorf("event %d came after %d", e.ID, last)
		}
		last = e.ID
	}
	if gaps != 3 {
		t.Errorf("%d gaps were told, three supervisors died", gaps)
	}
	t.Logf("%d events", len(s.events))
}

// TestContractEventsSlowly: who does not take them is told how many it missed, and holds up
// nobody.
func TestContractEventsSlowly(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	release := make(chan struct{})
	var once sync.Once
	free := func() { once.Do(func() { close(release) }) }
	s := follow(t, z, "a", api.FromNow, func() { <-release })
	t.Cleanup(free)
	testenv.Eventually(t, func() bool { // who comes later is not told of what was before
		inZone(t, z, "a", as("storm", "1"))
		return s.count(func(contract.Event) bool { return true }) > 0
	}, "the stream to begin")
	if got := inZone(t, z, "a", as("storm", "6000")); !strings.HasPrefix(got, "done") {
		t.Errorf("the zone was held up: %q", got)
	}
	free()
	testenv.Eventually(t, func() bool {
		return s.count(func(e contract.Event) bool { return e.Kind == contract.Lost && e.Count > 0 }) > 0
	}, "word of what was missed")
	silent(t, z, "a", "halt")
}
