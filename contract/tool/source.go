package tool

import (
	"context"
	"errors"
	"io/fs"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/layout"
)

// Source has the contracts of one zone.
type Source interface {
	// Zone is the zone's name, empty when it is not known.
	Zone() string
	// Statuses are those of the contracts with these numbers, as far as they are there; of
	// all, when none is given.
	Statuses(ids []contract.ID) ([]contract.Status, error)
	// Open is the queue of one contract's events, or of all contracts' for number 0. An error
	// that is fs.ErrNotExist: there is no such contract.
	Open(id contract.ID, w Watch) (Stream, error)
}

// Watch says how events are followed.
type Watch struct {
	// Front: from the oldest event on that is kept.
	Front bool
	// Reliable: none is dropped before it was read.
	Reliable bool
}

// Stream gives events in their order. io.EOF: there will be no more.
type Stream interface {
	Next(ctx context.Context) (contract.Event, error)
	Close() error
}

// FSSource has the contracts of a file system.
func FSSource(f *contract.FS) Source { return fsSource{f} }

type fsSource struct{ f *contract.FS }

// globalZone is the host's name among zones.
const globalZone = "global"

// Zone is told by any status; the file system itself does not say it.
func (s fsSource) Zone() string {
	if s.f.Path() == contract.HostPath(layout.FromEnv()) {
		return globalZone
	}
	ids, err := s.f.IDs()
	if err != nil {
		return ""
	}
	for _, id := range ids {
		if st, err := s.f.Contract(id).Status(); err == nil {
			return st.Zone
		}
	}
	return ""
}

func (s fsSource) Statuses(ids []contract.ID) ([]contract.Status, error) {
	if len(ids) == 0 {
		return s.f.Statuses()
	}
	var all []contract.Status
	for _, id := range ids {
		st, err := s.f.Contract(id).Status()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, st)
	}
	return all, nil
}

func (s fsSource) Open(id contract.ID, w Watch) (Stream, error) {
	r, err := s.reader(id)
	if err != nil {
		return nil, err
	}
	if w.Reliable {
		err = r.Reliable()
	}
	if w.Front && err == nil {
		err = r.Reset()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (s fsSource) reader(id contract.ID) (*contract.Reader, error) {
	if id == 0 {
		return s.f.Bundle()
	}
	return s.f.Contract(id).Events()
}

// zones restricts a list of sources; no name: all.
type zones []string

func (z zones) has(name string) bool {
	for _, n := range z {
		if n == name {
			return true
		}
	}
	return len(z) == 0
}

// sources are the file system's, if there is one, and those of zones. Of those that cannot be
// asked one line each is said, and ok is false. close ends their use.
func (env *Env) sources(program string, find func() (*contract.FS, error), only zones) (list []Source, close func(), ok bool) {
	ok, close = true, func() {}
	var all []Source
	f, err := find()
	switch {
	case err == nil:
		all = append(all, FSSource(f))
		close = func() { _ = f.Close() }
	case !errors.Is(err, contract.ErrNoFS) || env.Serve == nil:
		// On the host it is no mistake that nobody serves: then there are no contracts.
		env.say(program, explain(err))
		ok = false
	}
	if env.Sources != nil {
		more, err := env.Sources()
		if err != nil {
			env.say(program, explain(err))
			ok = false
		}
		all = append(all, more...)
	}
	for _, s := range all {
		if len(only) == 0 || only.has(s.Zone()) {
			list = append(list, s)
		}
	}
	return list, close, ok
}
