package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	nonblock      = unix.O_NONBLOCK
	intentVersion = 1
	// intentBytesMax holds an index and two configurations, each byte escaped.
	intentBytesMax = 6 * (indexBytesMax + 2*xmlBytesMax)
)

// intent is a commit that spans several files. Once its file is in place the commit has
// happened; copying it out is repeated until it is complete.
type intent struct {
	Version int `json:"version"`
	// Files maps a file's name to its new content, or to nil when it goes away.
	Files map[string]*string `json:"files"`
}

// loadIntent reads the commit under way; nil when there is none.
func (s *Store) loadIntent() (*intent, error) {
	path := s.path(intentName)
	data, err := readFile(path, intentBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeIntent(path, data)
}

func decodeIntent(path string, data []byte) (*intent, error) {
	in := &intent{}
	if err := json.Unmarshal(data, in); err != nil {
		return nil, &FormatError{path, 0, err.Error()}
	}
	if in.Version != intentVersion {
		return nil, &FormatError{path, 0, fmt.Sprintf("version %d, this program knows %d", in.Version, intentVersion)}
	}
	for name := range in.Files {
		zone, ok := strings.CutSuffix(name, xmlSuffix)
		if name != indexName && (!ok || CheckName(zone) != nil && zone != GlobalName) {
			return nil, &FormatError{path, 0, fmt.Sprintf("names file %q", name)}
		}
	}
	return in, nil
}

// commit replaces several files as one. The caller holds the lock.
func (s *Store) commit(files map[string]*string) error {
	if len(files) == 1 {
		for name, data := range files {
			return s.place(name, data)
		}
	}
	in := intent{Version: intentVersion, Files: files}
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode commit: %w", err)
	}
	if err := s.disk.Write(s.path(intentName), data, configPerm); err != nil {
		return err
	}
	return s.complete(&in)
}

// place writes or removes one file, for good.
func (s *Store) place(name string, data *string) error {
	if data == nil {
		return s.disk.Unlink(s.path(name))
	}
	return s.disk.Write(s.path(name), []byte(*data), configPerm)
}

// complete copies a commit into place and forgets it. It may be repeated after being
// cut short anywhere. The order of the files is fixed only so that tests can count.
func (s *Store) complete(in *intent) error {
	for _, name := range slices.Sorted(maps.Keys(in.Files)) {
		if data := in.Files[name]; data != nil {
			if err := s.disk.Place(s.path(name), []byte(*data), configPerm); err != nil {
				return err
			}
		} else if err := s.disk.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// The intent must not go before what it promises is on the disk.
	if err := s.disk.SyncDir(s.layout.Etc); err != nil {
		return err
	}
	return s.disk.Unlink(s.path(intentName))
}

// locked runs f with the lock held, on files that are complete.
func (s *Store) locked(f func(v view) error) error {
	if err := s.makeDirs(); err != nil {
		return err
	}
	l, err := lockFile(s.lockPath(), lockWaitMax)
	if err != nil {
		return err
	}
	defer l.release()
	if err := s.disk.Sweep(s.layout.Etc); err != nil {
		return fmt.Errorf("clean %s: %w", s.layout.Etc, err)
	}
	in, err := s.loadIntent()
	if err != nil {
		return err
	}
	if in != nil {
		if err := s.complete(in); err != nil {
			return fmt.Errorf("complete an interrupted commit: %w", err)
		}
	}
	return f(view{s: s})
}

func (s *Store) lockPath() string { return s.layout.State() + "/" + lockName }

// makeDirs makes what writers need. The modes are layout's, whatever the umask of the
// administrator: everybody may look into Etc and Run, only root into State.
func (s *Store) makeDirs() error {
	for _, d := range []struct {
		path string
		perm fs.FileMode
	}{{s.layout.Etc, 0o755}, {s.layout.Run, 0o755}, {s.layout.State(), 0o700}} {
		if err := makeDir(d.path, d.perm); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a directory with exactly that mode; one that exists keeps its own.
func makeDir(path string, perm fs.FileMode) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, perm); err != nil {
		return err
	}
	return os.Chmod(path, perm)
}

// fileStamp tells two contents of one name apart, without reading them.
type fileStamp struct {
	ino, size            uint64
	mtimeNsec, ctimeNsec int64
}

// stampOf gives zero for a file that is not there.
func stampOf(path string) fileStamp {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fileStamp{}
	}
	return fileStamp{st.Ino, uint64(st.Size), st.Mtim.Nano(), st.Ctim.Nano()}
}
