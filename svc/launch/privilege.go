package launch

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/method"
)

// Bits of capabilities(7)'s securebits: who is root gains nothing by execve(2), and that stays so.
const (
	secbitNoRoot       = 1 << 0
	secbitNoRootLocked = 1 << 1
)

// limit takes away what the method and its children can never have: it leaves the bounding set.
// It also settles what the method is to have, while this process still has everything.
func (s *setting) limit() error {
	if s.c.Limit == nil && s.c.Privileges == nil {
		return nil
	}
	have, _, err := capabilities()
	if err != nil {
		return err
	}
	s.have = have
	bounds := have
	if s.c.Limit != nil {
		if bounds, err = settle(s.c.Limit, have); err != nil {
			return err
		}
		for n := 0; n < 64; n++ {
			if bounds&(1<<n) != 0 {
				continue
			}
			switch in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); {
			case err == unix.EINVAL: // the kernel has no more of them
				n = 64
			case err != nil:
				return err
			case in == 1:
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil {
					return err
				}
			}
		}
	}
	if s.c.Privileges == nil {
		return nil
	}
	caps, err := settle(s.c.Privileges, have)
	s.caps, s.bound = caps&bounds, err == nil
	return err
}

// settle gives a set as capabilities. EPERM: one that was asked for by name is not ours.
func settle(p *method.Privileges, have uint64) (uint64, error) {
	caps, lacking := p.Of(have)
	if lacking != 0 {
		return 0, unix.EPERM
	}
	return caps, nil
}

// inherit prepares the change of the user: who is no longer root keeps what he is given, and who
// stays root has nothing by that.
func (s *setting) inherit() error {
	switch {
	case !s.bound:
		return nil
	case s.c.UID != 0:
		return unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	case s.caps == s.have:
		s.bound = false // root as ever
		return nil
	}
	now, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(now)|secbitNoRoot|secbitNoRootLocked, 0, 0, 0)
}

// permit gives the method its capabilities, in all sets, so that they outlive execve(2).
func (s *setting) permit() error {
	if !s.bound {
		return nil
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	low, high := uint32(s.caps), uint32(s.caps>>32)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: low, Permitted: low, Inheritable: low},
		{Effective: high, Permitted: high, Inheritable: high},
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for n := range 64 {
		if s.caps&(1<<n) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n), 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// capabilities are those of this thread.
func capabilities() (permitted, inheritable uint64, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, 0, err
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32, uint64(data[0].Inheritable) | uint64(data[1].Inheritable)<<32, nil
}
