package repo

import (
	"bytes"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"
)

// A batch that writes both files writes down in the persistent one, in the same transaction,
// what it writes to the volatile one:
//
//	persistent:  changes + pending(generation, which volatile file, its changes)   commit
//	volatile:    changes + generation                                              commit
//
// Killed between the two, the volatile file is of an older generation than pending, and Open
// does what pending says: the batch is done as a whole. A volatile file that was made since is
// another one, and nothing is done. pending stays until the next such batch.

// change appends one change of the volatile file. A value of nil is a deletion.
func appendChange(b, key, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// changes calls f with each.
func changes(b []byte, f func(key, value []byte) error) error {
	part := func() ([]byte, bool) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, false
		}
		p := b[k : k+int(n)]
		b = b[k+int(n):]
		return p, true
	}
	for len(b) > 0 {
		key, ok := part()
		if !ok {
			return ErrCorrupt
		}
		value, ok := part()
		if !ok || len(key) == 0 {
			return ErrCorrupt
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// sealPending is the value of pending.
func sealPending(generation uint64, self, list []byte) []byte {
	return seal(pendingKey, append(append(begin(nil, generation), self...), list...))
}

// do makes the changes in a volatile file.
func do(tx *bolt.Tx, generation uint64, list []byte) error {
	config := tx.Bucket(configBucket)
	err := changes(list, func(key, value []byte) error {
		if len(value) == 0 {
			return config.Delete(key)
		}
		return config.Put(bytes.Clone(key), bytes.Clone(value))
	})
	return errors.Join(err, putNumber(tx.Bucket(metaBucket), generationKey, generation))
}

// repair makes the volatile file what the persistent one says: it finishes what a killed process
// began, and drops groups of what is not there, after a backup was restored.
func (r *Repo) repair(generation uint64) error {
	var pending []byte
	pendingGeneration, volGeneration := uint64(0), uint64(0)
	err := r.main.View(func(tx *bolt.Tx) error {
		value := tx.Bucket(metaBucket).Get(pendingKey)
		if value == nil {
			return nil
		}
		g, list, ok := unseal(pendingKey, value)
		if !ok || len(list) < selfBytes {
			return &CorruptError{File: r.cfg.Path, What: "what was to be done cannot be read"}
		}
		pendingGeneration, pending = g, bytes.Clone(list)
		return nil
	})
	if err != nil {
		return err
	}
	mine := false
	err = r.vol.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		volGeneration, _ = number(meta, generationKey)
		mine = bytes.HasPrefix(pending, meta.Get(selfKey))
		return nil
	})
	if err != nil {
		return err
	}
	if mine && pendingGeneration > volGeneration {
		err := r.vol.Update(func(tx *bolt.Tx) error { return do(tx, pendingGeneration, pending[selfBytes:]) })
		if err != nil {
			return err
		}
	}
	r.generation.Store(max(generation, volGeneration)) // pending is of no newer one
	return r.dropOrphans()
}

func (r *Repo) dropOrphans() error {
	var orphans [][]byte
	err := r.View(func(v *Reader) error {
		c := v.vol.config.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			e, _, _ := parseKey(k)
			if !v.Exists(e) {
				orphans = append(orphans, bytes.Clone(k))
			}
		}
		return nil
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	return r.vol.Update(func(tx *bolt.Tx) error {
		for _, k := range orphans {
			if err := tx.Bucket(configBucket).Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}
