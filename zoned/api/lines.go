package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// cutOff prepares to ask anew after a connection that ended early.
func (k *call) cutOff() {
	if k.holder() == 0 {
		k.debug("the supervisor has left")
	}
	if k.ev.Again != nil {
		k.ev.Again()
	}
}

// lines puts the parts of a line together and gives it to the caller.
func (k *call) lines(r Reply) error {
	if len(k.line)+len(r.Line) > LineBytesMax {
		return fmt.Errorf("%w: a line of more than %d bytes", ErrProtocol, LineBytesMax)
	}
	k.line = append(k.line, r.Line...)
	if r.More {
		return nil
	}
	line := k.line
	k.line = nil
	if k.ev.Line != nil {
		if err := k.ev.Line(line); err != nil {
			return err
		}
	}
	if r.Mark <= k.req.After {
		return nil
	}
	// Whoever is asked next goes on from here. A stream that gets on may outlive any number of
	// supervisors.
	k.req.After, k.connections = r.Mark, 1
	return k.encode()
}

// RefusedError is what a supervisor said when it did not do what it was asked for.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

// Contracts gives the statuses of the zone's process contracts: each line is a contract.Status
// in the form of encoding/json, with the host's numbers. ErrNoServer: nothing is known of the
// zone, because it is not there.
func (c *Client) Contracts(ctx context.Context) ([][]byte, error) {
	var lines [][]byte
	err := c.stream(ctx, Request{Verb: VerbContracts}, Events{
		Line:  func(line []byte) error { lines = append(lines, line); return nil },
		Again: func() { lines = nil },
	})
	return lines, err
}

// From is where a stream of events begins, and whether it may have holes.
type From uint8

// The beginnings: with the next event, or with the oldest that is kept. Reliable besides has
// events of contracts that die kept until they are told.
const (
	FromNow   From = 0
	FromFront From = 1
	Reliable  From = 2
)

// ContractEvents gives each the events of the zone's contracts, one after the other, each a
// line as contract.ParseEvent takes it, with the host's numbers: until ctx ends (its cause is
// returned), each returns an error (that one), or the zone is no more (nil).
//
// A supervisor that dies is no end: the next one is asked for what came after the last event
// that each was given. What was critical is kept for it. What was not may be lost, which is
// told by an event of kind contract.Lost with the count 0; what each was too slow for, by one
// with their number.
func (c *Client) ContractEvents(ctx context.Context, from From, each func(line []byte) error) error {
	served := false
	q := Request{Verb: VerbContractEvents, Front: from&FromFront != 0, Reliable: from&Reliable != 0}
	err := c.stream(ctx, q, Events{Line: each, Again: func() { served = true }})
	if served && errors.Is(err, ErrNoServer) {
		return nil // its supervisor left, as it does behind a halted zone
	}
	return err
}

func (c *Client) stream(ctx context.Context, q Request, ev Events) error {
	var said []string
	ev.Message = func(r Reply) {
		if r.Level == LevelError {
			said = append(said, r.Text)
		}
	}
	asks := *c
	asks.Start = nil // who looks on starts nothing
	r, err := asks.Call(ctx, q, ev)
	if err == nil && r.Rval != 0 {
		err = &RefusedError{Text: strings.Join(said, "; ")}
	}
	return err
}
