package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console/client"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/admin/getopt"
	"github.com/linuxzones/zones/zoned/admin/login"
	"github.com/linuxzones/zones/zoned/api"
)

// Exit codes that are not a command's.
const (
	exitError = 1
	exitUsage = 2
)

const usage = "zlogin [-nQES] [-e c] [-l user] zone [command [argument ...]] | zlogin -C [-dEQ] [-r | -f] [--history] [-e c] zone"

// words are a command line taken apart.
type words struct {
	zone, root, user string
	console          bool      // -C
	drop             bool      // -d
	quiet            bool      // -Q
	noEscape         bool      // -E
	failsafe         bool      // -S
	noInput          bool      // -n
	escape           byte      // -e
	role             wire.Role // -r, -f: the console, to watch or to take over
	history          bool      // --history
	args             []string
}

// errUsage is a command line that makes no sense.
type errUsage struct{ why string }

func (e errUsage) Error() string { return e.why }

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	w, err := parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "zlogin: %v; usage: %s\n", err, usage)
		return exitUsage
	}
	l := layout.FromEnv()
	if w.root != "" {
		l = layout.At(w.root)
	}
	if err := w.check(l); err != nil {
		fmt.Fprintf(os.Stderr, "zlogin: %v\n", err)
		return exitError
	}
	return w.enter(context.Background(), l)
}

func parse(args []string) (words, error) {
	w := words{escape: client.DefaultEscape}
	args, w.history = withoutHistory(args)
	p, err := getopt.Parse(args, "dnrfQCESR:e:l:")
	if err != nil {
		return w, errUsage{err.Error()}
	}
	for _, o := range p.Options {
		switch o.Letter {
		case 'd':
			w.drop = true
		case 'n':
			w.noInput = true
		case 'r', 'f':
			if err := w.want(o.Letter); err != nil {
				return w, err
			}
		case 'Q':
			w.quiet = true
		case 'C':
			w.console = true
		case 'E':
			w.noEscape = true
		case 'S':
			w.failsafe = true
		case 'R':
			if !filepath.IsAbs(o.Arg) {
				return w, errUsage{fmt.Sprintf("root path %q must be absolute", o.Arg)}
			}
			w.root = filepath.Clean(o.Arg)
		case 'e':
			if w.escape, err = client.ParseEscape(o.Arg); err != nil {
				return w, errUsage{err.Error()}
			}
		case 'l':
			if w.user = o.Arg; w.user == "" {
				return w, errUsage{"-l needs the name of a user"}
			}
		}
	}
	if len(p.Operands) == 0 {
		return w, errUsage{"no zone given"}
	}
	w.zone, w.args = p.Operands[0], p.Operands[1:]
	return w, w.sensible()
}

// historyOption is the one long option; zlogin has none for it.
const historyOption = "--history"

// withoutHistory takes --history out of the options. Behind the zone it is a command's.
func withoutHistory(args []string) (rest []string, found bool) {
	for i, a := range args {
		switch {
		case a == historyOption:
			rest, _ = withoutHistory(args[i+1:])
			return append(slices.Clone(args[:i]), rest...), true
		case a == "--", len(a) < 2 || a[0] != '-':
			// The argument of an option stands apart when the option is the last letter.
			if i > 0 && a != "--" && takesArgument(args[i-1]) {
				continue
			}
			return args, false
		}
	}
	return args, false
}

func takesArgument(word string) bool {
	return len(word) > 1 && word[0] == '-' && strings.IndexByte("Rel", word[len(word)-1]) >= 0
}

// want is -r or -f, each of which means the console.
func (w *words) want(letter byte) error {
	role := wire.Reader
	if letter == 'f' {
		role = wire.Taker
	}
	if w.role != wire.Writer && w.role != role {
		return errUsage{"-r and -f are mutually exclusive"}
	}
	w.role, w.console = role, true
	return nil
}

// sensible refuses options that contradict each other.
func (w words) sensible() error {
	switch {
	case w.console && w.user != "":
		return errUsage{"-l may not be specified with console login"}
	case w.console && w.noInput:
		return errUsage{"-n may not be specified with console login"}
	case w.console && w.failsafe:
		return errUsage{"-S may not be specified with console login"}
	case w.console && w.root != "":
		return errUsage{"-R may not be specified with console login"}
	case w.console && len(w.args) > 0:
		return errUsage{"a command may not be specified with console login"}
	case w.history && !w.console:
		return errUsage{historyOption + " may only be specified with console login"}
	case w.drop && !w.console:
		return errUsage{"-d may only be specified with console login"}
	case w.failsafe && w.user != "":
		return errUsage{"-l may not be specified for failsafe login"}
	}
	return nil
}

// check refuses what the zone's state or the caller's privilege do not allow.
func (w words) check(l layout.Layout) error {
	if w.zone == configs.GlobalName {
		return fmt.Errorf("'%s' not applicable to the global zone", w.zone)
	}
	if err := configs.CheckName(w.zone); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("You lack sufficient privilege to run this command (root is required)")
	}
	state, err := login.State(configs.Open(l), l, w.zone)
	if errors.Is(err, login.ErrUnknownZone) {
		return fmt.Errorf("zone '%s' unknown", w.zone)
	}
	if err != nil {
		return err
	}
	return login.Check(w.zone, state, w.console)
}

// enter wires the zone's supervisor to one of the two ways in.
func (w words) enter(ctx context.Context, l layout.Layout) int {
	say := func(line string) { fmt.Fprintf(os.Stderr, "zlogin: %s\n", line) }
	c := &api.Client{
		Layout: l, Zone: w.zone, Locale: api.Locale(), Startup: say,
		Start: (&api.Spawner{Layout: l, Warn: say}).Start,
	}
	if w.console {
		return client.Run(ctx, client.Options{
			Zone: w.zone, Dial: func() (*sys.FD, error) { return c.DialConsole(ctx) },
			Escape: w.escape, NoEscape: w.noEscape, DropWithZone: w.drop, Quiet: w.quiet, Locale: c.Locale,
			Role: w.role, History: w.history,
		})
	}
	return login.Run(ctx, login.Options{
		Zone: w.zone, Door: c, User: w.user, Failsafe: w.failsafe, Args: w.args,
		NoInput: w.noInput, Escape: w.escape, NoEscape: w.noEscape, Quiet: w.quiet,
	})
}
