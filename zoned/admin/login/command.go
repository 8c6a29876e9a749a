package login

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// forwarded are the signals that a command in the zone is sent in zlogin's place.
var forwarded = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// deadly are those that mean the end.
func deadly(s syscall.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGTERM || s == syscall.SIGHUP || s == syscall.SIGQUIT
}

// signalTimeMax bounds the passing on of one signal.
const signalTimeMax = 10 * time.Second

// run is one command in the zone.
type run struct {
	o    *Options
	talk *talk
	id   string

	given            []*sys.FD // the command's ends of the pipes, until it runs
	input            *sys.FD   // our ends
	stdout, stderr   *sys.FD
	ended, quit      stopper
	started, drained chan struct{}
	result           chan outcome
	signals          chan os.Signal
	group            sync.WaitGroup // every goroutine but those of the relays
	relays           sync.WaitGroup // these, and the one that waits for them
}

// command runs a command, or a login without a terminal, and returns its exit status.
func command(ctx context.Context, o Options) int {
	r, err := newRun(&o)
	if err != nil {
		fmt.Fprintf(o.Stderr, "zlogin: %v\n", err)
		return exitFailed
	}
	ctx, cancel := context.WithCancel(ctx)
	req := o.request()
	r.id = req.ID
	notify(r.signals, forwarded)
	defer r.close(cancel)
	r.startRelays()
	r.group.Go(func() {
		reply, err := o.Door.Call(ctx, req, api.Events{Message: r.talk.message, Started: func(int) { close(r.started) }}, r.given...)
		r.result <- outcome{reply, err}
	})
	return r.follow(ctx)
}

func newRun(o *Options) (_ *run, err error) {
	r := &run{
		o: o, talk: &talk{o: o, newline: func() string { return "\n" }},
		started: make(chan struct{}), drained: make(chan struct{}), result: make(chan outcome, 1), signals: make(chan os.Signal, 16),
	}
	defer func() {
		if err != nil {
			r.release()
		}
	}()
	if r.ended, err = newStopper(); err != nil {
		return nil, err
	}
	if r.quit, err = newStopper(); err != nil {
		return nil, err
	}
	in, input, err := pipe()
	if err != nil {
		return nil, err
	}
	r.input, r.given = input, []*sys.FD{in}
	for _, ours := range []**sys.FD{&r.stdout, &r.stderr} {
		from, to, err := pipe()
		if err != nil {
			return nil, err
		}
		*ours, r.given = from, append(r.given, to)
		if err := unix.SetNonblock(from.Int(), true); err != nil {
			return nil, err
		}
	}
	if o.NoInput {
		_ = r.input.Close() // the command reads the end at once
		return r, nil
	}
	return r, unix.SetNonblock(r.input.Int(), true)
}

// notify asks for signals, but for those that were ignored when zlogin was started (nohup).
func notify(ch chan os.Signal, sigs []os.Signal) {
	for _, s := range sigs {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
}

// startRelays passes the command's output on. The relays are waited for through drained.
func (r *run) startRelays() {
	var both sync.WaitGroup
	for _, d := range []struct {
		from *sys.FD
		to   *os.File
	}{{r.stdout, r.o.Stdout}, {r.stderr, r.o.Stderr}} {
		to := int(d.to.Fd())
		both.Go(func() {
			_ = relay{d.from, to, r.ended, r.quit}.run()
			// Nobody reads any more: the command gets SIGPIPE as if it had been here.
			_ = d.from.Close()
		})
	}
	r.relays.Go(func() {
		both.Wait()
		close(r.drained)
	})
}

// follow waits for the command's end and for its output's.
func (r *run) follow(ctx context.Context) int {
	started, insisted := r.started, 0
	var out *outcome
	drained := (chan struct{})(nil)
	for {
		select {
		case <-started:
			started = nil
			r.handOver()
			if r.input.Valid() {
				r.group.Go(func() {
					feed(int(r.o.Stdin.Fd()), r.input, r.quit)
					_ = r.input.Close()
				})
			}
		case got := <-r.result:
			out = &got
			r.handOver()
			drained = r.drained
			if got.err == nil || started != nil {
				r.ended.stop()
			}
			// Else only the supervisor is lost: the command may go on, and its output's end
			// is its own.
		case <-drained:
			return r.talk.verdict(*out)
		case s := <-r.signals:
			sig := s.(syscall.Signal)
			if deadly(sig) {
				insisted++
			}
			if deadly(sig) && (started != nil || out != nil || insisted > insistMax) {
				return exitSignal + int(sig)
			}
			if started == nil && out == nil {
				r.forward(ctx, sig)
			}
		case <-ctx.Done():
			return exitFailed
		}
	}
}

// forward has the supervisor send a signal to the command.
func (r *run) forward(ctx context.Context, sig syscall.Signal) {
	r.group.Go(func() {
		ctx, cancel := context.WithTimeoutCause(ctx, signalTimeMax, errors.New("no answer"))
		defer cancel()
		_, err := r.o.Door.Call(ctx, api.Request{Verb: api.VerbSignal, Target: r.id, Signal: int(sig)}, api.Events{})
		if err != nil && ctx.Err() == nil {
			r.talk.say(fmt.Sprintf("zone '%s': signal %d could not be passed on: %v", r.o.Zone, int(sig), err))
		}
	})
}

// handOver closes the command's ends of the pipes here, so that their ends are the command's.
func (r *run) handOver() {
	sys.CloseAll(r.given)
	r.given = nil
}

// close ends what is under way. A relay that is stuck in a write to zlogin's own output is
// left to the end of the process.
func (r *run) close(cancel func()) {
	signal.Stop(r.signals)
	cancel()
	r.quit.stop()
	r.group.Wait()
	if within(r.drained, stuckMax) {
		r.relays.Wait()
		r.release()
	}
}

func (r *run) release() {
	sys.CloseAll(append(r.given, r.input, r.stdout, r.stderr))
	r.ended.close()
	r.quit.close()
}
