package client

import (
	"errors"
	"time"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// call asks once, and has take read the answer.
func (c *Client) call(r *door.Request, take func(a *door.Answer) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.ask(r, nil)
	if err != nil {
		return err
	}
	return c.took(take(&a))
}

// took ends a connection whose answer made no sense.
func (c *Client) took(err error) error {
	if err != nil {
		c.lose()
	}
	return err
}

// Generation implements door.Store.
func (c *Client) Generation() (g uint64, err error) {
	err = c.call(&door.Request{Verb: door.VerbGeneration}, func(a *door.Answer) error {
		g = a.Generation
		return a.Empty()
	})
	return g, err
}

// Exists implements door.Store.
func (c *Client) Exists(e repo.Entity) (is bool, err error) {
	err = c.call(&door.Request{Verb: door.VerbExists, On: e}, func(a *door.Answer) (err error) {
		is, err = a.Flag()
		return err
	})
	return is, err
}

// Snapshots implements door.Store.
func (c *Client) Snapshots(e repo.Entity) (names []string, err error) {
	err = c.call(&door.Request{Verb: door.VerbSnapshots, On: e}, func(a *door.Answer) (err error) {
		names, err = a.Names()
		return err
	})
	return names, err
}

// Property implements door.Store.
func (c *Client) Property(e repo.Entity, v door.View, group, name string) (p tree.Property, err error) {
	r := &door.Request{Verb: door.VerbProperty, On: e, View: v, Group: group, Property: name}
	err = c.call(r, func(a *door.Answer) (err error) {
		p, err = a.Property()
		return err
	})
	return p, err
}

// Group implements door.Store.
func (c *Client) Group(e repo.Entity, v door.View, name string) (g door.Group, err error) {
	err = c.call(&door.Request{Verb: door.VerbGroup, On: e, View: v, Group: name}, func(a *door.Answer) (err error) {
		g, err = a.Group()
		return err
	})
	return g, err
}

// Backup implements door.Store.
func (c *Client) Backup(name string) (path string, made bool, err error) {
	err = c.call(&door.Request{Verb: door.VerbBackup, Name: name}, func(a *door.Answer) (err error) {
		path, made, err = a.Backup()
		return err
	})
	return path, made, err
}

// Verify implements door.Store.
func (c *Client) Verify() error {
	return c.call(&door.Request{Verb: door.VerbVerify}, (*door.Answer).Empty)
}

// scan reads page by page, and begins anew when the repository changed in between.
func (c *Client) scan(q door.Query) (door.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.Dial != nil {
		c.end = time.Now().Add(c.cfg.Patience)
		defer func() { c.end = time.Time{} }()
	}
	for try := range door.TriesMax {
		result, err := c.pages(&door.Request{Verb: door.VerbScan, Query: q, Try: try})
		if !errors.Is(err, door.ErrMoved) {
			return result, err
		}
	}
	return door.Result{}, &word{"the repository changes faster than it can be read", door.ErrBusy}
}

// word is an error in other words.
type word struct {
	text string
	is   error
}

func (w *word) Error() string { return w.text }
func (w *word) Unwrap() error { return w.is }

// strangerBytesMax is for all pages of a scan of a stranger's server. A real system has some
// megabytes, and some ten thousands of strings in them: names, types and values. Many more take
// many times their bytes in memory.
const (
	strangerBytesMax   = 64 << 20
	strangerStringsMax = 1 << 20
)

// pages reads all pages of one generation.
func (c *Client) pages(r *door.Request) (result door.Result, err error) {
	for bytes, strings := 0, 0; ; {
		a, err := c.ask(r, nil)
		if err != nil {
			return door.Result{}, err
		}
		// A server that was replaced in between may be at the same generation, with the same
		// content; at another one it says so, but to the first page.
		result.Generation = a.Generation
		bytes += a.Bytes()
		before := r.After
		r.After, err = a.Page(&result)
		if a.Status == door.More && (r.After == before || r.After == (door.Cursor{})) {
			err = door.ErrProtocol // it would never end
		}
		strings += a.Strings()
		switch {
		case err != nil || c.cfg.Dial == nil:
		case bytes > strangerBytesMax:
			err = &repo.LimitError{What: "bytes of a zone's services", Max: strangerBytesMax}
		case strings > strangerStringsMax:
			err = &repo.LimitError{What: "names and values of a zone's services", Max: strangerStringsMax}
		}
		if err = c.took(err); err != nil {
			return door.Result{}, err
		}
		if a.Status == door.Done {
			return result, nil
		}
		r.Generation = a.Generation
	}
}
