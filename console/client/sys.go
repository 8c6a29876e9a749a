package client

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

func read(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Read(fd, p); return })
	return max(n, 0), err
}

func write(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Write(fd, p); return })
	return max(n, 0), err
}

// receive and transmit never wait, whatever the socket's mode. io.EOF is the stream's end.
func receive(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, _, e = unix.Recvfrom(fd, p, unix.MSG_DONTWAIT); return })
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func transmit(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) {
		n, e = unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return
	})
	return max(n, 0), err
}

// poll waits up to ms milliseconds (-1: for ever). An interruption counts as nothing ready.
func poll(fds []unix.PollFd, ms int) error {
	for i := range fds {
		fds[i].Revents = 0
	}
	if _, err := unix.Poll(fds, ms); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// closedBothWays says whether the peer of a connection is gone, rather than having ended its
// output only.
func closedBothWays(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	return poll(p, 0) != nil || p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}

// openOutput gives a descriptor for the output that never blocks, if it can be had: the
// descriptor itself shares its mode with the person's shell, so a terminal or pipe is opened
// anew. Where that is not allowed (a terminal of another user after su) the output may block,
// and escapes with it, as long as the terminal takes nothing.
func openOutput(f *os.File) (*sys.FD, error) {
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFIFO || isTerminal(fd) {
		path := "/proc/self/fd/" + strconv.Itoa(fd)
		if n, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
			return sys.Own(n), nil
		}
	}
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	return sys.Own(n), nil
}

// stopSelf stops the process as the terminal's suspend character would have. It may return
// before the process stands still.
func stopSelf() error {
	self, err := sys.PidfdOpen(os.Getpid())
	if err != nil {
		return err
	}
	defer self.Close()
	return sys.PidfdSignal(self.Int(), unix.SIGSTOP)
}
