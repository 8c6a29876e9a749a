package collector

import "errors"

// Life of the collector.
var (
	// ErrAbsent: there is no collector in the directory, or not a whole one.
	ErrAbsent = errors.New("no collector is loaded")
	// ErrLoad: the loader ended well but left no collector.
	ErrLoad = errors.New("the loader left no collector")
)

// Registration.
var (
	// ErrFull: a map has no place left.
	ErrFull = errors.New("the collector has no place left")
	// ErrUnknown: there is no such zone or contract.
	ErrUnknown = errors.New("not known to the collector")
	// ErrLevel: contracts live at no more than four levels, above 0.
	ErrLevel = errors.New("contracts can not live at this level of cgroups")
)

// Ring.
var (
	// ErrCorrupt: the ring holds what no collector of this version writes.
	ErrCorrupt = errors.New("the collector's ring is corrupt")
	// ErrPosition: the position is not between what was read and what was written.
	ErrPosition = errors.New("no such position in the collector's ring")
)
