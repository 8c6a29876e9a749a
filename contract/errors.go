package contract

import "errors"

// Finding the file system of contracts.
var (
	// ErrNoFS: there is none where this process could see it.
	ErrNoFS = errors.New("no file system of contracts is mounted")
	// ErrNoServer: this is the host, nobody serves its contracts, and only root can change that.
	ErrNoServer = errors.New("the host's contracts are served from their first use by root on")
)

// Starting a command.
var (
	// ErrNoGate: this process cannot be the parent of a process born in another contract, so
	// that the command has to wait until the system moves it there, and the program that
	// waits was not found.
	ErrNoGate = errors.New("the program ctrun, behind which a command waits until it is in its contract, was not found")
	// ErrWindow: the moment in which a process could be born in the contract went by.
	ErrWindow = errors.New("the contract waited for its first process in vain")
	// ErrWithin: the contract cannot count in the project, or run in the pool, that was asked for. Which
	// errno is with it says why: see Template.Within.
	ErrWithin = errors.New("project or pool cannot be had")
	// ErrNotBorn: the command was started, and is in no new contract: it was ended.
	ErrNotBorn = errors.New("the process was not taken into its contract")
)

// Reading.
var (
	// ErrNoCgroup: the caller has no cgroup file system in which the contract's directory is.
	ErrNoCgroup = errors.New("no cgroup2 file system with the contract's directory is mounted")
)
