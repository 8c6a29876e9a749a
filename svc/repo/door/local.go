package door

import (
	"context"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Local is a Store of a repository that this process opened: svccfg's of a file, and a tool's at
// early boot. Everything is permitted.
type Local struct {
	Queries
	repo *repo.Repo
}

var _ Store = (*Local)(nil)

// NewLocal takes over an open repository.
func NewLocal(r *repo.Repo) *Local {
	return &Local{Queries{func(q Query) (Result, error) { return scanAll(r, q) }}, r}
}

func scanAll(r *repo.Repo, q Query) (result Result, err error) {
	err = r.View(func(v *repo.Reader) error {
		result.Generation = v.Generation()
		return q.Scan(v, Cursor{}, func(e repo.Entity, g *Group) error {
			if g == nil {
				result.Entries = append(result.Entries, Entry{On: e})
				return nil
			}
			last := &result.Entries[len(result.Entries)-1]
			last.Groups = append(last.Groups, *g)
			return nil
		})
	})
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

// Generation implements Store.
func (l *Local) Generation() (g uint64, err error) {
	err = l.repo.View(func(v *repo.Reader) error { g = v.Generation(); return nil })
	return g, err
}

// Exists implements Store.
func (l *Local) Exists(e repo.Entity) (is bool, err error) {
	err = l.repo.View(func(v *repo.Reader) error { is = v.Exists(e); return nil })
	return is, err
}

// Snapshots implements Store.
func (l *Local) Snapshots(e repo.Entity) (names []string, err error) {
	err = l.repo.View(func(v *repo.Reader) (err error) { names, err = ReadSnapshots(v, e); return err })
	return names, err
}

// ReadSnapshots gives the names of an instance's snapshots. ErrNotFound.
func ReadSnapshots(v *repo.Reader, e repo.Entity) ([]string, error) {
	if !v.Exists(e) {
		return nil, &absent{e.String()}
	}
	return v.Snapshots(e), nil
}

// Property implements Store.
func (l *Local) Property(e repo.Entity, w View, group, name string) (p tree.Property, err error) {
	err = l.repo.View(func(v *repo.Reader) (err error) { p, err = w.ReadProperty(v, e, group, name); return err })
	return p, err
}

// Group implements Store.
func (l *Local) Group(e repo.Entity, w View, name string) (g Group, err error) {
	err = l.repo.View(func(v *repo.Reader) (err error) { g, err = w.ReadGroup(v, e, name); return err })
	return g, err
}

// Apply implements Store.
func (l *Local) Apply(b *repo.Batch) (uint64, error) { return l.repo.Apply(b) }

// Backup implements Store.
func (l *Local) Backup(name string) (string, bool, error) { return l.repo.Backup(name) }

// Verify implements Store.
func (l *Local) Verify() error { return l.repo.Verify() }

// Close closes the repository.
func (l *Local) Close() error { return l.repo.Close() }

// Watch implements Store.
func (l *Local) Watch(f repo.Filter) (Watch, error) {
	w, err := l.repo.Watch(f)
	if err != nil {
		return nil, err
	}
	return &localWatch{w}, nil
}

type localWatch struct{ w *repo.Watcher }

// Next implements Watch.
func (l *localWatch) Next(ctx context.Context) (repo.Event, error) {
	for {
		if e, ok, err := l.w.Next(); ok || err != nil {
			return e, err
		}
		select {
		case <-l.w.Ready():
		case <-ctx.Done():
			return repo.Event{}, context.Cause(ctx)
		}
	}
}

// Close implements Watch.
func (l *localWatch) Close() error {
	l.w.Close()
	return nil
}
