package telinit

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
)

// Exit statuses.
const (
	exitRefused = 1
	exitUsage   = 2
)

// Main is every command of this package; name says which.
func Main(name string, args []string) int {
	o, err := parse(name, args)
	if err != nil {
		say(name, err)
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitRefused
	}
	if err := realMachine.carryOut(o); err != nil {
		say(name, err)
		return exitRefused
	}
	return 0
}

func say(name string, err error) { os.Stderr.WriteString(name + ": " + err.Error() + "\n") }

var (
	errRoot      = errors.New("permission denied: must be root")
	errNotAsked  = errors.New("shutdown aborted")
	errCancelled = errors.New("shutdown cancelled")
)

// failure is what could not be done, and why.
type failure struct {
	what  string
	cause error
}

func (f *failure) Error() string { return f.what + ": " + f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

// proof is inside.Proof.
type proof interface {
	OurInit() error
	SignalInit(unix.Signal) error
	Reboot(inside.Action) error
}

// machine is the seam.
type machine struct {
	root    func() bool
	prove   func() (proof, error)
	now     func() time.Time
	confirm func() bool
	tell    func(text string) // everybody in the zone
	note    func(text string) // who called
	// sleep is false when the shutdown was cancelled meanwhile.
	sleep  func(d time.Duration) bool
	lock   func() (unlock func(), err error)
	cancel func() error
}

// carryOut does it. Who is not root, or not in a zone, learns that first.
func (m *machine) carryOut(o order) error {
	if !m.root() {
		return errRoot
	}
	p, err := m.prove()
	if err != nil {
		return err
	}
	if err := p.OurInit(); err != nil {
		return err
	}
	if o.note != "" {
		m.note(o.note)
	}
	switch {
	case o.nothing:
		return nil
	case o.cancel:
		return m.cancel()
	}
	if o.confirm || o.message != "" || o.pretend || o.wait != (wait{}) {
		if err := m.await(o); err != nil || o.pretend {
			return err
		}
	}
	return ask(p, o.request, o.force)
}

// ask is the moment after which the zone goes.
func ask(p proof, r request.Request, force bool) error {
	if force && r.Action() != 0 {
		if err := p.Reboot(r.Action()); err != nil {
			return &failure{"cannot " + r.String() + " at once", err}
		}
		return nil
	}
	return p.SignalInit(r.Signal())
}
