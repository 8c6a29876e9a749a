package repo

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/tree"
)

// A snapshot is a name of an instance for a content, which never changes and goes with its last
// name. Contents are shared between the names of one instance: taking a snapshot that equals
// another one's content adds a name.

// part is one group of a content.
type part struct {
	level byte
	name  string
	rest  []byte // of the value: what follows the generation
}

// present is what a snapshot of the instance would hold now, in the order of a content's keys.
func (w *writer) presentParts(e Entity) ([]part, error) {
	var parts []part
	for _, at := range []struct {
		level byte
		e     Entity
	}{{instanceLevel, e}, {serviceLevel, e.service()}} {
		prefix := groupsKey(nil, at.e)
		c := w.main.config.Cursor()
		for k, value := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, value = c.Next() {
			if len(k) == len(prefix) {
				continue
			}
			name := string(k[len(prefix):])
			_, rest, ok := unseal(k, value)
			if !ok {
				return nil, &named{name, ErrCorrupt}
			}
			parts = append(parts, part{at.level, name, bytes.Clone(rest)})
		}
	}
	return parts, nil
}

// same says whether a content is these parts.
func (w *writer) same(id uint64, parts []part) bool {
	prefix := contentKey(nil, id)
	c := w.main.contents.Cursor()
	i := 0
	for k, value := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, value = c.Next() {
		if len(k) == contentBytes {
			continue
		}
		_, rest, ok := unseal(k, value)
		if !ok || i == len(parts) || k[contentBytes] != parts[i].level || string(k[contentBytes+1:]) != parts[i].name ||
			!bytes.Equal(rest, parts[i].rest) {
			return false
		}
		i++
	}
	return i == len(parts)
}

func (w *writer) snapshotOp(e Entity, names ...string) error {
	if e.Instance == "" {
		return &named{"a service has no snapshots", ErrInvalidOp}
	}
	if err := e.check(); err != nil {
		return err
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if !w.Exists(e) {
		return ErrNotFound
	}
	return nil
}

func (w *writer) takeSnapshot(o *Op) error {
	if err := w.snapshotOp(o.On, o.Name); err != nil {
		return err
	}
	parts, err := w.presentParts(o.On)
	if err != nil {
		return err
	}
	return w.nameParts(o, parts)
}

func (w *writer) putSnapshot(o *Op) error {
	if o.Frozen == nil {
		return ErrInvalidOp
	}
	if err := w.snapshotOp(o.On, o.Name); err != nil {
		return err
	}
	parts, err := partsOf(o.Frozen)
	if err != nil {
		return err
	}
	return w.nameParts(o, parts)
}

// partsOf checks groups, and gives them in the order of a content's keys.
func partsOf(f *Frozen) ([]part, error) {
	var parts []part
	for _, at := range []struct {
		level  byte
		groups []tree.Group
	}{{instanceLevel, f.Instance}, {serviceLevel, f.Service}} {
		if len(at.groups) > groupsMax {
			return nil, &LimitError{"groups of one service or instance", groupsMax}
		}
		first := len(parts)
		for i := range at.groups {
			g, err := normal(&at.groups[i])
			if err == nil {
				err = checkName(g.Name)
			}
			if err == nil && g.Flags != 0 {
				err = ErrInvalidOp
			}
			if err != nil {
				return nil, &named{g.Name, err}
			}
			value := encodeGroup(nil, nil, 0, &g)
			if len(value) > groupBytesMax {
				return nil, &named{g.Name, &LimitError{"bytes in one group", groupBytesMax}}
			}
			_, rest, _ := unseal(nil, value)
			parts = append(parts, part{at.level, g.Name, rest})
		}
		level := parts[first:]
		slices.SortFunc(level, func(a, b part) int { return strings.Compare(a.name, b.name) })
		for i := 1; i < len(level); i++ {
			if level[i].name == level[i-1].name {
				return nil, &named{level[i].name, ErrExists}
			}
		}
	}
	return parts, nil
}

// nameParts gives a name to the content that has these parts, or to a new one.
func (w *writer) nameParts(o *Op, parts []part) error {
	for _, name := range w.Snapshots(o.On) {
		id, err := w.content(o.On, name)
		if err != nil {
			return err
		}
		if w.same(id, parts) {
			return w.attach(o.On, o.Name, id)
		}
	}
	id, err := w.makeContent(parts)
	if err != nil {
		return err
	}
	return w.attach(o.On, o.Name, id)
}

// makeContent writes a content that no name stands for yet.
func (w *writer) makeContent(parts []part) (id uint64, err error) {
	if err := w.writeMain(); err != nil {
		return 0, err
	}
	meta := w.main.tx.Bucket(metaBucket)
	id, ok := number(meta, contentsKey)
	if !ok {
		return 0, ErrCorrupt
	}
	id++
	if err := putNumber(meta, contentsKey, id); err != nil {
		return 0, err
	}
	for _, p := range parts {
		key := contentGroupKey(nil, id, p.level, p.name)
		value := seal(key, append(begin(nil, 0), p.rest...))
		if err := w.account(len(key) + len(value)); err != nil {
			return 0, err
		}
		if err := w.main.contents.Put(key, value); err != nil {
			return 0, err
		}
	}
	return id, w.refer(id, 0)
}

// refer sets how many names a content has.
func (w *writer) refer(id, names uint64) error {
	key := contentKey(nil, id)
	return w.main.contents.Put(key, appendRecord(key, w.next, names))
}

func (w *writer) names(id uint64) (uint64, error) {
	key := contentKey(nil, id)
	_, n, ok := decodeRecord(key, w.main.contents.Get(key))
	if !ok {
		return 0, &named{"snapshot content " + utoa(id), ErrCorrupt}
	}
	return n, nil
}

// attach lets a name stand for a content. What it stood for loses a name.
func (w *writer) attach(e Entity, name string, id uint64) error {
	old, err := w.content(e, name)
	switch {
	case err == nil && old == id:
		return nil
	case err == nil:
		if err := w.detach(e, name); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	case len(w.Snapshots(e)) >= snapshotsMax:
		return &LimitError{"snapshots of one instance", snapshotsMax}
	}
	if err := w.writeMain(); err != nil {
		return err
	}
	n, err := w.names(id)
	if err != nil {
		return err
	}
	w.note(SnapshotChanged, e, name, "")
	key := snapshotKey(nil, e, name)
	return errors.Join(w.refer(id, n+1), w.main.snapshots.Put(key, appendRecord(key, w.next, id)))
}

// detach removes a name, and the content with its last one.
func (w *writer) detach(e Entity, name string) error {
	if err := w.writeMain(); err != nil {
		return err
	}
	id, err := w.content(e, name)
	if err != nil {
		return err
	}
	n, err := w.names(id)
	if err != nil {
		return err
	}
	w.note(SnapshotDeleted, e, name, "")
	if err := w.main.snapshots.Delete(snapshotKey(nil, e, name)); err != nil {
		return err
	}
	if n > 1 {
		return w.refer(id, n-1)
	}
	return w.dropContent(id)
}

func (w *writer) dropContent(id uint64) error {
	var keys [][]byte
	prefix := contentKey(nil, id)
	c := w.main.contents.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := w.main.contents.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) copySnapshot(o *Op) error {
	if err := w.snapshotOp(o.On, o.From, o.Name); err != nil {
		return err
	}
	id, err := w.content(o.On, o.From)
	if err != nil {
		return err
	}
	return w.attach(o.On, o.Name, id)
}

func (w *writer) deleteSnapshot(o *Op) error {
	if err := w.snapshotOp(o.On, o.Name); err != nil {
		return err
	}
	return w.detach(o.On, o.Name)
}

func (w *writer) revert(o *Op) error {
	if err := w.snapshotOp(o.On, o.Name); err != nil {
		return err
	}
	f, err := w.Frozen(o.On, o.Name)
	if err != nil {
		return err
	}
	return errors.Join(w.revertTo(o.On.service(), f.Service), w.revertTo(o.On, f.Instance))
}

// revertTo makes the persistent groups of the entity these.
func (w *writer) revertTo(e Entity, groups []tree.Group) error {
	now, err := w.Groups(e)
	if err != nil {
		return err
	}
	frozen := tree.Instance{Groups: groups}
	for i := range now {
		if now[i].Flags&tree.NonPersistent != 0 || frozen.Group(now[i].Name) != nil {
			continue
		}
		if err := w.deleteGroup(&Op{On: e, Name: now[i].Name}); err != nil {
			return err
		}
	}
	for i := range groups {
		if err := w.putGroup(&Op{On: e, Tree: &groups[i]}); err != nil {
			return err
		}
	}
	return w.flush()
}
