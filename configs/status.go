package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const (
	statusBytesMax = 64 << 10
	bootIDFile     = "/proc/sys/kernel/random/boot_id"
)

// Status is what a zone's supervisor tells every user of the host. The supervisor may
// write more fields than these.
type Status struct {
	State State `json:"state"`
	// BootID is the host's boot that the status was written in.
	BootID string `json:"boot_id"`
}

// LoadStatus reads a zone's status file. A zone without one, or with one of an earlier
// boot of the host, gives nil: it has no virtual platform.
func (s *Store) LoadStatus(name string) (*Status, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	path := s.layout.StatusFile(name)
	data, err := readFile(path, statusBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st := &Status{}
	if err := json.Unmarshal(data, st); err != nil {
		return nil, &FormatError{path, 0, err.Error()}
	}
	id, err := BootID()
	if err != nil {
		return nil, err
	}
	if st.BootID != id {
		return nil, nil
	}
	return st, nil
}

// BootID identifies this boot of the host.
func BootID() (string, error) {
	id, err := os.ReadFile(bootIDFile)
	if err != nil {
		return "", fmt.Errorf("read the host's boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// EffectiveState is the state that administrators see: the supervisor's from Ready on,
// else the index's. ErrNoZone as Lookup. The host is always Running.
func (s *Store) EffectiveState(name string) (State, error) {
	if name == GlobalName {
		return Running, nil
	}
	e, err := s.Lookup(name)
	if err != nil {
		return Configured, err
	}
	return s.effective(e)
}

// effective is EffectiveState of a known entry.
func (s *Store) effective(e Entry) (State, error) {
	st, err := s.LoadStatus(e.Name)
	if err != nil {
		return e.State, err
	}
	if st != nil && st.State >= Ready {
		return st.State, nil
	}
	return e.State, nil
}
