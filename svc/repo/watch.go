package repo

import (
	"slices"
	"sync"
	"sync/atomic"
)

// EventKind is what happened.
type EventKind uint8

// The kinds.
const (
	// Resync: more happened than the queue holds. Whoever is told reads all that it watches
	// again; later changes are told as ever.
	Resync EventKind = iota + 1
	EntityCreated
	EntityDeleted
	GroupChanged // made, or anything in it
	GroupDeleted
	SnapshotChanged // a name stands for another content
	SnapshotDeleted
)

// Event is one change.
type Event struct {
	Kind       EventKind
	Generation uint64 // of the repository after it
	On         Entity
	Name       string // of the group or snapshot
	Type       string // of the group; empty when it went with its entity
}

// Filter says which changes a watcher is told of. The zero Filter is all.
type Filter struct {
	// On is a service with its instances, or one instance with its service: what composes its
	// view. Empty: all.
	On Entity
	// Groups and Types are names and types of groups; empty: all. Of others, and of what is not
	// a group when either is given, nothing is told.
	Groups, Types []string
}

func (f *Filter) match(e *Event) bool {
	if f.On.Service != "" && f.On.Service != e.On.Service ||
		f.On.Instance != "" && e.On.Instance != "" && f.On.Instance != e.On.Instance {
		return false
	}
	if len(f.Groups) == 0 && len(f.Types) == 0 {
		return true
	}
	if e.Kind != GroupChanged && e.Kind != GroupDeleted {
		return false
	}
	return (len(f.Groups) == 0 || slices.Contains(f.Groups, e.Name)) &&
		(len(f.Types) == 0 || e.Type == "" || slices.Contains(f.Types, e.Type))
}

// watchers is who is told. mu comes after Repo.writing, and a watcher's after mu.
type watchers struct {
	count  atomic.Int32 // so that a batch which nobody watches costs one look
	mu     sync.Mutex
	list   []*Watcher
	closed bool
}

func (s *watchers) any() bool { return s.count.Load() > 0 }

// Watcher is a queue of changes. Its methods may be called from any goroutine.
type Watcher struct {
	set    *watchers
	filter Filter
	ready  chan struct{}

	mu     sync.Mutex
	queue  []Event
	closed bool
}

// Watch tells of what is committed from now on. ErrLimit: there are WatchersMax. ErrClosed.
func (r *Repo) Watch(f Filter) (*Watcher, error) {
	// A batch under way has looked whether anybody watches.
	r.writing.Lock()
	defer r.writing.Unlock()
	s := &r.watch
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case len(s.list) >= WatchersMax:
		return nil, &LimitError{"watchers", WatchersMax}
	}
	w := &Watcher{set: s, filter: f, ready: make(chan struct{}, 1)}
	s.list = append(s.list, w)
	s.count.Store(int32(len(s.list)))
	return w, nil
}

// Ready receives when there is something for Next, or the watcher was closed.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Next takes the oldest change. false: there is none now. ErrClosed: there will be none.
func (w *Watcher) Next() (Event, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		if w.closed {
			return Event{}, false, ErrClosed
		}
		return Event{}, false, nil
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	if len(w.queue) == 0 {
		w.queue = nil // a burst's memory goes with it
	}
	return e, true, nil
}

// Close ends the watch. What is queued can still be taken.
func (w *Watcher) Close() {
	s := w.set
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(x *Watcher) bool { return x == w })
	s.count.Store(int32(len(s.list)))
	w.end()
}

func (w *Watcher) end() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
}

func (w *Watcher) wake() {
	select {
	case w.ready <- struct{}{}:
	default: // it is awake already
	}
}

// publish hands a batch's changes on. It is called in the order of generations.
func (s *watchers) publish(events []Event) {
	if len(events) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.list {
		w.offer(events)
	}
}

func (w *Watcher) offer(events []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range events {
		e := &events[i]
		if !w.filter.match(e) {
			continue
		}
		switch {
		case len(w.queue) == 1 && w.queue[0].Kind == Resync:
			w.queue[0].Generation = e.Generation // it reads this too
		case len(w.queue) >= watchQueueMax:
			w.queue = []Event{{Kind: Resync, Generation: e.Generation}}
		default:
			w.queue = append(w.queue, *e)
		}
	}
	if len(w.queue) > 0 {
		w.wake()
	}
}

func (s *watchers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, w := range s.list {
		w.end()
	}
	s.list = nil
	s.count.Store(0)
}
