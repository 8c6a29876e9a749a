package zonecfg

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
	"github.com/linuxzones/zones/internal/prompt"
)

// Terminal is where an interactive session reads lines and asks questions.
type Terminal interface {
	// ReadLine shows a prompt and gives a line without its end; io.EOF at the end of
	// the input, ErrInterrupted when the line was given up.
	ReadLine(prompt string) (string, error)
	// Ask is ReadLine for the answer to a question.
	Ask(question string) (string, error)
}

// ErrInterrupted: the line was given up with ^C.
var ErrInterrupted = prompt.ErrInterrupted

// Options are what a Session starts with.
type Options struct {
	Store *configs.Store
	// Zone is the name of the zone; it need not exist.
	Zone string
	// ReadOnly refuses every command that changes something.
	ReadOnly bool
	// AltRoot: the store is another system's, below its root.
	AltRoot bool
	Out     io.Writer
	Err     io.Writer
	// Terminal is nil when nobody can be asked.
	Terminal Terminal
	// KnownUser says whether the host knows a user; nil asks nobody.
	KnownUser func(name string) bool
}

// Session edits one zone.
type Session struct {
	Options
	// saved is the name under which the zone is on disk; name is what it is to be
	// called after the next commit.
	saved, name string
	// work is the working copy, nil before create or the first use of a saved zone.
	work *configs.Zone
	// base is what work was made from.
	base  configs.Etag
	dirty bool
	// forcePath: set -F moved the zonepath of an installed zone.
	forcePath bool
	scope     *scope

	sawError, leave, forceLeave bool
	// interactive sessions go on after a mistake.
	interactive bool
}

// scope is the resource that is being edited.
type scope struct {
	kind *resource
	now  record
	// at is the place of the selected resource; -1 for one that is added.
	at int
}

// New begins a session. It reads nothing yet.
func New(o Options) *Session {
	return &Session{Options: o, saved: o.Zone, name: o.Zone}
}

// fatal ends the session at once, without a commit.
type fatal struct{ err error }

func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

// incomplete is a command that is not written as it should be.
type incomplete struct {
	verb, why string
}

func (e incomplete) Error() string {
	usage := strings.Join(strings.Fields(commands[e.verb].usage), " ")
	return e.why + "; usage: " + usage
}

// Interactive runs a session on the terminal, and returns the exit code.
func (s *Session) Interactive() int {
	s.interactive = true
	if err := s.load(); err != nil && !s.ReadOnly {
		s.complain(err)
		s.sawError = false // not knowing the zone is how every new one begins
		if errors.Is(err, configs.ErrNoZone) {
			fmt.Fprintf(s.Out, "Use 'create' to begin configuring a new zone.\n")
		}
	}
	for {
		s.leave, s.forceLeave = false, false
		code, done := s.interact()
		if done {
			return code
		}
	}
}

// interact reads lines until the session is to end; done is false when the user
// decided to stay.
func (s *Session) interact() (code int, done bool) {
	for !s.leave {
		line, err := s.Terminal.ReadLine(s.prompt())
		if errors.Is(err, ErrInterrupted) {
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			// Whoever did not say that he is done gets nothing committed.
			s.complain(err)
			return 1, true
		}
		if err := s.line(line); err != nil {
			return 1, true
		}
	}
	return s.finish()
}

// line runs the commands of one line; a mistake ends the line. The error is fatal.
func (s *Session) line(text string) error {
	p := lang.NewParser(text)
	for !s.leave {
		c, err := p.Next()
		if err != nil {
			var se *lang.SyntaxError
			if errors.As(err, &se) {
				err = fmt.Errorf("syntax error: %s", se.Why)
			}
			s.complain(err)
			return nil
		}
		if c == nil {
			return nil
		}
		if err := s.run(c); err != nil {
			s.complain(err)
			if errors.As(err, &fatal{}) {
				return err
			}
			return nil
		}
	}
	return nil
}

// Text runs commands from a file, a pipe or the command line, and returns the exit code.
// file is named in messages; empty for the command line. The first mistake ends the
// session, and only what was committed before remains.
func (s *Session) Text(text, file string) int {
	p := lang.NewParser(text)
	for !s.leave {
		c, err := p.Next()
		if err != nil {
			var se *lang.SyntaxError
			if errors.As(err, &se) {
				err = syntaxError(file, se.Line, se.Why)
			}
			s.complain(err)
			return 1
		}
		if c == nil {
			break
		}
		if err := s.run(c); err != nil {
			s.complain(located(file, c, err))
			return 1
		}
	}
	code, _ := s.finish()
	return code
}

func syntaxError(file string, line int, why string) error {
	switch file {
	case "":
		return fmt.Errorf("syntax error: %s", why)
	case "-":
		return fmt.Errorf("syntax error on line %d: %s", line, why)
	}
	return fmt.Errorf("syntax error on line %d of %s: %s", line, file, why)
}

// located says where in a file the command stands that failed.
func located(file string, c *lang.Command, err error) error {
	var bad incomplete
	switch {
	case errors.As(err, &bad):
		return syntaxError(file, c.Line, bad.Error())
	case file == "":
		return err
	case file == "-":
		return fmt.Errorf("On line %d: %w", c.Line, err)
	}
	return fmt.Errorf("On line %d of %s: %w", c.Line, file, err)
}

func (s *Session) prompt() string {
	if s.scope != nil {
		return "zonecfg:" + s.name + ":" + s.scope.kind.name + "> "
	}
	return "zonecfg:" + s.name + "> "
}

// complain prints an error, which may be several problems, one line each.
func (s *Session) complain(err error) {
	s.sawError = true
	fmt.Fprintln(s.Err, strings.ReplaceAll(err.Error(), "\n", " "))
}

func (s *Session) warn(format string, args ...any) {
	fmt.Fprintf(s.Err, "WARNING: "+format+"\n", args...)
}

// run runs one command.
func (s *Session) run(c *lang.Command) error {
	verb := c.Verb
	if verb == "?" {
		verb = "help"
	}
	cmd, ok := commands[verb]
	if !ok {
		return syntaxError("", 0, fmt.Sprintf("unknown subcommand '%.40s', allowed are %s", c.Verb, strings.Join(verbs(), ", ")))
	}
	args, err := parseArgs(verb, c, cmd.options)
	if err != nil {
		return err
	}
	if args.help {
		fmt.Fprint(s.Out, longUsage(verb))
		return nil
	}
	switch {
	case cmd.scope == inGlobal && s.scope != nil:
		return fmt.Errorf("The %s command only makes sense in the global scope.", verb)
	case cmd.scope == inResource && s.scope == nil:
		return fmt.Errorf("The %s command only makes sense in the resource scope.", verb)
	case cmd.writes && s.ReadOnly:
		return fmt.Errorf("%s: cannot %s in read-only mode: only a privileged user may change a zone's configuration", s.name, verb)
	}
	return cmd.run(s, args)
}

// load makes the working copy from the saved zone, if there is none yet.
func (s *Session) load() error {
	if s.work != nil {
		return nil
	}
	z, tag, err := s.Store.Load(s.saved)
	if err != nil {
		return err
	}
	s.work, s.base, s.name = z, tag, s.saved
	return nil
}

// state is the saved zone's; exists is false when there is none.
func (s *Session) state() (st configs.State, exists bool, err error) {
	if s.saved == configs.GlobalName {
		return configs.Installed, true, nil
	}
	st, err = s.Store.EffectiveState(s.saved)
	if errors.Is(err, configs.ErrNoZone) {
		return 0, false, nil
	}
	return st, err == nil, err
}

// errCannotAsk: a question has nobody to answer it.
var errCannotAsk = errors.New("input not from terminal")

// ask puts a yes-or-no question whose answer is no unless yes is typed.
func (s *Session) ask(question string) (bool, error) {
	if s.Terminal == nil {
		return false, errCannotAsk
	}
	for {
		answer, err := s.Terminal.Ask(question + " (y/[n])? ")
		if errors.Is(err, ErrInterrupted) {
			return false, nil
		}
		if err != nil {
			return false, errCannotAsk
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "", "n", "no":
			return false, nil
		case "y", "yes":
			return true, nil
		}
	}
}

// finish ends the session: an open resource is asked about, changes are committed.
// done is false when the user wants to go on.
func (s *Session) finish() (code int, done bool) {
	if s.scope != nil && !s.leave {
		if !s.interactive {
			s.complain(errors.New("Resource incomplete."))
			return 1, true
		}
		quit, err := s.ask("Resource incomplete; really quit")
		if err != nil {
			s.complain(errors.New("Resource incomplete."))
			return 1, true
		}
		if !quit {
			return 0, false
		}
	}
	if s.scope != nil {
		s.sawError = true // exit -F, or a quit that was confirmed
		s.scope = nil
	}
	if s.dirty {
		if err := s.commit(); err != nil {
			return s.unsaved(err)
		}
	}
	if s.sawError {
		return 1, true
	}
	return 0, true
}

// unsaved tells that the last commit failed, and asks whether to leave nevertheless.
func (s *Session) unsaved(err error) (code int, done bool) {
	s.complain(err)
	if !s.interactive || s.forceLeave {
		return 1, true
	}
	quit, err := s.ask("Configuration not saved; really quit")
	if err != nil {
		s.complain(errors.New("Configuration not saved."))
		return 1, true
	}
	return 1, quit
}
