package configs

import (
	"errors"
	"fmt"
	"strings"
)

// Finding and reading.
var (
	// ErrNoZone: no zone of that name is in the index.
	ErrNoZone = errors.New("No such zone configured")
	// ErrNoTemplate: neither a file nor a built-in template has that name.
	ErrNoTemplate = errors.New("no such template")
	// ErrNoSnapshot: the zone is not ready, so no configuration is frozen.
	ErrNoSnapshot = errors.New("no snapshot of the configuration")
	// ErrNoUUID: no zone has that uuid.
	ErrNoUUID = errors.New("no zone has this uuid")
)

// Committing.
var (
	// ErrConflict: another configuration was committed since this one was read.
	ErrConflict = errors.New("the configuration was changed by someone else since it was read")
	// ErrExists: a zone of that name exists.
	ErrExists = errors.New("zone already exists")
	// ErrState: the zone's state does not allow the change.
	ErrState = errors.New("zone state is invalid for the requested operation")
	// ErrPathTaken: the zonepath is, holds, or lies in another zone's.
	ErrPathTaken = errors.New("zonepath is in use")
	// ErrInvalid: the configuration does not pass Validate; the error is a Problems.
	ErrInvalid = errors.New("invalid configuration")
	// ErrLockBusy: another process held the index for too long.
	ErrLockBusy = errors.New("the zone index is locked by another process")
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Resource names the resource with what identifies it, "fs /data"; empty for a
	// property of the zone itself.
	Resource string
	// Property is the property's name; empty when the resource as a whole is wrong.
	Property string
	// Why says what is wrong and what is allowed.
	Why string
}

// String is one line: what it is about, unless Why begins with that, and why.
func (p Problem) String() string {
	line := p.Why
	for _, about := range []string{p.Property, p.Resource} {
		if about != "" && !strings.HasPrefix(line, about) {
			line = about + ": " + line
		}
	}
	return line
}

// Error makes a Problem usable alone.
func (p Problem) Error() string { return p.String() }

// Problems is everything that is wrong with a configuration.
type Problems []Problem

// Error joins all problems in one line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// Is reports ErrInvalid.
func (ps Problems) Is(target error) bool { return target == ErrInvalid }

// err gives nil for none, since a nil slice in an error interface is not nil.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// FormatError says where a file is not what it should be.
type FormatError struct {
	File string
	Line int
	Why  string
}

// Error is one line.
func (e *FormatError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Why)
	}
	return fmt.Sprintf("%s: line %d: %s", e.File, e.Line, e.Why)
}
