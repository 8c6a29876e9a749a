package console

import "errors"

// Starting.
var (
	// ErrConfig: a part of Config is missing.
	ErrConfig = errors.New("console: incomplete configuration")
)

// Refusing a client; each is logged, and the client finds its connection closed.
var (
	// ErrPid: the process number a client told is not the one the kernel knows it by.
	ErrPid = errors.New("identification of another process")
	// ErrSilent: the identification did not come in time.
	ErrSilent = errors.New("no identification in time")
	// ErrLineTooLong: no end of line where an identification would have ended.
	ErrLineTooLong = errors.New("identification too long")
	// ErrInUse: the console has a holder, and it is told which.
	ErrInUse = errors.New("console is in use")
	// ErrReaders: as many watch as may.
	ErrReaders = errors.New("too many readers")
	// ErrCrowded: newer connections took the place of one that had not identified itself.
	ErrCrowded = errors.New("too many connections without identification")
)

// Running.
var (
	// ErrShutdown: the server was shut down.
	ErrShutdown = errors.New("console: shut down")
	// ErrBusy: more requests wait than the loop ever has; it hangs.
	ErrBusy = errors.New("console: too many requests")
	// ErrNotTold: clients that a notice should have disconnected did not leave in time; they
	// were cut off.
	ErrNotTold = errors.New("console: client did not leave in time")
)
