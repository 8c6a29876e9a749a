package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/api/doortest"
)

func line(c *doortest.Conn, text string, mark uint64) {
	c.Send(api.Reply{Type: api.ReplyLine, Line: []byte(text), Mark: mark})
}

func texts(lines [][]byte) []string {
	var out []string
	for _, l := range lines {
		out = append(out, string(l))
	}
	return out
}

// TestContracts: lines come whole whatever their length, and once, though a supervisor died
// half-way.
func TestContracts(t *testing.T) {
	c := client(t)
	long := bytes.Repeat([]byte("0123456789"), api.LineBytesMax/10)
	s := doortest.Serve(t, c.Layout, zone,
		func(c *doortest.Conn) {
			c.Request()
			line(c, "a", 0)
			c.Send(api.Reply{Type: api.ReplyLine, Line: []byte("half a li"), More: true})
		},
		func(c *doortest.Conn) {
			c.Request()
			line(c, "a", 0)
			for rest := long; len(rest) > 0; {
				n := min(len(rest), api.LinePartMax)
				c.Send(api.Reply{Type: api.ReplyLine, Line: rest[:n], More: n < len(rest)})
				rest = rest[n:]
			}
			line(c, "", 0)
			c.Result(0)
		})
	got, err := c.Contracts(shortly(t))
	if err != nil || !slices.Equal(texts(got), []string{"a", string(long), ""}) {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	for _, q := range s.Requests() {
		if q.Verb != api.VerbContracts || q.After != 0 {
			t.Errorf("%+v", q)
		}
	}
}

func TestLineWithoutEnd(t *testing.T) {
	c := client(t)
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		c.Request()
		for range api.LineBytesMax/api.LinePartMax + 1 {
			c.Send(api.Reply{Type: api.ReplyLine, Line: make([]byte, api.LinePartMax), More: true})
		}
		c.WaitClosed()
	})
	if got, err := c.Contracts(shortly(t)); !errors.Is(err, api.ErrProtocol) {
		t.Errorf("%d lines, %v", len(got), err)
	}
}

func TestContractsOfNoZone(t *testing.T) {
	c := client(t)
	c.Start = func(context.Context, string, func(string)) error {
		t.Error("who looks on started a supervisor")
		return nil
	}
	if _, err := c.Contracts(shortly(t)); !errors.Is(err, api.ErrNoServer) {
		t.Error(err)
	}
	if err := c.ContractEvents(shortly(t), api.FromNow, nil); !errors.Is(err, api.ErrNoServer) {
		t.Error(err)
	}
}

func TestContractsRefused(t *testing.T) {
	c := client(t)
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		c.Request()
		c.Message(api.LevelError, "contracts operation is invalid for zones in state 'installed'")
		c.Result(-1)
	})
	_, err := c.Contracts(shortly(t))
	var refused *api.RefusedError
	if !errors.As(err, &refused) || refused.Text != "contracts operation is invalid for zones in state 'installed'" {
		t.Error(err)
	}
}

// TestContractEvents: a stream goes on behind each supervisor's death where it was, as often as
// it takes.
func TestContractEvents(t *testing.T) {
	c := client(t)
	const deaths, each = 150, 2
	s := doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		q := c.Request()
		for n := q.After + 1; n <= q.After+each; n++ {
			line(c, fmt.Sprint("event ", n), n)
		}
		if q.After < deaths*each {
			c.Send(api.Reply{Type: api.ReplyLine, Line: []byte("ev"), More: true, Mark: 1 << 40})
			return
		}
		c.Result(0)
	})
	n := 0
	err := c.ContractEvents(shortly(t), api.FromNow, func(line []byte) error {
		if n++; string(line) != fmt.Sprint("event ", n) {
			t.Errorf("event %d is %q", n, line)
		}
		return nil
	})
	if err != nil || n != (deaths+1)*each || s.Connections() != deaths+1 {
		t.Errorf("%d events, %d connections, %v", n, s.Connections(), err)
	}
}

// TestContractEventsEnd: by its receiver, by the context, and behind a zone that is gone.
func TestContractEventsEnd(t *testing.T) {
	c := client(t)
	forever := func(c *doortest.Conn) {
		c.Request()
		line(c, "x", 1)
		c.WaitClosed()
	}
	doortest.Serve(t, c.Layout, zone, forever)
	enough := errors.New("enough")
	if err := c.ContractEvents(shortly(t), api.FromNow, func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(shortly(t))
	err := c.ContractEvents(ctx, api.FromNow, func([]byte) error { cancel(enough); return nil })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}
