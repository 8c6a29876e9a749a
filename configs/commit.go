package configs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Commit writes z as the configuration of the zone of its name. base says what z was
// made from: what Load or the last Commit returned, or zero for a zone that must not
// exist yet. It returns the new Etag.
//
// Errors: Problems (ErrInvalid) when z does not pass Validate; ErrExists; ErrConflict
// when another configuration, or none, is there by now; ErrState when brand or
// zonepath differ and the zone is no longer only configured; ErrPathTaken. On every
// one of them the files are as they were.
func (s *Store) Commit(z *Zone, base Etag) (Etag, error) { return s.replace(z.Name, z, base, stays) }

// CommitMoved is Commit that may change the zonepath of an installed zone: for whoever
// moved the files, or knows that they lie elsewhere.
func (s *Store) CommitMoved(z *Zone, base Etag) (Etag, error) {
	return s.replace(z.Name, z, base, moves)
}

// Create is Commit of a zone that must not exist yet.
func (s *Store) Create(z *Zone) (Etag, error) { return s.replace(z.Name, z, "", stays) }

// Rename is Commit of z in the place of the zone old, whose name ends to exist. base
// belongs to old. Besides Commit's errors: ErrExists when z's name is taken, ErrState
// when the zone old is ready or above.
func (s *Store) Rename(old string, z *Zone, base Etag) (Etag, error) {
	return s.replace(old, z, base, stays)
}

// mobility says whether the zonepath of an installed zone may change.
type mobility bool

const (
	stays mobility = false
	moves mobility = true
)

func (s *Store) replace(old string, z *Zone, base Etag, path mobility) (Etag, error) {
	if err := z.Validate(); err != nil {
		return "", err
	}
	data := encodeXML(z)
	err := s.locked(func(v view) error {
		x, err := v.index()
		if err != nil {
			return err
		}
		if err := v.checkBase(x, old, base); err != nil {
			return err
		}
		if z.Name == GlobalName || old == GlobalName {
			if z.Name != old {
				return fmt.Errorf("the zone %s cannot be renamed: %w", GlobalName, ErrState)
			}
			return s.commit(map[string]*string{GlobalName + xmlSuffix: &data})
		}
		if err := v.checkChange(x, old, z, path); err != nil {
			return err
		}
		return s.commit(changedFiles(x, old, z, data))
	})
	if err != nil {
		return "", err
	}
	return etagOf([]byte(data)), nil
}

// changedFiles plans a commit: the index is written only when its line changes, so that
// the common commit is one rename.
func changedFiles(x *index, old string, z *Zone, data string) map[string]*string {
	e := Entry{Name: z.Name, State: Configured, Path: z.Path}
	i := x.find(old)
	if i >= 0 {
		e.State, e.UUID = x.lines[i].entry.State, x.lines[i].entry.UUID
	}
	files := map[string]*string{z.Name + xmlSuffix: &data}
	if i >= 0 && x.lines[i].entry == e {
		return files
	}
	if old != z.Name {
		files[old+xmlSuffix] = nil
	}
	x.put(old, e)
	text := string(x.encode())
	files[indexName] = &text
	return files
}

// checkBase refuses when the configuration on disk is not the one that base names.
func (v view) checkBase(x *index, name string, base Etag) error {
	exists := x.find(name) >= 0 && name != GlobalName
	data, err := v.readFile(name+xmlSuffix, xmlBytesMax)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case base == "" && name == GlobalName && err == nil:
		return fmt.Errorf("%s: %w", name, ErrConflict)
	case base == "" && exists:
		return fmt.Errorf("%s: %w", name, ErrExists)
	case base == "":
		return nil
	case !exists && name != GlobalName:
		return fmt.Errorf("%s: the zone was deleted meanwhile: %w", name, ErrConflict)
	case err != nil || etagOf(data) != base:
		return fmt.Errorf("%s: %w", name, ErrConflict)
	}
	return nil
}

// checkChange holds what depends on the zone's state and on the other zones.
func (v view) checkChange(x *index, old string, z *Zone, path mobility) error {
	i := x.find(old)
	if z.Name != old {
		if x.find(z.Name) >= 0 {
			return fmt.Errorf("%s: %w", z.Name, ErrExists)
		}
		if st, err := v.s.EffectiveState(old); err != nil || st >= Ready {
			return errors.Join(fmt.Errorf("%s: a zone in state '%s' cannot be renamed, halt it first: %w", old, st, ErrState), err)
		}
	}
	if i >= 0 && x.lines[i].entry.State > Configured {
		if err := v.checkImmutable(old, z, x.lines[i].entry, path); err != nil {
			return err
		}
	}
	return checkPathFree(x, old, z.Path)
}

// checkImmutable: what an install was made with stays.
func (v view) checkImmutable(old string, z *Zone, e Entry, path mobility) error {
	if z.Path != e.Path && path == stays {
		return fmt.Errorf("%s: zonepath of a zone in state '%s' is %s and cannot be changed, uninstall it first: %w", old, e.State, e.Path, ErrState)
	}
	data, err := v.readFile(old+xmlSuffix, xmlBytesMax)
	if err != nil {
		return err
	}
	was, err := decodeXML(v.s.path(old+xmlSuffix), data)
	if err != nil {
		return err
	}
	if z.Brand != was.Brand {
		return fmt.Errorf("%s: brand of a zone in state '%s' is %s and cannot be changed, uninstall it first: %w", old, e.State, was.Brand, ErrState)
	}
	return nil
}

// checkPathFree refuses a zonepath that is, holds or lies in another zone's: what is
// below a zone's root belongs to that zone, which would own the other.
func checkPathFree(x *index, old, path string) error {
	for _, e := range x.entries() {
		if e.Name == old || e.Path == "" || path == "" {
			continue
		}
		if within(e.Path, path) || within(path, e.Path) {
			return fmt.Errorf("zonepath %s: zone %s has %s: %w", path, e.Name, e.Path, ErrPathTaken)
		}
	}
	return nil
}

// within says whether path is dir or below it.
func within(path, dir string) bool {
	path, dir = filepath.Clean(path), filepath.Clean(dir)
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// Delete removes a zone's configuration. Only a configured zone can be deleted
// (ErrState), since without a configuration nobody could uninstall it. base is as in
// Commit; zero deletes whatever is there. Deleting the host's returns it to none.
func (s *Store) Delete(name string, base Etag) error {
	return s.locked(func(v view) error {
		x, err := v.index()
		if err != nil {
			return err
		}
		if name == GlobalName {
			if base != "" {
				if err := v.checkBase(x, name, base); err != nil {
					return err
				}
			}
			return s.commit(map[string]*string{GlobalName + xmlSuffix: nil})
		}
		i := x.find(name)
		if i < 0 {
			return fmt.Errorf("%s: %w", name, ErrNoZone)
		}
		st, err := s.effective(x.lines[i].entry)
		if err != nil {
			return err
		}
		if st > Configured {
			return fmt.Errorf("%s: a zone in state '%s' cannot be deleted, uninstall it first: %w", name, st, ErrState)
		}
		if base != "" {
			if err := v.checkBase(x, name, base); err != nil {
				return err
			}
		}
		x.drop(name)
		text := string(x.encode())
		return s.commit(map[string]*string{indexName: &text, name + xmlSuffix: nil})
	})
}

// SetState writes a zone's state, which must be one that the disk can know: at most
// Installed. When from is given, the zone must be in one of these (ErrState): the check
// and the change are one. A zone gets its uuid when it leaves Configured, and loses it
// when it returns.
func (s *Store) SetState(name string, to State, from ...State) error {
	if to > Installed {
		return fmt.Errorf("%s: state '%s' cannot be stored: %w", name, to, ErrState)
	}
	return s.locked(func(v view) error {
		x, err := v.index()
		if err != nil {
			return err
		}
		i := x.find(name)
		if i < 0 || name == GlobalName {
			return fmt.Errorf("%s: %w", name, ErrNoZone)
		}
		e := x.lines[i].entry
		if len(from) > 0 && !slices.Contains(from, e.State) {
			return fmt.Errorf("%s: is in state '%s': %w", name, e.State, ErrState)
		}
		was := e
		e.State = to
		switch {
		case to == Configured:
			e.UUID = ""
		case e.UUID == "":
			e.UUID = newUUID()
		}
		if e == was {
			return nil
		}
		x.put(name, e)
		text := string(x.encode())
		return s.commit(map[string]*string{indexName: &text})
	})
}

// newUUID makes a random one, version 4 of RFC 9562.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
