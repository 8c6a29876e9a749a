package console

import "time"

// How long others may take. They are variables for the tests: on a machine that runs all of those at
// once, any process stands still for longer now and then.
var (
	// handshakeTime is how long a connection may take to identify itself. Clients do it at
	// once; this is for a machine under load.
	handshakeTime = 5 * time.Second
	// patience is how long a client that reads nothing may hold the zone's writers up when
	// the ring is full. A person does not see it, a zone that only logs is not hurt by it.
	patience = 250 * time.Millisecond
	// reconnectGrace is how long bytes are kept, and the holder's place, for clients of a
	// supervisor that died. They find the new one in milliseconds.
	reconnectGrace = time.Second
	// leaveTime is how long a disconnected client may take to close its side after it was
	// told, before it is cut off. The output it has not yet read is in the socket.
	leaveTime = time.Second
	// logPatience is how long a log that is half a ring behind, or more, may come on by less than
	// logProgress before the zone goes on without it. Less time would take scheduling for a slow
	// disk.
	logPatience = 100 * time.Millisecond
	// logFarewell is how long a supervisor that leaves waits for the disk. What is not written
	// is in the ring, which its successor finds.
	logFarewell = 2 * time.Second
)

// Handshakes.
const (
	// handshakesMax bounds connections that have not identified themselves: 32 goroutines
	// and descriptors. The oldest gives way, so that nobody can keep others out by silence.
	handshakesMax = 32
	// refusalsLogged is how many refusals a minute reach the log; the rest is counted. Who
	// connects in a loop must not fill the disk.
	refusalsLogged = 20
)

// The holder.
const (
	// chunkBytes is how much is copied from the ring and written at once: the most that a
	// unix socket takes for one wake-up of its reader without being split much.
	chunkBytes = 64 << 10
	// chunksPerTurn bounds output between two looks at the input: 1 MiB, under 2 ms.
	chunksPerTurn = 16
	// progressBytes is what a client must have taken in its patience for that to begin anew: a
	// client under 64 KiB a second would otherwise slow the zone down for ever, a byte at a time.
	progressBytes = 16 << 10
	// leavingMax bounds disconnected clients that have not closed their side: all there can be.
	leavingMax = readersMax + 8
)

// Readers.
const (
	// readersMax is how many may watch: a class, not a crowd. Each has a socket's buffer in the
	// kernel (some 200 KiB when it does not read), and its turn at each piece of output.
	readersMax = 64
	// screenBytes is the most of a screenful: 200 columns and 80 lines of plain text.
	screenBytes = 16 << 10
	// scanBytes is how far back it is looked for what a screenful could be in the middle of. It
	// takes a millisecond, and is more than the longest string that vt waits for.
	scanBytes = 256 << 10
)

// The log.
const (
	// logProgress is what the log must have come on by in logPatience: a disk under 10 MiB a second
	// is slow.
	logProgress = 1 << 20
	// logRestFirst and logRestMax are how long a log that was too slow holds nothing, although it has
	// caught up; it doubles each time, until the log has held for logRestMax. So the zone waits for
	// a slow disk a tenth of its time at first, and a sixth of a hundredth in the end.
	logRestFirst = time.Second
	logRestMax   = time.Minute
	// logRetry is how often a disk that is full is tried.
	logRetry = time.Second
)

// Input.
const (
	// inputChunk is how much input is read at once: what a terminal's input queue holds.
	inputChunk = 4 << 10
	// inputMax bounds input kept for a console that does not take it, from a client that has
	// gone: what a unix socket can have held.
	inputMax = 256 << 10
	// inputRetry is when a full terminal is tried again although the kernel did not say that
	// it has room: a flush of its queue does not wake anybody.
	inputRetry = 100 * time.Millisecond
)

// The loop.
const (
	// requestsMax bounds what callers and handshakes have asked of the loop and it has not
	// taken up; beyond it they wait.
	requestsMax = 64
	// acceptPause is how long no connection is accepted after one could not be for want of
	// descriptors or memory: the listener stays readable all the time.
	acceptPause = 100 * time.Millisecond
)
