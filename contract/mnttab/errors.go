package mnttab

import "errors"

// What a reader is told of as ENFILE, EMFILE, EFBIG.
var (
	ErrHandles     = errors.New("mnttab: too many open files")
	ErrUserHandles = errors.New("mnttab: too many open files of one user")
	ErrTableBytes  = errors.New("mnttab: table too large")
)

// Opening and running.
var (
	// ErrCorrupt: the memory is not one that Mount makes.
	ErrCorrupt = errors.New("mnttab memory: corrupt")
	// ErrVersion: made by another version of this package.
	ErrVersion = errors.New("mnttab memory: unknown version")
	// ErrGone: the file was unmounted everywhere or its connection aborted.
	ErrGone = errors.New("mnttab: connection is gone")
	// ErrMountinfo: the kernel wrote a line of mountinfo that is none.
	ErrMountinfo = errors.New("mnttab: unknown form of mountinfo")
)
