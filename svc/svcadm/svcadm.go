package svcadm

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Env is what the program gives svcadm.
type Env struct {
	Out, Err io.Writer
	// Open finds the repository.
	Open func() (door.Store, error)
	// Zone finds that of a zone, and Zones names those that run; nil within zones.
	Zone  func(name string) (door.Store, error)
	Zones func() ([]string, error)
	// Present says whether a file is there.
	Present func(path string) bool
	// Terminal says whether a person sits before this, and Service is the FMRI of the service
	// whose process this is, empty when it is none's.
	Terminal func() bool
	Service  func() string
	Now      func() time.Time
}

// Exit codes. When several instances cannot reach a state, one that is to blame itself counts more
// than one that waits for others.
const (
	exitOK         = 0
	exitError      = 1
	exitUsage      = 2
	exitItself     = 3
	exitDependency = 4
)

// Main is svcadm; args are without its name. The result is the exit code. ctx ends a wait.
func Main(ctx context.Context, env *Env, args []string) int {
	return start(ctx, env, usual, args)
}

func start(ctx context.Context, env *Env, p patience, args []string) int {
	o, err := parse(args)
	r := &run{ctx: ctx, env: env, order: o, patience: p}
	if err == nil {
		err = r.everywhere()
	}
	return r.end(err)
}

// run is one svcadm.
type run struct {
	ctx      context.Context
	env      *Env
	order    order
	patience patience
	store    door.Store
	zone     string // whose the store is; empty: this one's
	code     int
	wrote    error // why output could not be written
}

// fatal ends svcadm with status 1 and a message.
type fatal struct{ text string }

func (f *fatal) Error() string { return f.text }

// everywhere does what was asked in all repositories that are meant.
func (r *run) everywhere() error {
	switch {
	case r.order.hasZone && r.env.Zone == nil:
		return &fatal{"svcadm -z may only be used from the global zone"}
	case r.order.allZones && r.env.Zone == nil:
		return &fatal{"svcadm -Z may only be used from the global zone"}
	case r.order.allZones:
		return r.allZones()
	case r.order.hasZone:
		s, err := r.env.Zone(r.order.zone)
		if err != nil {
			return &fatal{"invalid zone '" + r.order.zone + "': " + err.Error()}
		}
		return r.repository(r.order.zone, s)
	}
	s, err := r.env.Open()
	if err != nil {
		return &fatal{"Couldn't bind to configuration repository: " + err.Error() + "."}
	}
	return r.repository("", s)
}

// allZones goes through all zones. One that cannot be asked is told of, and the others are asked.
func (r *run) allZones() error {
	names, err := r.env.Zones()
	if err != nil {
		return &fatal{"could not get zone list: " + err.Error()}
	}
	for _, name := range names {
		r.zone = name
		s, err := r.env.Zone(name)
		if err == nil {
			err = r.repository(name, s)
		} else {
			err = &fatal{"Couldn't bind to configuration repository: " + err.Error() + "."}
		}
		if err != nil {
			r.fail(err.Error())
		}
	}
	return nil
}

// repository does in one what was asked, and closes it.
func (r *run) repository(zone string, s door.Store) error {
	defer s.Close()
	r.store, r.zone = s, zone
	return r.order.command.do(r)
}

// end says what went wrong, and gives the exit code.
func (r *run) end(err error) int {
	var bad *misuse
	switch {
	case errors.As(err, &bad):
		if bad.text != "" {
			r.say(bad.text)
		}
		_, _ = io.WriteString(r.env.Err, bad.usage)
		return exitUsage
	case err != nil:
		r.fail(err.Error())
	case r.wrote != nil:
		r.fail("write: " + r.wrote.Error())
	}
	return r.code
}

// fail says something and has svcadm end with status 1.
func (r *run) fail(text string) {
	r.code = exitError
	r.say(text)
}

// say prints a message, each of its lines with the program's name; of one zone among several, with
// the zone's.
func (r *run) say(text string) {
	name := "svcadm"
	if r.order.allZones && r.zone != "" {
		name += " (" + printable.Text(r.zone) + ")"
	}
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = io.WriteString(r.env.Err, name+": "+printable.Text(line)+"\n")
	}
}

// tell prints what -v says.
func (r *run) tell(text string) {
	if r.order.verbose {
		r.print(text)
	}
}

func (r *run) print(line string) {
	if _, err := io.WriteString(r.env.Out, printable.Text(line)+"\n"); err != nil && r.wrote == nil {
		r.wrote = err
	}
}
