package repo

import (
	"strings"

	bolt "go.etcd.io/bbolt"
)

// verify reads every value of a file and checks what they say of each other. The pages are sound.
// What is wrong is a CorruptError without backups. Its time is that of reading the file once, and
// the file has a limit.
func verify(path string, db *bolt.DB, k kind) error {
	return db.View(func(tx *bolt.Tx) error {
		a := &audit{tx: tx, names: map[uint64]uint64{}, volatile: len(k.buckets) == len(volatile.buckets)}
		what := a.config()
		if what == "" && !a.volatile {
			what = a.rest()
		}
		if what != "" {
			return &CorruptError{File: path, What: what}
		}
		return nil
	})
}

// audit is one walk.
type audit struct {
	tx       *bolt.Tx
	volatile bool
	services uint64
	entity   Entity            // whose record was the last
	names    map[uint64]uint64 // of contents that were not come to yet
	d        decoder
}

// where is what a damaged key is called, whatever bytes it has.
func where(what string, k []byte) string {
	printable := strings.Map(func(c rune) rune {
		switch {
		case c == 0:
			return ' '
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, string(k[:min(len(k), 256)]))
	return what + " " + strings.TrimRight(printable, " ")
}

func (a *audit) config() string {
	generation, _ := number(a.tx.Bucket(metaBucket), generationKey)
	c := a.tx.Bucket(configBucket).Cursor()
	for k, value := c.First(); k != nil; k, value = c.Next() {
		e, group, ok := parseKey(k)
		if !ok || value == nil {
			return where("nothing can have the key", k)
		}
		if group == "" {
			if what := a.record(k, value, e); what != "" {
				return what
			}
			continue
		}
		g, written, err := a.d.group(k, value, group)
		switch {
		case err != nil:
			return where("the value cannot be read of", k)
		case written > generation:
			return where("the future has written", k)
		case !a.volatile && e != a.entity:
			return where("nothing owns", k)
		case a.volatile != (g.Flags != 0):
			return where("the other file should have", k)
		}
	}
	if a.volatile {
		return ""
	}
	if n, ok := number(a.tx.Bucket(metaBucket), servicesKey); !ok || n != a.services {
		return "it has " + utoa(a.services) + " services, and should have " + utoa(n)
	}
	return ""
}

// record checks that of a service or an instance.
func (a *audit) record(k, value []byte, e Entity) string {
	_, _, ok := decodeRecord(k, value)
	switch {
	case !ok || a.volatile:
		return where("the value cannot be read of", k)
	case e.Instance == "":
		a.services++
	case e.Service != a.entity.Service:
		return where("nothing owns", k)
	}
	a.entity = e
	return ""
}

// rest checks snapshots and contents.
func (a *audit) rest() string {
	config := a.tx.Bucket(configBucket)
	c := a.tx.Bucket(snapshotBucket).Cursor()
	for k, value := c.First(); k != nil; k, value = c.Next() {
		e, _, ok := parseSnapshotKey(k)
		_, id, read := decodeRecord(k, value)
		switch {
		case !ok || !read:
			return where("the value cannot be read of the snapshot", k)
		case config.Get(entityKey(nil, e)) == nil:
			return where("nothing owns the snapshot", k)
		}
		a.names[id]++
	}
	last, ok := number(a.tx.Bucket(metaBucket), contentsKey)
	if !ok {
		return "the number of snapshots cannot be read"
	}
	current := uint64(0)
	c = a.tx.Bucket(contentBucket).Cursor()
	for k, value := c.First(); k != nil; k, value = c.Next() {
		id, level, group, ok := parseContentKey(k)
		if !ok || value == nil {
			return where("nothing can have the key", k)
		}
		content := "the content " + utoa(id) + " of a snapshot"
		if level == 0 {
			_, n, read := decodeRecord(k, value)
			if !read || n == 0 || n != a.names[id] || id > last {
				return content + " has other names than it says"
			}
			delete(a.names, id)
			current = id
			continue
		}
		g, _, err := a.d.group(k, value, group)
		if err != nil || g.Flags != 0 || id != current {
			return content + " cannot be read"
		}
	}
	for id := range a.names {
		return "the content " + utoa(id) + " of a snapshot is not there"
	}
	return ""
}
