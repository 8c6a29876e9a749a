package svccfg

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg/lang"
)

// Session is a run of svccfg.
type Session struct {
	env   *Env
	store door.Store // nil until it is needed
	file  string     // the repository's, when it is none that is served

	// at is what is selected; nothing: the scope. snapshot is the one that is selected of the
	// instance, and below says whether its instance's level is looked at, or its service's.
	at       repo.Entity
	snapshot string
	below    bool

	verbose bool
	where   string // the file with the commands, for messages; empty: the command line
	line    int
	out     []byte // what the command has printed
	done    bool
	// interactive: messages are part of what the person reads, without a prefix.
	interactive bool
}

// problem is a mistake in the words that are printed.
type problem string

func (p problem) Error() string { return string(p) }

// What several commands say.
var (
	errSyntax      error = problem("Syntax error.")
	errNoEntity    error = problem("An entity is not selected.")
	errNoInstance  error = problem("Instance not selected.")
	errSnapshot    error = problem("Cannot modify snapshots.")
	errDenied      error = problem("Permission denied.")
	errReadOnly    error = problem("Backend read-only.")
	errDeleted     error = problem("Current selection has been deleted.")
	errInterrupted error = problem("Interrupted by another change.")
)

// open gives the repository.
func (s *Session) open() (door.Store, error) {
	if s.store != nil {
		return s.store, nil
	}
	var err error
	if s.file != "" {
		s.store, err = s.env.OpenFile(s.file)
	} else {
		s.store, err = s.env.Open()
	}
	if err != nil {
		s.store = nil
		return nil, problem("Could not connect to repository server: " + err.Error() + ".")
	}
	return s.store, nil
}

func (s *Session) close() {
	if s.store != nil {
		_ = s.store.Close() // everything was committed, or said
		s.store = nil
	}
}

// run runs one command, and writes what it prints.
func (s *Session) run(c *lang.Command) error {
	cmd, a, err := resolve(c)
	if err == nil {
		err = cmd.run(s, a)
	}
	return errors.Join(err, s.flush())
}

func (s *Session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.env.Out.Write(s.out)
	s.out = s.out[:0]
	if err != nil {
		return problem("Error writing to stdout: " + reason(err) + ".")
	}
	return nil
}

func (s *Session) print(text string) { s.out = append(s.out, text...) }

// fail says what went wrong, and gives the exit code.
func (s *Session) fail(err error) int {
	s.say(s.explain(err).Error())
	return exitError
}

// explain gives errors of the repository the original's words.
func (s *Session) explain(err error) error {
	var p problem
	switch {
	case errors.As(err, &p):
		return err
	case errors.Is(err, door.ErrDenied):
		return errDenied
	case errors.Is(err, repo.ErrReadOnly):
		return errReadOnly
	case errors.Is(err, repo.ErrStale):
		return errInterrupted
	case errors.Is(err, repo.ErrNotFound):
		return s.deleted()
	}
	return err
}

// deleted goes up to what is still there.
func (s *Session) deleted() error {
	s.snapshot = ""
	for s.at.Service != "" && s.store != nil {
		if is, err := s.store.Exists(s.at); err != nil || is {
			break
		}
		if s.at.Instance == "" {
			s.at.Service = ""
		}
		s.at.Instance = ""
	}
	return errDeleted
}

// say prints a message, each of its lines with where it is from. Names that others chose end on
// terminals.
func (s *Session) say(text string) {
	prefix, to := "svccfg: ", s.env.Err
	if s.interactive {
		prefix, to = "", s.env.Out
	} else if s.where != "" {
		prefix = "svccfg (" + s.where + ", line " + strconv.Itoa(s.line) + "): "
	}
	clean := strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, text)
	lines := strings.ReplaceAll(strings.TrimRight(clean, "\n"), "\n", "\n"+prefix)
	_, _ = io.WriteString(to, prefix+lines+"\n")
}

// triesMax is how often a command is decided again since others have written meanwhile. A plan
// takes a millisecond. Who is overtaken so often is overtaken for good.
const triesMax = 32

// change plans a batch from what is there and does it, again and again while others write in
// between. An empty batch is nothing to do.
func (s *Session) change(plan func(b *repo.Batch) error) error {
	for range triesMax {
		var b repo.Batch
		if err := plan(&b); err != nil {
			return err
		}
		if len(b.Ops) == 0 {
			return nil
		}
		if err := s.do(&b); !errors.Is(err, repo.ErrStale) {
			return err
		}
	}
	return errInterrupted
}

// do does a batch once.
func (s *Session) do(b *repo.Batch) error {
	_, err := s.store.Apply(b)
	if errors.Is(err, repo.ErrHalf) { // it is done, and the rest follows
		return nil
	}
	return err
}

// private makes what was changed what runs, in a repository that has no restarters. The batch has
// changed e.
func (s *Session) private(b *repo.Batch, e repo.Entity) error {
	if s.file == "" {
		return nil
	}
	instances := []string{e.Instance}
	if e.Instance == "" {
		var err error
		if instances, err = s.store.Instances(e.Service); err != nil {
			return err
		}
	}
	for _, name := range instances {
		b.TakeSnapshot(repo.Entity{Service: e.Service, Instance: name}, repo.Running)
	}
	return nil
}

// modifiable gives the store, when what is selected can be changed.
func (s *Session) modifiable() (door.Store, error) {
	store, err := s.open()
	switch {
	case err != nil:
		return nil, err
	case s.snapshot != "":
		return nil, errSnapshot
	case s.at.Service == "":
		return nil, errNoEntity
	}
	return store, nil
}

// view is how the groups of the selection are looked at.
func (s *Session) view() door.View {
	switch {
	case s.snapshot == "":
		return door.Direct
	case s.below:
		return door.SnapshotInstance(s.snapshot)
	}
	return door.SnapshotService(s.snapshot)
}
