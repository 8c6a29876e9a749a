package server

import (
	"errors"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// apply does a batch, or finds out how it ended, and gives the frame of the answer.
func (c *conn) apply(r *door.Request) []byte {
	e, mine := c.s.answered.claim(batchKey{c.uid, r.ID}, r.Again)
	switch {
	case e == nil:
		return door.Finish(door.AppendFailure(door.Begin(nil, door.Failed, c.s.cfg.Repo.Generation()), door.ErrUnknown))
	case mine:
		e.frame = c.do(r.Batch)
		close(e.done)
	}
	// One who asks again while it is done waits for the other; a batch always ends.
	<-e.done
	return e.frame
}

func (c *conn) do(b *repo.Batch) []byte {
	var judge repo.Judge
	if c.uid != 0 {
		have := c.authorizations()
		judge = func(v *repo.Reader, o *repo.Op) error {
			if isExpectation(o.Verb) {
				return nil
			}
			s, err := look(v, o)
			if err != nil {
				return err
			}
			if missing := missing(have, o, s); missing != "" {
				return &door.DeniedError{Missing: missing}
			}
			return nil
		}
	}
	generation, err := c.s.cfg.Repo.ApplyJudged(b, judge)
	if err == nil {
		return door.Finish(door.Begin(nil, door.Done, generation))
	}
	if !errors.Is(err, repo.ErrHalf) {
		generation = c.s.cfg.Repo.Generation()
	}
	return door.Finish(door.AppendFailure(door.Begin(nil, door.Failed, generation), err))
}

// look gathers what a decision about an operation depends on.
func look(v *repo.Reader, o *repo.Op) (*scene, error) {
	s := &scene{}
	name := o.Name
	if o.Tree != nil {
		name = o.Tree.Name
	}
	var err error
	if s.now, err = groupOf(v, o.On, name); err != nil {
		return nil, err
	}
	if o.On.Instance == "" {
		return s, nil
	}
	service := repo.Entity{Service: o.On.Service}
	if s.inherited, err = groupOf(v, service, name); err != nil {
		return nil, err
	}
	if s.general, err = groupOf(v, o.On, general); err != nil {
		return nil, err
	}
	s.serviceGeneral, err = groupOf(v, service, general)
	return s, err
}
