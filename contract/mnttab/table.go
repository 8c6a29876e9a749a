package mnttab

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	// TableBytesMax bounds one table: a hundred thousand mounts, which is the kernel's own
	// limit for a namespace, of ordinary paths; ten thousand of the longest.
	TableBytesMax = 64 << 20

	// readBytes is how much of mountinfo is asked for at a time; the kernel gives a page, or
	// a line that is longer.
	readBytes = 16 << 10

	// tornMax is how often a table that changed while it was read is read again. One that
	// changes all the time is shown as it was met.
	tornMax = 4
)

// table is the text of a snapshot, shared by the handles that have the same.
type table struct {
	text []byte
	hash uint64
	used uint64 // when it was last read, for who goes first
}

// openMountinfo opens the mounts as a thread sees them. The descriptor tells of changes by
// POLLPRI and holds the namespace.
func openMountinfo(pid int32) (*sys.FD, error) {
	n, err := unix.Open(procPath(pid, "mountinfo"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &sys.Error{Op: "open", What: "mountinfo", Errno: err}
	}
	return sys.Own(n), nil
}

// changed says whether the mounts changed since this was asked last, or since fd was opened.
func changed(fd *sys.FD) bool {
	fds := []unix.PollFd{{Fd: int32(fd.Int()), Events: unix.POLLPRI}}
	err := sys.Retry(func() error { _, err := unix.Poll(fds, 0); return err })
	return err != nil || fds[0].Revents&unix.POLLPRI != 0
}

// render makes the text of the table that fd shows.
func (s *Server) render(fd *sys.FD, of *reader) ([]byte, error) {
	var text []byte
	for try := 0; ; try++ {
		s.seen.begin(of.table(), s.now().Unix())
		var err error
		if text, err = s.renderOnce(fd, of); err != nil {
			return nil, err
		}
		if try+1 == tornMax || !changed(fd) {
			break
		}
	}
	s.seen.end()
	return text, nil
}

func (s *Server) renderOnce(fd *sys.FD, of *reader) ([]byte, error) {
	if _, err := unix.Seek(fd.Int(), 0, 0); err != nil {
		return nil, &sys.Error{Op: "seek", What: "mountinfo", Errno: err}
	}
	r := renderer{zone: s.zone, ns: of.ns, firstSeen: s.seen.at}
	if of.ns == s.hostNS {
		r.zone = "" // the host is told of its own mounts
	}
	text := make([]byte, 0, 4096)
	held := 0 // bytes of a line whose end has not come
	for {
		var n int
		if cap(s.input)-held < readBytes {
			s.input = append(make([]byte, 0, 2*cap(s.input)+readBytes), s.input[:held]...)
		}
		buf := s.input[:cap(s.input)]
		err := sys.Retry(func() (e error) { n, e = unix.Read(fd.Int(), buf[held:held+readBytes]); return })
		if err != nil {
			return nil, &sys.Error{Op: "read", What: "mountinfo", Errno: err}
		}
		if n == 0 {
			if held != 0 {
				return nil, ErrMountinfo
			}
			return text, nil
		}
		lines := buf[:held+n]
		for {
			end := bytes.IndexByte(lines, '\n')
			if end < 0 {
				break
			}
			m, err := parseMountinfo(lines[:end])
			if err == nil {
				text, err = r.line(text, &m)
			}
			if err != nil {
				return nil, err
			}
			lines = lines[end+1:]
		}
		if held = copy(buf, lines); held > TableBytesMax || len(text) > TableBytesMax {
			return nil, ErrTableBytes
		}
	}
}
