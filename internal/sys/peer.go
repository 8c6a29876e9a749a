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

// PeerOf asks the kernel for the peer of socket fd. ESRCH: the peer is already gone.
func PeerOf(fd int) (Peer, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, wrap("peer credentials", "", err)
	}
	p := Peer{Pid: int(c.Pid), UID: c.Uid, GID: c.Gid}
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidfd); err == nil {
		unix.CloseOnExec(n)
		p.Pidfd = Own(n)
		return p, nil
	} else if err != unix.ENOPROTOOPT {
		return p, wrap("peer pidfd", "", err)
	}
	p.PidfdByNumber = true
	p.Pidfd, err = PidfdOpen(p.Pid)
	return p, err
}

// HostNamespaces are the namespaces whose sameness tells a caller on the host from one in
// a zone. The mount namespace is not among them: an administrator's shell or a service
// with a private /tmp has one of its own and is on the host nevertheless.
var hostNamespaces = []string{"user", "pid"}

// SameNamespaces says whether the peer lives in the caller's user and pid namespaces. The
// answer is about the process of the pidfd: it is checked to be alive after the names were
// read by number, so that a recycled number can not answer for it.
func (p Peer) SameNamespaces() (bool, error) {
	for _, ns := range hostNamespaces {
		mine, err := readlink("/proc/self/ns/" + ns)
		if err != nil {
			return false, err
		}
		theirs, err := readlink("/proc/" + strconv.Itoa(p.Pid) + "/ns/" + ns)
		if err != nil {
			return false, err
		}
		if mine != theirs {
			return false, nil
		}
	}
	if err := PidfdSignal(p.Pidfd.Int(), 0); err != nil {
		return false, err
	}
	return true, nil
}

func readlink(path string) (string, error) {
	var b [64]byte
	n, err := unix.Readlink(path, b[:])
	if err != nil {
		return "", wrap("readlink", path, err)
	}
	return string(b[:n]), nil
}
