package method

import (
	"errors"

	"github.com/linuxzones/zones/internal/printable"
)

// Exit codes that a method has when its context could not be had, those of svc.startd's child.
const (
	ExitResources = 1  // it may be otherwise the next time
	ExitShell     = 10 // the shell could not be executed
	ExitConfig    = 96 // SMF_EXIT_ERR_CONFIG: trying again is of no use
)

// What an *Error is about, for errors.Is.
var (
	// ErrMethod: exec is not one string, or is no command.
	ErrMethod = errors.New("method is invalid")
	// ErrTokens: a token of the command cannot be expanded.
	ErrTokens = errors.New("method tokens cannot be expanded")
	// ErrContext: the method context is invalid, or not to be had.
	ErrContext = errors.New("method context is invalid")
)

// Error says why a method cannot be run.
type Error struct {
	Code int    // ExitConfig or ExitResources
	Text string // one line for the instance's log
	kind error
	why  error
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the kind of the error, and what it came of.
func (e *Error) Unwrap() []error {
	if e.why == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.why}
}

// textBytesMax is how much of a configuration is quoted in a line.
const textBytesMax = 1024

// quoted is a value as it stands in a line of a log.
func quoted(value string) string { return `"` + printable.Cut(value, textBytesMax) + `"` }

// invalid is a context's error: the original's sentence without its full stop, and what is wrong.
func invalid(text, what string) error {
	if what != "" {
		text += ": " + what
	}
	return &Error{Code: ExitConfig, Text: text + ".", kind: ErrContext}
}

// failed is a context's error that is the system's, not the configuration's.
func failed(text string, why error) error {
	return &Error{Code: ExitResources, Text: text + ": " + printable.Cut(why.Error(), textBytesMax) + ".", kind: ErrContext, why: why}
}
