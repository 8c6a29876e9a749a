package repo

import (
	"bytes"
	"iter"

	bolt "go.etcd.io/bbolt"

	"github.com/linuxzones/zones/svc/tree"
)

// Reader is a view of the repository. It is for one goroutine, and for the time of View.
type Reader struct {
	generation uint64
	main, vol  side
}

// side is a transaction on one of the files. The zero side is no file.
type side struct {
	tx     *bolt.Tx
	config *bolt.Bucket
	// Of the persistent file.
	snapshots, contents *bolt.Bucket
}

// contentFill: contents are made in the order of their keys, so that pages split at their end, and
// need no room for what comes between.
const contentFill = 0.95

func (v *Reader) useMain(tx *bolt.Tx) {
	v.main = side{tx: tx, config: tx.Bucket(configBucket), snapshots: tx.Bucket(snapshotBucket), contents: tx.Bucket(contentBucket)}
	if tx.Writable() {
		v.main.contents.FillPercent = contentFill
	}
}

func (v *Reader) useVol(tx *bolt.Tx) { v.vol = side{tx: tx, config: tx.Bucket(configBucket)} }

func (v *Reader) end() {
	for _, s := range []*side{&v.main, &v.vol} {
		if s.tx != nil {
			_ = s.tx.Rollback() // of one that was committed it is nothing
			*s = side{}
		}
	}
}

// Generation is the repository's at the time of the view.
func (v *Reader) Generation() uint64 { return v.generation }

// Exists says whether the service, or the instance, is there.
func (v *Reader) Exists(e Entity) bool {
	var room [recordBytesMax]byte
	return v.main.config.Get(entityKey(room[:0], e)) != nil
}

// Services gives the names of all services, in their order.
func (v *Reader) Services() iter.Seq[string] {
	return func(yield func(string) bool) {
		c := v.main.config.Cursor()
		for k, _ := c.First(); k != nil; {
			service, _, _ := bytes.Cut(k, []byte{0})
			name := string(service)
			if !yield(name) {
				return
			}
			k, _ = c.Seek(afterKey(serviceKey(nil, name)))
		}
	}
}

// Instances gives the names of a service's instances, in their order. ErrNotFound.
func (v *Reader) Instances(service string) ([]string, error) {
	if e := (Entity{Service: service}); !v.Exists(e) {
		return nil, &named{e.String(), ErrNotFound}
	}
	var names []string
	for name := range v.instances(service) {
		names = append(names, name)
	}
	return names, nil
}

func (v *Reader) instances(service string) iter.Seq[string] {
	return func(yield func(string) bool) {
		prefix := append(serviceKey(nil, service), instanceMark)
		c := v.main.config.Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); {
			name, _, _ := bytes.Cut(k[len(prefix):], []byte{0})
			instance := string(name)
			if !yield(instance) {
				return
			}
			k, _ = c.Seek(afterKey(entityKey(nil, Entity{service, instance})))
		}
	}
}

// Group gives a group of the entity itself, and its generation: that of the repository when it
// was last written. ErrNotFound, ErrCorrupt.
func (v *Reader) Group(e Entity, name string) (tree.Group, uint64, error) {
	var room [recordBytesMax]byte
	key := groupKey(room[:0], e, name)
	for _, s := range []*side{&v.main, &v.vol} {
		if s.config == nil || name == "" { // the key without a group's name is the instance's own
			continue
		}
		if value := s.config.Get(key); value != nil {
			return decodeGroup(key, value, name)
		}
	}
	if !v.Exists(e) {
		return tree.Group{}, 0, &named{e.String(), ErrNotFound}
	}
	return tree.Group{}, 0, &named{e.String() + "/:properties/" + name, ErrNotFound}
}

// Groups gives all groups of the entity itself. ErrNotFound, ErrCorrupt.
func (v *Reader) Groups(e Entity) ([]tree.Group, error) {
	s, err := v.Direct(e)
	if err != nil {
		return nil, err
	}
	return s.Groups()
}

// Service gives a service with all that is in it. ErrNotFound, ErrCorrupt.
func (v *Reader) Service(name string) (*tree.Service, error) {
	prefix := serviceKey(nil, name)
	if v.main.config.Get(prefix) == nil {
		return nil, &named{Entity{Service: name}.String(), ErrNotFound}
	}
	s := &tree.Service{Name: name}
	// Instances first: the volatile file has groups alone.
	for _, side := range []*side{&v.main, &v.vol} {
		if side.config == nil {
			continue
		}
		c := side.config.Cursor()
		for k, value := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, value = c.Next() {
			if err := addKey(s, k, value); err != nil {
				return nil, err
			}
		}
	}
	s.Sort()
	return s, nil
}

// addKey puts what a key of the service holds into the tree.
func addKey(s *tree.Service, k, value []byte) error {
	e, group, ok := parseKey(k)
	if !ok {
		return &named{s.Name, ErrCorrupt}
	}
	groups := &s.Groups
	if e.Instance != "" {
		// Both files are read in the order of names, so that it is the last or sorted already.
		i := s.Instance(e.Instance)
		if i == nil {
			s.Instances = append(s.Instances, tree.Instance{Name: e.Instance})
			i = &s.Instances[len(s.Instances)-1]
		}
		groups = &i.Groups
	}
	if group == "" {
		return nil
	}
	g, _, err := decodeGroup(k, value, group)
	if err != nil {
		return err
	}
	*groups = append(*groups, g)
	return nil
}
