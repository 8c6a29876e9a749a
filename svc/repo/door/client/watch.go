package client

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// watch is a connection of its own.
type watch struct {
	k    *conn
	once sync.Once
}

// Watch implements door.Store.
func (c *Client) Watch(f repo.Filter) (door.Watch, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return nil, repo.ErrClosed
	}
	// A client of its own, for its one connection: this one's stays free.
	own := New(c.cfg)
	a, err := own.ask(&door.Request{Verb: door.VerbWatch, Filter: f}, nil)
	if err == nil {
		err = own.took(a.Empty())
	}
	if err != nil {
		own.lose()
		return nil, err
	}
	return &watch{k: own.conn}, nil
}

// Next implements door.Watch.
func (w *watch) Next(ctx context.Context) (repo.Event, error) {
	_ = w.k.f.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = w.k.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	p, err := w.k.frames.Next(door.AnswerBytesMax)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return repo.Event{}, context.Cause(ctx)
	case errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrEmpty):
		return repo.Event{}, door.ErrProtocol
	case err != nil:
		return repo.Event{}, repo.ErrClosed
	}
	a, err := door.ParseAnswer(p)
	switch {
	case err != nil:
		return repo.Event{}, err
	case a.Status == door.Bye:
		return repo.Event{}, repo.ErrClosed
	case a.Status != door.Change:
		return repo.Event{}, door.ErrProtocol
	}
	return a.Event()
}

// Close implements door.Watch.
func (w *watch) Close() error {
	w.once.Do(w.k.close)
	return nil
}
