package server

import (
	"errors"
	"time"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// watch tells of changes until the client, or the server, ends.
func (c *conn) watch(r *door.Request) {
	w, err := c.s.cfg.Repo.Watch(r.Filter)
	if err != nil {
		c.fail(c.s.cfg.Repo.Generation(), err)
		_ = c.send()
		return
	}
	defer w.Close()
	c.out = door.Begin(c.out, door.Done, c.s.cfg.Repo.Generation())
	if c.send() != nil {
		return
	}
	// Whatever comes now is the end: nothing else is to be said.
	_ = c.f.SetReadDeadline(time.Time{})
	c.s.group.Go(func() {
		_, _ = c.f.Read(make([]byte, 1))
		w.Close()
	})
	// Serve's caller closes the file, which ends that read.
	for {
		select {
		case <-w.Ready():
		case <-c.s.stop:
			c.bye(whyEnd)
			return
		}
		if !c.tell(w) {
			return
		}
	}
}

// tell sends what is queued. false: there will be no more.
func (c *conn) tell(w *repo.Watcher) bool {
	frames := c.out[:0]
	for {
		e, more, err := w.Next()
		ended := errors.Is(err, repo.ErrClosed)
		if more {
			frames = append(frames, changeFrame(&e)...)
		}
		if len(frames) > 0 && (!more || len(frames) >= keptBytesMax/2) {
			if c.write(frames) != nil {
				return false
			}
			frames = frames[:0]
		}
		switch {
		case ended:
			c.bye(whyEnd)
			return false
		case !more:
			c.out = frames
			return true
		}
		if len(frames) == 0 && c.s.stopped() {
			c.bye(whyEnd)
			return false
		}
	}
}

func changeFrame(e *repo.Event) []byte {
	return door.Finish(door.AppendEvent(door.Begin(nil, door.Change, e.Generation), e))
}
