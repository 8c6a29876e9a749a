package tool

import (
	"errors"
	"io"
	"os"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/sys"
)

// Env is what a program gives its tools. Functions that are nil are contract's own.
type Env struct {
	Out, Err io.Writer
	// Open finds the file system of contracts, and makes sure that there is one.
	Open func() (*contract.FS, error)
	// Find finds it, or gives contract.ErrNoFS.
	Find func() (*contract.FS, error)
	// Serve starts the server of the host's contracts; nil in a zone.
	Serve func() error
	// Sources are the contracts of zones, beside those of the file system; nil in a zone.
	Sources func() ([]Source, error)
}

// Programs are the names that Main knows.
var Programs = []string{"ctrun", "ctstat", "ctwatch"}

// Main is one of the programs; args are without its name. The result is the exit code.
func Main(env *Env, name string, args []string) int {
	switch name {
	case "ctrun":
		return env.ctrun(args)
	case "ctstat":
		return env.ctstat(args)
	case "ctwatch":
		return env.ctwatch(args)
	}
	env.say(name, "this program is ctrun, ctstat or ctwatch, by its name")
	return exitUsage
}

// Exit codes of ctstat and ctwatch.
const (
	exitError = 1
	exitUsage = 2
)

// say tells a person one line.
func (env *Env) say(program, what string) {
	_, _ = io.WriteString(env.Err, program+": "+what+"\n")
}

// complain says what is wrong with a command line, and how it is used.
func (env *Env) complain(program, problem, usage string) {
	if problem != "" {
		env.say(program, problem)
	}
	_, _ = io.WriteString(env.Err, usage)
}

func (env *Env) open() (*contract.FS, error) {
	if env.Open != nil {
		return env.Open()
	}
	return contract.Open()
}

func (env *Env) find() (*contract.FS, error) {
	if env.Find != nil {
		return env.Find()
	}
	return contract.Find()
}

// explain is what a person can do about an error; the error itself otherwise.
func explain(err error) string {
	if errors.Is(err, contract.ErrNoServer) && os.Geteuid() != 0 {
		return "the contracts of this host are not served at the moment, and only root can start that: have root run 'ctrun true', or run this in a zone"
	}
	return printable.Text(err.Error())
}

// errnoText is the kernel's word for an error, without what was tried.
func errnoText(err error) string {
	var e *sys.Error
	if errors.As(err, &e) {
		return e.Errno.Error()
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
