package instance

import "errors"

// Errors of Do; an input that is refused changes nothing.
var (
	ErrInput   = errors.New("not what the instance asked for, or knows of")
	ErrUnknown = errors.New("the instance was not added, or was removed")
	ErrThere   = errors.New("the instance was added before")
	ErrQueue   = errors.New("too many requests wait for the instance's method; try again when it has ended")
)
