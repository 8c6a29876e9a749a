package repo

import (
	"errors"
	"strconv"

	"github.com/linuxzones/zones/svc/fmri"
)

// Opening.
var (
	// ErrLocked: another process has the repository open.
	ErrLocked = errors.New("the repository is in use")
	// ErrVersion: it was written by a version that this one does not know.
	ErrVersion = errors.New("the repository is of an unknown version")
	// ErrCorrupt: a file, or a value in it, is damaged. See CorruptError.
	ErrCorrupt = errors.New("the repository is damaged")
)

// Using.
var (
	// ErrNotFound: the service, instance, group, property or snapshot is not there.
	ErrNotFound = errors.New("not found")
	// ErrExists: it is there already.
	ErrExists = errors.New("already exists")
	// ErrStale: it was changed since the generation that was expected.
	ErrStale = errors.New("changed meanwhile: read it again")
	// ErrInvalidName: no service, instance, group, property or snapshot can have the name.
	ErrInvalidName = errors.New("invalid name")
	// ErrInvalidValue: a value is none of its property's type.
	ErrInvalidValue = errors.New("invalid value")
	// ErrTypeMismatch: the property, or the group, is of another type.
	ErrTypeMismatch = errors.New("of another type")
	// ErrInUse: it has instances, which must go first.
	ErrInUse = errors.New("has instances")
	// ErrLimit: one of the limits in limits.go, or the size of the file.
	ErrLimit = errors.New("limit reached")
	// ErrReadOnly: the repository was opened for reading, or without a place for
	// non-persistent groups.
	ErrReadOnly = errors.New("read-only")
	// ErrHalf: what is persistent was written, what is not could not be: it is tried again
	// before the next batch, and at the next Open. Nothing is lost.
	ErrHalf = errors.New("saved, but the non-persistent part is not in place yet")
	// ErrInvalidOp: an operation that is none, or on something it does not apply to.
	ErrInvalidOp = errors.New("invalid operation")
	// ErrClosed: the repository or the watcher was closed.
	ErrClosed = errors.New("closed")
)

// OpError says which operation of a batch failed. Nothing of the batch was done.
type OpError struct {
	Index int // in Batch.Ops
	Verb  Verb
	On    Entity
	Name  string // of the group, property or snapshot; empty when it was the entity itself
	Err   error
}

func (e *OpError) Error() string {
	what := e.Verb.String() + " " + e.On.String()
	if e.Name != "" {
		what += " " + e.Name
	}
	return what + ": " + e.Err.Error()
}

func (e *OpError) Unwrap() error { return e.Err }

// CorruptError says what is damaged in which file, and how to go back.
type CorruptError struct {
	File    string
	What    string
	Backups []string // good ones, the newest first
	Restore string   // what to run, with one of them as its operand
}

func (e *CorruptError) Error() string {
	s := e.File + " is damaged: " + e.What
	switch {
	case len(e.Backups) > 0:
		s += "; go back to a backup with: " + e.Restore + " " + e.Backups[0]
		if n := len(e.Backups) - 1; n > 0 {
			s += " (or one of " + strconv.Itoa(n) + " older)"
		}
	case e.Restore != "":
		s += "; " + e.Restore
	}
	return s
}

// Is: every CorruptError is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// LimitError says which limit was reached.
type LimitError struct {
	What string
	Max  int
}

func (e *LimitError) Error() string {
	return "more than " + strconv.Itoa(e.Max) + " " + e.What
}

// Is: every LimitError is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// named wraps a sentinel with a name, without fmt: refusals are on the way of every client.
type named struct {
	name string
	err  error
}

func (n *named) Error() string { return n.name + ": " + n.err.Error() }
func (n *named) Unwrap() error { return n.err }

// both wraps a sentinel of ours and the reason that another room gave.
type both struct{ ours, reason error }

func (b *both) Error() string   { return b.reason.Error() }
func (b *both) Unwrap() []error { return []error{b.ours, b.reason} }

// Entity is a service, or an instance of it.
type Entity struct {
	Service  string
	Instance string // empty: the service itself
}

// String is the FMRI.
func (e Entity) String() string { return fmri.Of(e.Service, e.Instance) }

// service is the entity's service.
func (e Entity) service() Entity { return Entity{Service: e.Service} }

func (e Entity) check() error {
	err := fmri.CheckService(e.Service)
	if err == nil && e.Instance != "" {
		err = fmri.CheckName(e.Instance)
	}
	if err != nil {
		return &both{ErrInvalidName, err}
	}
	return nil
}

func checkName(name string) error {
	if err := fmri.CheckName(name); err != nil {
		return &both{ErrInvalidName, err}
	}
	return nil
}
