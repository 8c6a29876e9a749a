package instance

import (
	"syscall"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
)

// Duration is startd/duration.
type Duration uint8

const (
	// Contract is a service with processes: the contract of its start method is its primary one,
	// and the service has failed when an event of it says so.
	Contract Duration = iota
	// Transient is a service without: what its methods leave behind is nobody's.
	Transient
	// Child is a service that is one process, which its start method becomes.
	Child
)

func (d Duration) String() string { return [...]string{"contract", "transient", "child"}[d] }

// Config is what the machine needs of the property group startd.
type Config struct {
	Duration Duration
	// CriticalCount starts within CriticalPeriod are too many. Outside of 1 to 10, or not above
	// zero, the defaults count: 10, and 600 s. Of a child it is always 10, and one second.
	CriticalCount  int
	CriticalPeriod time.Duration
	// NoTimeoutRetry is timeout_retry=false: a method that timed out is not tried again.
	NoTimeoutRetry bool
	// Backoff has an instance that restarts too quickly wait instead of going to maintenance.
	Backoff bool
}

// Method is one of the three methods that are run.
type Method uint8

const (
	Start Method = iota
	Stop
	Refresh
)

func (m Method) String() string { return [...]string{"start", "stop", "refresh"}[m] }

// SpecKind is what a look at a method has found.
type SpecKind uint8

const (
	NoGroup SpecKind = iota + 1 // there is no property group of the method's name
	NoExec                      // it has no property exec
	Bad                         // it can not be read, expanded, or its context not found out: Text says so
	Null                        // :true
	Kill                        // :kill, with Signal
	Exec                        // a command
)

// Spec is a method as it is to be run now.
type Spec struct {
	Kind   SpecKind
	Text   string // Exec: the expanded command. Bad: a whole line for the instance's log
	Signal syscall.Signal
	// Timeout is for the method, and for the service's processes to end after a stop. 0: none.
	Timeout time.Duration
	// Critical is what restart_on and ignore_error leave of the events: see method_events of
	// method.c. Only a start has a use for it.
	Critical contract.Events
	// Missing is the absolute path of a start method's program that is not there. Only a child
	// minds: for the others the shell says so.
	Missing string
	// NoContract says that a stop was looked up, and the primary contract can not be opened.
	NoContract bool
	// Notify has a start wait until the service says that it is ready (Ready). Of a transient one
	// it has no meaning.
	Notify bool
}

// InputKind says what an Input is.
type InputKind uint8

const (
	_ InputKind = iota
	// Order is what the graph says: Event; with AdminRestart Dump, with AdminMaintOn,
	// AdminMaintOnImmediate and AdminDegraded TTY and AuxFMRI. Config comes with AddInstance, and
	// with AdminRefresh when it was read again.
	Order
	// DegradeImmediate is an AdminDegraded that does not wait for a refresh that is under way.
	DegradeImmediate
	// Recovered is AddInstance for an instance that the svc.startd before this one had: Before.
	Recovered
	Found     // answers Lookup: Spec
	Started   // answers Run: Pid, Contract; Refused if the contract could not be transferred
	NotRun    // answers Run or Signal: Failure, Detail
	Signalled // answers Signal
	Ended     // the process Pid has ended: Status, or Lost if nobody knows it
	Event     // of the primary Contract: Events, one of them; Detail says who did it
	Emptied   // answers WatchEmpty: Contract
	Fired     // the timer Number
	Monitored // a monitor method has ended: Status
	Ready     // a member of Contract says that the service is ready
	Extended  // a member of Contract asks for For from now on, to become ready
	Lapsed    // a later run of a periodic service's start method has failed
)

// Failure is why a method could not be run.
type Failure uint8

const (
	_            Failure = iota
	Invalid              // EINVAL: the method or its context is not right
	NotSent              // EIO: the contract could not be signalled
	NotPossible          // EFAULT
	NotNow               // EAGAIN: it is tried again
	NeverStarted         // ECANCELED: the instance is gone from the repository
)

// Input is one thing that happened. Fields that a kind does not name are ignored.
type Input struct {
	Kind     InputKind
	Event    graph.Event
	Config   *Config
	Dump     bool
	TTY      bool   // who asked was at a terminal: an administrator
	AuxFMRI  string // the service that asked
	Before   Before
	Spec     Spec
	Pid      int
	Contract contract.ID
	Refused  bool
	Failure  Failure
	Detail   string
	Status   syscall.WaitStatus
	Lost     bool
	Events   contract.Events
	Number   uint64
	For      time.Duration
	Ticket   uint64 // of an Order that somebody wants to know of whether it waits: see Waits
}

// Before is what the repository says of an instance that a svc.startd had before.
type Before struct {
	State, Next graph.State // None: the repository says nothing
	Aux         string
	AuxFMRI     string
	AuxTTY      bool
	Detail      string
	Contracts   []Held
	Child       int // the process of a child; 0 if none is known
	Method      *InFlight
}

// Held is a contract that the repository names, or that was found to be the instance's.
type Held struct {
	ID        contract.ID
	Transient bool
	There     bool // it exists, and is ours (again)
	Empty     bool
}

// InFlight is a method that had been begun, and whose end nobody has told yet. Which one it is
// follows from the states.
type InFlight struct {
	Pid      int
	Contract contract.ID
	Gone     bool // the contract is not there, or not ours
	Began    time.Time
	Timeout  time.Duration
	// Notify is a start whose service is to say that it is ready. Done: its process has ended well
	// before that (NoteWait), and Pid is 0. Deadline is what an extension has made of the timeout.
	Notify, Done bool
	Deadline     time.Time
}

// ActionKind says what an Action is.
type ActionKind uint8

const (
	_ ActionKind = iota
	// WriteStates: States goes to the repository, then to the graph with Class and Answers.
	WriteStates
	// Answer: the graph is told States with Answers. Nothing has changed in the repository.
	Answer
	Lookup // Method is looked up: Found. The log's path is noted before
	// Run: Method with Spec as it was found, in a contract with Terms: Started or NotRun.
	Run
	Signal     // Number to Contract, as a method: Signalled or NotRun
	SendKill   // Number to Contract; nobody waits for word of it
	Abandon    // Contract
	Remember   // Contract is written to the repository, as Transient or as primary
	Forget     // Contract is taken from it
	WatchEmpty // Contract: Emptied
	// IgnoreEmpty: nobody waits for Contract to become empty any more.
	IgnoreEmpty
	NoteMethod // Method runs as Pid since Time; a start's is start_pid, start_method_timestamp too
	NoteStatus // start_method_waitstatus is Status
	// NoteWait: the process of the start method has ended well, and the start goes on until the
	// service is ready: method_pid goes, method stays.
	NoteWait
	NoteText     // status_text is Text; of who carries the actions out, not of the machine
	NoteDeadline // what NoteMethod told may last until Time
	NoteEnd      // no method runs any more: method and method_pid go
	SetTimer     // Fired with Number at Time
	ClearTimer   // Number
	Log          // Text to the instance's log
	Warn         // Text to svc.startd's log
	Say          // Notice to the console
	Dropped      // the instance is gone, and so is this machine
)

// Terms are what a method's contract has besides inherit and regent, svc_fmri and svc_aux (the
// method's name).
type Terms struct {
	Critical, Fatal contract.Events
	PgrpOnly        bool
	Transfer        contract.ID // 0: none. If it is not empty, Run goes on without: Refused
}

// States is what is written in the group restarter, besides contracts and methods.
type States struct {
	State, Next graph.State
	Aux         string // auxiliary_state: a reason
	AuxFMRI     string // auxiliary_fmri; empty: none
	AuxTTY      bool   // auxiliary_tty
	Detail      string // auxiliary_detail: who caused a contract's event
}

// Action is one thing that is to be done. Fields that a kind does not name are zero.
type Action struct {
	Kind      ActionKind
	States    States
	Class     graph.Class
	Answers   bool
	Method    Method
	Attempt   int // of Lookup and Run: 1 for the first
	Spec      Spec
	Terms     Terms
	Contract  contract.ID
	Transient bool
	Signal    syscall.Signal
	Pid       int
	Status    syscall.WaitStatus
	Time      time.Time
	Number    uint64
	Text      string
	Notice    Notice
}

// Notice is a message for the console.
type Notice uint8

const (
	_ Notice = iota
	StartRequested
	FailedRepeatedly
	FailedConfiguration
	FailedFatally
	FailedTimeout
	FailedOther
	MaintenanceRequested
)
