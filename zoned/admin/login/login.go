package login

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// Exit codes that are not a command's.
const (
	exitOK     = 0
	exitFailed = 1
	// exitSignal and a signal's number: ended by it.
	exitSignal = 128
)

// Limits.
const (
	// drainMax is how long output is waited for after the command ended: what it and its
	// children wrote is in the pipe by then and is passed on in any case; a pipeline's last
	// process may need a moment more; a daemon in the background would never end.
	drainMax = 2 * time.Second
	// stuckMax is how long a write to standard output may hold up the end of a session that
	// was cut off: a terminal stopped by ^S would hold it for ever.
	stuckMax = time.Second
	// insistMax is how many signals to end zlogin are passed on before it ends by itself: a
	// command may ignore them.
	insistMax = 3
	// chunkBytes is what is moved at once: a pipe's capacity.
	chunkBytes = 64 << 10
	// inputMax is how much input is kept for a zone that does not take it; escapes are
	// recognised until it is full.
	inputMax = 64 << 10
	// messageBytesMax bounds a line of the supervisor's.
	messageBytesMax = 4096
)

// ErrUnknownZone: there is no such zone.
var ErrUnknownZone = errors.New("unknown zone")

// Door is the way to the zone's supervisor; *api.Client is one.
type Door interface {
	Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error)
}

// Options say where to log in, and how.
type Options struct {
	Zone     string
	Door     Door
	User     string   // empty: root
	Failsafe bool     // -S: a plain shell, without the zone's passwd
	Args     []string // the command, joined by spaces for the user's shell; none: a login
	NoInput  bool     // -n
	Escape   byte     // of an interactive login
	NoEscape bool     // -E
	Quiet    bool     // -Q: no banners
	// Stdin, Stdout and Stderr are zlogin's own; nil: the process's.
	Stdin, Stdout, Stderr *os.File
}

// Run logs in and returns the exit code of zlogin.
func Run(ctx context.Context, o Options) int {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if len(o.Args) == 0 && !o.NoInput && isTerminal(int(o.Stdin.Fd())) {
		return interactive(ctx, o)
	}
	return command(ctx, o)
}

// request is what the supervisor is asked.
func (o *Options) request() api.Request {
	return api.Request{ID: api.NewID(), Verb: api.VerbLogin, Login: &api.Login{
		Args: o.Args, Shell: len(o.Args) > 0, User: o.User, Failsafe: o.Failsafe,
	}}
}

// State is a zone's state as administrators see it. ErrUnknownZone: there is none.
func State(store *configs.Store, l layout.Layout, zone string) (configs.State, error) {
	e, err := store.Lookup(zone)
	if errors.Is(err, configs.ErrNoZone) {
		return 0, ErrUnknownZone
	}
	if err != nil {
		return 0, err
	}
	st, err := api.ReadStatus(l.StatusFile(zone))
	if err != nil || st == nil {
		return e.State, err
	}
	live, err := configs.ParseState(st.Effective())
	if err != nil || live < configs.Ready {
		return e.State, err
	}
	return live, nil
}

// Check refuses what makes no sense in the zone's state. console is zlogin -C. The texts are
// the original's.
func Check(zone string, state configs.State, console bool) error {
	switch {
	case console && state < configs.Installed:
		return fmt.Errorf("cannot login to a zone which is '%s'", state)
	case !console && state != configs.Running && state != configs.Mounted:
		return fmt.Errorf("login allowed only to running zones (%s is '%s').", zone, state)
	}
	return nil
}

// exitCode is what a shell would show for a wait status.
func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return exitSignal + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// outcome is how the call at the door ended.
type outcome struct {
	reply api.Reply
	err   error
}

// talk is what the supervisor said that a person should know.
type talk struct {
	o         *Options
	newline   func() string // what ends a line on the person's terminal
	explained bool
}

func (t *talk) message(r api.Reply) {
	if r.Level == api.LevelProgress {
		return
	}
	t.explained = t.explained || r.Level == api.LevelError
	t.say(r.Text)
}

func (t *talk) say(text string) {
	_, _ = fmt.Fprintf(t.o.Stderr, "zlogin: %s%s", printable.Cut(text, messageBytesMax), t.newline())
}

// verdict turns the end of the call into an exit code, saying why where nobody has.
func (t *talk) verdict(out outcome) int {
	switch {
	case out.err != nil:
		t.say(fmt.Sprintf("zone '%s': %v", t.o.Zone, out.err))
		return exitFailed
	case out.reply.Exited:
		return exitCode(syscall.WaitStatus(out.reply.Status))
	case !t.explained:
		t.say(fmt.Sprintf("zone '%s': the supervisor does not know how the command ended", t.o.Zone))
	}
	return exitFailed
}
