package login

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// relay passes output on: from a pipe or a terminal's master to a descriptor of zlogin's.
type relay struct {
	from *sys.FD // non-blocking
	to   int
	// ended is stopped when the command has ended: from then on the end of the stream is
	// waited for drainMax only. quit ends the relay at once.
	ended, quit stopper
}

// run returns at the end of the stream, or drainMax after the command's end with everything
// passed on that was there by then. The error is that of the writing side.
func (r relay) run() error {
	buf := make([]byte, chunkBytes)
	until := r.ended
	limit := int64(0)
	for {
		ms := -1
		if limit > 0 {
			ms = max(0, int((limit-sys.Monotonic())/1e6))
		}
		fds := []unix.PollFd{{Fd: int32(r.from.Int()), Events: unix.POLLIN}, {Fd: int32(r.quit.fd.Int()), Events: unix.POLLIN}}
		err := until.wait(fds, ms)
		switch {
		case fds[1].Revents != 0:
			return nil
		case errors.Is(err, errStopped):
			until, limit = stopper{}, sys.Monotonic()+int64(drainMax)
			continue
		case errors.Is(err, unix.ETIMEDOUT) || limit > 0 && ms == 0:
			return r.rest(buf)
		case err != nil:
			return nil
		}
		n, err := read(r.from.Int(), buf)
		if err == unix.EAGAIN {
			continue
		}
		if n == 0 || err != nil { // a master says EIO when the last slave was closed
			return nil
		}
		if err := write(r.to, buf[:n]); err != nil {
			return err
		}
	}
}

// rest passes on what is in the pipe now, and no more: somebody in the background may go on
// writing for ever.
func (r relay) rest(buf []byte) error {
	for left := readable(r.from.Int()); left > 0; {
		n, err := read(r.from.Int(), buf[:min(left, len(buf))])
		if n == 0 || err != nil {
			return nil
		}
		left -= n
		if err := write(r.to, buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// feed passes input on until its end, the end of who takes it, or stop. to is non-blocking.
func feed(from int, to *sys.FD, stop stopper) {
	buf := make([]byte, chunkBytes)
	for {
		// A command that closed its input ends this at once, not only at the next byte:
		// until then nothing would be read from somebody else's pipe.
		fds := []unix.PollFd{{Fd: int32(from), Events: unix.POLLIN}, {Fd: int32(to.Int())}}
		if stop.wait(fds, -1) != nil || fds[1].Revents != 0 {
			return
		}
		n, err := read(from, buf)
		if err == unix.EAGAIN {
			continue
		}
		if n == 0 || err != nil {
			return
		}
		for p := buf[:n]; len(p) > 0; {
			n, err := unix.Write(to.Int(), p)
			switch err {
			case nil:
				p = p[n:]
			case unix.EINTR:
			case unix.EAGAIN:
				if stop.wait([]unix.PollFd{{Fd: int32(to.Int()), Events: unix.POLLOUT}}, -1) != nil {
					return
				}
			default:
				return
			}
		}
	}
}
