package api

import (
	"errors"
	"fmt"
	"strings"
)

// Reaching a supervisor.
var (
	// ErrNoServer: nobody serves the zone's door, and the client was not to start anyone.
	ErrNoServer = errors.New("no supervisor serves this zone")
	// ErrInCharge: the server that was started found another one in charge and left.
	ErrInCharge = errors.New("another supervisor is in charge")
	// ErrNoProgram: the supervisor's program was not found.
	ErrNoProgram = errors.New("supervisor's program not found")
	// ErrStartTimeout: the server that was started neither became ready nor ended.
	ErrStartTimeout = errors.New("supervisor did not finish its start-up in time")
	// ErrUnavailable: no supervisor answered within OutageMax.
	ErrUnavailable = errors.New("no supervisor answered")
)

// Speaking with one.
var (
	// ErrRequestTooLong: the request would not fit in RequestBytesMax.
	ErrRequestTooLong = errors.New("request too long")
	// ErrProtocol: what came back is not the door's protocol.
	ErrProtocol = errors.New("the supervisor's answer is not understood")
	// errLost: the connection ended before the result. The request may have been carried
	// out or not: it is asked again with the same id.
	errLost = errors.New("connection lost")
)

// StartError is a server that ended before its start-up was complete. What it had to say
// was handed to Client.Startup line by line.
type StartError struct {
	Program string
	// Code is its exit code, or 128 and the signal's number when one killed it.
	Code int
	// Signal names the signal that killed it; empty when it exited.
	Signal string
	// Said is whether it gave a reason: then there is no need for another line.
	Said bool
}

func (e *StartError) Error() string {
	name := e.Program[strings.LastIndexByte(e.Program, '/')+1:]
	if e.Signal != "" {
		return fmt.Sprintf("%s died before signaling startup (killed (%s))", name, e.Signal)
	}
	return fmt.Sprintf("%s failed to start (exit code %d)", name, e.Code)
}
