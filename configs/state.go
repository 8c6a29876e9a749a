package configs

import (
	"fmt"
	"strings"
)

// State is a zone's state. The order matters, callers compare: below Installed nothing
// can run, from Ready on a virtual platform exists.
type State uint8

const (
	// Configured: the configuration is committed, nothing else exists.
	Configured State = iota
	// Incomplete: an install or uninstall was interrupted.
	Incomplete
	// Installed: the root file system is populated.
	Installed
	// Ready: the virtual platform is up, no process of the zone's runs.
	Ready
	// Mounted: ready, for administration of the root only.
	Mounted
	// Running: init was started.
	Running
	// ShuttingDown: the zone's processes are being ended.
	ShuttingDown
	// Down: no process is left, the platform is still to be taken down.
	Down
)

var stateNames = [...]string{
	Configured: "configured", Incomplete: "incomplete", Installed: "installed", Ready: "ready",
	Mounted: "mounted", Running: "running", ShuttingDown: "shutting_down", Down: "down",
}

// String gives the state's name as administrators see it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState is the inverse of String.
func ParseState(name string) (State, error) {
	for i, n := range stateNames {
		if n == name {
			return State(i), nil
		}
	}
	return 0, fmt.Errorf("unknown zone state %q, allowed are %s", name, strings.Join(stateNames[:], ", "))
}

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("unknown zone state %d", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the name.
func (s *State) UnmarshalText(text []byte) error {
	v, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
