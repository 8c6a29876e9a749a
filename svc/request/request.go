package request

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
)

// Request is one thing that init can be asked.
type Request int

const (
	Halt Request = iota + 1
	Poweroff
	Reboot
	HaltNow
	PoweroffNow
	RebootNow
	Multi
	Server
	Single
	Reexamine
)

// rtmin is SIGRTMIN as every C library has it: the kernel's first two real-time signals are
// the library's own.
const rtmin = unix.Signal(34)

// facts are a Request's properties, a line each.
type facts struct {
	signals []unix.Signal // the first is the one that we send
	word    string        // for people
	action  inside.Action // what follows for the zone; 0: it stays up
	atOnce  bool
}

var table = map[Request]facts{
	Halt:        {[]unix.Signal{rtmin + 3, unix.SIGUSR1}, "halt", inside.Halt, false},
	Poweroff:    {[]unix.Signal{rtmin + 4, unix.SIGUSR2, unix.SIGPWR, unix.SIGTERM}, "power off", inside.Poweroff, false},
	Reboot:      {[]unix.Signal{rtmin + 5}, "reboot", inside.Reboot, false},
	HaltNow:     {[]unix.Signal{rtmin + 13}, "halt at once", inside.Halt, true},
	PoweroffNow: {[]unix.Signal{rtmin + 14}, "power off at once", inside.Poweroff, true},
	RebootNow:   {[]unix.Signal{rtmin + 15}, "reboot at once", inside.Reboot, true},
	Multi:       {[]unix.Signal{rtmin + 7}, "multi-user", 0, false},
	Server:      {[]unix.Signal{rtmin + 8}, "multi-user-server", 0, false},
	Single:      {[]unix.Signal{rtmin + 1}, "single-user", 0, false},
	Reexamine:   {[]unix.Signal{unix.SIGHUP}, "re-examine", 0, false},
}

// Signal is the one to send for r, 0 for no request.
func (r Request) Signal() unix.Signal {
	if f, ok := table[r]; ok {
		return f.signals[0]
	}
	return 0
}

// String is r in a message.
func (r Request) String() string { return table[r].word }

// Action is how the zone ends, 0 when it does not.
func (r Request) Action() inside.Action { return table[r].action }

// AtOnce says that nobody is asked to end first.
func (r Request) AtOnce() bool { return table[r].atOnce }

// Of finds what a signal asks, 0 for nothing.
func Of(sig unix.Signal) Request {
	for r, f := range table {
		for _, s := range f.signals {
			if s == sig {
				return r
			}
		}
	}
	return 0
}

// Ending are the signals after which the zone goes down; Other are the rest that init
// listens to. They are apart so that a storm of the others cannot crowd out an ending one.
func Ending() []unix.Signal { return signals(true) }

// Other: see Ending.
func Other() []unix.Signal { return signals(false) }

func signals(ending bool) []unix.Signal {
	var list []unix.Signal
	for _, f := range table {
		if (f.action != 0) == ending {
			list = append(list, f.signals...)
		}
	}
	return list
}

// levels are the words of init(8) and telinit(8). Level 4, and a, b, c, belong to inittab,
// which a zone has not.
var levels = map[string]Request{
	"0": Halt, "5": Poweroff, "6": Reboot,
	"s": Single, "S": Single, "1": Single,
	"2": Multi, "3": Server,
	"q": Reexamine, "Q": Reexamine,
}

// StartdDown is svc.startd's argument when the zone goes down; StartdSignal says it to one that runs.
// It stops all services, and ends with 0.
const (
	StartdDown   = "--down"
	StartdSignal = unix.SIGPWR
)

// Milestone is what svc.startd brings the zone to for r, which init passes on to it as it came; ""
// is none.
func (r Request) Milestone() string {
	switch r {
	case Single:
		return "svc:/milestone/single-user:default"
	case Multi:
		return "svc:/milestone/multi-user:default"
	case Server:
		return "all"
	}
	return ""
}

// Level finds the request behind a run level's word.
func Level(word string) (Request, bool) {
	r, ok := levels[word]
	return r, ok
}
