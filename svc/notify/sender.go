package notify

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// ErrShort: descriptors or memory are short for a moment.
var ErrShort = errors.New("descriptors are short")

// Sender is who has sent a message, as the kernel tells.
type Sender struct {
	// Pid is its number in this pid namespace; 0: it has none here.
	Pid int
	// Cgroup is the one that it is in, or was in when it ended; 0: the kernel does not say.
	Cgroup uint64

	pidfd *sys.FD
}

// Alive says whether the process still has its number: asked after something was found by the number,
// it says whether that was about this process.
func (s *Sender) Alive() bool {
	return s.pidfd.Valid() && !errors.Is(sys.PidfdSignal(s.pidfd.Int(), 0), unix.ESRCH)
}

// CgroupOf is the cgroup of a process, or the one that it was in when it ended; 0: the kernel does not
// say (before Linux 6.13, of a process that was reaped before 6.15).
func CgroupOf(pidfd int) uint64 {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_CGROUPID | unix.PIDFD_INFO_EXIT}
	if sys.Retry(func() error { return unix.IoctlPidfdInfo(pidfd, &info) }) != nil || info.Mask&unix.PIDFD_INFO_CGROUPID == 0 {
		return 0
	}
	return info.Cgroupid
}

// controlBytes hold the most descriptors that a message can have (SCM_MAX_FD), which come before the
// pidfd, and credentials.
var controlBytes = unix.CmsgSpace(253*4) + unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(4) + 64

// attached takes apart what came with a message. Everything that is a descriptor is owned by what is
// given back. ErrShort: there was none left for the pidfd.
func attached(control []byte) (s Sender, others []*sys.FD, err error) {
	list, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return s, nil, nil
	}
	for _, m := range list {
		if m.Header.Level != unix.SOL_SOCKET || len(m.Data) < 4 {
			continue
		}
		switch m.Header.Type {
		case unix.SCM_RIGHTS:
			for d := m.Data; len(d) >= 4; d = d[4:] {
				others = append(others, sys.Own(int(int32(binary.NativeEndian.Uint32(d)))))
			}
		case unix.SCM_PIDFD:
			n := int32(binary.NativeEndian.Uint32(m.Data))
			switch {
			case n >= 0:
				s.pidfd = sys.Own(int(n))
			case -n == int32(unix.EMFILE), -n == int32(unix.ENFILE), -n == int32(unix.ENOMEM):
				err = ErrShort
			default: // it was reaped, and the kernel has none of it
			}
		case unix.SCM_CREDENTIALS:
			s.Pid = int(int32(binary.NativeEndian.Uint32(m.Data)))
		}
	}
	if s.pidfd.Valid() {
		s.Cgroup = CgroupOf(s.pidfd.Int())
	}
	return s, others, err
}
