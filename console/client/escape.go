package client

import (
	"fmt"
	"strconv"
)

// DefaultEscape is the escape character when -e sets no other.
const DefaultEscape = '~'

// ParseEscape reads the argument of -e: one character, ^ and a character for a control
// character, or \ and one to three octal digits. NUL cannot be the escape character.
func ParseEscape(arg string) (byte, error) {
	c, err := parseEscape(arg)
	if err == nil && c == 0 {
		err = fmt.Errorf("%w %q: NUL cannot be one", ErrEscape, arg)
	}
	return c, err
}

func parseEscape(arg string) (byte, error) {
	bad := fmt.Errorf("%w %q: use one character, ^x, or \\nnn in octal", ErrEscape, arg)
	switch {
	case len(arg) == 1:
		return arg[0], nil
	case len(arg) == 2 && arg == "^?":
		return 0x7f, nil
	case len(arg) == 2 && arg[0] == '^':
		c := arg[1]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < '@' || c > '_' {
			return 0, bad
		}
		return c - '@', nil
	case 2 <= len(arg) && len(arg) <= 4 && arg[0] == '\\':
		n, err := strconv.ParseUint(arg[1:], 8, 8)
		if err != nil {
			return 0, bad
		}
		return byte(n), nil
	}
	return 0, bad
}

// special are the characters of the person's terminal that matter. 0 is none.
type special struct {
	eof                   byte
	kill, eol, susp, intr byte
}

// The state of the input: where in a line the next character stands.
type state uint8

const (
	lineStart   state = iota // of the session, or after a character that ends a line
	afterEscape              // the escape character came at a line's start and is kept back
	midLine
	stateCount
)

// What is done with a character.
type act uint8

const (
	send act = iota
	keep     // the escape character: nothing is sent
	quit     // end of the session
)

type step struct {
	act  act
	next state
}

// escape recognises escapes. What each pair of state and character means:
//
//	             escape char   . or EOF char    ends a line¹       other
//	lineStart    keep →after   send →mid        send →lineStart    send →mid
//	afterEscape  send →mid     quit             send →lineStart    send →mid
//	midLine      send →mid     send →mid        send →lineStart    send →mid
//
//	¹ CR, LF and the terminal's KILL, EOL, SUSP, INTR. A character of two kinds: at a line's
//	  start the escape character comes first, after it "." and EOF do, and where a character is
//	  sent the next state is lineStart if it ends a line.
type escape struct {
	table *[stateCount][256]step
	state state
	char  byte
}

// newEscape makes the table. off: no escapes (-E).
func newEscape(char byte, off bool, sp special) escape {
	var t [stateCount][256]step
	for s := range t {
		for c := range t[s] {
			t[s][c] = step{send, midLine}
		}
		for _, c := range []byte{'\r', '\n', sp.kill, sp.eol, sp.susp, sp.intr} {
			if c != 0 {
				t[s][c].next = lineStart
			}
		}
	}
	if !off {
		t[lineStart][char] = step{keep, afterEscape}
		t[afterEscape]['.'] = step{quit, lineStart}
		if sp.eof != 0 {
			t[afterEscape][sp.eof] = step{quit, lineStart}
		}
	}
	return escape{table: &t, char: char}
}

// feed appends to out what is to be sent of in. quit: the session ends with the character
// last, and what came after it in the same read is nobody's.
func (e *escape) feed(out, in []byte) (_ []byte, last byte, ended bool) {
	for _, c := range in {
		s := e.table[e.state][c]
		e.state = s.next
		switch s.act {
		case send:
			out = append(out, c)
		case quit:
			return out, c, true
		}
	}
	return out, 0, false
}

// echo is what a person sees of the escape that ended the session.
func (e *escape) echo(last byte) string { return canonical(e.char) + canonical(last) }

// canonical writes a control character as ^X.
func canonical(c byte) string {
	switch {
	case c < ' ':
		return string([]byte{'^', c + '@'})
	case c == 0x7f:
		return "^?"
	}
	return string([]byte{c})
}
