package login

import "golang.org/x/sys/unix"

// escape recognises the escapes of an interactive login, as zlogin(8) has them: at the start
// of a line the escape character is kept back; what follows decides.
//
//	             escape char   . or EOF char    ends a line     other
//	start        keep          send             send, start     send
//	kept back    send          end              send, start     send (the ~ is swallowed)
//	elsewhere    send          send             send, start     send
//
// A line ends with CR, LF and the terminal's KILL, EOL, SUSP and INTR characters.
type escape struct {
	char  byte
	off   bool
	eof   byte
	ends  [256]bool
	where place
}

type place uint8

const (
	start place = iota
	keptBack
	elsewhere
)

// newEscape takes the special characters from the person's terminal. 0 is none there.
func newEscape(char byte, off bool, tio *unix.Termios) *escape {
	e := &escape{char: char, off: off}
	e.ends['\r'], e.ends['\n'] = true, true
	if tio == nil {
		return e
	}
	for _, i := range []int{unix.VKILL, unix.VEOL, unix.VSUSP, unix.VINTR} {
		if c := tio.Cc[i]; c != 0 {
			e.ends[c] = true
		}
	}
	e.eof = tio.Cc[unix.VEOF]
	return e
}

// feed appends to out what is to be sent of in. ended: the session ends with the character last.
func (e *escape) feed(out, in []byte) (_ []byte, last byte, ended bool) {
	for _, c := range in {
		was := e.where
		e.where = elsewhere
		if e.ends[c] {
			e.where = start
		}
		switch {
		case was == start && c == e.char && !e.off:
			e.where = keptBack
			continue
		case was == keptBack && (c == '.' || c == e.eof && c != 0):
			return out, c, true
		}
		out = append(out, c)
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
