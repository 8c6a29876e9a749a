package quota

import "errors"

var (
	// ErrController: the host has no controller for the bound, or does not let us use it.
	ErrController = errors.New("the host has no such cgroup controller for zones")
	// ErrInUse: a project's processes have more memory already than they are to have.
	ErrInUse = errors.New("more is in use already")
	// ErrProcessors: none of a pool's processors is there, or the host keeps them from us.
	ErrProcessors = errors.New("these processors are not there")
)
