package helper

// SocketFD is the number of zrun's descriptor for the conversation.
const SocketFD = 3

// Bounds of messages: a request holds at most a command line, an answer some lines for a person.
const (
	MessageBytesMax = 256 << 10
	ReplyBytesMax   = 64 << 10
)

// Op is what zrun is asked to do.
type Op string

// The operations.
const (
	OpCreate Op = "create" // build the zone up to state ready
	OpExec   Op = "exec"   // start a process in the zone
)

// Request is the one message zrun is sent. With OpExec without a terminal the standard
// input, output and error of the process come as descriptors, and in any case the pipe that Held
// speaks of, as the last; with OpCreate the detached mounts that Mounts names.
type Request struct {
	Op Op `json:"op"`
	// Zone and StateDir name the zone and its run-time directory on the host.
	Zone     string `json:"zone"`
	StateDir string `json:"state_dir"`
	// Cgroup is the zone generation's directory below the cgroup2 mount, with a leading
	// slash: its children are ct/ and admin/.
	Cgroup string `json:"cgroup"`
	// CgroupMount is where cgroup2 is mounted on the host.
	CgroupMount string `json:"cgroup_mount"`
	// Libexec holds the programs of the zone, IDBase is the first id of its range.
	Libexec string `json:"libexec,omitempty"`
	IDBase  uint32 `json:"id_base,omitempty"`
	// Contract is the process contract of the zone's init (OpCreate).
	Contract uint32 `json:"contract,omitempty"`
	// Mounts are the types of the file systems that the supervisor serves, in the order of
	// their mounts' descriptors (OpCreate).
	Mounts []string `json:"mounts,omitempty"`
	// Login says what OpExec starts; Slot is the name of its cgroup below admin/.
	Login *Login `json:"login,omitempty"`
	Slot  string `json:"slot,omitempty"`
	// Held: the process waits for a byte from its pipe before it becomes anything (OpExec).
	Held bool `json:"held,omitempty"`
}

// Login says what OpExec starts. It is what the door's login verb says, field by field, so
// that the one converts to the other: this room knows nothing of the door.
type Login struct {
	Args     []string `json:"args,omitempty"`
	Shell    bool     `json:"shell,omitempty"`
	User     string   `json:"user,omitempty"`
	Failsafe bool     `json:"failsafe,omitempty"`
	TTY      bool     `json:"tty,omitempty"`
	Rows     uint16   `json:"rows,omitempty"`
	Cols     uint16   `json:"cols,omitempty"`
	Term     string   `json:"term,omitempty"`
}

// Reply is zrun's answer. The descriptors with it are, in this order: for OpCreate the
// console's master, init's pidfd, and the socket on which the trampoline waits; for OpExec
// the process's pidfd and, with a terminal, its master.
type Reply struct {
	// Error is empty when it worked; else it is one line for a person, Key its kind.
	Error string `json:"error,omitempty"`
	Key   string `json:"key,omitempty"`
	// Pid and Start name the process (start time in ticks since boot).
	Pid   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"`
	// Init is what boot has the trampoline become (OpCreate).
	Init *Init `json:"init,omitempty"`
	// Warnings are lines for a person about what the platform could not do.
	Warnings []string `json:"warnings,omitempty"`
}

// Init is the program that boot lets the trampoline become. It is also the one message
// that is sent on the trampoline's socket.
type Init struct {
	Path string   `json:"path"`
	Args []string `json:"args"`
	Env  []string `json:"env"`
}
