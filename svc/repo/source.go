package repo

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/tree"
)

// Snapshots, by convention.
const (
	Initial    = "initial"     // as first imported
	LastImport = "last-import" // as last imported: what an upgrade compares with
	Previous   = "previous"    // what an undo goes back to
	Running    = "running"     // what the service runs with
	Start      = "start"       // what it was started with
)

// Source is one way to look at the groups of an entity: its own, composed with its service's, of
// a snapshot. It is good as long as its Reader.
type Source struct {
	v      *Reader
	name   string
	layers []layer // what is in an earlier one comes before what is in a later one
}

// layer is where groups are: the keys that begin with prefix, in one file.
type layer struct {
	side   *side
	frozen bool // in "contents", not in "config"
	prefix []byte
}

func (l *layer) get(name string) (g tree.Group, found bool, err error) {
	b := l.side.config
	if l.frozen {
		b = l.side.contents
	}
	if b == nil || name == "" { // the prefix alone is the key of an instance's own record
		return g, false, nil
	}
	var room [2 * recordBytesMax]byte
	key := append(append(room[:0], l.prefix...), name...)
	value := b.Get(key)
	if value == nil {
		return g, false, nil
	}
	g, _, err = decodeGroup(key, value, name)
	return g, err == nil, err
}

func (l *layer) each(f func(g *tree.Group) error) error {
	b := l.side.config
	if l.frozen {
		b = l.side.contents
	}
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, value := c.Seek(l.prefix); bytes.HasPrefix(k, l.prefix); k, value = c.Next() {
		if len(k) == len(l.prefix) {
			continue // an instance's own record
		}
		g, _, err := decodeGroup(k, value, string(k[len(l.prefix):]))
		if err != nil {
			return err
		}
		if err := f(&g); err != nil {
			return err
		}
	}
	return nil
}

func (v *Reader) live(e Entity) []layer {
	prefix := groupsKey(nil, e)
	return []layer{{side: &v.main, prefix: prefix}, {side: &v.vol, prefix: prefix}}
}

func (v *Reader) source(e Entity, layers ...layer) (*Source, error) {
	if !v.Exists(e) {
		return nil, &named{e.String(), ErrNotFound}
	}
	return &Source{v: v, name: e.String(), layers: layers}, nil
}

// Direct is the entity's own groups. ErrNotFound.
func (v *Reader) Direct(e Entity) (*Source, error) { return v.source(e, v.live(e)...) }

// Composed is the instance's groups above its service's: of each property that of the instance
// counts when it has one. Of a service it is Direct. ErrNotFound.
func (v *Reader) Composed(e Entity) (*Source, error) {
	layers := v.live(e)
	if e.Instance != "" {
		layers = append(layers, v.live(e.service())...)
	}
	return v.source(e, layers...)
}

// Snapshot is what an instance's snapshot holds, composed. ErrNotFound.
func (v *Reader) Snapshot(e Entity, name string) (*Source, error) {
	id, err := v.content(e, name)
	if err != nil {
		return nil, err
	}
	return v.source(e, v.frozen(id, instanceLevel), v.frozen(id, serviceLevel))
}

// Effective is what a program asks for that says nothing else, as svcprop(1) has it: of an
// instance the running snapshot, composed, with the non-persistent groups as they are now, and
// what Composed gives when there is no such snapshot; of a service Direct. ErrNotFound.
func (v *Reader) Effective(e Entity) (*Source, error) {
	id, err := v.content(e, Running)
	switch {
	case e.Instance == "" || errors.Is(err, ErrNotFound):
		return v.Composed(e)
	case err != nil:
		return nil, err
	}
	return v.source(e,
		layer{side: &v.vol, prefix: groupsKey(nil, e)}, v.frozen(id, instanceLevel),
		layer{side: &v.vol, prefix: groupsKey(nil, e.service())}, v.frozen(id, serviceLevel))
}

func (v *Reader) frozen(id uint64, level byte) layer {
	return layer{side: &v.main, frozen: true, prefix: contentGroupKey(nil, id, level, "")}
}

// content is the number of the content that a snapshot's name stands for.
func (v *Reader) content(e Entity, name string) (uint64, error) {
	key := snapshotKey(nil, e, name)
	value := v.main.snapshots.Get(key)
	if value == nil {
		return 0, &named{"snapshot " + name + " of " + e.String(), ErrNotFound}
	}
	_, id, ok := decodeRecord(key, value)
	if !ok {
		return 0, &named{"snapshot " + name + " of " + e.String(), ErrCorrupt}
	}
	return id, nil
}

// SameSnapshot says whether both snapshots of an instance are there and hold the same.
func (v *Reader) SameSnapshot(e Entity, a, b string) bool {
	one, err := v.content(e, a)
	if err != nil {
		return false
	}
	other, err := v.content(e, b)
	return err == nil && one == other
}

// Snapshots gives the names of an instance's snapshots, in their order.
func (v *Reader) Snapshots(e Entity) []string {
	var names []string
	prefix := snapshotsKey(nil, e)
	c := v.main.snapshots.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		names = append(names, string(k[len(prefix):]))
	}
	return names
}

// Frozen is a snapshot's content as it was taken.
type Frozen struct {
	Service, Instance []tree.Group
}

// Frozen gives both levels of a snapshot. ErrNotFound, ErrCorrupt.
func (v *Reader) Frozen(e Entity, name string) (f Frozen, err error) {
	id, err := v.content(e, name)
	if err != nil {
		return f, err
	}
	for level, groups := range map[byte]*[]tree.Group{serviceLevel: &f.Service, instanceLevel: &f.Instance} {
		l := v.frozen(id, level)
		err := l.each(func(g *tree.Group) error { *groups = append(*groups, *g); return nil })
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// Group gives a group, with the properties of all layers. ErrNotFound, ErrCorrupt.
func (s *Source) Group(name string) (tree.Group, error) {
	var whole tree.Group
	for i := range s.layers {
		g, found, err := s.layers[i].get(name)
		switch {
		case err != nil:
			return tree.Group{}, err
		case !found:
		case whole.Name == "":
			whole = g
		default:
			whole = merge(whole, g)
		}
	}
	if whole.Name == "" {
		return whole, &named{s.name + "/:properties/" + name, ErrNotFound}
	}
	return whole, nil
}

// Groups gives all groups, in the order of names. ErrCorrupt.
func (s *Source) Groups() ([]tree.Group, error) {
	var all []tree.Group
	for i := range s.layers {
		// Both the layers' groups and all are in order, but for a group's type and flags the
		// earlier layer counts.
		err := s.layers[i].each(func(g *tree.Group) error {
			at, found := slices.BinarySearchFunc(all, g.Name, func(x tree.Group, n string) int { return strings.Compare(x.Name, n) })
			if found {
				all[at] = merge(all[at], *g)
			} else {
				all = slices.Insert(all, at, *g)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Property gives a property. ErrNotFound, ErrCorrupt.
func (s *Source) Property(group, name string) (tree.Property, error) {
	for i := range s.layers {
		g, found, err := s.layers[i].get(group)
		if err != nil {
			return tree.Property{}, err
		}
		if !found {
			continue
		}
		if p := g.Prop(name); p != nil {
			return *p, nil
		}
	}
	return tree.Property{}, &named{s.name + "/:properties/" + group + "/" + name, ErrNotFound}
}

// merge adds to over those properties of under that it does not have.
func merge(over, under tree.Group) tree.Group {
	if len(over.Props) == 0 {
		over.Props = under.Props
		return over
	}
	own := len(over.Props)
	for _, p := range under.Props {
		_, found := slices.BinarySearchFunc(over.Props[:own], p.Name, func(x tree.Property, n string) int { return strings.Compare(x.Name, n) })
		if !found {
			over.Props = append(over.Props, p)
		}
	}
	slices.SortFunc(over.Props, func(a, b tree.Property) int { return strings.Compare(a.Name, b.Name) })
	return over
}

// count is how many groups the layer has, at most limit.
func (l *layer) count(limit int) (n int) {
	if l.side.config == nil {
		return 0
	}
	c := l.side.config.Cursor()
	for k, _ := c.Seek(l.prefix); bytes.HasPrefix(k, l.prefix) && n < limit; k, _ = c.Next() {
		if len(k) > len(l.prefix) {
			n++
		}
	}
	return n
}
