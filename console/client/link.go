package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// link is the connection to whichever supervisor there is, and where in the output it is.
//
//	idle --connect--> dialing --connected--> asking --OK--> welcome --lost--> idle, ...
//	  ^                  |error                |closed
//	  +---- retryAt -----+---------------------+            until giveUpAt
type link struct {
	fd      *sys.FD // the connection, when there is one
	dialing bool
	welcome bool   // the answer was OK: bytes flow
	deaf    bool   // the supervisor takes no more input
	answer  []byte // as far as it was read

	framed bool        // frames flow, not raw bytes
	frames wire.Frames // from the supervisor
	rest   []byte      // frames for it, as far as they are not sent
	size   bool        // it is to be told the window's size
	old    bool        // the next attempt is of the first version
	shut   int         // how often in a row it hung up on one of ours without a word

	counts bool       // the supervisor told a position
	at     wire.Point // of the next byte

	giveUpAt, retryAt int64 // monotonic, 0: not looking
	pause             time.Duration
	refusals          int
	last              error // why the last attempt failed
}

func (l *link) up() bool { return l.fd.Valid() }

func (l *link) got(n int) { l.at.Pos += uint64(n) }

func (l *link) drop() {
	l.fd.Close()
	l.fd, l.welcome, l.deaf, l.answer = nil, false, false, nil
	l.framed, l.frames, l.rest, l.size = false, wire.Frames{}, nil, false
}

// connect begins to look for a supervisor.
func (s *session) connect(now int64) {
	l := &s.link
	l.giveUpAt, l.pause, l.refusals, l.last = now+int64(connectTime), retryFirst, 0, errSilent
	s.dial()
}

func (s *session) dial() {
	s.link.dialing, s.link.retryAt = true, 0
	s.watch.dial(s.o.Dial)
}

// connected is called with what Dial came to. The person says who they are.
func (s *session) connected(d *dialed) {
	l := &s.link
	l.dialing = false
	err := d.err
	if err == nil {
		l.fd = d.fd
		if _, err = transmit(l.fd.Int(), []byte(s.ident().Line())); err == nil {
			return
		}
		l.drop()
	} else if !s.banner && !errors.Is(err, unix.EAGAIN) { // a full backlog is no reason to give up
		s.fail(fmt.Errorf("console: %w", err)) // never had it: what Dial says is the reason
		return
	}
	s.again(err)
}

func (s *session) ident() wire.Ident {
	id := wire.Ident{Pid: os.Getpid(), Locale: s.o.Locale, DropWithZone: s.o.DropWithZone, From: wire.Live}
	if !s.link.old {
		id.Version, id.Role = wire.Version, s.role
	}
	switch {
	case s.link.counts:
		id.From, id.Point = wire.Position, s.link.at
	case s.banner || s.o.Recorder != nil:
	case s.o.History:
		id.From = wire.History
	case !s.link.old:
		id.From, id.Rows = wire.Screen, s.tty.rows()
	}
	return id
}

// hungUpOn notes that the supervisor closed the connection without a word. One that is older
// than our words does that, and so does one that dies; from the second time on both forms are
// tried in turn. A watcher has no older form.
func (l *link) hungUpOn(role wire.Role) {
	l.refusals++
	if l.shut++; l.shut > 1 {
		l.old = !l.old && role == wire.Writer
	}
}

// again tries once more after a pause, if there is time left.
func (s *session) again(err error) {
	l := &s.link
	l.drop()
	l.last = err
	l.retryAt = sys.Monotonic() + int64(l.pause)
	l.pause = min(2*l.pause, retryMost)
}

// lost begins to look for the next supervisor.
func (s *session) lost(err error) {
	s.link.drop()
	s.connect(sys.Monotonic())
	s.link.last = err
}

// readAnswer reads the supervisor's first line byte by byte: what follows it is output.
func (s *session) readAnswer() {
	l := &s.link
	var c [1]byte
	for !bytes.HasSuffix(l.answer, []byte("\n")) && len(l.answer) < wire.AnswerMax {
		if _, err := receive(l.fd.Int(), c[:]); err == unix.EAGAIN {
			return
		} else if err != nil {
			l.hungUpOn(s.role)
			if !s.banner && l.refusals >= refusalsMax {
				s.fail(s.refused())
				return
			}
			s.again(errRefused)
			return
		}
		l.answer = append(l.answer, c[0])
	}
	a, err := wire.ParseAnswer(l.answer)
	switch {
	case err != nil:
		s.fail(err)
	case a.Full != 0:
		s.fail(fmt.Errorf("console: %d processes watch it already, which is the most; end one with %c. and try again", a.Full, DefaultEscape))
	case a.HolderPid != 0 && !a.Framed():
		s.tty.restore()
		fmt.Fprintf(s.o.Stderr, "%s%s: Console is already in use by process ID %d.\n", s.newline(), s.o.Program, a.HolderPid)
		s.end(exitFailed)
	default:
		s.welcomed(a)
	}
}

func (s *session) refused() error {
	if s.role != wire.Writer {
		return errOlder
	}
	return errRefused
}

func (s *session) welcomed(a wire.Answer) {
	l := &s.link
	l.welcome, l.giveUpAt, l.answer, l.shut, l.old = true, 0, nil, 0, false
	l.framed = a.Framed()
	switch {
	case !s.banner:
		s.begin(a.Reader)
	case !l.counts || !a.HasPositions || a.Point.Epoch != l.at.Epoch:
		s.notice(wire.RestartedText())
	case a.Point.Pos > l.at.Pos:
		s.notice(wire.LostText(a.Point.Pos - l.at.Pos))
	}
	l.counts, l.at = a.HasPositions, a.Point
	switch {
	case a.Reader && s.role != wire.Reader:
		s.taken(a.HolderPid)
	case !a.Reader:
		s.role = wire.Writer
		l.size = l.framed && s.tty.exists()
	}
	s.transmit()
}

// begin is the first welcome.
func (s *session) begin(watching bool) {
	s.banner = true
	if !s.o.Quiet {
		how := ""
		if watching {
			how = " for watching"
		}
		s.show(fmt.Appendf(nil, "[Connected to zone '%s' console%s]\n", s.o.Zone, how))
	}
	if err := s.tty.makeRaw(); err != nil {
		s.fail(fmt.Errorf("terminal: %w", err))
	}
}

// timeout is how long poll may wait, in milliseconds.
func (s *session) timeout() int {
	at := s.link.giveUpAt
	if r := s.link.retryAt; r != 0 && (at == 0 || r < at) {
		at = r
	}
	if at == 0 {
		return -1
	}
	return int(max(0, (at-sys.Monotonic()+999_999)/1e6))
}

func (s *session) tick(now int64) {
	l := &s.link
	switch {
	case l.giveUpAt != 0 && now >= l.giveUpAt:
		if s.banner {
			s.fail(fmt.Errorf("connection to the console lost: %w", l.last))
		} else {
			s.fail(fmt.Errorf("console: %w", l.last))
		}
	case l.retryAt != 0 && now >= l.retryAt:
		s.dial()
	}
}

// hasControl says whether output can have changed how a terminal behaves: it holds an escape
// character, or may hold one of the sequences' beginnings of 8 bits (0x9b and others, behind 0xc2 in
// UTF-8), or shifts to another character set.
func hasControl(p []byte) bool {
	for _, c := range []byte{0x1b, 0x0e, 0xc2, 0x90, 0x9b, 0x9d} {
		if bytes.IndexByte(p, c) >= 0 {
			return true
		}
	}
	return false
}
