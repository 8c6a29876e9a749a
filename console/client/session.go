package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/vt"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// session is one run of the client. Everything in it belongs to the goroutine of Run.
type session struct {
	o     Options
	ctx   context.Context
	watch *watch
	tty   terminal
	esc   escape

	stdin    int
	noInput  bool // the input has ended
	stdout   *sys.FD
	link     link
	in, out  []byte // on their way to the console, and from it
	inbuf    [inputRead]byte
	outbuf   []byte
	banner   bool // the first banner was shown, so the last is owed
	coloured bool // the zone sent control sequences
	role     wire.Role
	painted  bool // the output is a terminal
	other    otherScreen
	filter   vt.Filter

	done    bool
	escaped bool // by an escape
	exit    int
}

func newSession(ctx context.Context, o Options) (*session, error) {
	stdout, err := openOutput(o.Stdout)
	if err != nil {
		return nil, err
	}
	w, err := newWatch(ctx)
	if err != nil {
		stdout.Close()
		return nil, err
	}
	s := &session{
		o: o, ctx: ctx, watch: w, stdin: int(o.Stdin.Fd()), stdout: stdout, role: o.Role,
		tty: terminal{fd: -1}, outbuf: make([]byte, chunkBytes), painted: isTerminal(stdout.Int()),
	}
	if s.noInput = o.Recorder != nil; !s.noInput {
		s.tty = openTerminal(int(o.Stdin.Fd()))
	}
	s.tty.typeless = o.Role == wire.Reader
	s.esc = newEscape(o.Escape, o.NoEscape, s.tty.special())
	return s, nil
}

// close releases everything. The terminal comes first: this runs after a panic too.
func (s *session) close() {
	s.tty.restore()
	s.link.drop()
	s.watch.close()
	s.stdout.Close()
}

// run moves bytes until the session is done.
func (s *session) run() int {
	s.connect(sys.Monotonic())
	for !s.done {
		if err := s.turn(); err != nil {
			s.fail(err)
		}
	}
	s.farewell()
	return s.exit
}

// turn waits until something can be done, and does it.
func (s *session) turn() error {
	const in, out, conn, wake = 0, 1, 2, 3
	fds := [4]unix.PollFd{in: s.wantInput(), out: s.wantOutput(), conn: s.wantLink(), wake: {Fd: int32(s.watch.wake.Int()), Events: unix.POLLIN}}
	if err := poll(fds[:], s.timeout()); err != nil {
		return err
	}
	if fds[wake].Revents != 0 {
		ring.Clear(s.watch.wake.Int())
		s.happened()
	}
	if fds[in].Revents != 0 && !s.done {
		s.readInput()
	}
	if fds[out].Revents != 0 {
		s.writeOutput()
	}
	// The link may be another one than was polled; its calls never wait, so that is harmless.
	if fds[conn].Revents != 0 && !s.done {
		s.serveLink(fds[conn].Revents)
	}
	if !s.done {
		s.tick(sys.Monotonic())
	}
	return nil
}

// want gives a descriptor to poll; one of which nothing is wanted is left out, since poll
// reports a hang-up always.
func want(fd int, events int16) unix.PollFd {
	if events == 0 {
		return unix.PollFd{Fd: -1}
	}
	return unix.PollFd{Fd: int32(fd), Events: events}
}

func (s *session) wantInput() unix.PollFd {
	// Before the first welcome nothing is read: a line typed ahead belongs to the shell if the
	// console cannot be had.
	if !s.banner || s.noInput || len(s.in) >= inputMax {
		return want(s.stdin, 0)
	}
	return want(s.stdin, unix.POLLIN)
}

func (s *session) wantOutput() unix.PollFd {
	if len(s.out) == 0 {
		return want(s.stdout.Int(), 0)
	}
	return want(s.stdout.Int(), unix.POLLOUT)
}

func (s *session) wantLink() unix.PollFd {
	var events int16
	if s.link.up() && len(s.out) == 0 {
		events |= unix.POLLIN
	}
	if s.link.welcome && !s.link.deaf && s.owes() {
		events |= unix.POLLOUT
	}
	return want(s.link.fd.Int(), events)
}

// happened looks at what was signalled from elsewhere.
func (s *session) happened() {
	for !s.done {
		select {
		case sig := <-s.watch.signal:
			s.signalled(sig.(syscall.Signal))
			continue
		default:
		}
		break
	}
	if s.ctx.Err() != nil {
		if s.o.Recorder != nil { // its program may have been sent the signal as well
			s.end(exitOK)
		}
		s.end(exitFailed)
	}
	if d := s.watch.connection(); d != nil {
		s.connected(d)
	}
}

func (s *session) signalled(sig syscall.Signal) {
	switch sig {
	case syscall.SIGTSTP:
		s.tty.restore()
		if err := stopSelf(); err != nil {
			s.fail(err)
		}
		// This thread may run on for a moment before the process stands still, so the
		// terminal is taken again on SIGCONT only.
	case syscall.SIGCONT:
		s.continued()
	case syscall.SIGWINCH:
		if s.role == wire.Writer && s.link.framed && s.tty.exists() {
			s.link.size = true
			s.transmit()
		}
	default:
		if s.o.Recorder != nil {
			s.end(exitOK)
			return
		}
		s.end(exitSignal + int(sig))
	}
}

// continued makes the terminal raw again, since a shell has set it to its own liking.
func (s *session) continued() {
	if !s.banner {
		return
	}
	if err := s.tty.makeRaw(); err != nil {
		s.fail(fmt.Errorf("terminal: %w", err))
	}
}

func (s *session) readInput() {
	n, err := read(s.stdin, s.inbuf[:])
	switch {
	case n > 0:
		var last byte
		var ended bool
		if s.in, last, ended = s.esc.feed(s.in, s.inbuf[:n]); ended {
			s.out = append(s.out, s.esc.echo(last)...)
			s.send()
			s.escaped = true
			s.end(exitOK)
		} else {
			s.send()
		}
	case err == unix.EAGAIN:
	case s.tty.exists(): // hung up: there is nobody to show anything to
		s.end(exitSignal + int(unix.SIGHUP))
	default:
		s.noInput = true
	}
}

// send sends what was typed. What a watcher types, or their terminal, is nobody's.
func (s *session) send() {
	if s.role == wire.Reader {
		s.in = s.in[:0]
	}
	s.transmit()
}

// serveLink reads from the supervisor, and sends it what waits.
func (s *session) serveLink(revents int16) {
	if revents&unix.POLLOUT != 0 {
		s.transmit()
	}
	if revents&^unix.POLLOUT == 0 || len(s.out) > 0 || !s.link.up() {
		return
	}
	if !s.link.welcome {
		s.readAnswer()
		return
	}
	n, err := receive(s.link.fd.Int(), s.outbuf)
	switch {
	case n > 0:
		s.received(s.outbuf[:n])
	case err == unix.EAGAIN:
	case errors.Is(err, io.EOF) && !closedBothWays(s.link.fd.Int()):
		s.end(exitOK) // the supervisor said good-bye: see package console
	default:
		s.lost(errLost)
	}
}

// show writes output, keeping what is not taken; no more is read from the console until it is.
func (s *session) show(p []byte) {
	if !s.coloured {
		s.coloured = hasControl(p)
	}
	if s.painted && s.coloured {
		s.other.saw(p)
	}
	if len(s.out) > 0 {
		s.out = append(s.out, p...)
		return
	}
	n, err := write(s.stdout.Int(), p)
	s.out = append(s.out, p[n:]...)
	if err != nil && err != unix.EAGAIN {
		s.outputGone(err)
	}
}

func (s *session) writeOutput() {
	n, err := write(s.stdout.Int(), s.out)
	s.out = append(s.out[:0], s.out[n:]...)
	if err != nil && err != unix.EAGAIN {
		s.outputGone(err)
	}
}

func (s *session) outputGone(err error) {
	s.out = nil
	if errors.Is(err, unix.EPIPE) {
		s.end(exitSignal + int(unix.SIGPIPE)) // as any program in a pipe whose reader has gone
		return
	}
	s.fail(fmt.Errorf("standard output: %w", err))
}

// end ends the session. The first reason counts.
func (s *session) end(exit int) {
	if !s.done {
		s.done, s.exit = true, exit
	}
}

// fail ends it with a reason that the person is told.
func (s *session) fail(err error) {
	if s.done {
		return
	}
	s.tty.restore()
	fmt.Fprintf(s.o.Stderr, "%s%s: zone '%s': %v\n", s.newline(), s.o.Program, s.o.Zone, err)
	s.end(exitFailed)
}

// newline ends the line that the zone's output may have left begun, on a terminal.
func (s *session) newline() string {
	if s.banner && s.tty.exists() {
		return "\n"
	}
	return ""
}

// farewell writes what is left, puts the terminal back and says so.
func (s *session) farewell() {
	until := sys.Monotonic() + int64(farewellTime)
	if s.escaped {
		until = sys.Monotonic() + int64(escapeTime)
	}
	s.flush(until)
	if s.coloured && isTerminal(s.stdout.Int()) {
		s.out = append(s.out, s.other.quiet()...)
		s.flush(until)
	}
	s.tty.restore()
	if s.banner && !s.o.Quiet && s.exit < exitSignal {
		s.out = fmt.Appendf(s.out, "\n[Connection to zone '%s' console closed]\n", s.o.Zone)
		s.flush(until)
	}
}

// flush writes what is left, if the output takes it in time.
func (s *session) flush(until int64) {
	for len(s.out) > 0 {
		s.writeOutput()
		ms := (until - sys.Monotonic()) / 1e6
		fds := []unix.PollFd{want(s.stdout.Int(), unix.POLLOUT)}
		if len(s.out) > 0 && (ms <= 0 || poll(fds, int(ms)) != nil) {
			return
		}
	}
}
