package wire

import "errors"

// ErrIdent: the line is not one that a client says. ErrAnswer: nor one of a supervisor.
var (
	ErrIdent  = errors.New("malformed identification")
	ErrAnswer = errors.New("malformed answer")
)
