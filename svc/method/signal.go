package method

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// blanks are what isspace(3C) takes.
const blanks = " \t\n\v\f\r"

// signalMax is the largest number of a signal.
const signalMax = 64

// killArguments gives what follows ":kill", and whether that is what the command is.
func killArguments(command string) (string, bool) {
	rest, is := strings.CutPrefix(command, ":kill")
	if !is || rest != "" && strings.IndexByte(blanks, rest[0]) < 0 {
		return "", false
	}
	return strings.Trim(rest, blanks), true
}

// signal reads what follows ":kill": nothing, or one signal after a '-'.
func signal(args string) (unix.Signal, bool) {
	if args == "" {
		return unix.SIGTERM, true
	}
	text, is := strings.CutPrefix(args, "-")
	if !is || text == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(text, 10, 8); err == nil {
		return unix.Signal(n), 1 <= n && n <= signalMax
	}
	if !strings.HasPrefix(text, "SIG") {
		text = "SIG" + text
	}
	n := unix.SignalNum(text)
	return n, n != 0
}
