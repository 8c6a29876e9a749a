package graph

import "errors"

// Errors of Apply; an Op that is refused changes nothing.
var (
	ErrFMRI      = errors.New("not the FMRI of what the operation is about")
	ErrNotThere  = errors.New("no such instance is configured")
	ErrState     = errors.New("no such state, class, request or operation")
	ErrMilestone = errors.New("not a milestone that can be changed to")
	ErrTooMany   = errors.New("too many services")
)
