package svccfg

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg/lang"
)

const usage = "Usage:\tsvccfg [-v] [-z zone] [-s FMRI] [-f file]\n\tsvccfg [-v] [-z zone] [-s FMRI] <command> [args]\n"

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// order is svccfg's command line.
type order struct {
	verbose         bool
	fmri, file      string
	hasFMRI, inFile bool
	zone            string
	inZone          bool
	command         []string
}

func parse(args []string) (o order, ok bool) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
	letters:
		for i := 1; i < len(word); i++ {
			switch word[i] {
			case 'v':
				o.verbose = true
				continue
			case 's', 'f', 'z':
			default:
				return o, false
			}
			value := word[i+1:]
			if value == "" {
				if len(args) == 0 {
					return o, false
				}
				value, args = args[0], args[1:]
			}
			switch word[i] {
			case 's':
				o.fmri, o.hasFMRI = value, true
			case 'f':
				o.file, o.inFile = value, true
			case 'z':
				o.zone, o.inZone = value, true
			}
			break letters
		}
	}
	o.command = args
	return o, true
}

// inZone finds the repository of a zone.
func inZone(env *Env, zone string) (door.Store, error) {
	if env.Zone == nil {
		return nil, errNoZones
	}
	return env.Zone(zone)
}

// errNoZones is what -z is told where it makes no sense.
var errNoZones = errors.New("-z is for the host: there are no zones in a zone")

// Main is svccfg; args are without its name. The result is the exit code.
func Main(env *Env, args []string) int {
	o, ok := parse(args)
	if !ok {
		_, _ = io.WriteString(env.Err, usage)
		return exitUsage
	}
	if o.inZone {
		// The variable is for who has no repository that is served.
		zoned := *env
		zoned.File, zoned.Open = "", func() (door.Store, error) { return inZone(env, o.zone) }
		env = &zoned
	}
	s := &Session{env: env, verbose: o.verbose, file: env.File}
	defer s.close()
	if o.hasFMRI {
		if err := s.selectEntity(o.fmri); err != nil {
			return s.fail(err)
		}
	}
	switch {
	case o.inFile:
		return s.source(o.file)
	case len(o.command) == 0 && env.Terminal != nil:
		t := env.Terminal(s.Complete)
		defer t.Close()
		return s.interact(t)
	case len(o.command) == 0:
		return s.source("-")
	}
	return s.commands(strings.NewReader(strings.Join(o.command, " ") + "\n"))
}

// source runs the commands of a file.
func (s *Session) source(path string) int {
	if path == "-" {
		s.where = "<stdin>"
		return s.commands(s.env.In)
	}
	f, err := os.Open(path)
	if err != nil {
		return s.fail(problem("Could not open \"" + path + "\": " + reason(err) + "."))
	}
	defer f.Close()
	s.where = path
	return s.commands(f)
}

// inBytes is how much is read at once.
const inBytes = 32 << 10

// commands runs what it reads, each command when all of it was read, up to the first mistake.
func (s *Session) commands(in io.Reader) int {
	p := lang.NewParser()
	buffer := make([]byte, inBytes)
	for final := false; !final; {
		n, err := in.Read(buffer)
		p.Feed(string(buffer[:n]))
		final = errors.Is(err, io.EOF)
		if err != nil && !final {
			return s.fail(problem("read: " + reason(err)))
		}
		for !s.done {
			c, err := p.Next(final)
			if err != nil {
				return s.fail(s.language(err))
			}
			if c == nil {
				break
			}
			s.line = c.Line
			if err := s.run(c); err != nil {
				return s.fail(err)
			}
		}
		if s.done {
			break
		}
	}
	return exitOK
}

// language is what is said of a text that is no command.
func (s *Session) language(err error) error {
	var e *lang.Error
	if errors.As(err, &e) {
		s.line, err = e.Line, e.Err
	}
	if errors.Is(err, lang.ErrSyntax) {
		return errSyntax
	}
	return problem("Syntax error: " + err.Error() + ".")
}

// reason is the kernel's word for an error, without what was tried.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	text := err.Error()
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}
