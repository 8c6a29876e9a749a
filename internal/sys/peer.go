package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

const soPeerPidfd = 77 // SO_PEERPIDFD of asm-generic/socket.h, kernel 6.5

// Peer is who is at the other end of a unix socket, as the kernel recorded it at connect.
type Peer struct {
	Pid      int
	UID, GID uint32
	// Pidfd refers to that very process. Where the kernel has no SO_PEERPIDFD it was opened
	// by number: a peer that died and whose number was taken since could be mistaken, and
	// PidfdByNumber says so.
	Pidfd         *FD
	PidfdByNumber bool
}

// PeerOf asks the kernel for the peer of socket fd. ESRCH: the peer is already gone. Newer
// kernels (6.16) give a pidfd even then: PidfdExited tells.
func PeerOf(fd int) (Peer, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, wrap("peer credentials", "", err)
	}
	p := Peer{Pid: int(c.Pid), UID: c.Uid, GID: c.Gid}
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidfd)
	switch err {
	case nil:
		p.Pidfd = Own(n)
		return p, nil
	case unix.ENOPROTOOPT:
	case unix.ESRCH, unix.EINVAL, unix.ENODATA: // kernels differ in the word for a peer that was reaped
		return p, wrap("peer pidfd", "", unix.ESRCH)
	default:
		return p, wrap("peer pidfd", "", err)
	}
	p.PidfdByNumber = true
	n, err = unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		if err == unix.EINVAL { // number 0: of a pid namespace that is not below ours
			err = unix.ESRCH
		}
		return p, wrap("pidfd_open", strconv.Itoa(p.Pid), err)
	}
	p.Pidfd = Own(n)
	return p, nil
}

// hostNamespaces are the namespaces whose sameness tells a caller on the host from one in
// a zone. The mount namespace is not among them: an administrator's shell or a service
// with a private /tmp has one of its own and is on the host nevertheless.
var hostNamespaces = []string{"user", "pid"}

// SameNamespaces says whether the peer lives in the caller's user and pid namespaces. The
// answer is about the process of the pidfd: it is checked to be alive after the names were
// read by number, so that a recycled number can not answer for it. ESRCH: it is gone, or was
// never visible from here.
func (p Peer) SameNamespaces() (bool, error) {
	if p.Pid <= 0 || !p.Pidfd.Valid() {
		return false, wrap("namespaces of peer", "", unix.ESRCH)
	}
	same := true
	for _, ns := range hostNamespaces {
		mine, err := readlink("/proc/self/ns/" + ns)
		if err != nil {
			return false, err
		}
		theirs, err := readlink("/proc/" + strconv.Itoa(p.Pid) + "/ns/" + ns)
		if e, ok := err.(*Error); ok && (e.Errno == unix.ENOENT || e.Errno == unix.ESRCH) {
			return false, wrap("namespaces of peer", "", unix.ESRCH)
		}
		if err != nil {
			return false, err
		}
		same = same && mine == theirs
	}
	if PidfdExited(p.Pidfd.Int()) {
		return false, wrap("namespaces of peer", "", unix.ESRCH)
	}
	return same, nil
}

func readlink(path string) (string, error) {
	var b [64]byte
	n, err := unix.Readlink(path, b[:])
	if err != nil {
		return "", wrap("readlink", path, err)
	}
	return string(b[:n]), nil
}
