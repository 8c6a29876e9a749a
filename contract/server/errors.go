package server

import "errors"

// Opening.
var (
	// ErrState: what the predecessor kept is damaged, or of another version.
	ErrState = errors.New("the kept state of the contracts is not usable")
	// ErrIDsLocked: somebody holds the lock of the file of ids and does nothing.
	ErrIDsLocked = errors.New("the file of contract ids stays locked")
)

// Serving.
var (
	// ErrIDs: every number that was tried is held by some zone of this host.
	ErrIDs = errors.New("no contract ids are left on this host")
	// ErrStopped: the server was stopped or closed, or has ended with an error.
	ErrStopped = errors.New("the contracts are not served any more")
	// ErrSlow: the loop did not answer in time. What was asked for may still be done.
	ErrSlow = errors.New("the contracts' server gave no answer")
	// ErrBusyCalls: too many calls wait already.
	ErrBusyCalls = errors.New("too many calls wait for the contracts' server")
	// ErrFull: contracts and events that nobody has acknowledged take all the memory there is for
	// them.
	ErrFull = errors.New("the zone's contracts have no room for more")
	// ErrNoContract: there is no such contract.
	ErrNoContract = errors.New("no such contract")
)
