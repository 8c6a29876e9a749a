package server

import "time"

// Limits. What the zone's root holds is bounded by the table's and the session's own limits
// (table.HandlesMax, fuse.ParkedMax, fuse.PollsMax); the others leave it room.
const (
	// handlesPerUser bounds the open templates and event files of one user: EMFILE.
	handlesPerUser = 512
	// waitingPerUser bounds the requests of one user that wait: EAGAIN.
	waitingPerUser = 256
	// windowLimit is how long a birth's window is open. A birth takes some 60 microseconds; who
	// was not scheduled in a thousand times that tries again.
	windowLimit = 100 * time.Millisecond
	// sweepAfter is how long after its window a birth is given up. Whoever was let in is born,
	// and told of, long before.
	sweepAfter = 200 * time.Millisecond
	// sweepTries bounds how often it is put off because the kernel could not be asked.
	sweepTries = 50

	// requestsPerTurn, reportsPerTurn and callsPerTurn bound what one turn of the loop does for
	// each side: below a millisecond together.
	requestsPerTurn = 64
	reportsPerTurn  = 128
	callsPerTurn    = 16
	// workRounds bounds how often one turn asks the table what is to be done. What is left is
	// done in the next turn.
	workRounds = 16

	// callsMax bounds the supervisor's calls that wait: ErrBusyCalls.
	callsMax = 64
	// callLimit bounds how long a call waits for the loop: ErrSlow. A turn takes milliseconds.
	callLimit = 5 * time.Second

	// retryFirst and retryMax are how long a removal or kill that failed waits before it is
	// tried again.
	retryFirst = 20 * time.Millisecond
	retryMax   = 5 * time.Second

	// journalBytes is the most that state and records take. A contract costs about 300 bytes,
	// an event about 100; what is not used costs nothing. Beyond it requests fail with ENOSPC.
	journalBytes = 64 << 20

	// membersMax is the most members that a status lists.
	membersMax = 1 << 16
)
