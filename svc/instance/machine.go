package instance

import (
	"time"

	"github.com/linuxzones/zones/svc/graph"
)

// Machine is one instance. Use New.
type Machine struct {
	fmri  string
	state graph.State
	out   []Action
}

// New has the machine of an instance that is not added yet: AddInstance or Recovered is the first
// input.
func New(fmri string) *Machine { return &Machine{fmri: fmri} }

// Do takes one thing that happened, and says what is to be done. ErrInput, ErrUnknown, ErrThere,
// ErrQueue.
func (m *Machine) Do(in Input, now time.Time) ([]Action, error) {
	return nil, ErrUnknown
}
