package table

import "errors"

// Taking a table or an op from its encoding.
var (
	// ErrVersion: it was written by another version, which this one does not read.
	ErrVersion = errors.New("contract table of another version")
	// ErrGarbage: it is not what Encode gives.
	ErrGarbage = errors.New("not a contract table")
)
