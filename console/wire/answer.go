package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Answer is a supervisor's first line.
type Answer struct {
	HolderPid    int // with Version 0: not welcome, this process has the console
	Full         int // not welcome: there are so many readers, which is the most
	HasPositions bool
	Point        Point // of the first byte after the line
	// Version is that of the connection: 2 has frames.
	Version int
	// Reader, with a version: the client watches. It may have asked for more: then another
	// client took the console meanwhile, and HolderPid is its process, if there still is one.
	Reader bool
}

// Framed says whether frames follow.
func (a Answer) Framed() bool { return a.Version >= 2 }

// Line is the line to send, with its newline.
func (a Answer) Line() string {
	switch {
	case a.Full != 0:
		return "FULL " + strconv.Itoa(a.Full) + "\n"
	case a.Version == 0 && a.HolderPid != 0:
		return strconv.Itoa(a.HolderPid) + "\n"
	case !a.HasPositions:
		return "OK\n"
	}
	line := "OK " + a.Point.String()
	if a.Framed() {
		role := Writer
		if a.Reader {
			role = Reader
		}
		line += " v=" + strconv.Itoa(a.Version) + " as=" + roles[role]
		if a.Reader && a.HolderPid != 0 {
			line += " pid=" + strconv.Itoa(a.HolderPid)
		}
	}
	return line + "\n"
}

// ParseAnswer reads a line with its newline.
func ParseAnswer(line []byte) (Answer, error) {
	if len(line) == 0 || len(line) > AnswerMax || line[len(line)-1] != '\n' {
		return Answer{}, fmt.Errorf("%w: not one line of at most %d bytes", ErrAnswer, AnswerMax)
	}
	words := strings.Split(string(line[:len(line)-1]), " ")
	if words[0] == "FULL" && len(words) == 2 {
		n, ok := number(words[1], clientsMax)
		if !ok {
			return Answer{}, fmt.Errorf("%w: not a number of readers", ErrAnswer)
		}
		return Answer{Full: n}, nil
	}
	if words[0] == "OK" {
		return parseWelcome(words[1:])
	}
	pid, ok := parsePid(words[0])
	if !ok || len(words) > 1 {
		return Answer{}, fmt.Errorf("%w: neither OK nor a process number", ErrAnswer)
	}
	return Answer{HolderPid: pid}, nil
}

// parseWelcome reads the words after OK.
func parseWelcome(words []string) (a Answer, err error) {
	if len(words) == 0 {
		return a, nil
	}
	if a.Point, a.HasPositions = ParsePoint(words[0]); !a.HasPositions {
		return Answer{}, fmt.Errorf("%w: not a position", ErrAnswer)
	}
	if words = words[1:]; len(words) == 0 {
		return a, nil
	}
	v, ok := strings.CutPrefix(words[0], "v=")
	n, good := number(v, Version)
	if !ok || !good || n < 2 || len(words) < 2 || len(words) > 3 {
		return Answer{}, fmt.Errorf("%w: not a version that was asked for", ErrAnswer)
	}
	a.Version = n
	word, ok := strings.CutPrefix(words[1], "as=")
	role, good := parseRole(word)
	if !ok || !good || role == Taker {
		return Answer{}, fmt.Errorf("%w: not a role", ErrAnswer)
	}
	a.Reader = role == Reader
	if len(words) == 3 {
		pid, ok := strings.CutPrefix(words[2], "pid=")
		if a.HolderPid, good = parsePid(pid); !ok || !good || !a.Reader {
			return Answer{}, fmt.Errorf("%w: not the writer's process number", ErrAnswer)
		}
	}
	return a, nil
}
