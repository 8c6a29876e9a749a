package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

const (
	// endMax is how long Close waits for the program to end by itself.
	endMax = 2 * time.Second
	// errorBytesMax is how much of its error output is kept: the end of it.
	errorBytesMax = 4096
)

// Door is the way to the zone's supervisor; *api.Client is one.
type Door interface {
	Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error)
}

// ErrEnded: the program has ended, and not well.
var ErrEnded = errors.New("the program in the zone failed")

// Stream is a program that runs. One goroutine reads and one writes.
type Stream struct {
	in, out, errs *os.File // our ends of the program's streams
	cancel        func()
	group         sync.WaitGroup
	ended         chan struct{} // closed when result is there
	result        error         // nil: it ended well

	mu   sync.Mutex
	last []byte // the end of its error output
	said chan struct{}
}

// Open starts the program, with its arguments, and returns when it runs. The context bounds that;
// a program that runs is ended by Close.
func Open(ctx context.Context, d Door, program ...string) (*Stream, error) {
	s := &Stream{ended: make(chan struct{}), said: make(chan struct{})}
	given, err := s.pipes()
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.cancel = func() { cancel(context.Canceled) }
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer stop()
	started := make(chan struct{})
	var once sync.Once
	s.group.Go(s.listen)
	s.group.Go(func() {
		defer close(s.ended)
		req := api.Request{ID: api.NewID(), Verb: api.VerbLogin, Login: &api.Login{Args: program}}
		said := ""
		reply, err := d.Call(call, req, api.Events{
			Started: func(int) {
				once.Do(func() {
					sys.CloseAll(given) // its ends are the program's alone
					close(started)
				})
			},
			Message: func(r api.Reply) {
				if r.Level != api.LevelProgress {
					said = r.Text
				}
			},
		}, given...)
		once.Do(func() { sys.CloseAll(given) })
		s.result = s.verdict(reply, err, said)
	})
	select {
	case <-started:
		return s, nil
	case <-s.ended:
	}
	select {
	case <-started: // it ran, and has ended already: what it wrote is there
		return s, nil
	default:
	}
	s.Close()
	if s.result == nil {
		return nil, ErrEnded
	}
	return nil, s.result
}

// pipes makes the three of them; the program's ends are given.
func (s *Stream) pipes() (given []*sys.FD, err error) {
	var files [3]*os.File
	for i, name := range []string{"input", "output", "error output"} {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			sys.CloseAll(given)
			for _, f := range files[:i] {
				f.Close()
			}
			return nil, fmt.Errorf("make a pipe: %w", err)
		}
		ours, theirs := p[0], p[1]
		if i == 0 {
			ours, theirs = p[1], p[0]
		}
		_ = unix.SetNonblock(ours, true)
		files[i], given = os.NewFile(uintptr(ours), "the program's "+name), append(given, sys.Own(theirs))
	}
	s.in, s.out, s.errs = files[0], files[1], files[2]
	return given, nil
}

// listen keeps the end of what the program says on its error output.
func (s *Stream) listen() {
	defer close(s.said)
	b := make([]byte, errorBytesMax)
	for {
		n, err := s.errs.Read(b)
		s.mu.Lock()
		s.last = append(s.last, b[:n]...)
		if over := len(s.last) - errorBytesMax; over > 0 {
			s.last = append(s.last[:0], s.last[over:]...)
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// verdict is what the end of the call means.
func (s *Stream) verdict(reply api.Reply, err error, said string) error {
	if err != nil {
		return err
	}
	if reply.Exited && reply.Status == 0 {
		return nil
	}
	select { // what it had to say is on its way
	case <-s.said:
	case <-time.After(endMax):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := lastLine(string(s.last)); line != "" {
		return fmt.Errorf("%w: %s", ErrEnded, line)
	}
	if !reply.Exited {
		if said == "" {
			said = "it is not known how it ended"
		}
		return fmt.Errorf("%w: %s", ErrEnded, printable.Text(said))
	}
	ws := syscall.WaitStatus(reply.Status)
	if ws.Signaled() {
		return fmt.Errorf("%w: it was killed by signal %d", ErrEnded, int(ws.Signal()))
	}
	return fmt.Errorf("%w: status %d", ErrEnded, ws.ExitStatus())
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return printable.Text(text[strings.LastIndexByte(text, '\n')+1:])
}

// Read reads what the program writes. At the end of it, io.EOF when the program ended well, else
// why it did not.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.out.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-s.ended:
		if s.result != nil {
			return n, s.result
		}
	case <-time.After(endMax): // it has closed its output, and goes on
	}
	return n, io.EOF
}

// Write writes to the program.
func (s *Stream) Write(p []byte) (int, error) { return s.in.Write(p) }

// SetReadDeadline bounds a Read that waits for the program.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.out.SetReadDeadline(t) }

// SetWriteDeadline bounds a Write.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.in.SetWriteDeadline(t) }

// Close ends the program's input, and what is left of it here. It may be called twice.
func (s *Stream) Close() error {
	s.in.Close()
	select {
	case <-s.ended:
	case <-time.After(endMax):
	}
	s.cancel()
	s.out.Close()
	s.errs.Close()
	s.group.Wait()
	return nil
}
