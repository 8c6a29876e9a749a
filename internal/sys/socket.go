package sys

import (
	"golang.org/x/sys/unix"
)

// ListenUnix makes a listening stream socket named name in directory dir, with mode. A
// dead socket of that name is replaced: who may do that is decided by a lock the caller
// holds, not here. The descriptor is non-blocking.
func ListenUnix(dir *FD, name string, mode uint32, backlog int) (*FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, wrap("socket", "", err)
	}
	s := Own(n)
	if err := unix.Unlinkat(dir.Int(), name, 0); err != nil && err != unix.ENOENT {
		s.Close()
		return nil, wrap("unlink", name, err)
	}
	// The mode of the inode is the socket's at bind, less the umask, so it is never wider
	// than asked for.
	if err := unix.Fchmod(n, mode); err != nil {
		s.Close()
		return nil, wrap("fchmod", name, err)
	}
	if err := unix.Bind(n, &unix.SockaddrUnix{Name: dir.Proc() + "/" + name}); err != nil {
		s.Close()
		return nil, wrap("bind", name, err)
	}
	if err := unix.Listen(n, backlog); err != nil {
		s.Close()
		return nil, wrap("listen", name, err)
	}
	return s, nil
}

// DialUnix connects to the stream socket name in directory dir, and never waits: a listener
// whose supervisor is being replaced has a backlog that nobody takes from. The resulting
// descriptor is blocking. ENOENT: never made; ECONNREFUSED: nobody holds it; EAGAIN: its
// backlog is full, try again later.
func DialUnix(dir *FD, name string) (*FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, wrap("socket", "", err)
	}
	s := Own(n)
	err = Retry(func() error {
		return unix.Connect(n, &unix.SockaddrUnix{Name: dir.Proc() + "/" + name})
	})
	if err == nil {
		err = unix.SetNonblock(n, false)
	}
	if err != nil {
		s.Close()
		return nil, wrap("connect", name, err)
	}
	return s, nil
}

// Accept takes one connection from a listening socket; the result is non-blocking.
func Accept(listener int) (*FD, error) {
	var n int
	err := Retry(func() (e error) {
		n, _, e = unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return
	})
	if err != nil {
		return nil, wrap("accept", "", err)
	}
	return Own(n), nil
}

// Pair makes two connected sockets of the given type (SOCK_STREAM, SOCK_SEQPACKET).
func Pair(typ int) (*FD, *FD, error) {
	p, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, wrap("socketpair", "", err)
	}
	return Own(p[0]), Own(p[1]), nil
}

// CloseAll closes what it is given.
func CloseAll(fds []*FD) {
	for _, f := range fds {
		f.Close()
	}
}
