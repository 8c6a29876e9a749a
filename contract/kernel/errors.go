package kernel

import "errors"

// Directories.
var (
	// ErrBusy: processes live there; ask again when it is empty.
	ErrBusy = errors.New("the contract has members")
	// ErrUsed: there is or was such a contract.
	ErrUsed = errors.New("the contract's directory is there already")
	// ErrNone: there is no such contract.
	ErrNone = errors.New("no such contract")
	// ErrElsewhere: a path is not below the zone's directory.
	ErrElsewhere = errors.New("not below the zone's directory")
	// ErrLimit: a named maximum of this package is reached.
	ErrLimit = errors.New("too many")
	// ErrProjects: there are as many projects as there may be.
	ErrProjects = errors.New("too many projects")
	// ErrPool: the zone's configuration has no such pool.
	ErrPool = errors.New("no such pool")
)

// Births.
var (
	// ErrWindow: another birth's window is open.
	ErrWindow = errors.New("another birth is under way")
	// ErrNotChild: the process is neither a child of the caller nor born in the contract.
	ErrNotChild = errors.New("not a child of the caller")
	// ErrPlace: the process lives neither where the caller lives nor where births wait.
	ErrPlace = errors.New("the process lives in another contract")
)

// Processes.
var (
	// ErrGone: the process has ended.
	ErrGone = errors.New("no such process")
	// ErrClosed: the Zone was closed meanwhile.
	ErrClosed = errors.New("closed")
)

// Sources of events.
var (
	// ErrSource: the host or the configuration lacks it.
	ErrSource = errors.New("source of events is not available")
)
