package server

import (
	"errors"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// TestEnd: who rests, watches or has asked is told or answered, and Close waits for that.
func TestEnd(t *testing.T) {
	r := newRig(t, usual, allowed)
	r.apply(bulk)
	rests, _ := r.dial()
	rests.ask(ping)
	watches, _ := r.dial()
	watches.ask(&door.Request{Verb: door.VerbWatch})
	reads, _ := r.dial()
	reads.request(&door.Request{Verb: door.VerbGroup, On: instance, View: door.Direct, Group: "a"})
	closed := make(chan error)
	go func() { closed <- r.s.Close() }()
	for name, c := range map[string]*raw{"rests": rests, "watches": watches} {
		if a := c.answer(); a.Status != door.Bye || !errors.Is(a.Failure(), repo.ErrClosed) {
			t.Errorf("who %s: status %d", name, a.Status)
		}
	}
	switch a := reads.answer(); a.Status {
	case door.Done:
		if g, err := a.Group(); err != nil || g.Name != "a" {
			t.Errorf("%s, %v", g.Name, err)
		}
	case door.Bye: // it ended before the request came
	default:
		t.Errorf("who reads: status %d", a.Status)
	}
	must(t, <-closed)
	must(t, r.s.Close())
	if r.s.roster.admit(newConn(r.s, 0, nil)) != error(whyEnd) {
		t.Error("somebody is let in")
	}
}

// TestEndDoesNotWait: an answer that nobody reads, and half a request, do not hold up the end.
func TestEndDoesNotWait(t *testing.T) {
	r := newRig(t, patience{request: time.Hour, reply: time.Hour, word: 100 * time.Millisecond}, allowed)
	r.apply(bulk)
	half, _ := r.dial()
	half.send([]byte{0, 0})
	var slow []*raw
	for range 3 {
		c, _ := r.dial()
		c.request(&door.Request{Verb: door.VerbGroup, On: instance, View: door.Direct, Group: "a"})
		slow = append(slow, c)
	}
	// The answers have begun to come.
	for _, c := range slow {
		if _, err := c.f.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error)
	go func() { closed <- r.s.Close() }()
	select {
	case err := <-closed:
		must(t, err)
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Fatal("the server does not end")
	}
}

// TestBatchSentAgain: a batch whose answer was lost is not done again, neither at the same time nor
// later, and not for another user.
func TestBatchSentAgain(t *testing.T) {
	r := newRig(t, usual, allowed)
	var b repo.Batch
	b.Create(service)
	request := &door.Request{Verb: door.VerbApply, ID: [door.IDBytes]byte{1}, Batch: &b}
	lost, _ := r.dial()
	lost.request(request)
	lost.f.Close()
	request.Again = true
	var senders []*raw
	for range 8 {
		c, _ := r.dial()
		senders = append(senders, c)
	}
	for _, c := range senders {
		c.request(request)
	}
	for _, c := range senders {
		if a := c.answer(); a.Status != door.Done || a.Generation != 1 {
			t.Errorf("status %d, generation %d", a.Status, a.Generation)
		}
	}
	if g := r.repo.Generation(); g != 1 {
		t.Errorf("generation %d", g)
	}
	c, _ := r.dial()
	request.ID[0]++
	if a := c.ask(request); a.Status != door.Failed || !errors.Is(a.Failure(), repo.ErrExists) {
		t.Errorf("another batch: status %d", a.Status)
	}
	// What was refused is refused again, in the same words, though it would be done by now.
	var gone repo.Batch
	gone.Delete(service, repo.KeepChildren)
	if _, err := r.repo.Apply(&gone); err != nil {
		t.Fatal(err)
	}
	if a := c.ask(request); a.Status != door.Failed || !errors.Is(a.Failure(), repo.ErrExists) {
		t.Errorf("asked again: status %d", a.Status)
	}
	request.ID[0]--
	other, _ := r.as(1001)
	if a := other.ask(request); a.Status != door.Failed || !errors.Is(a.Failure(), door.ErrDenied) {
		t.Errorf("another user's: status %d", a.Status)
	}
}

// TestDamagedAuthorizations: who cannot be looked up has none, which is logged, and not for ever.
func TestDamagedAuthorizations(t *testing.T) {
	r := newRig(t, usual, allowed)
	for range 2 * linesMax {
		c, _ := r.as(1001)
		var b repo.Batch
		b.Create(service)
		var id [door.IDBytes]byte
		door.Random(id[:])
		a := c.ask(&door.Request{Verb: door.VerbApply, ID: id, Batch: &b})
		if a.Status != door.Failed || !errors.Is(a.Failure(), door.ErrDenied) {
			t.Fatalf("status %d", a.Status)
		}
		c.f.Close()
	}
	if n := len(r.logged); n == 0 || n > linesMax {
		t.Errorf("%d lines", n)
	}
	if line := <-r.logged; line != "repository door: a user has no authorizations: damaged" {
		t.Error(line)
	}
}
