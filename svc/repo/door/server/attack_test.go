package server

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

func failure(t *testing.T, a door.Answer) error {
	t.Helper()
	if a.Status != door.Failed && a.Status != door.Bye {
		t.Fatalf("status %d", a.Status)
	}
	return a.Failure()
}

// TestGarbage: what makes no sense is told so, the connection ends, and others notice nothing.
func TestGarbage(t *testing.T) {
	r := newRig(t, usual, allowed)
	random := make([]byte, 5000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	random[0], random[4] = 0, 200 // a length, and a version that is none
	for name, c := range map[string]struct {
		send []byte
		want error
	}{
		"an empty frame":     {[]byte{0, 0, 0, 0}, door.ErrProtocol},
		"4 GiB":              {[]byte{255, 255, 255, 255}, door.ErrProtocol},
		"more than root may": {[]byte{1, 128, 0, 1, door.Version}, door.ErrProtocol},
		"another version":    {wire.Append(nil, []byte{door.Version + 1, byte(door.VerbGeneration)}), door.ErrVersion},
		"no verb":            {wire.Append(nil, []byte{door.Version, 0}), door.ErrProtocol},
		"half a head":        {wire.Append(nil, []byte{door.Version}), door.ErrProtocol},
		"an unknown verb":    {wire.Append(nil, []byte{door.Version, 99, 1, 2, 3}), door.ErrProtocol},
		"half a request":     {wire.Append(nil, []byte{door.Version, byte(door.VerbGroup), 3, 'a'}), door.ErrProtocol},
		"too much":           {wire.Append(nil, append(ping.Append(nil), 1)), door.ErrProtocol},
		"a huge string":      {wire.Append(nil, []byte{door.Version, byte(door.VerbExists), 255, 255, 255, 255, 15, 'a'}), door.ErrProtocol},
		"many operations":    {wire.Append(nil, append([]byte{door.Version, byte(door.VerbApply)}, append(make([]byte, door.IDBytes+1), 255, 255, 3)...)), door.ErrProtocol},
		"another protocol":   {[]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), door.ErrProtocol},
		"noise":              {random, door.ErrVersion},
	} {
		t.Run(name, func(t *testing.T) {
			c2, _ := r.dial()
			if name == "noise" {
				random[1], random[2], random[3] = 0, 0, 100
			}
			c2.send(c.send)
			if err := failure(t, c2.answer()); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if a := c2.answer(); a.Status != 0 {
				t.Errorf("after the end comes status %d", a.Status)
			}
			r.served()
		})
	}
}

// TestStrangersFrames: who is not root cannot announce what root can.
func TestStrangersFrames(t *testing.T) {
	r := newRig(t, usual, allowed)
	c, _ := r.as(1001)
	c.send([]byte{0, 4, 0, 1, door.Version, byte(door.VerbApply)})
	if err := failure(t, c.answer()); !errors.Is(err, door.ErrProtocol) {
		t.Error(err)
	}
	for _, verb := range []door.Verb{door.VerbBackup, door.VerbVerify} {
		c, _ := r.as(1001)
		// It is refused before it is taken apart.
		c.send(wire.Append(nil, []byte{door.Version, byte(verb), 255, 255}))
		if err := failure(t, c.answer()); !errors.Is(err, door.ErrDenied) {
			t.Error(err)
		}
		if a := c.ask(ping); a.Status != door.Done {
			t.Errorf("a refusal ends the connection: %d", a.Status)
		}
	}
}

// TestHalfFrames: half a request has its time, and then the connection ends; others are served.
func TestHalfFrames(t *testing.T) {
	r := newRig(t, hasty, allowed)
	frame := wire.Append(nil, (&door.Request{Verb: door.VerbGroup, On: service, View: door.Direct, Group: "g"}).Append(nil))
	for _, n := range []int{1, wire.HeaderBytes, wire.HeaderBytes + 3, len(frame) - 1} {
		c, _ := r.dial()
		c.send(frame[:n])
		r.served()
		if a := c.answer(); a.Status != 0 {
			t.Errorf("%d bytes of a frame: status %d", n, a.Status)
		}
	}
	// One who is slow, but in time, is served.
	c, _ := newRig(t, usual, allowed).dial()
	for _, b := range frame {
		c.send([]byte{b})
	}
	if err := failure(t, c.answer()); !errors.Is(err, repo.ErrNotFound) {
		t.Error(err)
	}
	// One who says nothing stays.
	idle, _ := r.dial()
	<-time.After(2 * hasty.request)
	if a := idle.ask(ping); a.Status != door.Done {
		t.Errorf("status %d", a.Status)
	}
}

// numbers are so many that their pairs are nearly as many groups as an instance, or a service,
// may have.
var numbers = strings.Split("abcdefghijklmnopqrstuvwxyzABCDE", "")

// bulk is some megabytes of groups.
func bulk(b *repo.Batch) {
	values := make([]string, 200)
	for i := range values {
		values[i] = strings.Repeat("x", prop.ValueBytesMax)
	}
	b.Ensure(instance)
	for _, name := range []string{"a", "b", "c", "d"} {
		b.PutGroup(instance, group(name, application, str("x", values...)))
	}
}

// TestSlowReaders: an answer that nobody reads holds up nobody else, and ends in time.
func TestSlowReaders(t *testing.T) {
	r := newRig(t, hasty, allowed)
	r.apply(bulk)
	var slow []*raw
	scan := &door.Request{Verb: door.VerbScan, Query: door.Query{On: instance, View: door.Direct}}
	for range 20 {
		c, _ := r.dial()
		c.request(scan)
		slow = append(slow, c)
	}
	for i := range 50 {
		r.apply(func(b *repo.Batch) { b.PutGroup(instance, group("e", application, str("x", strings.Repeat("y", i)))) })
		r.served()
	}
	testenv.Eventually(t, func() bool {
		r.s.roster.mu.Lock()
		defer r.s.roster.mu.Unlock()
		return len(r.s.roster.conns) == 0
	}, "the slow ones to be given up")
	// What had been sent can be read, and is no whole answer.
	if a := slow[0].answer(); a.Status != 0 {
		t.Errorf("status %d", a.Status)
	}
}

// TestBytesOnTheirWay: of one user who is not root there is a limit to what waits to be read.
func TestBytesOnTheirWay(t *testing.T) {
	q := allowed
	q.bytes = 2 << 20
	r := newRig(t, patience{request: time.Minute, reply: time.Minute, word: time.Second}, q)
	r.apply(bulk)
	scan := &door.Request{Verb: door.VerbScan, Query: door.Query{On: instance, View: door.Direct}}
	busy := 0
	var slow []*raw
	for range 6 {
		c, _ := r.as(1001)
		c.request(scan)
		slow = append(slow, c)
	}
	used := func(uid uint32) (n int) {
		r.s.roster.mu.Lock()
		defer r.s.roster.mu.Unlock()
		if u := r.s.roster.users[uid]; u != nil {
			n = u.bytes
		}
		return n
	}
	testenv.Eventually(t, func() bool { return used(1001) > q.bytes/2 }, "answers to be on their way")
	// Each of them has its answer, or was refused one, before any is read.
	testenv.Eventually(t, func() bool {
		r.s.roster.mu.Lock()
		defer r.s.roster.mu.Unlock()
		rest := 0
		for c, p := range r.s.roster.conns {
			if c.uid == 1001 && p.state == resting {
				rest++
			}
		}
		return rest > 0
	}, "one to be refused")
	other, _ := r.as(1002)
	if a := other.ask(scan); a.Status != door.More {
		t.Errorf("another user: status %d", a.Status)
	}
	root, _ := r.dial()
	if a := root.ask(scan); a.Status != door.More {
		t.Errorf("root: status %d", a.Status)
	}
	for _, c := range slow {
		switch a := c.answer(); a.Status {
		case door.More:
		case door.Failed:
			if err := a.Failure(); errors.Is(err, door.ErrBusy) {
				busy++
			}
		}
	}
	if busy == 0 || busy == len(slow) {
		t.Errorf("%d of %d are told to come again", busy, len(slow))
	}
	testenv.Eventually(t, func() bool { return used(1001) == 0 }, "nothing to be on its way")
}

// TestThousandConnections: there are as many as there may be, the one that rested longest gives
// way with a word, and the newest are served.
func TestThousandConnections(t *testing.T) {
	r := newRig(t, usual, allowed)
	var all []*raw
	for range 1000 {
		c, hello := r.dial()
		if hello.Status != door.Hello {
			t.Fatalf("connection %d: %v", len(all), hello.Failure())
		}
		if a := c.ask(ping); a.Status != door.Done {
			t.Fatalf("connection %d: status %d", len(all), a.Status)
		}
		all = append(all, c)
		if len(all) == 64 {
			all[0].ask(ping) // the first has not rested longest any more
		}
		r.s.roster.mu.Lock()
		if n := len(r.s.roster.conns); n > allowed.total {
			t.Errorf("%d connections", n)
		}
		r.s.roster.mu.Unlock()
	}
	told, alive := 0, 0
	for i, c := range all {
		switch a := c.ask(ping); {
		case a.Status == door.Done:
			alive++
		case i >= 1000-allowed.total/2:
			t.Errorf("connection %d, one of the newest: status %d", i, a.Status)
		case a.Status == door.Bye && errors.Is(a.Failure(), door.ErrBusy):
			told++
		}
	}
	if told != 1000-allowed.total || alive != allowed.total {
		t.Errorf("%d were told, %d are served", told, alive)
	}
}

// TestPlaces: a user's connections push out his own, and root finds a place among theirs.
func TestPlaces(t *testing.T) {
	r := newRig(t, usual, quota{total: 6, strangers: 4, eachStranger: 2, bytes: 1 << 20})
	// An answer may be read before its connection rests.
	settled := func() {
		testenv.Eventually(t, func() bool {
			r.s.roster.mu.Lock()
			defer r.s.roster.mu.Unlock()
			for _, p := range r.s.roster.conns {
				if p.state != resting {
					return false
				}
			}
			return true
		}, "all connections to rest")
	}
	alive := func(c *raw) bool {
		defer settled()
		return c.ask(ping).Status == door.Done
	}
	root, _ := r.dial()
	first, _ := r.as(1001)
	second, _ := r.as(1001)
	if !alive(second) || !alive(first) {
		t.Error("two of one user")
	}
	third, hello := r.as(1001)
	settled()
	if hello.Status != door.Hello || !alive(third) || !alive(first) || second.answer().Status != door.Bye {
		t.Error("the one that rested longest did not give way to the third")
	}
	for uid := uint32(1002); uid < 1006; uid++ {
		if c, hello := r.as(uid); hello.Status != door.Hello || !alive(c) {
			t.Errorf("user %d has no place", uid)
		}
	}
	if !alive(root) {
		t.Error("root gave way to others")
	}
	var roots []*raw
	for range 6 {
		c, hello := r.dial()
		if hello.Status != door.Hello || !alive(c) {
			t.Error("root has no place")
		}
		roots = append(roots, c)
	}
	// Those that watch do not give way.
	for _, c := range roots {
		c.ask(&door.Request{Verb: door.VerbWatch})
	}
	for range 2 {
		_, hello = r.as(1007)
		if hello.Status != door.Bye {
			t.Errorf("a seventh: status %d", hello.Status)
		}
		if err := failure(t, hello); !errors.Is(err, door.ErrBusy) || !strings.Contains(err.Error(), "too many") {
			t.Error(err)
		}
	}
}

// TestKilledClients: whoever goes in the middle of anything leaves nothing.
func TestKilledClients(t *testing.T) {
	r := newRig(t, usual, allowed)
	r.apply(bulk)
	var b repo.Batch
	b.PutGroup(instance, group("left", application, str("x", "1")))
	batch := wire.Append(nil, (&door.Request{Verb: door.VerbApply, Batch: &b}).Append(nil))
	for n := range batch {
		c, _ := r.dial()
		c.send(batch[:n])
		c.f.Close()
	}
	for range 20 {
		c, _ := r.dial()
		c.request(&door.Request{Verb: door.VerbWatch})
		c.f.Close()
		c, _ = r.dial()
		c.request(&door.Request{Verb: door.VerbScan, Query: door.Query{On: instance, View: door.Direct}})
		c.f.Close()
		c, err := r.connect()
		must(t, err)
		c.f.Close()
	}
	testenv.Eventually(t, func() bool {
		r.s.roster.mu.Lock()
		defer r.s.roster.mu.Unlock()
		return len(r.s.roster.conns) == 0 && len(r.s.roster.users) == 0
	}, "all connections to be forgotten")
	must(t, r.repo.View(func(v *repo.Reader) error {
		if _, _, err := v.Group(instance, "left"); !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("half a batch was done: %v", err)
		}
		return nil
	}))
	c, _ := r.dial()
	c.send(batch)
	if a := c.answer(); a.Status != door.Done {
		t.Errorf("status %d", a.Status)
	}
}

// TestSilentWatcher: changes that nobody reads hold up no batch, and the watch ends in time; one
// that cannot be told of all is told so.
func TestSilentWatcher(t *testing.T) {
	r := newRig(t, hasty, allowed)
	r.apply(bulk)
	silent, _ := r.dial()
	if a := silent.ask(&door.Request{Verb: door.VerbWatch}); a.Status != door.Done {
		t.Fatalf("status %d", a.Status)
	}
	testenv.Eventually(t, func() bool {
		r.apply(func(b *repo.Batch) {
			for _, n := range numbers {
				b.PutGroup(instance, volatile("g"+n, application, str("x", string(bytes.Repeat([]byte{'x'}, rand.IntN(900))))))
			}
		})
		r.s.roster.mu.Lock()
		defer r.s.roster.mu.Unlock()
		return len(r.s.roster.conns) == 0
	}, "the silent one to be given up")
	c, _ := r.dial()
	c.ask(&door.Request{Verb: door.VerbWatch, Filter: repo.Filter{On: instance}})
	r.apply(func(b *repo.Batch) {
		for _, n := range numbers {
			for _, m := range numbers {
				b.CreateGroup(instance, "h"+n+m, application, 0)
				b.CreateGroup(service, "h"+n+m, application, 0)
			}
		}
	})
	if e, err := change(t, c); err != nil || e.Kind != repo.Resync || e.Generation != r.repo.Generation() {
		t.Errorf("%+v, %v", e, err)
	}
	r.apply(func(b *repo.Batch) { b.DeleteGroup(instance, "a") })
	if e, err := change(t, c); err != nil || e.Kind != repo.GroupDeleted || e.Name != "a" {
		t.Errorf("%+v, %v", e, err)
	}
	// Whatever a watcher says ends the watch.
	c.request(ping)
	if a := c.answer(); a.Status == door.Done || a.Status == door.Change {
		t.Errorf("status %d", a.Status)
	}
}

func change(t *testing.T, c *raw) (repo.Event, error) {
	t.Helper()
	a := c.answer()
	if a.Status != door.Change {
		t.Fatalf("status %d", a.Status)
	}
	return a.Event()
}
