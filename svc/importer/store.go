package importer

import (
	"errors"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// Reader is a view of a repository that does not change. *repo.Reader is one.
type Reader interface {
	Generation() uint64
	// Service gives a service with all that is in it. repo.ErrNotFound.
	Service(name string) (*tree.Service, error)
	// Group gives a group of the entity itself, and its generation. repo.ErrNotFound.
	Group(e repo.Entity, name string) (tree.Group, uint64, error)
	// Frozen gives an instance's snapshot. repo.ErrNotFound.
	Frozen(e repo.Entity, name string) (repo.Frozen, error)
}

// Store is a repository, or the way to one.
type Store interface {
	// View calls a function with a view; again when the view did not last. What the function
	// gives counts when View gives no error.
	View(func(Reader) error) error
	// Apply does a batch as a whole or not at all. repo.ErrStale when it expects another
	// generation of the repository.
	Apply(*repo.Batch) (generation uint64, err error)
}

// Local is a repository that this process has open.
func Local(r *repo.Repo) Store { return local{r} }

type local struct{ *repo.Repo }

func (l local) View(f func(Reader) error) error {
	return l.Repo.View(func(v *repo.Reader) error { return f(v) })
}

// commit plans from a view and does it, again and again while others write in between. plan gives
// nil when there is nothing to do. When a server was killed and it is not known whether it did the
// batch, planning again tells.
func commit(s Store, plan func(Reader) (*repo.Batch, error)) error {
	for range triesMax {
		var b *repo.Batch
		err := s.View(func(r Reader) (err error) {
			b, err = plan(r)
			return err
		})
		if err != nil || b == nil {
			return err
		}
		_, err = s.Apply(b)
		switch {
		case errors.Is(err, repo.ErrHalf): // it is done, and the rest is not ours
			return nil
		case !errors.Is(err, repo.ErrStale) && !errors.Is(err, door.ErrUnknown):
			return err
		}
	}
	return ErrContention
}
