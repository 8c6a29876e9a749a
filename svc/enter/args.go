package enter

import (
	"errors"
	"strings"
)

// mode is what to become.
type mode int

const (
	login mode = iota + 1
	shell
	command
)

var modes = map[string]mode{"login": login, "shell": shell, "exec": command}

// call is a parsed command line.
type call struct {
	user  string
	term  string
	mode  mode
	words []string
}

var errUsage = errors.New("usage: enter [-l USER] [-t TERM] login | {shell|exec} -- WORD...")

// parse reads what follows the program's name.
func parse(args []string) (call, error) {
	c := call{user: "root"}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-l":
			c.user = args[1]
		case "-t":
			c.term = args[1]
		default:
			return call{}, errUsage
		}
		args = args[2:]
	}
	if len(args) == 0 || modes[args[0]] == 0 {
		return call{}, errUsage
	}
	c.mode, args = modes[args[0]], args[1:]
	if c.mode == login {
		if len(args) > 0 {
			return call{}, errUsage
		}
		return c, nil
	}
	if len(args) < 2 || args[0] != "--" {
		return call{}, errUsage
	}
	c.words = args[1:]
	return c, nil
}
