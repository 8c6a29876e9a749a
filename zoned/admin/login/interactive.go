package login

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// watched are the signals that an interactive session reacts to.
var watched = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGWINCH,
}

// ending is how a session ends before the login does.
type ending struct {
	exit int
	echo string // of the escape
	cut  bool   // in the middle of whatever the zone was showing
}

// session is one interactive login.
type session struct {
	o    *Options
	talk *talk
	tty  *terminal
	esc  *escape

	master      *sys.FD // of the zone's terminal, once it came
	name        string  // of its slave: pts/N
	ended, quit stopper
	arrived     chan *sys.FD
	result      chan outcome
	input       chan ending // the input's end
	output      chan error  // the output's end: nil, or why it could not be written
	relayed     chan struct{}
	signals     chan os.Signal
	group       sync.WaitGroup // every goroutine but those that write to standard output
	writers     sync.WaitGroup // these
}

// interactive logs in on a terminal of the zone's own.
func interactive(ctx context.Context, o Options) int {
	s, err := newSession(&o)
	if err != nil {
		fmt.Fprintf(o.Stderr, "zlogin: terminal: %v\n", err)
		return exitFailed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.close(cancel)
	notify(s.signals, watched)
	req := o.request()
	req.Login.TTY, req.Login.Term = true, termName(os.Getenv("TERM"))
	req.Login.Rows, req.Login.Cols = s.tty.size()
	s.group.Go(func() {
		begun := false
		reply, err := o.Door.Call(ctx, req, api.Events{
			Message: s.talk.message, Waiting: s.talk.waiting(&begun),
			TTY: func(m *sys.FD) { begun = true; s.arrived <- m },
		})
		s.result <- outcome{reply, err}
	})
	return s.farewell(s.follow(ctx))
}

// termName is TERM if it is a plain word, as names of terminals are; else none is given on.
func termName(term string) string {
	const termMax = 64
	if len(term) > termMax {
		return ""
	}
	for _, c := range []byte(term) {
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("+-._", c) >= 0) {
			return ""
		}
	}
	return term
}

func newSession(o *Options) (*session, error) {
	tty, err := openTerminal(int(o.Stdin.Fd()))
	if err != nil {
		return nil, err
	}
	s := &session{
		o: o, tty: tty, talk: &talk{o: o, newline: tty.newline}, esc: newEscape(o.Escape, o.NoEscape, &tty.saved),
		arrived: make(chan *sys.FD, 1), result: make(chan outcome, 1), input: make(chan ending, 1), output: make(chan error, 1),
		relayed: make(chan struct{}), signals: make(chan os.Signal, 16),
	}
	if s.ended, err = newStopper(); err != nil {
		return nil, err
	}
	if s.quit, err = newStopper(); err != nil {
		s.ended.close()
		return nil, err
	}
	return s, nil
}

// follow goes through the session to its end.
func (s *session) follow(ctx context.Context) ending {
	var out *outcome
	silent := false // the zone's side of the terminal was closed
	for {
		select {
		case m := <-s.arrived:
			if err := s.begin(m); err != nil {
				s.talk.say("terminal: " + err.Error())
				return ending{exit: exitFailed}
			}
		case got := <-s.result:
			// The terminal was handed out before the result was sent, if it was at all.
			select {
			case m := <-s.arrived:
				if err := s.begin(m); err != nil {
					s.talk.say("terminal: " + err.Error())
				}
			default:
			}
			if s.master == nil || silent {
				return s.over(got)
			}
			out = &got
			if got.err == nil {
				s.ended.stop() // else only the supervisor is lost, and the session goes on
			}
		case err := <-s.output:
			silent = true
			switch {
			case err == unix.EPIPE:
				return ending{exit: exitSignal + int(unix.SIGPIPE), cut: true}
			case err != nil:
				return ending{exit: exitSignal + int(unix.SIGHUP), cut: true}
			case out != nil:
				return s.over(*out)
			}
		case e := <-s.input:
			return e
		case sig := <-s.signals:
			if e, end := s.signalled(sig.(syscall.Signal)); end {
				return e
			}
		case <-ctx.Done():
			return ending{exit: exitFailed, cut: true}
		}
	}
}

// over is the end that came with a result: an interactive login's own status is not zlogin's.
func (s *session) over(out outcome) ending {
	if out.err == nil && out.reply.Exited && s.master != nil {
		return ending{exit: exitOK}
	}
	s.tty.restore()
	code := s.talk.verdict(out)
	if s.master == nil && code == exitOK {
		code = exitFailed // ended without ever having had a terminal
	}
	return ending{exit: code}
}

// begin takes the zone's terminal and joins it with the person's.
func (s *session) begin(m *sys.FD) error {
	s.master = m
	s.name = "pts"
	if n, err := ptyNumber(m.Int()); err == nil {
		s.name = fmt.Sprintf("pts/%d", n)
	}
	if err := unix.SetNonblock(m.Int(), true); err != nil {
		return err
	}
	s.tty.copySize(m.Int())
	if !s.o.Quiet {
		fmt.Fprintf(s.o.Stdout, "[Connected to zone '%s' %s]\n", s.o.Zone, s.name)
	}
	if err := s.tty.makeRaw(); err != nil {
		return err
	}
	s.group.Go(s.feed)
	to := int(s.o.Stdout.Fd())
	s.writers.Go(func() {
		defer close(s.relayed)
		s.output <- relay{m, to, s.ended, s.quit}.run()
	})
	return nil
}

// signalled says whether a signal ends the session.
func (s *session) signalled(sig syscall.Signal) (ending, bool) {
	switch sig {
	case syscall.SIGWINCH:
	case syscall.SIGTSTP:
		// The stop takes hold a moment after stopSelf returned: raw again the terminal is
		// made by SIGCONT, not here.
		s.tty.restore()
		_ = stopSelf()
	case syscall.SIGCONT:
		s.resume()
	default:
		return ending{exit: exitSignal + int(sig), cut: true}, true
	}
	if s.master != nil {
		s.tty.copySize(s.master.Int())
	}
	return ending{}, false
}

// resume makes the terminal raw again, since a shell has set it to its own liking.
func (s *session) resume() {
	if s.master != nil {
		_ = s.tty.makeRaw()
	}
}

// feed passes on what the person types, until an escape or the terminal's end. Escapes are
// seen also while the zone takes nothing.
func (s *session) feed() {
	var pending []byte
	buf := make([]byte, 4096)
	for {
		fds := []unix.PollFd{{Fd: int32(s.tty.fd), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLOUT}}
		if len(pending) > inputMax {
			fds[0].Fd = -1
		}
		if len(pending) > 0 {
			fds[1].Fd = int32(s.master.Int())
		}
		if s.quit.wait(fds, -1) != nil {
			return
		}
		if fds[0].Revents != 0 {
			n, err := read(s.tty.fd, buf)
			if n == 0 && err != unix.EAGAIN { // hung up: there is nobody to show anything to
				s.input <- ending{exit: exitSignal + int(unix.SIGHUP), cut: true}
				return
			}
			var last byte
			var ended bool
			if pending, last, ended = s.esc.feed(pending, buf[:n]); ended {
				s.input <- ending{exit: exitOK, echo: s.esc.echo(last), cut: true}
				return
			}
		}
		if len(pending) > 0 {
			n, err := unix.Write(s.master.Int(), pending)
			if err != nil && err != unix.EAGAIN && err != unix.EINTR {
				n = len(pending) // nobody is there to read it
			}
			pending = append(pending[:0], pending[max(n, 0):]...)
		}
	}
}

// farewell shows the end. The terminal is put back before anything that may block.
func (s *session) farewell(e ending) int {
	if s.master == nil {
		return e.exit
	}
	s.quit.stop() // nothing of the zone's comes after our last words
	s.tty.restore()
	if e.exit >= exitSignal {
		return e.exit // nobody is there, or nobody is asking
	}
	var text string
	if e.cut && isTerminal(int(s.o.Stdout.Fd())) {
		text = e.echo + calm
	}
	if !s.o.Quiet {
		text += fmt.Sprintf("\n[Connection to zone '%s' %s closed]\n", s.o.Zone, s.name)
	} else if text != "" {
		text += "\n"
	}
	if !within(s.relayed, stuckMax) {
		return e.exit
	}
	// A terminal that takes nothing must not hold us.
	said := make(chan struct{})
	to := int(s.o.Stdout.Fd())
	s.writers.Go(func() {
		defer close(said)
		_ = write(to, []byte(text))
	})
	within(said, stuckMax)
	return e.exit
}

// within waits for done, but no longer than d.
func within(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// close ends what is under way. Closing the master hangs up what still runs in the zone.
func (s *session) close(cancel func()) {
	s.tty.restore()
	signal.Stop(s.signals)
	cancel()
	s.quit.stop()
	s.group.Wait()
	select {
	case m := <-s.arrived:
		_ = m.Close()
	default:
	}
	if s.master != nil && !within(s.relayed, stuckMax) {
		return // stuck in a write: left to the end of the process
	}
	s.writers.Wait()
	_ = s.master.Close()
	s.ended.close()
	s.quit.close()
}
