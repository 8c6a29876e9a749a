package door

import (
	"context"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Store is the repository for programs: at a door or in a file. All methods may be called from
// any goroutine. Errors are those of package repo, which errors.Is finds; at a door there are also
// ErrDenied, ErrNoServer, ErrUnavailable, ErrBusy and, of Apply, ErrUnknown.
type Store interface {
	// Generation is the repository's.
	Generation() (uint64, error)
	// Exists says whether the service or the instance is there.
	Exists(e repo.Entity) (bool, error)
	// Services gives the names of all services, Instances those of a service's instances, and
	// Snapshots those of an instance's snapshots, in their order.
	Services() ([]string, error)
	Instances(service string) ([]string, error)
	Snapshots(e repo.Entity) ([]string, error)
	// Property gives a property as the view shows it. A protected value is ErrDenied to whoever
	// may not read it.
	Property(e repo.Entity, v View, group, name string) (tree.Property, error)
	// Group gives a group as the view shows it, and Groups all of them, in the order of names.
	Group(e repo.Entity, v View, name string) (Group, error)
	Groups(e repo.Entity, v View) ([]Group, error)
	// Service gives a service with all that is in it.
	Service(name string) (Whole, error)
	// Frozen gives both levels of a snapshot as it was taken.
	Frozen(e repo.Entity, snapshot string) (Frozen, error)
	// Scan gives what a query asks for, all of one generation.
	Scan(q Query) (Result, error)
	// Apply does a batch, all or nothing. See repo.Repo.Apply.
	Apply(b *repo.Batch) (generation uint64, err error)
	// Watch tells of changes from now on.
	Watch(f repo.Filter) (Watch, error)
	// Backup keeps the repository under a name. See repo.Repo.Backup.
	Backup(name string) (path string, made bool, err error)
	// Verify reads all, and says what is damaged.
	Verify() error
	Close() error
}

// Watch is changes as they come.
type Watch interface {
	// Next waits for a change. Resync says that some were missed: whoever is told reads all that
	// it watches again. repo.ErrClosed: there will be none, the watch or the server has ended.
	// When ctx ends first, its cause is the error, and nothing is lost.
	Next(ctx context.Context) (repo.Event, error)
	// Close ends the watch. It may be called twice, and while Next waits.
	Close() error
}

// ViewKind is how a view is made.
type ViewKind uint8

// The kinds. The numbers never change.
const (
	kindDirect ViewKind = iota + 1
	kindComposed
	kindEffective
	kindSnapshot
	kindSnapshotInstance
	kindSnapshotService
	viewCount
)

// View is one way to look at the groups of a service or an instance.
type View struct {
	Kind     ViewKind
	Snapshot string // its name, of the kinds that have one
}

// The views, see repo.Reader for what they show.
var (
	Direct    = View{Kind: kindDirect}
	Composed  = View{Kind: kindComposed}
	Effective = View{Kind: kindEffective}
)

// Snapshot is what an instance's snapshot holds, composed.
func Snapshot(name string) View { return View{kindSnapshot, name} }

// SnapshotInstance is the instance's own groups in a snapshot.
func SnapshotInstance(name string) View { return View{kindSnapshotInstance, name} }

// SnapshotService is the service's groups in an instance's snapshot.
func SnapshotService(name string) View { return View{kindSnapshotService, name} }

// Group is a group that was read.
type Group struct {
	tree.Group
	// Generation is that of the repository when the group was last written, for ExpectGroup. It
	// is 0 but of groups that were asked for by name, in the view Direct.
	Generation uint64
	// Withheld: the group's values are protected, and not given: its properties have none.
	Withheld bool
}

// Whole is a service with all that is in it.
type Whole struct {
	tree.Service
	Generation uint64   // of the repository
	Withheld   []string // FMRIs of groups whose values are not given
}

// Frozen is a snapshot's content as it was taken.
type Frozen struct {
	Service, Instance []Group
}

// Level is a set of what a query gives.
type Level uint8

// The levels.
const (
	Services Level = 1 << iota
	Instances
)

// Query says what a scan gives.
type Query struct {
	// On is an instance; or a service, which stands for itself and its instances; or nothing,
	// which stands for all.
	On repo.Entity
	// Levels are what is given of a service, or of all.
	Levels Level
	// View is how groups are looked at. What has none of it, such as an instance without that
	// snapshot, is left out, but when it is what On names: then it is ErrNotFound.
	View View
	// Names: no groups are given.
	Names bool
	// Groups and Types are names and types: groups are given that have one of either. Both
	// empty: all.
	Groups, Types []string
}

// Entry is a service or an instance that a scan found.
type Entry struct {
	On     repo.Entity
	Groups []Group // in the order of names
}

// Result is what a scan found: services in the order of names, each before its instances.
type Result struct {
	Generation uint64 // of the repository
	Entries    []Entry
}
