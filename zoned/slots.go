package zoned

import (
	"sync"

	"github.com/linuxzones/zones/internal/sys"
)

// slots are this supervisor's duplicates of descriptors that the keeper holds.
type slots struct {
	mu sync.Mutex // guards m
	m  map[string]*sys.FD
}

// fd is the descriptor of a name, nil when there is none. It stays valid as long as the one
// who may put (the worker) does not put another.
func (s *slots) fd(name string) *sys.FD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name]
}

// take hands the descriptor over to the caller.
func (s *slots) take(name string) *sys.FD {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.m[name]
	delete(s.m, name)
	return f
}

// put replaces a descriptor; nil removes it.
func (s *slots) put(name string, fd *sys.FD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[name].Close()
	delete(s.m, name)
	if fd != nil {
		s.m[name] = fd
	}
}

// names lists them.
func (s *slots) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for n := range s.m {
		out = append(out, n)
	}
	return out
}
