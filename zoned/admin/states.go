package admin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// Command is a subcommand of zoneadm.
type Command string

// The subcommands.
const (
	Boot  Command = "boot"
	Check Command = "check"
	// ConsoleLog and ConsoleRecord are not the original's.
	ConsoleLog    Command = "console-log"
	ConsoleRecord Command = "console-record"
	Fsck          Command = "fsck"
	Halt          Command = "halt"
	Help          Command = "help"
	Install       Command = "install"
	List          Command = "list"
	Mark          Command = "mark"
	Plan          Command = "plan"
	Ready         Command = "ready"
	Reboot        Command = "reboot"
	Shutdown      Command = "shutdown"
	Uninstall     Command = "uninstall"
	Upgrade       Command = "upgrade"
	Verify        Command = "verify"
)

// Force says whether an operation was forced.
type Force bool

// Forced lifts what a command's -f lifts.
const (
	Unforced Force = false
	Forced   Force = true
)

// Why a command is refused: %[1]s is the command, %[2]s the zone's state. The texts are the
// original's (zoneadm.c, sanity_check).
const (
	legal      = ""
	tooEarly   = "must be installed before %[1]s."
	present    = "is already installed."
	bare       = "is already in state 'configured'."
	incomplete = "zone is incomplete; uninstall required."
	stopped    = "not running"
	alive      = "%[1]s operation is invalid for %[2]s zones."
	notItsDoor = "%[1]s operation is invalid for zones in state '%[2]s'"
)

// refusals says what zoneadm itself refuses; what is legal here the supervisor may still
// refuse or answer with a note, by its own table, since the state may have changed by then.
// A command that is not listed is legal in every state.
//
// configured: nothing is there to run. incomplete: only uninstall and mark make sense.
// installed: whatever needs a running zone is refused. From ready on the zone's files are in
// use, so what changes them is refused.
var refusals = map[Command][8]string{
	//         configured  incomplete  installed  ready    mounted  running  shutting_down  down
	Ready:    {tooEarly, tooEarly, legal, legal, legal, legal, legal, legal},
	Boot:     {tooEarly, tooEarly, legal, legal, legal, legal, legal, legal},
	Halt:     {notItsDoor, notItsDoor, legal, legal, legal, legal, legal, legal},
	Reboot:   {stopped, stopped, stopped, legal, legal, legal, legal, legal},
	Shutdown: {stopped, stopped, stopped, legal, legal, legal, legal, legal},
	// Its supervisor, which serves the console, wants an installed zone.
	ConsoleRecord: {tooEarly, tooEarly, legal, legal, legal, legal, legal, legal},
	Verify:        {legal, incomplete, legal, legal, legal, legal, legal, legal},
	Install:       {legal, incomplete, present, alive, alive, alive, alive, alive},
	Uninstall:     {bare, legal, legal, alive, alive, alive, alive, alive},
}

// unprivileged commands work for every user, as far as files are readable.
var unprivileged = map[Command]bool{Check: true, Help: true, List: true, Plan: true}

// Refusal gives the reason why a command is refused in a state, empty when it is legal.
func Refusal(cmd Command, state configs.State, force Force) string {
	if cmd == Boot && force == Forced && state == configs.Incomplete {
		return ""
	}
	row, ok := refusals[cmd]
	if !ok || int(state) >= len(row) || row[state] == legal {
		return ""
	}
	text := row[state]
	if !strings.Contains(text, "%") {
		return text
	}
	if !strings.Contains(text, "%[2]s") {
		return fmt.Sprintf(text, cmd)
	}
	return fmt.Sprintf(text, cmd, state)
}

// Sane checks what can be said before anything is done: that a zone was named, may be
// administered by this caller, exists, and is in a state in which the command makes sense.
// It returns the zone's state.
func (a *Admin) Sane(cmd Command, force Force) (configs.State, error) {
	if a.Zone == "" {
		return 0, ErrNoZone
	}
	if cmd != List && cmd != Plan {
		if a.Zone == configs.GlobalName {
			return 0, fmt.Errorf("%s operation is invalid for the global zone.", cmd)
		}
		if strings.HasPrefix(a.Zone, "SUNW") {
			return 0, fmt.Errorf("%s operation is invalid for zones starting with SUNW.", cmd)
		}
	}
	if !a.Privileged && !unprivileged[cmd] {
		return 0, fmt.Errorf("only a privileged user may %s a zone.", cmd)
	}
	state, err := a.State()
	if err != nil {
		return 0, err
	}
	if why := Refusal(cmd, state, force); why != "" {
		return state, errors.New(why)
	}
	return state, nil
}

// State is the zone's state as administrators see it.
func (a *Admin) State() (configs.State, error) {
	e, err := a.Store.Lookup(a.Zone)
	if errors.Is(err, configs.ErrNoZone) {
		return 0, configs.ErrNoZone // the zone's name is in front of every message already
	}
	if err != nil {
		return 0, err
	}
	live, err := a.live(e.Name)
	if err != nil {
		return 0, err
	}
	if live != nil {
		return live.state, nil
	}
	return e.State, nil
}
