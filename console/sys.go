package console

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// poller is an epoll set that a goroutine waits for without keeping a thread: the set's own
// descriptor is given to Go's runtime, which wakes the goroutine when the set has an event.
type poller struct {
	file   *os.File
	raw    syscall.RawConn
	fd     int
	events [16]unix.EpollEvent
	ready  []unix.EpollEvent
	err    error
	armed  int64 // the deadline that file has
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll nonblock: %w", err)
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails when the runtime cannot poll it
	}
	if err != nil {
		p.file.Close()
		return nil, fmt.Errorf("poll epoll: %w", err)
	}
	return p, nil
}

func (p *poller) close() { p.file.Close() }

// look takes the events there are, without waiting.
func (p *poller) look() bool {
	var n int
	p.err = sys.Retry(func() (e error) { n, e = unix.EpollWait(p.fd, p.events[:], 0); return })
	p.ready = p.events[:max(n, 0)]
	return n != 0
}

// wait waits until there is an event or the deadline, a monotonic time, has come; 0 is never.
func (p *poller) wait(deadline int64) ([]unix.EpollEvent, error) {
	if deadline != p.armed {
		var t time.Time
		if deadline != 0 {
			t = time.Now().Add(time.Duration(deadline - sys.Monotonic()))
		}
		if err := p.file.SetReadDeadline(t); err != nil {
			return nil, err
		}
		p.armed = deadline
	}
	err := p.raw.Read(func(uintptr) bool { return p.look() })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.look()
		err = nil
	}
	if err == nil {
		err = p.err
	}
	return p.ready, err
}

func (p *poller) add(fd int, events uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, events)
}

func (p *poller) change(fd int, events uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, events)
}

func (p *poller) remove(fd int) { _ = p.control(unix.EPOLL_CTL_DEL, fd, 0) }

func (p *poller) control(op, fd int, events uint32) error {
	if err := unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// read and write move bytes on a non-blocking descriptor; EAGAIN is an error like others.
func read(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Read(fd, p); return })
	return max(n, 0), err
}

func write(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Write(fd, p); return })
	return max(n, 0), err
}

// send is write for a socket. A closed one is EPIPE, never a signal.
func send(fd int, p []byte) (n int, err error) {
	err = sys.Retry(func() (e error) {
		n, e = unix.SendmsgN(fd, p, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		return
	})
	return max(n, 0), err
}

// send2 is send of two pieces at once.
func send2(fd int, a, b []byte) (n int, err error) {
	err = sys.Retry(func() (e error) {
		n, e = unix.SendmsgBuffers(fd, [][]byte{a, b}, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		return
	})
	return max(n, 0), err
}

// hungUp says whether the other side of a connection is gone for good. The original writes
// zero bytes for that. On Linux this also fails for a peer that has merely shut its reading
// and is alive, and raises SIGPIPE; poll reports POLLHUP exactly when both ways are closed.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	err := sys.Retry(func() (e error) { _, e = unix.Poll(p, 0); return })
	return err == nil && p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}

// conn is a connection that a goroutine can read with a deadline, and the loop by number.
type conn struct {
	file *os.File
	fd   int // valid until close; only the owner of the conn uses it
}

// newConn takes a non-blocking socket over.
func newConn(fd *sys.FD) conn {
	n := fd.Disown()
	return conn{file: os.NewFile(uintptr(n), "console client"), fd: n}
}

func (c conn) close() { c.file.Close() }
