package svcs

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Env is what the program gives svcs.
type Env struct {
	Out, Err io.Writer
	// Open finds the repository.
	Open func() (door.Store, error)
	// Zone finds that of a zone, and Zones names those that run; nil within zones.
	Zone  func(name string) (door.Store, error)
	Zones func() ([]string, error)
	// Here is the name of the zone that this is.
	Here func() string
	// Members tells of contracts which processes are in them, and what they count in: of the zone's
	// with that name, or of those here when it is empty. What is no contract any more has none.
	Members func(zone string, contracts []uint64) (map[uint64]Held, error)
	// Process tells of a process. ok: there is one.
	Process func(pid int) (p Process, ok bool)
	// Present says whether a file is there.
	Present func(path string) bool
	// Now is the time, in the time zone in which times are printed.
	Now func() time.Time
}

// Held is what contracts hold.
type Held struct {
	Pids   []int
	Within contract.Within // of the first that is in a project or a pool
}

// Process is what is told of one.
type Process struct {
	Name  string // of its program, as the kernel keeps it
	Args  string // its command line, with blanks
	Start time.Time
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Main is svcs; args are without its name. The result is the exit code.
func Main(env *Env, args []string) int {
	r := &run{env: env, now: env.Now(), said: map[string]bool{}, found: map[string]bool{}}
	var err error
	r.order, err = parse(args)
	if err == nil && r.order.help {
		r.help()
		return r.end(nil)
	}
	if err == nil && r.order.all && len(r.order.operands) > 0 {
		r.say("-a ignored when used with arguments.")
	}
	if err == nil {
		err = r.everywhere()
	}
	return r.end(err)
}

// run is one svcs.
type run struct {
	env   *Env
	order order
	now   time.Time
	code  int
	out   []byte
	wrote error           // why output could not be written
	said  map[string]bool // what is said once
	found map[string]bool // operands that stand for something
	rows  []*row
	parts int // paragraphs that were printed
	json  int // objects that were printed
}

// fatal ends svcs with status 1 and a message.
type fatal struct{ text string }

func (f *fatal) Error() string { return f.text }

// everywhere goes through the repositories that are meant, and prints what all have in common: the
// table.
func (r *run) everywhere() error {
	if err := r.repositories(); err != nil {
		return err
	}
	if r.order.mode == 0 || r.order.mode == 'd' || r.order.mode == 'D' {
		r.table()
	}
	return nil
}

func (r *run) repositories() error {
	switch {
	case r.order.hasZone && r.env.Zone == nil:
		return &fatal{"svcs -z may only be used from the global zone"}
	case r.order.allZones && r.env.Zone == nil:
		return &fatal{"svcs -Z may only be used from the global zone"}
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
		return &fatal{"Could not bind to repository server: " + err.Error() + ".  Exiting."}
	}
	return r.repository("", s)
}

// allZones goes through all zones. A zone that cannot be asked is told of, and the others are
// shown. What an operand stands for in one zone at least is there.
func (r *run) allZones() error {
	names, err := r.env.Zones()
	if err != nil {
		return &fatal{"could not get zone list: " + err.Error()}
	}
	for _, name := range names {
		s, err := r.env.Zone(name)
		if err != nil {
			r.fail("Could not bind to repository server for zone " + name + ": " + err.Error())
			continue
		}
		if err := r.repository(name, s); err != nil {
			r.fail("zone " + name + ": " + err.Error())
		}
	}
	for _, text := range r.order.operands {
		if !r.found[text] {
			r.code = exitError
		}
	}
	return nil
}

// repository does with one repository what was asked for, and closes it.
func (r *run) repository(zone string, s door.Store) error {
	defer s.Close()
	l, err := r.load(zone, s)
	if err != nil {
		return err
	}
	switch r.order.mode {
	case 'd':
		return r.dependencies(l)
	case 'D':
		return r.dependents(l)
	case 'l', 'L':
		return r.each(l)
	case 'x':
		return r.explain(l)
	}
	return r.list(l)
}

func (r *run) help() {
	r.print(usage + help)
	for i := range columns {
		r.print("\t" + pad(columns[i].name, len("NSTATE")) + "  " + columns[i].text + "\n")
	}
}

// end prints what is to be printed, says what went wrong, and gives the exit code.
func (r *run) end(err error) int {
	r.flush()
	switch {
	case errors.Is(err, misuse{}):
		_, _ = io.WriteString(r.env.Err, usage)
		return exitUsage
	case err != nil:
		r.fail(err.Error())
	case r.wrote != nil:
		r.fail("write: " + r.wrote.Error())
	}
	return r.code
}

// fail says something and has svcs end with status 1.
func (r *run) fail(text string) {
	r.code = exitError
	r.say(text)
}

// once says something that is not said again.
func (r *run) once(text string) {
	if !r.said[text] {
		r.said[text] = true
		r.say(text)
	}
}

// say prints a message, each of its lines with the program's name.
func (r *run) say(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = io.WriteString(r.env.Err, "svcs: "+printable.Text(line)+"\n")
	}
}

// outMax is how much is kept before it is written.
const outMax = 64 << 10

// print prints what is sure to be lines of ours.
func (r *run) print(text string) {
	r.out = append(r.out, text...)
	if len(r.out) >= outMax {
		r.flush()
	}
}

func (r *run) flush() {
	if len(r.out) > 0 && r.wrote == nil {
		_, r.wrote = r.env.Out.Write(r.out)
	}
	r.out = r.out[:0]
}

// pad fills text with blanks up to a width.
func pad(text string, width int) string {
	if n := width - len(text); n > 0 {
		text += strings.Repeat(" ", n)
	}
	return text
}
