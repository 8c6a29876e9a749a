package svcadm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
)

const usage = `Usage: svcadm [-S <state>] [-v] [-Z | -z zone] [cmd [args ... ]]

	svcadm enable [-rst] [<service> ...]	- enable and online service(s)
	svcadm disable [-st] [-c comment] [<service> ...] - disable and offline service(s)
	svcadm restart [-d] [<service> ...]	- restart specified service(s)
	svcadm refresh [<service> ...]		- re-read service configuration
	svcadm mark [-It] <state> [<service> ...] - set maintenance state
	svcadm clear [<service> ...]		- clear maintenance state
	svcadm milestone [-d] <milestone>	- advance to a service milestone

	A service is named by its FMRI, the end of it, or a pattern:

	svcadm <cmd> svc:/network/smtp:sendmail
	svcadm <cmd> network/smtp:sendmail
	svcadm <cmd> 'network/*mail'
	svcadm <cmd> smtp
`

var usageMilestone = `Usage: svcadm milestone [-d] <milestone>

	-d	make the specified milestone the default for system boot

	Milestones can be specified using an FMRI or abbreviation.
	The major milestones are as follows:

	all
	none
	` + strings.Join(graph.Milestones, "\n\t") + "\n"

// misuse is a mistake in a command line. Either text may be empty.
type misuse struct{ text, usage string }

func (m *misuse) Error() string { return m.text }

var plain = &misuse{usage: usage}

// command is what svcadm can be told to do.
type command struct {
	name    string
	options string // letters; a colon stands behind those that take a word
	do      func(*run) error
}

var commands []command

func init() { // as a value it would depend on itself
	commands = []command{
		{"enable", "rst", (*run).enable},
		{"disable", "stc:", (*run).disable},
		{"restart", "d", (*run).restart},
		{"refresh", "", (*run).refresh},
		{"clear", "", (*run).clear},
		{"mark", "It", (*run).mark},
		{"milestone", "d", (*run).milestone},
	}
}

// order is what svcadm was told to do.
type order struct {
	verbose, allZones, hasZone, search bool
	zone                               string
	state                              string // of -S
	command                            *command
	options                            string // letters that were given to the command
	comment                            string
	word                               string // what mark and milestone take
	operands                           []string
}

// has says whether the command was given an option.
func (o *order) has(letter string) bool { return strings.Contains(o.options, letter) }

// states are the words after -S.
var states = []string{"uninitialized", "disabled", "offline", "online", "degraded", "maintenance", "legacy_run"}

// options takes options off args, as getopt(3) does.
func options(args []string, letters string, take func(letter byte, value string) *misuse) ([]string, *misuse) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			at := strings.IndexByte(letters, word[i])
			if at < 0 || word[i] == ':' {
				return args, plain
			}
			value, valued := "", strings.HasPrefix(letters[at+1:], ":")
			if valued {
				if value = word[i+1:]; value == "" {
					if len(args) == 0 {
						return args, plain
					}
					value, args = args[0], args[1:]
				}
			}
			if bad := take(word[i], value); bad != nil {
				return args, bad
			}
			if valued {
				break
			}
		}
	}
	return args, nil
}

func parse(args []string) (o order, err error) {
	args, bad := options(args, "S:vZz:", o.global)
	if bad != nil {
		return o, bad
	}
	if len(args) == 0 {
		return o, plain
	}
	at := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	if at < 0 {
		return o, plain
	}
	o.command = &commands[at]
	args, bad = options(args[1:], o.command.options, o.local)
	switch {
	case bad != nil && o.command.name == "milestone":
		return o, &misuse{usage: usageMilestone}
	case bad != nil:
		return o, bad
	}
	if bad = o.words(args); bad != nil {
		return o, bad
	}
	return o, nil
}

func (o *order) global(letter byte, value string) *misuse {
	switch letter {
	case 'S':
		if !slices.Contains(states, value) {
			return &misuse{text: "-S: '" + value + "' is no state; the states are " + strings.Join(states, ", ") + "."}
		}
		o.search, o.state = true, value
	case 'v':
		o.verbose = true
	case 'Z':
		o.allZones = true
	case 'z':
		o.hasZone, o.zone = true, value
	}
	if o.allZones && o.hasZone {
		return plain
	}
	return nil
}

func (o *order) local(letter byte, value string) *misuse {
	o.options += string(letter)
	if letter != 'c' {
		return nil
	}
	if _, err := prop.Canonical(prop.AString, value); err != nil || len(value) > prop.ValueBytesMax {
		return &misuse{text: "disable -c: a comment has at most " + strconv.Itoa(prop.ValueBytesMax) + " bytes, and none of them zero."}
	}
	o.comment = value
	return nil
}

// words are what comes after the options.
func (o *order) words(args []string) *misuse {
	switch o.command.name {
	case "milestone":
		if len(args) != 1 || o.search {
			return &misuse{usage: usageMilestone}
		}
		name, bad := milestone(args[0])
		o.word = name
		return bad
	case "mark":
		if len(args) == 0 {
			return plain
		}
		o.word, args = args[0], args[1:]
		switch {
		case o.word == "degraded" && o.has("t"):
			return &misuse{text: "-t may not be used with degraded."}
		case o.word != "degraded" && o.word != "maintenance":
			return plain
		}
	}
	if (len(args) == 0) != o.search {
		return plain
	}
	o.operands = args
	return nil
}

// milestone finds one by its name, its FMRI, or the end of either.
func milestone(text string) (string, *misuse) {
	if text == "all" || text == "none" {
		return text, nil
	}
	for _, name := range graph.Milestones {
		short := strings.TrimSuffix(name, ":default")
		for _, whole := range []string{name, short} {
			if text != "" && (whole == text || strings.HasSuffix(whole, "/"+text)) {
				return name, nil
			}
		}
	}
	return "", &misuse{"\"" + text + "\" is not a valid major milestone.", usageMilestone}
}
