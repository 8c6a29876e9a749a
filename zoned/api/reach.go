package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// consoleMax bounds DialConsole: what waits for it is a person, whose client tries again
// by itself and tells.
const consoleMax = 10 * time.Second

// DialConsole connects to the zone's console, starting a supervisor where there is none. The
// descriptor is non-blocking.
func (c *Client) DialConsole(ctx context.Context) (*sys.FD, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, consoleMax, ErrUnavailable)
	defer cancel()
	for pause := pauseFirst; ; pause = min(2*pause, pauseMax) {
		fd, err := c.reach(ctx, ConsoleName)
		if err == nil || !again(err) {
			return fd, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// reach connects to a socket of the zone's, starting a supervisor when there is none. An
// error that again accepts means that another attempt may help.
func (c *Client) reach(ctx context.Context, name string) (*sys.FD, error) {
	fd, err := c.dial(name)
	if !errors.Is(err, ErrNoServer) || c.Start == nil {
		return fd, err
	}
	if pid := c.holder(); pid != 0 {
		// One is starting and has no door yet, or one is leaving and has none any more.
		return nil, fmt.Errorf("%w (process ID %d)", ErrInCharge, pid)
	}
	if err := c.Start(ctx, c.Zone, c.startup); err != nil {
		return nil, err
	}
	fd, err = c.dial(name)
	if errors.Is(err, ErrNoServer) {
		// It said it was ready and is gone again: as if it had left without an answer.
		err = fmt.Errorf("%w: it was started and has left", errLost)
	}
	return fd, err
}

// holder is the pid of whoever holds the zone's supervisor lock, 0 when nobody does.
func (c *Client) holder() int {
	dir, err := sys.OpenDir(c.Layout.ZoneState(c.Zone))
	if err != nil {
		return 0
	}
	defer dir.Close()
	pid, held, err := sys.LockHolder(dir, ZschedPid)
	if err != nil || !held {
		return 0
	}
	// A holder that has not written its pid yet holds nevertheless.
	return max(pid, 1)
}

// dial connects to a socket in the zone's state directory. ErrNoServer: there is none, or
// nobody behind it.
func (c *Client) dial(name string) (*sys.FD, error) {
	dir, err := sys.OpenDir(c.Layout.ZoneState(c.Zone))
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := dialSocket(dir, name)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		return nil, ErrNoServer
	case err != nil:
		return nil, fmt.Errorf("connect to the %s of zone '%s': %w", name, c.Zone, err)
	}
	return fd, nil
}

func (c *Client) startup(line string) {
	if c.Startup != nil {
		c.Startup(line)
	}
}
