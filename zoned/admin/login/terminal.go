package login

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// terminal is the person's terminal.
type terminal struct {
	fd    int
	saved unix.Termios

	mu  sync.Mutex // guards raw
	raw bool
}

func openTerminal(fd int) (*terminal, error) {
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	return &terminal{fd: fd, saved: *tio}, nil
}

// makeRaw passes every character on at once and shows none: the zone's terminal does that.
func (t *terminal) makeRaw() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := sys.Raw(t.saved)
	if err := unix.IoctlSetTermios(t.fd, unix.TCSETS, &m); err != nil {
		return err
	}
	t.raw = true
	return nil
}

// restore puts the terminal back as it was. It does not wait for output, which may be stuck.
func (t *terminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw && unix.IoctlSetTermios(t.fd, unix.TCSETS, &t.saved) == nil {
		t.raw = false
	}
}

// newline ends a line of ours: in raw mode the terminal does not return the carriage.
func (t *terminal) newline() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw {
		return "\r\n"
	}
	return "\n"
}

// size is the window's, zero where it is not known.
func (t *terminal) size() (rows, cols uint16) {
	ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return ws.Row, ws.Col
}

// copySize gives the zone's terminal the size of the person's; its processes are told by the
// kernel.
func (t *terminal) copySize(master int) {
	if ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, ws)
	}
}

// calm switches off what output that was cut off commonly leaves behind in a terminal:
// colours and character sets, hidden cursor, mouse reports, bracketed paste, application keys.
const calm = "\x0f\x1b(B\x1b[0m\x1b[?25h\x1b[?1000;1002;1003;1006l\x1b[?2004l\x1b[?1l\x1b>"
