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

func (s *slots) drop(name string) {
	if i := s.find(name); i >= 0 {
		s.fds[i].Close()
		s.names = append(s.names[:i], s.names[i+1:]...)
		s.fds = append(s.fds[:i], s.fds[i+1:]...)
	}
}

// deaths are the ends of children that no supervisor has forgotten. sent says how many of
// them the present supervisor was told.
type deaths struct {
	list []Death
	sent int
	lost int // dropped because there were too many
}

func (d *deaths) add(x Death) {
	if len(d.list) >= DeathsMax {
		d.list = d.list[1:]
		d.lost++
		if d.sent > 0 {
			d.sent--
		}
	}
	d.list = append(d.list, x)
}

func (d *deaths) forget(pid int, start uint64) {
	for i, x := range d.list {
		if x.Pid == pid && x.Start == start {
			d.list = append(d.list[:i], d.list[i+1:]...)
			if i < d.sent {
				d.sent--
			}
			return
		}
	}
}
