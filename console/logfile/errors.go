package logfile

import "errors"

var (
	// ErrNone: the zone has no console log.
	ErrNone = errors.New("there is no console log")
	// ErrPosition: bytes that do not follow those in the file.
	ErrPosition = errors.New("console log: bytes out of order")
	// ErrHeader: a file that does not begin as one of ours.
	ErrHeader = errors.New("console log: not the first line of one")
	// ErrNoFile: something else has the name of one.
	ErrNoFile = errors.New("not a file: move it away")
)
