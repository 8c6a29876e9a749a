package repo

import (
	"bytes"
	"errors"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/linuxzones/zones/svc/tree"
)

// Apply does a batch: all of it, or nothing. It gives the generation of the repository after it;
// a batch that changes nothing leaves the generation as it is. When Apply returns, what is
// persistent survives a power cut, and readers and watchers see it. An OpError, which wraps one
// of the sentinels, says what was refused; ErrHalf stands for a batch that is done. Another error is
// of the file itself: when the last flush failed, the batch may have been done, and Generation tells.
func (r *Repo) Apply(b *Batch) (generation uint64, err error) { return r.apply(b, nil) }

func (r *Repo) apply(b *Batch, judge Judge) (generation uint64, err error) {
	if len(b.Ops) > opsMax {
		return 0, &LimitError{"operations in one batch", opsMax}
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.cfg.ReadOnly {
		return 0, &named{r.cfg.Path, ErrReadOnly}
	}
	if err := r.finish(); err != nil {
		return 0, err
	}
	v, err := r.read()
	if err != nil {
		return 0, err
	}
	w := &writer{Reader: v, r: r, next: v.generation + 1, watched: r.watch.any()}
	defer w.end()
	for i := range b.Ops {
		o := &b.Ops[i]
		err := w.permit(judge, o)
		if err == nil {
			err = w.do(o)
		}
		if err != nil {
			return 0, opError(i, o, err)
		}
	}
	if err := w.flush(); err != nil {
		return 0, opError(len(b.Ops)-1, &b.Ops[len(b.Ops)-1], err)
	}
	return w.commit()
}

func opError(i int, o *Op, err error) error {
	if errors.Is(err, berrors.ErrMaxSizeReached) {
		err = &both{ErrLimit, err}
	}
	e := &OpError{Index: i, Verb: o.Verb, On: o.On, Name: o.Name, Err: err}
	switch {
	case o.Tree != nil:
		e.Name = o.Tree.Name
	case o.Prop.Name != "":
		e.Name += "/" + o.Prop.Name
	}
	return e
}

// finish does what an earlier batch left undone in the volatile file.
func (r *Repo) finish() error {
	if r.redo == nil {
		return nil
	}
	err := r.vol.Update(func(tx *bolt.Tx) error { return do(tx, r.generation.Load(), r.redo) })
	if err != nil {
		return &both{ErrHalf, err}
	}
	r.redo = nil
	return nil
}

// writer is one batch under way. Its Reader reads what the batch has written so far; the
// transactions are for reading until there is something to write.
type writer struct {
	*Reader
	r       *Repo
	next    uint64 // the generation of what is written
	mainW   bool
	volW    bool
	list    []byte // of changes of the volatile file
	bytes   int    // written so far
	watched bool
	events  []Event
	open    openGroup
	room    []byte
}

// writeMain makes the view of the persistent file one for writing. Nobody else writes, so it
// shows the same.
func (w *writer) writeMain() error {
	if w.mainW {
		return nil
	}
	_ = w.main.tx.Rollback()
	w.main = side{}
	tx, err := w.r.main.Begin(true)
	if err != nil {
		return err
	}
	w.useMain(tx)
	w.mainW = true
	return nil
}

func (w *writer) writeVol() error {
	switch {
	case w.volW:
		return nil
	case w.r.vol == nil:
		return &both{ErrReadOnly, errors.New("there is no place for non-persistent groups")}
	}
	_ = w.vol.tx.Rollback()
	w.vol = side{}
	tx, err := w.r.vol.Begin(true)
	if err != nil {
		return err
	}
	w.useVol(tx)
	w.volW = true
	return nil
}

// account counts what a batch writes.
func (w *writer) account(n int) error {
	if w.bytes += n; w.bytes > batchBytesMax {
		return &LimitError{"bytes in one batch", batchBytesMax}
	}
	return nil
}

// put and drop change "config" of the persistent file.
func (w *writer) put(key, value []byte) error {
	if err := errors.Join(w.account(len(key)+len(value)), w.writeMain()); err != nil {
		return err
	}
	return w.main.config.Put(key, value)
}

func (w *writer) drop(key []byte) error {
	if err := w.writeMain(); err != nil {
		return err
	}
	return w.main.config.Delete(key)
}

// putVol and dropVol change the volatile file, and note it down.
func (w *writer) putVol(key, value []byte) error {
	if err := errors.Join(w.account(len(key)+len(value)), w.writeVol()); err != nil {
		return err
	}
	w.list = appendChange(w.list, key, value)
	return w.vol.config.Put(key, value)
}

func (w *writer) dropVol(key []byte) error {
	if err := w.writeVol(); err != nil {
		return err
	}
	w.list = appendChange(w.list, key, nil)
	return w.vol.config.Delete(key)
}

// dropAll removes every key that begins with the prefix from both files.
func (w *writer) dropAll(prefix []byte) error {
	for _, s := range []*side{&w.main, &w.vol} {
		if s.config == nil {
			continue
		}
		var keys [][]byte
		c := s.config.Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		drop := w.drop
		if s == &w.vol {
			drop = w.dropVol
		}
		for _, k := range keys {
			if err := drop(k); err != nil {
				return err
			}
			if e, group, _ := parseKey(k); group != "" {
				w.note(GroupDeleted, e, group, "")
			} else {
				w.note(EntityDeleted, e, "", "")
			}
		}
	}
	return nil
}

// commit ends the batch: the persistent file first. See redo.go.
func (w *writer) commit() (uint64, error) {
	if !w.mainW && !w.volW {
		return w.generation, nil
	}
	r := w.r
	if w.volW {
		if err := putNumber(w.vol.tx.Bucket(metaBucket), generationKey, w.next); err != nil {
			return 0, err
		}
	}
	if w.mainW {
		meta := w.main.tx.Bucket(metaBucket)
		err := putNumber(meta, generationKey, w.next)
		if err == nil && w.volW {
			err = meta.Put(pendingKey, sealPending(w.next, w.vol.tx.Bucket(metaBucket).Get(selfKey), w.list))
		}
		if err != nil {
			return 0, err
		}
	}
	err := w.commitFiles()
	if err != nil && !errors.Is(err, ErrHalf) {
		if errors.Is(err, berrors.ErrMaxSizeReached) {
			err = &both{ErrLimit, errors.New("the repository would be larger than it may be")}
		}
		return 0, err
	}
	r.watch.publish(w.events)
	return w.next, err
}

func (w *writer) commitFiles() error {
	r := w.r
	r.pair.Lock()
	defer r.pair.Unlock()
	if w.mainW {
		if err := w.main.tx.Commit(); err != nil {
			if w.visible(r.main) && w.volW {
				r.redo = w.list
			}
			return err
		}
		r.generation.Store(w.next)
	}
	if !w.volW {
		return nil
	}
	if err := w.vol.tx.Commit(); err != nil {
		if !w.mainW {
			w.visible(r.vol)
			return err
		}
		r.redo = w.list
		return &both{ErrHalf, err}
	}
	r.generation.Store(w.next)
	return nil
}

// visible says whether a batch whose commit failed is there all the same: when the last flush
// fails, everything was written, and readers see it. What they see is then the repository's state.
func (w *writer) visible(db *bolt.DB) bool {
	generation, err := generationOf(db)
	if err != nil || generation != w.next {
		return false
	}
	w.r.generation.Store(generation)
	return true
}

// openGroup is the group that operations work on: as long as one follows the other on the same
// group, it is decoded and encoded once.
type openGroup struct {
	on   Entity
	name string
	tree.Group
	exists bool
	vol    bool   // it is in the volatile file
	was    uint64 // its generation
	dirty  bool
	made   bool // not in the file before
}

// group opens a group. When there is none, exists is false.
func (w *writer) group(e Entity, name string) (*openGroup, error) {
	g := &w.open
	if g.name == name && g.on == e && name != "" {
		return g, nil
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	found, was, err := w.Reader.Group(e, name)
	switch {
	case err == nil:
		w.open = openGroup{on: e, name: name, Group: found, exists: true, vol: found.Flags&tree.NonPersistent != 0, was: was}
	case errors.Is(err, ErrNotFound) && w.Exists(e):
		w.open = openGroup{on: e, name: name, made: true}
	default:
		return nil, err
	}
	return g, nil
}

// existing opens a group that is there.
func (w *writer) existing(e Entity, name string) (*openGroup, error) {
	g, err := w.group(e, name)
	if err == nil && !g.exists {
		err = ErrNotFound
	}
	return g, err
}

// flush writes the open group, if it was changed, and closes it.
func (w *writer) flush() error {
	g := w.open
	w.open = openGroup{}
	if !g.dirty || g.made && !g.exists {
		return nil
	}
	key := groupKey(nil, g.on, g.name)
	vol := g.Flags&tree.NonPersistent != 0
	if !g.made && (!g.exists || g.vol != vol) {
		drop := w.drop
		if g.vol {
			drop = w.dropVol
		}
		if err := drop(key); err != nil {
			return err
		}
	}
	if !g.exists {
		w.note(GroupDeleted, g.on, g.name, g.Type)
		return nil
	}
	value := encodeGroup(w.room, key, w.next, &g.Group)
	w.room = value
	if len(value) > groupBytesMax {
		return &named{g.name, &LimitError{"bytes in one group", groupBytesMax}}
	}
	put := w.put
	if vol {
		put = w.putVol
	}
	w.note(GroupChanged, g.on, g.name, g.Type)
	// bbolt keeps the value until the commit.
	return put(key, bytes.Clone(value))
}

func (w *writer) note(k EventKind, e Entity, name, groupType string) {
	if w.watched {
		w.events = append(w.events, Event{Kind: k, Generation: w.next, On: e, Name: name, Type: groupType})
	}
}
