package server

import (
	"errors"
	"testing"

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
