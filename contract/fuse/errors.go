package fuse

import "errors"

// Opening.
var (
	// ErrCorrupt: the memory holds what no session of this version can have written.
	ErrCorrupt = errors.New("fuse memory: corrupt")
	// ErrVersion: made by another version of this package.
	ErrVersion = errors.New("fuse memory: unknown version")
	// ErrNotSealed: the file could change its size under the mapping.
	ErrNotSealed = errors.New("fuse memory: file is not sealed")
	// ErrExtra: more private memory was asked for than ExtraMax.
	ErrExtra = errors.New("fuse memory: private part too large")
)

// Using.
var (
	// ErrGone: the file system was unmounted everywhere or its connection aborted.
	ErrGone = errors.New("fuse: connection is gone")
	// ErrProtocol: the kernel speaks another protocol than version 7 of Linux 6.1 or later.
	ErrProtocol = errors.New("fuse: unknown protocol")
	// ErrBusy: the request that Next gave was neither answered nor parked.
	ErrBusy = errors.New("fuse: a request is under way")
	// ErrAnswered: the request was answered or parked before.
	ErrAnswered = errors.New("fuse: request was answered")
	// ErrParkedFull: ParkedMax requests are waiting.
	ErrParkedFull = errors.New("fuse: too many waiting requests")
	// ErrPollsFull: PollsMax handles are being polled.
	ErrPollsFull = errors.New("fuse: too many polled handles")
	// ErrTooLarge: a reply is longer than the request allows, or than ReadMax.
	ErrTooLarge = errors.New("fuse: reply too large")
)
