package console

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// input is the way from the clients to the pty master. What the master does not take is
// kept, and no more is read from any client until it did: the bytes then wait in the client's
// socket, and in the end in the client. Output never waits for it.
type input struct {
	poll    *poller
	master  *sys.FD // nil: the console has no terminal, input is discarded
	pending []byte
	retryAt int64 // monotonic, 0: not waiting
}

// set replaces the terminal.
func (in *input) set(master *sys.FD) {
	if in.master.Valid() {
		in.poll.remove(in.master.Int())
		in.master.Close()
	}
	in.pending, in.retryAt = nil, 0
	if in.master = master; !master.Valid() {
		return
	}
	err := unix.SetNonblock(master.Int(), true)
	if err == nil {
		err = in.poll.add(master.Int(), unix.EPOLLONESHOT)
	}
	if err != nil {
		in.close()
	}
}

func (in *input) close() { in.set(nil) }

// full says that input waits for the terminal.
func (in *input) full() bool { return len(in.pending) > 0 }

// put hands bytes to the terminal or keeps them. They are discarded when there is none.
func (in *input) put(p []byte) {
	if !in.master.Valid() || len(p) == 0 {
		return
	}
	in.pending = append(in.pending, p...)
	in.flush()
}

// room is how many more bytes may be kept.
func (in *input) room() int { return max(0, inputMax-len(in.pending)) }

// flush writes what is pending, as far as the terminal takes it.
func (in *input) flush() {
	for len(in.pending) > 0 {
		n, err := write(in.master.Int(), in.pending)
		in.pending = in.pending[n:]
		switch {
		case n > 0 && err == nil:
		case err == unix.EAGAIN || err == nil:
			in.wait()
			return
		default: // the terminal is gone, and SetInput will say so soon
			in.pending, in.retryAt = nil, 0
			return
		}
	}
	in.pending, in.retryAt = nil, 0
}

// wait asks to be told when the terminal has room. Once each time: a terminal that hung up
// would otherwise be reported without end.
func (in *input) wait() {
	in.retryAt = sys.Monotonic() + int64(inputRetry)
	if err := in.poll.change(in.master.Int(), unix.EPOLLOUT|unix.EPOLLONESHOT); err != nil {
		in.pending = nil
	}
}

// resize tells the terminal how large the writer's window is.
func (in *input) resize(w wire.Window) {
	if in.master.Valid() {
		_ = unix.IoctlSetWinsize(in.master.Int(), unix.TIOCSWINSZ, &unix.Winsize{Row: w.Rows, Col: w.Cols})
	}
}

// size is what the terminal has been told.
func (in *input) size() (w wire.Window) {
	if in.master.Valid() {
		if ws, err := unix.IoctlGetWinsize(in.master.Int(), unix.TIOCGWINSZ); err == nil {
			w = wire.Window{Cols: ws.Col, Rows: ws.Row}
		}
	}
	return w
}
