package server

import "time"

// windowLimit is how long a birth's window is open. A birth takes some 60 microseconds; who was
// not scheduled in a thousand times that tries again. It is a variable for tests, whose births
// by hand are tried once, on whatever machine.
var windowLimit = 100 * time.Millisecond

// removeAfter is how long the directories of a contract that is no more stay, so that their removal is
// in nobody's way. It is a variable for tests.
var removeAfter = 3 * time.Millisecond

// Limits. What the zone's root holds is bounded by the table's and the session's own limits
// (table.HandlesMax, fuse.ParkedMax, fuse.PollsMax); the others leave it room.
const (
	// handlesPerUser bounds the open templates and event files of one user: EMFILE.
	handlesPerUser = 512
	// waitingPerUser bounds the requests of one user that wait: EAGAIN.
	waitingPerUser = 256

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
	// callLooks is in how many parts that time is waited for.
	callLooks = 10

	// retryFirst and retryMax are how long a removal or kill that failed waits before it is
	// tried again.
	retryFirst = 20 * time.Millisecond
	retryMax   = 5 * time.Second

	// removesMax is of how many contracts that are no more the directories stay for removeAfter.
	removesMax = 64

	// journalBytes is the most that the state takes in the journal, and as much again its
	// records. A contract costs about 300 bytes and its strings, an event 30 to 100; what is not
	// used costs nothing. In this process the same takes up to eight times as much: 60 MB, and
	// until the collector has run twice that, are the most memory that a hostile zone can have
	// its supervisor use for what it does not acknowledge. So that no one can take all of it,
	// and what frees memory always finds a place, less is allowed of what does not:
	journalBytes = 8 << 20
	journalUsers = journalBytes / 2     // ordinary users' requests are refused above: ENOSPC
	journalRoot  = journalBytes * 3 / 4 // root's too, and births and ends are told as lost
	journalFacts = journalBytes * 7 / 8 // whatever happens is told as lost, but for emptiness

	// membersMany is how many members a contract has whose list is used for more than one
	// status, for membersUse times as long as it took to make: whoever asks for the status of a
	// crowd again and again has a tenth of the loop's time.
	membersMany = 256
	membersUse  = 10

	// membersMax is the most members that a status lists.
	membersMax = 1 << 16
)
