package api

// Version is the protocol's. A server refuses another major version politely.
const Version = 1

// Names below a zone's state directory.
const (
	DoorName    = "door"    // the door's socket
	ConsoleName = "console" // the console's socket
	LockName    = "op.lock" // one zoneadm operation at a time
	ZschedPid   = "zsched.pid"
	ZonedPid    = "zoned.pid"
)

// Limits of the protocol.
const (
	// RequestBytesMax bounds a request: boot arguments, a command line and its environment.
	RequestBytesMax = 256 << 10
	// ReplyBytesMax bounds one reply frame.
	ReplyBytesMax = 64 << 10
	// LineBytesMax bounds a line of an answer: the status of a contract with as many members
	// as a zone may have processes.
	LineBytesMax = 1 << 20
	// LinePartMax bounds the part of a line that one frame carries.
	LinePartMax = 32 << 10
	// BootArgsMax is BOOTARGS_MAX of the original, in bytes.
	BootArgsMax = 256
)

// Verb names what a request asks for.
type Verb string

// The verbs. zoned's table says who may call each.
const (
	VerbPing             Verb = "ping" // is the door alive; answers the state
	VerbReady            Verb = "ready"
	VerbBoot             Verb = "boot"
	VerbHalt             Verb = "halt"
	VerbReboot           Verb = "reboot"
	VerbUpgrade          Verb = "upgrade"  // programs on disk take the place of supervisor and keeper
	VerbShutdown         Verb = "shutdown" // graceful; with Reboot set it boots again
	VerbNoteUninstalling Verb = "note_uninstalling"
	VerbLogin            Verb = "login"           // run a command or a login in the zone
	VerbWait             Verb = "wait"            // how did the login with this id end
	VerbSignal           Verb = "signal"          // send a signal to a login's process
	VerbContracts        Verb = "contracts"       // the statuses of the zone's process contracts, as lines
	VerbContractEvents   Verb = "contract-events" // their events as they happen, as lines, until the client leaves
)

// Request is the one frame a client sends. Descriptors come with its first byte and only
// with VerbLogin: standard input, output and error of a login without a terminal.
type Request struct {
	Version  int    `json:"version"`
	ID       string `json:"id"` // 32 hexadecimal digits, chosen by the client, the same when it asks again
	Verb     Verb   `json:"verb"`
	Locale   string `json:"locale,omitempty"`
	BootArgs string `json:"bootargs,omitempty"` // boot, reboot, shutdown -r
	// BootArgsGiven tells "no arguments" from "these, though empty": only without it the
	// configuration's bootargs serve.
	BootArgsGiven bool `json:"bootargs_given,omitempty"`
	Force         bool `json:"force,omitempty"`  // boot -f
	Reboot        bool `json:"reboot,omitempty"` // shutdown -r
	// Verbose: say what was checked (halt -v).
	Verbose bool   `json:"verbose,omitempty"`
	Login   *Login `json:"login,omitempty"`
	Target  string `json:"target,omitempty"` // wait, signal: the id of the login's request
	Signal  int    `json:"signal,omitempty"` // signal: the number
	// After is an event's number: only later ones are wanted (contract-events). A client that
	// was cut off goes on from the last it got.
	After uint64 `json:"after,omitempty"`
	// Front: the events that are kept come first (contract-events).
	Front bool `json:"front,omitempty"`
	// Reliable: none goes before it was told (contract-events).
	Reliable bool `json:"reliable,omitempty"`
}

// Login says what to run in a zone.
type Login struct {
	// Args is the command; empty asks for the user's login shell.
	Args []string `json:"args,omitempty"`
	// Shell joins Args with spaces and has the user's shell run them (su - user -c).
	Shell bool `json:"shell,omitempty"`
	// User is a name or number of the zone's own passwd; empty is root.
	User string `json:"user,omitempty"`
	// Failsafe runs /bin/sh without reading the zone's passwd (zlogin -S).
	Failsafe bool `json:"failsafe,omitempty"`
	// TTY asks for a terminal of the zone's own; its master comes back with MessageTTY.
	TTY  bool   `json:"tty,omitempty"`
	Rows uint16 `json:"rows,omitempty"`
	Cols uint16 `json:"cols,omitempty"`
	Term string `json:"term,omitempty"` // TERM, checked to be a plain word
}

// ReplyType tells the frames of a reply apart.
type ReplyType string

// A reply is any number of messages, lines and tty frames, then one result.
const (
	ReplyMessage ReplyType = "message" // one line for a person
	ReplyTTY     ReplyType = "tty"     // carries the master of the login's terminal as a descriptor
	ReplyStarted ReplyType = "started" // the login's process runs; Pid is its pid on the host
	ReplyLine    ReplyType = "line"    // data: a line, or the next part of one
	ReplyResult  ReplyType = "result"  // the last frame
)

// Level ranks a message.
type Level string

// The levels. Progress is only of interest while one waits.
const (
	LevelError    Level = "error"
	LevelWarning  Level = "warning"
	LevelNote     Level = "note"
	LevelProgress Level = "progress"
)

// Reply is one frame from the server.
type Reply struct {
	Type ReplyType `json:"type"`
	// Message: Text is English, made from Key and Args; a client may render Key in its
	// user's language. Keys are stable, args are in the order of the text's words.
	Level Level    `json:"level,omitempty"`
	Key   string   `json:"key,omitempty"`
	Args  []string `json:"args,omitempty"`
	Text  string   `json:"text,omitempty"`
	// Started
	Pid int `json:"pid,omitempty"`
	// Line: More says that the next frame has the line's next part; Mark, where it is not 0,
	// is what Request.After goes on from.
	Line []byte `json:"line,omitempty"`
	More bool   `json:"more,omitempty"`
	Mark uint64 `json:"mark,omitempty"`
	// Result: Rval 0 is success. State is the zone's state afterwards. Exit is the wait
	// status of a login's process (as wait4 gives it) when Exited.
	Rval   int    `json:"rval"`
	State  string `json:"state,omitempty"`
	Exited bool   `json:"exited,omitempty"`
	Status int    `json:"status,omitempty"`
}
