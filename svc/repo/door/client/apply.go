package client

import (
	"errors"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Apply implements door.Store. ErrUnknown: see the package's comment.
func (c *Client) Apply(b *repo.Batch) (generation uint64, err error) {
	if err := door.CheckBatch(b); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &sending{request: door.Request{Verb: door.VerbApply, Batch: b}}
	door.Random(s.request.ID[:])
	a, err := c.ask(&s.request, s.resend)
	if err == nil {
		return a.Generation, c.took(a.Empty())
	}
	if errors.Is(err, repo.ErrHalf) {
		return a.Generation, err
	}
	return 0, s.judge(err, a.Status == door.Failed)
}

// sending is a batch on its way.
type sending struct {
	request door.Request
	to      *conn  // the connection it was last sent on
	epoch   uint64 // of the first server that may have it
	maybe   bool   // a server may have it
	other   bool   // another server was asked than one that may have it
}

// resend decides whether the batch may be sent to the server of a connection.
func (s *sending) resend(k *conn) error {
	s.note()
	switch {
	case !s.maybe:
	case k.epoch == s.epoch:
		s.request.Again = true
	case !guarded(s.request.Batch):
		return &unknown{errReplaced}
	default:
		s.other, s.request.Again = true, true
	}
	s.to, k.sent = k, false
	return nil
}

// note remembers what became of the last attempt.
func (s *sending) note() {
	if s.to != nil && s.to.sent && !s.maybe {
		s.maybe, s.epoch = true, s.to.epoch
	}
}

// judge makes an error what is known. answered: it is the server's.
func (s *sending) judge(err error, answered bool) error {
	s.note()
	var op *repo.OpError
	switch {
	case errors.Is(err, door.ErrUnknown):
		return err
	case errors.As(err, &op) && s.other && (errors.Is(err, repo.ErrStale) || errors.Is(err, repo.ErrExists) || errors.Is(err, repo.ErrNotFound)):
		return &unknown{err}
	case !answered && s.maybe: // no server any more, no way to one, or one that makes no sense
		return &unknown{err}
	}
	return err
}

// errReplaced: the server that had the batch is not there any more.
var errReplaced = errors.New("its server was replaced before it answered")

// unknown is ErrUnknown with a reason.
type unknown struct{ why error }

func (u *unknown) Error() string   { return door.ErrUnknown.Error() + ": " + u.why.Error() }
func (u *unknown) Unwrap() []error { return []error{door.ErrUnknown, u.why} }

// guarded says whether a batch that was done already fails when it is done again, or changes
// nothing: when it expects a generation of the repository, or, before the first change, one of
// each group that it changes, and that no entity is there yet that it makes.
func guarded(b *repo.Batch) bool {
	type what struct {
		on   repo.Entity
		name string
	}
	expected := map[what]bool{}
	for i := range b.Ops {
		o := &b.Ops[i]
		name := o.Name
		if o.Tree != nil {
			name = o.Tree.Name
		}
		switch o.Verb {
		case repo.ExpectRepository:
			return true
		case repo.ExpectGroup, repo.ExpectAbsent:
			expected[what{o.On, o.Name}] = true
		case repo.ExpectExists:
		case repo.Create:
			if !expected[what{on: o.On}] {
				return false
			}
		case repo.CreateGroup, repo.PutGroup, repo.DeleteGroup, repo.SetProperty, repo.SetValues, repo.DeleteProperty:
			if !expected[what{o.On, name}] {
				return false
			}
		default:
			return false
		}
	}
	return true
}
