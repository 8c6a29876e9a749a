package client

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// received takes what the supervisor sent after its first line.
func (s *session) received(p []byte) {
	if !s.link.framed {
		s.link.got(len(p))
		s.output(p)
		return
	}
	for len(p) > 0 && !s.done {
		var f wire.Frame
		var err error
		if f, p, err = s.link.frames.Next(p); err != nil {
			s.fail(err)
			return
		}
		switch f.Kind {
		case wire.Data:
			s.link.got(len(f.Data))
			s.output(f.Data)
		case wire.Lost:
			s.link.at.Pos += f.Lost
			s.notice(wire.LostText(f.Lost))
		case wire.Taken:
			s.taken(f.Pid)
		case wire.Size:
			if s.o.Recorder != nil {
				s.record(s.o.Recorder.Resize(f.Window))
			}
		}
	}
}

// taken: the console is another's, and what was typed and not sent with it.
func (s *session) taken(pid int) {
	s.role, s.in, s.link.size = wire.Reader, nil, false
	s.tty.typeless = true
	s.notice(wire.TakenText(pid))
}

// output is bytes of the zone's. A watcher's terminal gets what paints it, and nothing that
// makes it answer: an answer would be typed into whatever reads the terminal next.
func (s *session) output(p []byte) {
	switch {
	case s.o.Recorder != nil:
		s.record(s.o.Recorder.Output(p))
	case s.role == wire.Reader && s.painted:
		s.show(s.filter.Append(nil, p))
	default:
		s.show(p)
	}
}

// notice is a text of ours between the zone's output.
func (s *session) notice(text string) {
	if s.o.Recorder != nil {
		s.record(s.o.Recorder.Mark(text))
		return
	}
	s.show([]byte(text))
}

func (s *session) record(err error) {
	if err != nil {
		s.fail(err)
	}
}

// transmit sends what is typed, as far as the supervisor takes it.
func (s *session) transmit() {
	l := &s.link
	for l.welcome && !l.deaf && s.owes() {
		p := s.in
		if l.framed {
			s.frame()
			p = l.rest
		}
		if len(p) == 0 { // a window without a size
			return
		}
		n, err := transmit(l.fd.Int(), p)
		if l.framed {
			l.rest = append(l.rest[:0], l.rest[n:]...)
		} else {
			s.in = append(s.in[:0], s.in[n:]...)
		}
		if err == unix.EAGAIN {
			return
		}
		// What the supervisor sent before it died is still to be read, so this is not yet the end.
		l.deaf = err != nil
	}
}

// owes: there is something for the supervisor.
func (s *session) owes() bool { return len(s.in) > 0 || len(s.link.rest) > 0 || s.link.size }

// frame makes the next frames, when those before are sent: of what waits, a piece that a socket
// takes at once. A piece that was sent in part is not sent again to a successor.
func (s *session) frame() {
	l := &s.link
	if len(l.rest) > 0 {
		return
	}
	if w := s.tty.window(); l.size && w.Known() {
		l.rest = append(l.rest, wire.SizeFrame(w)...)
	}
	l.size = false
	if n := min(len(s.in), inputRead); n > 0 {
		head := wire.Head(wire.Data, n)
		l.rest = append(append(l.rest, head[:]...), s.in[:n]...)
		s.in = append(s.in[:0], s.in[n:]...)
	}
}
