package method

import (
	"math"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"

	"golang.org/x/sys/unix"
)

// Names of the methods that svc.startd runs.
const (
	Start   = "start"
	Stop    = "stop"
	Refresh = "refresh"
	Monitor = "monitor"
)

// CommandBytesMax is the most that a command can have with its tokens expanded: what execve(2) takes
// as one argument, less the words before it.
const CommandBytesMax = 128<<10 - 64

// Kind is what a method is.
type Kind uint8

// The kinds. For the first two the original says something to the instance's log and goes on as if
// the method had succeeded.
const (
	NoGroup Kind = iota // there is no group of this name
	NoExec              // it has no property exec
	Null                // ":true": nothing is run
	Kill                // ":kill": Signal goes to the contract
	Exec                // Command is run
)

// Method is one method of an instance.
type Method struct {
	Name string
	Kind Kind
	// Command is what the shell is to execute, tokens expanded; of Exec.
	Command string
	// Signal is of Kill.
	Signal unix.Signal
	// Timeout is how long it may run; 0: as long as it likes.
	Timeout time.Duration
	// Events end the service when they come of the contract of its start method: those of
	// restart_on without those of startd/ignore_error.
	Events contract.Events
	// Notices are for the instance's log whenever the method is run.
	Notices []string
}

// Method reads the method of this name. *Error (ErrMethod, ErrTokens), and what the Configs say.
func (i *Instance) Method(name string) (Method, error) {
	m := Method{Name: name}
	g, err := group(i.Running, name)
	if err != nil || g == nil {
		return m, err
	}
	p := g.Prop("exec")
	if p == nil {
		m.Kind = NoExec
		return m, nil
	}
	command, is := word(p)
	if !is {
		return m, &Error{Code: ExitConfig, Text: name + "/exec is not one string.", kind: ErrMethod}
	}
	startd, err := group(i.Running, startdGroup)
	if err != nil {
		return m, err
	}
	m.Events = restartOn(g) &^ ignored(startd)
	m.timeout(g)
	if command, err = i.expand(command, name); err != nil {
		return m, err
	}
	return m, m.take(command)
}

// take says what a command is.
func (m *Method) take(command string) error {
	if command == ":true" {
		m.Kind = Null
		return nil
	}
	if args, is := killArguments(command); is {
		sig, ok := signal(args)
		if !ok {
			return &Error{Code: ExitConfig, kind: ErrMethod,
				Text: m.Name + "/exec is " + quoted(command) + ": a signal is written as in \":kill -HUP\", by name or number."}
		}
		m.Kind, m.Signal = Kill, sig
		return nil
	}
	if strings.IndexByte(command, 0) >= 0 {
		return &Error{Code: ExitConfig, Text: m.Name + "/exec has a zero byte in it.", kind: ErrMethod}
	}
	m.Kind, m.Command = Exec, command
	return nil
}

// timeout reads how long the method may run. 0 and -1, which is the largest count, are infinite.
func (m *Method) timeout(g *tree.Group) {
	p := g.Prop("timeout_seconds")
	if p == nil || len(p.Values) == 0 {
		return
	}
	if p.Type != prop.Count || len(p.Values) != 1 {
		m.Notices = append(m.Notices, name(m.Name, "timeout_seconds")+" is multi-valued or not of type count.  Using infinite timeout.")
		return
	}
	seconds, ok := number(p)
	if !ok || seconds > math.MaxInt64/uint64(time.Second) { // -1, and what is 292 years and more
		return
	}
	m.Timeout = time.Duration(seconds) * time.Second
}

// restartOn are the events of a method's restart_on.
func restartOn(g *tree.Group) contract.Events {
	switch v, _ := word(g.Prop("restart_on")); v {
	case "external_fault":
		return contract.Hwerr | contract.Signal
	case "any_fault":
		return contract.Hwerr | contract.Signal | contract.Core
	}
	return contract.Hwerr | contract.Signal | contract.Core | contract.Empty
}

// ignored are the events of startd/ignore_error: exactly these words, all others ignore nothing.
func ignored(startd *tree.Group) contract.Events {
	switch v, _ := word(property(startd, "ignore_error")); v {
	case "core":
		return contract.Core
	case "signal":
		return contract.Signal
	case "core,signal", "signal,core":
		return contract.Core | contract.Signal
	}
	return 0
}
