package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/layout"
)

const (
	indexName  = "index"
	intentName = ".intent"
	lockName   = "index.lock"
	xmlSuffix  = ".xml"

	// Everybody may read configurations, as in the original; secrets do not belong there.
	configPerm = 0o644
	// readTriesMax bounds how often a reader starts again because files changed.
	readTriesMax = 100
)

// Open gives the store of an instance. It touches no file: a host without zones has no
// directory of configurations, and lists as empty.
func Open(l layout.Layout) *Store {
	return &Store{layout: l, disk: atomicfile.Real()}
}

// Layout is where the store's instance keeps its files.
func (s *Store) Layout() layout.Layout { return s.layout }

func (s *Store) path(name string) string { return filepath.Join(s.layout.Etc, name) }

// view is the directory of configurations as one reader sees it: the files, or in place
// of them what a commit under way will make of them.
type view struct {
	s       *Store
	pending *intent
}

// readFile reads a file of the directory; a file that is not there gives fs.ErrNotExist.
func (v view) readFile(name string, max int64) ([]byte, error) {
	if v.pending != nil {
		if data, ok := v.pending.Files[name]; ok {
			if data == nil {
				return nil, fs.ErrNotExist
			}
			return []byte(*data), nil
		}
	}
	return readFile(v.s.path(name), max)
}

// readFile reads a regular file of at most max bytes. O_NONBLOCK keeps a fifo of that
// name from blocking the reader for ever.
func readFile(path string, max int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > max {
		return nil, &FormatError{path, 0, fmt.Sprintf("larger than %d bytes", max)}
	}
	return data, nil
}

// index reads the index; none means no zones.
func (v view) index() (*index, error) {
	data, err := v.readFile(indexName, indexBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return newIndex(), nil
	}
	if err != nil {
		return nil, err
	}
	return decodeIndex(v.s.path(indexName), data)
}

// etagOf identifies content.
func etagOf(xml []byte) Etag {
	sum := sha256.Sum256(xml)
	return Etag(hex.EncodeToString(sum[:16]))
}

// read runs f on a consistent view, without a lock: when the index or the intent
// changed meanwhile, f runs again. A lock that readers could take, every user of the
// host could hold against the writers.
func (s *Store) read(f func(v view) error) error {
	for range readTriesMax {
		before := s.stamp()
		pending, err := s.loadIntent()
		if err != nil {
			return err
		}
		err = f(view{s, pending})
		if before == s.stamp() {
			return err
		}
	}
	return fmt.Errorf("read %s: %w", s.layout.Etc, ErrLockBusy)
}

// stamp changes when the index or the intent is replaced.
func (s *Store) stamp() [2]fileStamp {
	return [2]fileStamp{stampOf(s.path(indexName)), stampOf(s.path(intentName))}
}

// Index lists the zones in the order of the index; the host itself is not among them.
func (s *Store) Index() ([]Entry, error) {
	var out []Entry
	err := s.read(func(v view) error {
		x, err := v.index()
		if err != nil {
			return err
		}
		out = x.entries()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Lookup gives a zone's line of the index, or ErrNoZone.
func (s *Store) Lookup(name string) (Entry, error) {
	entries, err := s.Index()
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("%s: %w", name, ErrNoZone)
}

// LookupUUID gives the zone with that uuid, or ErrNoUUID.
func (s *Store) LookupUUID(uuid string) (Entry, error) {
	entries, err := s.Index()
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		if e.UUID != "" && strings.EqualFold(e.UUID, uuid) {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("%s: %w", uuid, ErrNoUUID)
}

// Load reads a zone's configuration and says which one it is. It decodes only: call
// Validate before acting on it. A zone that is not in the index is ErrNoZone, whatever
// files lie about. The host can always be loaded; without a file its Etag is zero.
func (s *Store) Load(name string) (*Zone, Etag, error) {
	var z *Zone
	var tag Etag
	err := s.read(func(v view) (err error) {
		z, tag, err = v.load(name)
		return err
	})
	return z, tag, err
}

func (v view) load(name string) (*Zone, Etag, error) {
	x, err := v.index()
	if err != nil {
		return nil, "", err
	}
	i := x.find(name)
	if i < 0 && name != GlobalName {
		return nil, "", fmt.Errorf("%s: %w", name, ErrNoZone)
	}
	data, err := v.readFile(name+xmlSuffix, xmlBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		if name == GlobalName {
			return NewGlobal(), "", nil
		}
		return nil, "", fmt.Errorf("%s: the index lists the zone, but its configuration %s is missing: restore it from a backup, or remove the line from %s",
			name, v.s.path(name+xmlSuffix), v.s.path(indexName))
	}
	if err != nil {
		return nil, "", err
	}
	z, err := decodeXML(v.s.path(name+xmlSuffix), data)
	if err != nil {
		return nil, "", err
	}
	if z.Name != name {
		return nil, "", &FormatError{v.s.path(name + xmlSuffix), 0, fmt.Sprintf("configures zone %q, not %q", z.Name, name)}
	}
	if i >= 0 {
		z.UUID = x.lines[i].entry.UUID
	}
	return z, etagOf(data), nil
}
