package client

import "time"

const (
	// chunkBytes is how much is moved at once: what the supervisor sends at once.
	chunkBytes = 64 << 10
	// inputMax is how much input waits while the supervisor takes none. Beyond it no more is
	// read, and an escape is not seen either: 64 KiB are more than anybody types.
	inputMax  = 64 << 10
	inputRead = 4 << 10

	// connectTime is how long the client looks for a supervisor, at first and after it lost
	// one. A supervisor is back in tens of milliseconds; one that died at its start is started
	// again after ten seconds, and needs a moment then. A person had better be told of one that
	// dies at each start.
	connectTime = 20 * time.Second
	// retryFirst and retryMost are the pauses between attempts; each doubles the one before.
	retryFirst = 10 * time.Millisecond
	retryMost  = 500 * time.Millisecond
	// refusalsMax is how many connections may be closed without an answer before the first
	// is answered. A supervisor that dies does it once; one that refuses does it every time.
	refusalsMax = 5
	// farewellTime is how long the last output may take to be written at an orderly end.
	farewellTime = 2 * time.Second
	// escapeTime is the same after an escape, which is also the way out of a stuck terminal.
	escapeTime = 100 * time.Millisecond
)

// Exit codes. A signal's is 128 and its number.
const (
	exitOK     = 0
	exitFailed = 1
	exitSignal = 128
)
