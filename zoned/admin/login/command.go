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

// startMax is how long a command that was told to end before it was known to run may take
// to be reported.
const startMax = time.Second

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

	// The rest belongs to follow.
	out        *outcome
	runs       bool             // the command was reported to run
	early      []syscall.Signal // came before that
	insisted   int              // deadly ones so far
	last       syscall.Signal   // the last of them
	impatience <-chan time.Time // set by a deadly one that came early

	group  sync.WaitGroup // every goroutine but those of the relays
	relays sync.WaitGroup // these, and the one that waits for them
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
		begun := false
		reply, err := o.Door.Call(ctx, req, api.Events{
			Message: r.talk.message, Waiting: r.talk.waiting(&begun),
			Started: func(int) { begun = true; close(r.started) },
		}, r.given...)
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
	started := r.started
	drained := (chan struct{})(nil) // of interest once the result is there
	for {
		select {
		case <-started:
			started = nil
			r.running(ctx)
		case out := <-r.result:
			r.out = &out
			r.handOver()
			drained = r.drained
			if out.err == nil || !r.runs {
				r.ended.stop()
			}
			// Else only the supervisor is lost: the command may go on, and its output's end
			// is its own.
		case <-drained:
			return r.talk.verdict(*r.out)
		case s := <-r.signals:
			if exit, end := r.signalled(ctx, s.(syscall.Signal)); end {
				return exit
			}
		case <-r.impatience:
			return exitSignal + int(r.last)
		case <-ctx.Done():
			return exitFailed
		}
	}
}

// running is what is done when the command runs.
func (r *run) running(ctx context.Context) {
	r.runs = true
	r.handOver()
	if r.input.Valid() {
		from := int(r.o.Stdin.Fd())
		r.group.Go(func() {
			feed(from, r.input, r.quit)
			_ = r.input.Close()
		})
	}
	r.impatience = nil
	for _, sig := range r.early {
		r.forward(ctx, sig)
	}
	r.early = nil
}

// signalled passes a signal on, and says whether it ends zlogin itself: when the command
// cannot be asked any more, ignores many, or does not begin.
func (r *run) signalled(ctx context.Context, sig syscall.Signal) (exit int, end bool) {
	if deadly(sig) {
		r.last = sig
		r.insisted++
		if r.out != nil || r.insisted > insistMax {
			return exitSignal + int(sig), true
		}
	}
	switch {
	case r.out != nil:
	case r.runs:
		r.forward(ctx, sig)
	case len(r.early) < cap(r.signals):
		// The command may run already, and only the word of it be on its way.
		r.early = append(r.early, sig)
		if deadly(sig) && r.impatience == nil {
			r.impatience = time.After(startMax)
		}
	}
	return 0, false
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
