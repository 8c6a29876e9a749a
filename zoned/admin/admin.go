package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// Errors of this package. Their texts are the original's.
var (
	// ErrSaid: the operation failed and the reason was printed.
	ErrSaid = errors.New("already said")
	// ErrNoZone: the operation needs a zone and none was named.
	ErrNoZone = errors.New("no zone specified")
	// ErrLocked: another zoneadm holds the zone's lock.
	ErrLocked = errors.New("another zoneadm may have an operation in progress.")
	// ErrBootArgs: the boot arguments are longer than the protocol and the kernel allow.
	ErrBootArgs = errors.New("boot argument string too long")
	// ErrCall: the supervisor could not be asked.
	ErrCall = errors.New("call to zoneadmd failed")
)

// messageBytesMax bounds a line of another's that is shown to a person.
const messageBytesMax = 4096

// Door is the way to a zone's supervisor; *api.Client is one.
type Door interface {
	Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error)
}

// Starting says whether a door may start a supervisor where there is none.
type Starting bool

// The two ways to ask.
const (
	OnlyIfAlive Starting = false
	StartIfDead Starting = true
)

// Streams are a program's standard streams and which of them are terminals.
type Streams struct {
	In                    io.Reader
	Out, Err              io.Writer
	InTTY, OutTTY, ErrTTY bool
}

// Admin carries out one zoneadm command on one zone.
type Admin struct {
	Layout layout.Layout
	Store  *configs.Store
	// Zone is the zone's name; empty when none was named.
	Zone string
	// Verbose tells more about the way of a call.
	Verbose bool
	// Privileged is whether the caller is root.
	Privileged bool
	Streams
	// Door gives the way to a zone's supervisor.
	Door func(zone string, start Starting) Door
	// Console connects to a zone's console, and starts its supervisor when there is none.
	Console func(ctx context.Context, zone string) (*sys.FD, error)
	// Image installs and removes root file systems.
	Image Images
	// Libexec is where our programs lie; needed by Plan and Verify.
	Libexec func() (string, error)
	// AltRoot: -R was given, so nothing of the zone can be running here.
	AltRoot bool
}

// Say prints a line about the zone on standard error, in the original's form.
func (a *Admin) Say(text string) {
	_, _ = fmt.Fprintln(a.Err, Line(a.Zone, text))
}

// Startup prints a start-up message of a supervisor, which names the zone itself.
func (a *Admin) Startup(text string) {
	a.Say(strings.Replace(text, "zone '"+a.Zone+"': ", "", 1))
}

// Line is a message in the original's form. Control characters are shown, not sent: the
// text may hold names that a zone or an archive chose.
func Line(zone, text string) string {
	if zone == "" {
		return "zoneadm: " + Printable(text)
	}
	return "zoneadm: zone '" + Printable(zone) + "': " + Printable(text)
}

// Printable makes text safe for a terminal and for a log of lines.
func Printable(text string) string {
	if len(text) > messageBytesMax {
		text = text[:messageBytesMax] + "..."
	}
	if !strings.ContainsFunc(text, unprintable) {
		return strings.ToValidUTF8(text, "?")
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 }
