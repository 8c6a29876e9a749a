package server

import (
	"errors"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// errFull ends a walk whose page is full.
var errFull = errors.New("the page is full")

// read makes the answer to a verb that reads.
func (c *conn) read(r *door.Request) {
	defer c.s.turn(c.uid)()
	var generation uint64
	err := c.s.cfg.Repo.View(func(v *repo.Reader) error {
		generation = v.Generation()
		c.out = door.Begin(c.out, door.Done, generation)
		return reads[r.Verb](c, v, r)
	})
	if err != nil {
		c.fail(generation, err)
	}
}

// reads are what the verbs put into the answer.
var reads = map[door.Verb]func(c *conn, v *repo.Reader, r *door.Request) error{
	door.VerbGeneration: func(*conn, *repo.Reader, *door.Request) error { return nil },
	door.VerbExists: func(c *conn, v *repo.Reader, r *door.Request) error {
		c.out = door.AppendFlag(c.out, v.Exists(r.On))
		return nil
	},
	door.VerbSnapshots: func(c *conn, v *repo.Reader, r *door.Request) error {
		names, err := door.ReadSnapshots(v, r.On)
		c.out = door.AppendNames(c.out, names)
		return err
	},
	door.VerbProperty: (*conn).readProperty,
	door.VerbGroup:    (*conn).readGroup,
	door.VerbScan:     (*conn).scan,
}

func (c *conn) readProperty(v *repo.Reader, r *door.Request) error {
	p, err := r.View.ReadProperty(v, r.On, r.Group, r.Property)
	if err != nil {
		return err
	}
	if c.uid != 0 {
		g, err := r.View.ReadGroup(v, r.On, r.Group)
		if err != nil {
			return err
		}
		guard, err := protectionOf(v, r.On, &g.Group)
		if err != nil {
			return err
		}
		if missing := unreadable(c.authorizations(), guard, p.Name); missing != "" {
			return &door.DeniedError{Missing: missing}
		}
	}
	c.out = door.AppendProperty(c.out, &p)
	return nil
}

func (c *conn) readGroup(v *repo.Reader, r *door.Request) error {
	g, err := r.View.ReadGroup(v, r.On, r.Group)
	if err != nil {
		return err
	}
	if err := c.withhold(v, r.On, &g); err != nil {
		return err
	}
	c.out = door.AppendGroup(c.out, &g)
	return nil
}

// scan makes one page.
func (c *conn) scan(v *repo.Reader, r *door.Request) error {
	if r.Generation != 0 && r.Generation != v.Generation() {
		return door.ErrMoved
	}
	first, limit := len(c.out), door.PageBytesOf(r.Try)
	err := r.Query.Scan(v, r.After, func(e repo.Entity, g *door.Group) error {
		if len(c.out) > first && len(c.out) >= limit {
			return errFull
		}
		if g == nil {
			c.out = door.AppendEntry(c.out, e)
			return nil
		}
		if err := c.withhold(v, e, g); err != nil {
			return err
		}
		c.out = door.AppendEntryGroup(c.out, g)
		return nil
	})
	if errors.Is(err, errFull) {
		door.SetMore(c.out)
		return nil
	}
	return err
}
