package client

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// signals are what the session reacts to.
var signals = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGWINCH,
}

// watch turns what happens elsewhere (a signal, the end of the context, a connection that was
// made) into readiness of an eventfd, for the session's poll.
type watch struct {
	arrived chan os.Signal // from the runtime
	signal  chan os.Signal // for the session
	stop    chan struct{}
	undo    func() bool
	waiter  sync.WaitGroup // the goroutine that forwards signals
	dials   sync.WaitGroup // at most one; not waited for, since Dial may take seconds

	mu     sync.Mutex // guards the three below
	wake   *sys.FD
	dialed *dialed
	over   bool
}

// dialed is what an attempt to connect came to.
type dialed struct {
	fd       *sys.FD
	err      error
	panicked any
}

func newWatch(ctx context.Context) (*watch, error) {
	wake, err := ring.NewEvent()
	if err != nil {
		return nil, err
	}
	w := &watch{
		wake: wake, stop: make(chan struct{}),
		arrived: make(chan os.Signal, 16), signal: make(chan os.Signal, 16),
	}
	signal.Notify(w.arrived, signals...)
	w.waiter.Go(w.forward)
	w.undo = context.AfterFunc(ctx, w.kick)
	return w, nil
}

func (w *watch) forward() {
	for {
		select {
		case sig := <-w.arrived:
			select {
			case w.signal <- sig:
			default: // sixteen wait already: the session does not get to them, and one more changes nothing
			}
			w.kick()
		case <-w.stop:
			return
		}
	}
}

func (w *watch) kick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		ring.Kick(w.wake.Int())
	}
}

// dial calls f without keeping the session, so that escapes work meanwhile.
func (w *watch) dial(f func() (*sys.FD, error)) {
	w.dials.Go(func() {
		d := &dialed{}
		defer func() {
			d.panicked = recover()
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.over {
				d.fd.Close()
				return
			}
			w.dialed = d
			ring.Kick(w.wake.Int())
		}()
		d.fd, d.err = f()
	})
}

// connection takes the result of dial, nil when it is still under way. A panic of Dial goes
// on here, on the session's goroutine, which puts the terminal back.
func (w *watch) connection() *dialed {
	w.mu.Lock()
	d := w.dialed
	w.dialed = nil
	w.mu.Unlock()
	if d != nil && d.panicked != nil {
		panic(d.panicked)
	}
	return d
}

func (w *watch) close() {
	signal.Stop(w.arrived)
	close(w.stop)
	w.undo()
	w.waiter.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.dialed != nil {
		w.dialed.fd.Close()
	}
	w.wake.Close()
}
