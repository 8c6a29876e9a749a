package client

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// terminal is the person's terminal, if the input is one.
type terminal struct {
	fd    int // -1: none
	saved unix.Termios
	raw   bool
	// typeless: nothing typed is meant for a program that reads it later. It may be the
	// terminal's own answer to something that the zone has written.
	typeless bool
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

func openTerminal(fd int) terminal {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return terminal{fd: -1}
	}
	return terminal{fd: fd, saved: *t}
}

func (t *terminal) exists() bool { return t.fd >= 0 }

// special are the characters that were set when the session began.
func (t *terminal) special() special {
	if !t.exists() {
		return special{}
	}
	cc := &t.saved.Cc
	return special{eof: cc[unix.VEOF], kill: cc[unix.VKILL], eol: cc[unix.VEOL], susp: cc[unix.VSUSP], intr: cc[unix.VINTR]}
}

// makeRaw passes every character on at once and shows none: the zone's terminal does that.
func (t *terminal) makeRaw() error {
	if !t.mine() {
		return nil
	}
	m := sys.Raw(t.saved)
	if err := unix.IoctlSetTermios(t.fd, unix.TCSETS, &m); err != nil {
		return err
	}
	t.raw = true
	return nil
}

// restore puts the terminal back as it was. It does not wait for output, which may be stuck.
func (t *terminal) restore() {
	if !t.raw || !t.mine() {
		return
	}
	if t.typeless {
		_ = unix.IoctlSetInt(t.fd, unix.TCFLSH, unix.TCIFLUSH)
	}
	if unix.IoctlSetTermios(t.fd, unix.TCSETS, &t.saved) == nil {
		t.raw = false
	}
}

// window is the terminal's size; nothing when there is none.
func (t *terminal) window() (w wire.Window) {
	if !t.exists() {
		return w
	}
	if ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ); err == nil {
		w = wire.Window{Cols: ws.Col, Rows: ws.Row}
	}
	return w
}

// rows is how many lines of the past are asked for: the banner takes one.
func (t *terminal) rows() int {
	if w := t.window(); w.Rows > 1 {
		return min(int(w.Rows)-1, wire.RowsMax)
	}
	return wire.RowsUsual
}

// mine says whether the terminal is this process's to set: it is not while a shell has put
// the process into the background. A terminal without job control is anybody's.
func (t *terminal) mine() bool {
	if !t.exists() {
		return false
	}
	front, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err != nil || front == unix.Getpgrp()
}

// ends ends what was begun of a sequence or a command string. Where there is none it does nothing.
const ends = "\x18\x1b\\"

// calm switches off what a zone's output may leave behind in a terminal, where the person's shell
// goes on: who types at a console is shown what the zone writes, as it comes. The cursor stays
// where it is.
const calm = "\x0f\x1b(B" + // character sets
	"\x1b[?69l\x1b7\x1b[r\x1b8" + // margins
	"\x1b[4;20l" + // insertion, newlines for returns
	"\x1b[?7;25h\x1b[?5;2026l" + // no wrapping, no cursor, reversed or frozen screen
	"\x1b[?9;1000;1001;1002;1003;1004;1005;1006;1015;1016l" + // reports of mouse and focus
	"\x1b[?2004l\x1b[?1;66l\x1b>\x1b[>4m\x1b[=0u" + // bracketed paste, other codes of keys
	"\x1b[0m" // colours

// otherScreen says whether a terminal has been left on its other screen. To switch back one that is
// not there would move its cursor, so it is not done in any case.
type otherScreen struct {
	on   bool
	tail []byte // the end of what was seen
}

// back goes to the screen where the person's shell was.
const back = "\x1b[?1049l"

// switches are the ends of the sequences, as programs write them.
var switches = []struct {
	to string
	on bool
}{{"?1049h", true}, {"?1049l", false}, {"?1047h", true}, {"?1047l", false}, {"?47h", true}, {"?47l", false}}

// switchBytesMax is the longest of them.
const switchBytesMax = len("?1049h")

func (o *otherScreen) saw(p []byte) {
	o.look(append(o.tail, p[:min(len(p), switchBytesMax)]...))
	o.look(p)
	o.tail = append(o.tail, p[max(0, len(p)-switchBytesMax):]...)
	o.tail = append([]byte(nil), o.tail[max(0, len(o.tail)-switchBytesMax):]...)
}

func (o *otherScreen) look(p []byte) {
	for end := len(p); ; {
		i := bytes.LastIndexByte(p[:end], '?')
		if i < 0 {
			return
		}
		for _, s := range switches {
			if bytes.HasPrefix(p[i:], []byte(s.to)) {
				o.on = s.on
				return
			}
		}
		end = i
	}
}

// quiet is what makes a terminal one for a shell again.
func (o *otherScreen) quiet() string {
	if o.on {
		return ends + back + calm
	}
	return ends + calm
}
