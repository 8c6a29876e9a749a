package wire

import "errors"

// ErrIdent: the line is not one that a client says. ErrAnswer: nor one of a supervisor.
// ErrFrame: what follows the lines are no frames.
var (
	ErrIdent  = errors.New("malformed identification")
	ErrAnswer = errors.New("malformed answer")
	ErrFrame  = errors.New("malformed frame")
)
