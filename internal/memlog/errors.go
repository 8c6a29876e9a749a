package memlog

import "errors"

// Opening.
var (
	// ErrCorrupt: the file holds what no process of this version can have written, at
	// whatever instant it was killed.
	ErrCorrupt = errors.New("memory log: corrupt")
	// ErrVersion: made by another version of this package.
	ErrVersion = errors.New("memory log: unknown version")
	// ErrNotSealed: the file could change its size under the mapping.
	ErrNotSealed = errors.New("memory log: file is not sealed")
	// ErrSize: Create was asked for less than BytesMin or more than BytesLimit.
	ErrSize = errors.New("memory log: size out of range")
)

// Using.
var (
	// ErrFull: there is no room for the record until a Checkpoint was made.
	ErrFull = errors.New("memory log: full")
	// ErrTooLarge: a record over RecordMax, or a state for which the log is too small.
	ErrTooLarge = errors.New("memory log: too large")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("memory log: closed")
)
