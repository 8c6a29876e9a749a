package telinit

import (
	"errors"
	"strings"

	"github.com/linuxzones/zones/svc/request"
)

// order is a parsed command line.
type order struct {
	request request.Request
	force   bool // reboot(2) at once
	nothing bool // accepted, and there is nothing to do
	note    string

	// The rest is shutdown's.
	wait    wait
	cancel  bool
	confirm bool   // ask first
	message string // for everybody
	pretend bool   // warn only
}

// usageError is the usage line of one command.
type usageError string

func (e usageError) Error() string { return "usage: " + string(e) }

const (
	usageInit     = usageError("init|telinit 0|1|2|3|5|6|s|S|q|Q")
	usageHalt     = usageError("halt|poweroff|reboot [-fqnpdlwy] [-- BOOT ARGUMENTS]")
	usageShutdown = usageError("shutdown [-y] [-g SECONDS] [-i LEVEL] [MESSAGE...]\n" +
		"       shutdown [-r|-h|-H|-P|-k] [now|+MINUTES|HH:MM] [MESSAGE...]\n" +
		"       shutdown -c")
)

// parse reads the arguments of the command called name.
func parse(name string, args []string) (order, error) {
	switch name {
	case "halt", "poweroff", "reboot":
		return parseHalt(name, args)
	case "shutdown":
		return parseShutdown(args)
	}
	if len(args) != 1 {
		return order{}, usageInit
	}
	r, ok := request.Level(args[0])
	if !ok {
		return order{}, errors.Join(errors.New("unknown run level"), usageInit)
	}
	return order{request: r}, nil
}

var named = map[string]request.Request{"halt": request.Halt, "poweroff": request.Poweroff, "reboot": request.Reboot}

// long are Linux' words for the short options.
var long = map[string]byte{"force": 'f', "halt": 'H', "poweroff": 'p', "reboot": 'r', "no-wall": 'y', "no-sync": 'n', "wtmp-only": 'w'}

const noBootArguments = "boot arguments are not passed on from inside of a zone: use zoneadm reboot in the global zone"

// parseHalt: -q of Solaris leaves out the orderly end as -f does. Nothing is synced anyway
// (-n), no crash dump is taken (-d), nobody is logged (-l, -w), nothing is asked (-y).
func parseHalt(name string, args []string) (order, error) {
	o := order{request: named[name]}
	for i, arg := range args {
		word, isLong := strings.CutPrefix(arg, "--")
		switch {
		case arg == "--" || !strings.HasPrefix(arg, "-"):
			// Solaris' reboot takes boot arguments with and without --.
			given := arg != "--" || len(args) > i+1
			if given && name != "reboot" {
				return order{}, usageHalt
			}
			if given {
				o.note = noBootArguments
			}
			return o, nil
		case isLong:
			if !o.option(long[word]) {
				return order{}, usageHalt
			}
		default:
			for _, c := range []byte(arg[1:]) {
				if !o.option(c) {
					return order{}, usageHalt
				}
			}
		}
	}
	return o, nil
}

func (o *order) option(c byte) bool {
	switch c {
	case 'f', 'q':
		o.force = true
	case 'p':
		o.request = request.Poweroff
	case 'H':
		o.request = request.Halt
	case 'r':
		o.request = request.Reboot
	case 'w':
		o.nothing = true
	case 'n', 'd', 'l', 'y':
	default:
		return false
	}
	return true
}
