package keeper

import "github.com/linuxzones/zones/internal/sys"

// slots are descriptors by name, in the order they came.
type slots struct {
	names []string
	fds   []*sys.FD
}

func (s *slots) find(name string) int {
	for i, n := range s.names {
		if n == name {
			return i
		}
	}
	return -1
}

// fd is the descriptor held under name, -1 for none.
func (s *slots) fd(name string) int {
	if i := s.find(name); i >= 0 {
		return s.fds[i].Int()
	}
	return -1
}

// put takes fd over, closing what name held. False: there are too many, fd is closed.
func (s *slots) put(name string, fd *sys.FD) bool {
	if i := s.find(name); i >= 0 {
		s.fds[i].Close()
		s.fds[i] = fd
		return true
	}
	if len(s.names) >= SlotsMax {
		fd.Close()
		return false
	}
	s.names = append(s.names, name)
	s.fds = append(s.fds, fd)
	return true
}

// take hands over what name held, nil for nothing.
func (s *slots) take(name string) *sys.FD {
	i := s.find(name)
	if i < 0 {
		return nil
	}
	fd := s.fds[i]
	s.names = append(s.names[:i], s.names[i+1:]...)
	s.fds = append(s.fds[:i], s.fds[i+1:]...)
	return fd
}
