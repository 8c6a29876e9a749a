package importer

import (
	"errors"
	"fmt"
	"strconv"
)

// Importing a bundle.
var (
	// ErrContention: others wrote in between each time.
	ErrContention = errors.New("the repository is changed again and again")
	// ErrDependent: a dependent's target is no service and no instance.
	ErrDependent = errors.New("a dependent has an invalid target")
	// ErrMissingType: a profile does not say a type that nothing else gives.
	ErrMissingType = errors.New("type is not known")
	// ErrTypeMismatch: a profile says another type than what is there has.
	ErrTypeMismatch = errors.New("of another type")
)

// Reading files.
var (
	// ErrNotFile: it is a directory, a device, a pipe, a socket, or a link to nothing within.
	ErrNotFile = errors.New("not a regular file")
	// ErrLimit: one of the limits below.
	ErrLimit = errors.New("limit reached")
)

// Limits.
const (
	// triesMax: a plan takes milliseconds. Who is overtaken so often is overtaken for good.
	triesMax = 16

	// filesMax and entriesMax are for one directory with all below it. A real one has 400 files.
	filesMax   = 8192
	entriesMax = 65536
	// depthMax is of directories below each other. Real ones have four.
	depthMax = 16
	// fileBytesMax is for one file; the largest real one has 50 kB, an archive of all 4 MB.
	fileBytesMax = 16 << 20
)

// LimitError says which limit was reached, and where.
type LimitError struct {
	Path string
	What string
	Max  int
}

// Error is one line.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: more than %d %s", shown(e.Path), e.Max, e.What)
}

// shown is a path as it may be shown on a terminal.
func shown(path string) string {
	if q := strconv.Quote(path); q != `"`+path+`"` {
		return q
	}
	return path
}

// Is: every LimitError is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }
