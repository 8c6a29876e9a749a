package launch

import (
	"errors"

	"golang.org/x/sys/unix"
)

var (
	// ErrAgain: there was no process, no memory or no contract to be had; trying again makes sense.
	ErrAgain = errors.New("no more processes or contracts now")
	// ErrTooLarge: command, environment and context are beyond orderBytesMax.
	ErrTooLarge = errors.New("command and environment are too large")
	// ErrOrder: what the child was given is no order of this version.
	ErrOrder = errors.New("the order is not understood")
)

// startError is why there is no process.
type startError struct {
	what  string
	kind  error // ErrAgain or nil
	cause error
}

func (e *startError) Error() string { return e.what + ": " + e.cause.Error() }

func (e *startError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

// failure makes a startError: what is short now may not be later.
func failure(what string, err error) error {
	e := &startError{what: what, cause: err}
	for _, short := range []error{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EDQUOT} {
		if errors.Is(err, short) {
			e.kind = ErrAgain
		}
	}
	return e
}

// errno is the number in an error of a system call, EINVAL when there is none.
func errno(err error) unix.Errno {
	var n unix.Errno
	if errors.As(err, &n) {
		return n
	}
	return unix.EINVAL
}
