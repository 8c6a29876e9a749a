package sys

import "golang.org/x/sys/unix"

// Error says which operation on what a kernel error belongs to.
type Error struct {
	Op    string // the system call or step, lower case
	What  string // a path, a number, or empty
	Errno error
}

func (e *Error) Error() string {
	s := e.Op
	if e.What != "" {
		s += " " + e.What
	}
	return s + ": " + e.Errno.Error()
}

// Unwrap makes errors.Is(err, unix.ENOENT) work.
func (e *Error) Unwrap() error { return e.Errno }

func wrap(op, what string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, What: what, Errno: err}
}

// Retry repeats f while it is interrupted by a signal. Go's runtime sends SIGURG to its
// own threads, so that EINTR is ordinary in every blocking call made through unix.
func Retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
