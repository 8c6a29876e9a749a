package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

const (
	snapshotName = "snapshot.xml"
	// snapshotPerm: the directory is root's alone, and so is what was delegated to whom.
	snapshotPerm = 0o600
)

func (s *Store) snapshotPath(name string) string {
	return filepath.Join(s.layout.ZoneState(name), snapshotName)
}

// Snapshot freezes z as what its zone runs with, and returns the file. It replaces an
// earlier one.
func (s *Store) Snapshot(z *Zone) (string, error) {
	if err := z.Validate(); err != nil {
		return "", err
	}
	path := s.snapshotPath(z.Name)
	if err := s.makeDirs(); err != nil {
		return "", err
	}
	if err := makeDir(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := s.disk.Write(path, []byte(encodeXML(z)), snapshotPerm); err != nil {
		return "", err
	}
	return path, nil
}

// LoadSnapshot reads the configuration that a zone runs with, or ErrNoSnapshot. Its
// UUID is empty: the index has it.
func (s *Store) LoadSnapshot(name string) (*Zone, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	path := s.snapshotPath(name)
	data, err := readFile(path, xmlBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrNoSnapshot)
	}
	if err != nil {
		return nil, err
	}
	return decodeXML(path, data)
}

// DestroySnapshot forgets it; that there is none is no error.
func (s *Store) DestroySnapshot(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := s.disk.Unlink(s.snapshotPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
