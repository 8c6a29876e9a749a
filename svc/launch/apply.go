package launch

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/method"
)

// setting is an order that is being put into effect. Each step is one line of the context.
type setting struct {
	o *Order
	c *method.Context
	// have are the capabilities of this process as it was started, caps those that the method is
	// to have; they matter when bound.
	have, caps uint64
	bound      bool
}

// put puts an order's context into effect, in the original's order; nil: all of it is.
func (o *Order) put() *fault {
	s := &setting{o: o, c: &o.Context}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"runtime_directory", s.runtime},
		{"setsid", s.session},
		{"setregid", s.group},
		{"setgroups", s.groups},
		{"setrlimit", s.core},
		{"setproject", s.limits},
		{"personality", s.flags},
		{"setppriv", s.limit},
		{"setppriv", s.inherit},
		{"setreuid", s.user},
		{"setppriv", s.permit},
		{"chdir", s.directory},
	} {
		if err := step.do(); err != nil {
			return &fault{step.name, errno(err)}
		}
	}
	return nil
}

func (s *setting) runtime() error {
	return makeRuntime(runtimeRoot, s.o.RuntimeDirectories, s.c.UID, s.c.GID)
}

func (s *setting) session() error {
	unix.Umask(umask)
	if !s.o.Session {
		return nil
	}
	_, err := syscall.Setsid()
	return err
}

func (s *setting) group() error {
	return syscall.Setresgid(int(s.c.GID), int(s.c.GID), int(s.c.GID))
}

func (s *setting) groups() error {
	if !s.c.SetGroups {
		return nil
	}
	list := make([]int, len(s.c.Groups))
	for n, id := range s.c.Groups {
		list[n] = int(id)
	}
	return syscall.Setgroups(list)
}

// core has core files made up to the hard limit, or not at all.
func (s *setting) core() error {
	if s.c.Core == method.CoreKept {
		return nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if s.c.Core == method.CoreNone {
		limit.Cur = 0
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &limit)
}

// limits are the project's. A soft one that is above what the process may ever have is as far as that
// goes; a hard one that is higher than svc.startd's own is refused by the kernel, and so is the start.
func (s *setting) limits() error {
	for _, l := range s.c.Limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(int(l.Resource), &now); err != nil {
			return err
		}
		if l.SetHard {
			now.Max = l.Hard
		}
		if l.SetSoft {
			now.Cur = l.Soft
		}
		now.Cur = min(now.Cur, now.Max)
		if err := unix.Setrlimit(int(l.Resource), &now); err != nil {
			return err
		}
	}
	return nil
}

// flags are the security flags: bits of the personality.
func (s *setting) flags() error {
	was, err := personality(personalityAsk)
	if err != nil {
		return err
	}
	is := was
	switch {
	case s.c.NoASLR:
		is |= addrNoRandomize
	case s.c.ASLR:
		is &^= addrNoRandomize
	}
	if s.c.NoExecStack {
		is &^= readImpliesExec
	}
	if is == was {
		return nil
	}
	_, err = personality(is)
	return err
}

func (s *setting) directory() error {
	if s.c.Dir == "" {
		return nil
	}
	return sys.Retry(func() error { return unix.Chdir(s.c.Dir) })
}

func (s *setting) user() error {
	return syscall.Setresuid(int(s.c.UID), int(s.c.UID), int(s.c.UID))
}

// Bits of personality(2), and what only asks.
const (
	addrNoRandomize = 0x0040000
	readImpliesExec = 0x0400000
	personalityAsk  = 0xffffffff
)

// personality changes that of this thread, and gives the one that it had.
func personality(to uintptr) (uintptr, error) {
	was, _, n := unix.Syscall(unix.SYS_PERSONALITY, to, 0, 0)
	if n != 0 {
		return 0, n
	}
	return was, nil
}
