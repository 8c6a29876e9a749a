package login

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// errStopped: the reader was told to stop.
var errStopped = errors.New("stopped")

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// read and write go past package os, which would have the process killed by SIGPIPE, in raw
// mode, when standard output is a pipe that nobody reads.
func read(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Read(fd, p); return })
	return max(n, 0), err
}

func write(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			_, _ = unix.Poll(pfd, -1)
		default:
			return err
		}
	}
	return nil
}

// pipe makes a pipe, both ends blocking and close-on-exec.
func pipe() (r, w *sys.FD, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	return sys.Own(p[0]), sys.Own(p[1]), nil
}

// stopper ends waits in poll: it becomes readable for good.
type stopper struct{ fd *sys.FD }

func newStopper() (stopper, error) {
	fd, err := ring.NewEvent()
	return stopper{fd}, err
}

func (s stopper) stop()  { ring.Kick(s.fd.Int()) }
func (s stopper) close() { _ = s.fd.Close() }

// wait polls fds until one is ready (nil), or s is stopped, or ms milliseconds passed
// (unix.ETIMEDOUT); -1: for ever.
func (s stopper) wait(fds []unix.PollFd, ms int) error {
	all := append(fds[:len(fds):len(fds)], unix.PollFd{Fd: int32(s.fd.Int()), Events: unix.POLLIN})
	n, err := 0, error(unix.EINTR)
	limit := sys.Monotonic() + int64(ms)*1e6
	for err == unix.EINTR {
		n, err = unix.Poll(all, ms)
		if ms > 0 {
			ms = max(0, int((limit-sys.Monotonic())/1e6))
		}
	}
	copy(fds, all)
	switch {
	case err != nil:
		return err
	case all[len(fds)].Revents != 0:
		return errStopped
	case n == 0:
		return unix.ETIMEDOUT
	}
	return nil
}

// readable is how many bytes a pipe or terminal holds.
func readable(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// ptyNumber is the number of a terminal's slave below the zone's /dev/pts.
func ptyNumber(master int) (int, error) { return unix.IoctlGetInt(master, unix.TIOCGPTN) }

// stopSelf stops the process as the terminal's suspend character would have. Another thread
// may be the one that the kernel has take the signal, so the caller runs on for a moment.
func stopSelf() error {
	self, err := sys.PidfdOpen(os.Getpid())
	if err != nil {
		return err
	}
	defer self.Close()
	return sys.PidfdSignal(self.Int(), unix.SIGSTOP)
}
