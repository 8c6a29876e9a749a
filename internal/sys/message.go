package sys

import (
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fdsMax is how many descriptors one message may carry here. The kernel allows 253; no
// protocol of ours needs more than this, and a buffer of this size holds them.
const fdsMax = 16

// controlWords hold the descriptors of a message and its sender's credentials, aligned.
const controlWords = (unix.SizeofCmsghdr + fdsMax*4 + unix.SizeofCmsghdr + unix.SizeofUcred + 16) / 8

// Ordinary ends of a call. They are made once: the keeper takes messages without garbage.
var (
	errRecvAgain = &Error{Op: "recvmsg", Errno: unix.EAGAIN}
	errRecvReset = &Error{Op: "recvmsg", Errno: unix.ECONNRESET}
	errSendAgain = &Error{Op: "sendmsg", Errno: unix.EAGAIN}
	errSendPipe  = &Error{Op: "sendmsg", Errno: unix.EPIPE}
)

// Send writes one message of at least one byte, with descriptors attached. On a stream
// socket a short write is an error (EMSGSIZE), since the rest would come without descriptors.
func Send(fd int, data []byte, fds ...int) error {
	switch {
	case len(data) == 0:
		return wrap("sendmsg", "", unix.EINVAL)
	case len(fds) > fdsMax:
		return wrap("sendmsg", strconv.Itoa(len(fds))+" descriptors", unix.ETOOMANYREFS)
	}
	var control [controlWords]uint64
	iov := unix.Iovec{Base: &data[0]}
	iov.SetLen(len(data))
	msg := unix.Msghdr{Iov: &iov}
	msg.SetIovlen(1)
	if len(fds) > 0 {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		h.Level, h.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
		h.SetLen(unix.CmsgLen(4 * len(fds)))
		for i, n := range fds {
			*(*int32)(unsafe.Add(unsafe.Pointer(h), unix.CmsgLen(4*i))) = int32(n)
		}
		msg.Control = (*byte)(unsafe.Pointer(h))
		msg.SetControllen(unix.CmsgSpace(4 * len(fds)))
	}
	for {
		n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
		runtime.KeepAlive(&iov)
		runtime.KeepAlive(data)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return errSendAgain
		case errno == unix.EPIPE:
			return errSendPipe
		case errno == 0 && int(n) < len(data):
			errno = unix.EMSGSIZE
		}
		if errno != 0 {
			return wrap("sendmsg", "", errno)
		}
		return nil
	}
}

// Received is one message.
type Received struct {
	N   int // bytes in the caller's buffer
	FDs []*FD
	// Pid is the sender's where the socket has SO_PASSCRED, else 0. With it an empty message
	// can be told from the end of the stream, which has no sender.
	Pid int
}

// Close releases the descriptors.
func (m *Received) Close() {
	CloseAll(m.FDs)
	m.FDs = nil
}

// Recv reads one message into buf, which must not be empty, and takes the descriptors that
// came with it. n is 0 at the end of the stream. What was sent beyond buf or beyond 16
// descriptors, or found the table of descriptors full, is an error (EMSGSIZE), never a
// silent cut; no descriptor is left open then. ECONNRESET: the peer has closed and left
// something unread; what it had sent itself can be received after that.
func Recv(fd int, buf []byte) (n int, fds []*FD, err error) {
	var m Received
	if err := RecvMessage(fd, buf, &m); err != nil {
		return 0, nil, err
	}
	return m.N, m.FDs, nil
}

// RecvMessage is Recv with more to know about the message.
func RecvMessage(fd int, buf []byte, m *Received) error {
	*m = Received{}
	if len(buf) == 0 {
		return wrap("recvmsg", "", unix.EINVAL)
	}
	var control [controlWords]uint64
	iov := unix.Iovec{Base: &buf[0]}
	iov.SetLen(len(buf))
	msg := unix.Msghdr{Iov: &iov, Control: (*byte)(unsafe.Pointer(&control[0]))}
	msg.SetIovlen(1)
	for {
		msg.SetControllen(len(control) * 8)
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_CMSG_CLOEXEC)
		runtime.KeepAlive(&iov)
		runtime.KeepAlive(buf)
		switch errno {
		case 0:
			m.N = int(n)
			m.control(unsafe.Slice((*byte)(unsafe.Pointer(&control[0])), int(msg.Controllen)))
			// There is room for credentials too, and so for more descriptors when none come.
			if msg.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 || len(m.FDs) > fdsMax {
				m.Close()
				return wrap("recvmsg", "", unix.EMSGSIZE)
			}
			return nil
		case unix.EINTR:
		case unix.EAGAIN:
			return errRecvAgain
		case unix.ECONNRESET:
			return errRecvReset
		default:
			return wrap("recvmsg", "", errno)
		}
	}
}

// control takes descriptors and credentials out of the control data that the kernel wrote.
// Whatever else it holds, every descriptor in it is taken, so that none is lost open.
func (m *Received) control(b []byte) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):size]
		switch {
		case h.Level != unix.SOL_SOCKET:
		case h.Type == unix.SCM_RIGHTS:
			for ; len(data) >= 4; data = data[4:] {
				m.FDs = append(m.FDs, Own(int(*(*int32)(unsafe.Pointer(&data[0])))))
			}
		case h.Type == unix.SCM_CREDENTIALS && len(data) >= unix.SizeofUcred:
			m.Pid = int((*unix.Ucred)(unsafe.Pointer(&data[0])).Pid)
		}
		b = b[min(len(b), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
}
