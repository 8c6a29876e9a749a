package ring

import "errors"

// Opening.
var (
	// ErrCorrupt: the header holds what no writer of this version can have put there.
	ErrCorrupt = errors.New("console ring: corrupt header")
	// ErrVersion: made by another version of this package.
	ErrVersion = errors.New("console ring: unknown version")
	// ErrNotSealed: the descriptor's file could change its size under the mapping.
	ErrNotSealed = errors.New("console ring: file is not sealed")
	// ErrSnapshot: the saved bytes are cut, damaged or of another version.
	ErrSnapshot = errors.New("console ring: bad snapshot")
)

// Using.
var (
	// ErrPosition: the position asked for was never written.
	ErrPosition = errors.New("console ring: position beyond the head")
	// ErrTooLong: more than AppendMax bytes at once.
	ErrTooLong = errors.New("console ring: text too long")
)
