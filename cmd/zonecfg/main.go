package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/prompt"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// commandBytesMax bounds what is read from a file or a pipe.
const commandBytesMax = 4 << 20

func main() { os.Exit(run(os.Args[1:])) }

// arguments is the command line.
type arguments struct {
	zone, file, root string
	hasFile, hasRoot bool
	commands         []string
	help             bool
}

func run(argv []string) int {
	a, err := parse(argv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "zonecfg: %v; try 'zonecfg help'\n", err)
		return exitUsage
	}
	l := layout.FromEnv()
	if a.hasRoot {
		l = layout.At(a.root)
	}
	s := zonecfg.New(zonecfg.Options{
		Store: configs.Open(l), Zone: a.zone, AltRoot: a.hasRoot, ReadOnly: !writable(l),
		Out: os.Stdout, Err: os.Stderr, KnownUser: knownUser,
	})
	if a.help {
		return s.Text(strings.Join(a.commands, " "), "")
	}
	if a.zone != configs.GlobalName {
		if err := configs.CheckName(a.zone); err != nil {
			fmt.Fprintf(os.Stderr, "zonecfg: %v\n", err)
			return exitUsage
		}
	}
	return start(s, a)
}

// start runs the session on what its commands come from.
func start(s *zonecfg.Session, a arguments) int {
	onTerminal := term.IsTerminal(int(os.Stdin.Fd()))
	if onTerminal {
		t := newTerminal(s)
		defer t.Close()
		s.Terminal = t
	}
	switch {
	case len(a.commands) > 0:
		return s.Text(strings.Join(a.commands, " "), "")
	case a.hasFile && a.file != "-":
		s.Terminal = nil // a file speaks for itself: its commands never ask
		text, err := readFile(a.file)
		if err != nil {
			fmt.Fprintf(os.Stderr, "zonecfg: %v\n", err)
			return exitError
		}
		return s.Text(text, a.file)
	case onTerminal:
		if s.ReadOnly {
			fmt.Fprintln(os.Stderr, "WARNING: you do not have write access to this zone's configuration file; going into read-only mode.")
		}
		return s.Interactive()
	}
	text, err := readAll(os.Stdin)
	if err != nil {
		fmt.Fprintf(os.Stderr, "zonecfg: standard input: %v\n", err)
		return exitError
	}
	return s.Text(text, "-")
}

// terminal is what a session reads lines from, and can be put back.
type terminal interface {
	zonecfg.Terminal
	io.Closer
}

func newTerminal(s *zonecfg.Session) terminal {
	if !term.IsTerminal(int(os.Stdout.Fd())) || os.Getenv("TERM") == "dumb" {
		return prompt.NewPlain(os.Stdin, os.Stdout)
	}
	return prompt.New(os.Stdin, os.Stdout, s.Complete)
}

// parse reads the arguments as getopt does.
func parse(argv []string) (arguments, error) {
	var a arguments
	if len(argv) == 0 {
		return a, errors.New("no zone specified")
	}
	if argv[0] == "help" || argv[0] == "-?" || argv[0] == "--help" {
		a.help, a.commands = true, append([]string{"help"}, argv[1:]...)
		return a, nil
	}
	for len(argv) > 0 && len(argv[0]) > 1 && argv[0][0] == '-' {
		word := argv[0]
		argv = argv[1:]
		if word == "--" {
			break
		}
		value := word[2:]
		if value == "" && strings.ContainsRune("zfR", rune(word[1])) {
			if len(argv) == 0 {
				return a, fmt.Errorf("option '-%c' wants an argument", word[1])
			}
			value, argv = argv[0], argv[1:]
		}
		switch word[1] {
		case 'z':
			a.zone = value
		case 'f':
			a.file, a.hasFile = value, true
		case 'R':
			a.root, a.hasRoot = value, true
		default:
			return a, fmt.Errorf("unknown option '-%c', allowed are -z, -f, -R", word[1])
		}
	}
	a.commands = argv
	switch {
	case a.zone == "":
		return a, errors.New("no zone specified, use -z <zone>")
	case a.hasFile && len(argv) > 0:
		return a, errors.New("commands and -f exclude each other")
	}
	return a, checkRoot(a)
}

func checkRoot(a arguments) error {
	if !a.hasRoot {
		return nil
	}
	if !strings.HasPrefix(a.root, "/") {
		return fmt.Errorf("root path must be absolute: %s", a.root)
	}
	if st, err := os.Stat(a.root); err != nil || !st.IsDir() {
		return fmt.Errorf("root path must be a directory: %s", a.root)
	}
	return nil
}

// readFile reads a command file.
func readFile(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("could not open file %s: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("could not stat file %s: %w", name, err)
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file.", name)
	}
	text, err := readAll(f)
	if err != nil {
		return "", fmt.Errorf("could not read file %s: %w", name, err)
	}
	return text, nil
}

func readAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, commandBytesMax+1))
	if err != nil {
		return "", err
	}
	if len(data) > commandBytesMax {
		return "", fmt.Errorf("more than %d bytes of commands", commandBytesMax)
	}
	return string(data), nil
}

// writable says whether the caller may change configurations: the directory, or the
// nearest one above it that exists, lets him.
func writable(l layout.Layout) bool {
	dir := l.Etc
	for {
		err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		if !errors.Is(err, unix.ENOENT) || dir == "/" {
			return err == nil
		}
		dir = dir[:max(1, strings.LastIndexByte(dir, '/'))]
	}
}

func knownUser(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}
