package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/zoned/admin/login"
	"github.com/linuxzones/zones/zoned/admin/stream"
	"github.com/linuxzones/zones/zoned/api"
)

// relayProgram is what the zone's supervisor starts in the zone, to talk to svc.startd there.
const relayProgram = "/lib/svc/bin/repository-relay"

// openZone is the repository of a zone, from the host.
func openZone(zone string) (door.Store, error) {
	if inZone() {
		return nil, errors.New("-z is for the host: there are no zones in a zone")
	}
	if zone == configs.GlobalName {
		return nil, errNoRepository
	}
	if err := configs.CheckName(zone); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("-z: You lack sufficient privilege to run this command (root is required)")
	}
	l := layout.FromEnv()
	state, err := login.State(configs.Open(l), l, zone)
	switch {
	case errors.Is(err, login.ErrUnknownZone):
		return nil, fmt.Errorf("zone '%s' unknown", zone)
	case err != nil:
		return nil, err
	case state != configs.Running:
		return nil, fmt.Errorf("zone '%s' is %s, and has a repository that is served when it is running", zone, state)
	}
	say := func(line string) { fmt.Fprintf(os.Stderr, "%s\n", line) }
	c := &api.Client{Layout: l, Zone: zone, Locale: api.Locale(), Start: (&api.Spawner{Layout: l, Warn: say}).Start}
	return reached(client.New(client.Config{Dial: func(until time.Time) (client.Conn, error) {
		ctx, cancel := context.WithDeadlineCause(context.Background(), until, door.ErrUnavailable)
		defer cancel()
		s, err := stream.Open(ctx, c, relayProgram)
		if err != nil {
			return nil, fmt.Errorf("zone '%s': %w", zone, err)
		}
		return conn{s, zone}, nil
	}}))
}

// conn says which zone it is that has failed, and that there is no use in another attempt.
type conn struct {
	*stream.Stream
	zone string
}

func (c conn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	if errors.Is(err, stream.ErrEnded) {
		err = &final{c.zone, err}
	}
	return n, err
}

type final struct {
	zone string
	err  error
}

func (f *final) Error() string   { return "zone '" + f.zone + "': " + f.err.Error() }
func (f *final) Unwrap() []error { return []error{client.ErrFinal, f.err} }
