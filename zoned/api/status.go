package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// statusBytesMax bounds a status file; it holds a dozen short fields.
const statusBytesMax = 64 << 10

// StateDown is the state whose name this package needs to know.
const StateDown = "down"

// Process names one process of this boot for good.
type Process struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot
}

// Status is what a zone's supervisor tells every user of the host, in the world-readable
// file Layout.StatusFile. Written by zoned, whole (a temporary file renamed); configs reads
// the first two fields of it.
type Status struct {
	State  string `json:"state"` // ready and above; at most installed says nothing
	BootID string `json:"boot_id"`
	// ID is the zone's number, new at each ready, from 1; 0 while there is none.
	ID int `json:"id"`
	// Zsched and Zoned are who keeps the zone; both dead is state down.
	Zsched Process `json:"zsched"`
	Zoned  Process `json:"zoned"`
	// Init is the zone's pid 1 as the host sees it.
	Init Process `json:"init"`
	// IDBase is the first host uid and gid of the zone's range.
	IDBase uint32 `json:"id_base,omitempty"`
	// Contract is the process contract of Init.
	Contract uint32 `json:"contract,omitempty"`
	// ReadySince is when the virtual platform was made, in seconds since 1970.
	ReadySince int64 `json:"ready_since,omitempty"`
	// Build and KeeperBuild are of the programs of Zoned and Zsched.
	Build       string `json:"build,omitempty"`
	KeeperBuild string `json:"keeper_build,omitempty"`
	// Note says what a zone waits for or why it is where it is, for `zoneadm list -v`.
	Note string `json:"note,omitempty"`
}

// ReadStatus reads a zone's status file. Nil without an error: there is none, or it is of
// another boot of the host. O_NONBLOCK keeps a fifo of that name from blocking a reader.
func ReadStatus(path string) (*Status, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, statusBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	st := &Status{}
	if err := json.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	id, err := sys.BootID()
	if err != nil {
		return nil, err
	}
	if st.BootID != id {
		return nil, nil
	}
	return st, nil
}

// Alive says whether the process still is. It works without privilege; where /proc hides
// others' processes, the number alone decides.
func (p Process) Alive() bool {
	if p.Pid <= 0 {
		return false
	}
	fd, err := sys.PidfdOpen(p.Pid)
	if err != nil {
		return false
	}
	defer fd.Close()
	if sys.PidfdExited(fd.Int()) {
		return false
	}
	start, err := sys.StartTime(p.Pid)
	return err != nil || start == p.Start
}

// Effective is the state that administrators see: with both of its keepers dead a zone is
// down, whatever the file says, since what is left can only be taken away.
func (s *Status) Effective() string {
	if !s.Zsched.Alive() && !s.Zoned.Alive() {
		return StateDown
	}
	return s.State
}
