package importer

import (
	"errors"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// At is a repository at a door. There is no view there that stays: what is read is of one
// generation because whoever read of several reads again.
func At(s door.Store) Store { return atDoor{s} }

type atDoor struct{ door.Store }

func (a atDoor) View(f func(Reader) error) error {
	for range triesMax {
		r := &doorReader{store: a.Store}
		var err error
		if r.generation, err = a.Generation(); err != nil {
			return err
		}
		err = f(r)
		now, after := a.Generation()
		switch {
		case after != nil:
			return after
		case now == r.generation:
			return err
		}
	}
	return ErrContention
}

// doorReader reads what others may be writing.
type doorReader struct {
	store      door.Store
	generation uint64
}

func (r *doorReader) Generation() uint64 { return r.generation }

func (r *doorReader) Service(name string) (*tree.Service, error) {
	w, err := r.store.Service(name)
	if err == nil && len(w.Withheld) > 0 {
		err = door.ErrDenied // what is not seen cannot be compared
	}
	if err != nil {
		return nil, err
	}
	return &w.Service, nil
}

func (r *doorReader) Group(e repo.Entity, name string) (tree.Group, uint64, error) {
	g, err := r.store.Group(e, door.Direct, name)
	if err == nil && g.Withheld {
		err = door.ErrDenied
	}
	return g.Group, g.Generation, err
}

func (r *doorReader) Frozen(e repo.Entity, name string) (f repo.Frozen, err error) {
	is, err := r.store.Frozen(e, name)
	for _, level := range []struct {
		from []door.Group
		to   *[]tree.Group
	}{{is.Service, &f.Service}, {is.Instance, &f.Instance}} {
		for i := range level.from {
			if level.from[i].Withheld {
				err = errors.Join(err, door.ErrDenied)
			}
			*level.to = append(*level.to, level.from[i].Group)
		}
	}
	return f, err
}
