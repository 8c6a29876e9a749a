package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// fdsMax is how many descriptors one message may carry here. The kernel allows 253; no
// protocol of ours needs more than this, and a buffer of this size holds them.
const fdsMax = 16

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
	// The mode of the inode is the socket's at bind, so it is never wider than asked for.
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

// DialUnix connects to the stream socket name in directory dir. The descriptor is blocking.
// ENOENT: never made; ECONNREFUSED: nobody holds it; EAGAIN: its backlog is full.
func DialUnix(dir *FD, name string) (*FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("socket", "", err)
	}
	s := Own(n)
	err = Retry(func() error {
		return unix.Connect(n, &unix.SockaddrUnix{Name: dir.Proc() + "/" + name})
	})
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

// Send writes one message with descriptors attached. On a stream socket data must not be
// empty and a short write is an error, since the rest would come without descriptors.
func Send(fd int, data []byte, fds ...int) error {
	if len(fds) > fdsMax {
		return wrap("sendmsg", strconv.Itoa(len(fds))+" descriptors", unix.ETOOMANYREFS)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var n int
	err := Retry(func() (e error) {
		n, e = unix.SendmsgN(fd, data, oob, nil, unix.MSG_NOSIGNAL)
		return
	})
	if err == nil && n < len(data) {
		err = unix.EMSGSIZE
	}
	return wrap("sendmsg", "", err)
}

// Recv reads one message into buf and takes the descriptors that came with it. n is 0 at
// the end of the stream. What was sent beyond buf or beyond 16 descriptors is an error
// (EMSGSIZE), never a silent cut; no descriptor is left open then.
func Recv(fd int, buf []byte) (n int, fds []*FD, err error) {
	oob := make([]byte, unix.CmsgSpace(fdsMax*4))
	var oobn, flags int
	err = Retry(func() (e error) {
		n, oobn, flags, _, e = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		return
	})
	if err != nil {
		return 0, nil, wrap("recvmsg", "", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err == nil {
		for i := range msgs {
			nums, e := unix.ParseUnixRights(&msgs[i])
			if e != nil {
				continue
			}
			for _, num := range nums {
				fds = append(fds, Own(num))
			}
		}
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = unix.EMSGSIZE
	}
	if err != nil {
		CloseAll(fds)
		return 0, nil, wrap("recvmsg", "", err)
	}
	return n, fds, nil
}

// CloseAll closes what it is given.
func CloseAll(fds []*FD) {
	for _, f := range fds {
		f.Close()
	}
}
