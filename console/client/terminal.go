package client

import (
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

// calm switches off what a zone's output commonly leaves behind in a terminal: colours and
// character sets, hidden cursor, mouse reports, bracketed paste, application keys.
const calm = "\x0f\x1b(B\x1b[0m\x1b[?25h\x1b[?1000;1002;1003;1006l\x1b[?2004l\x1b[?1l\x1b>"
