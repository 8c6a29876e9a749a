package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/api"
)

// shownAfter is how long a call is quiet on a terminal before its progress is shown: most
// are over by then, and a line that flashes is worse than none.
const shownAfter = time.Second

// TransitionOptions go with a call to the supervisor.
type TransitionOptions struct {
	Force  Force // boot -f
	Reboot bool  // shutdown -r
	// Verbose: halt says what it has checked to be gone.
	Verbose bool
	// Args are boot arguments; nil: none were given, the configuration's serve.
	Args []string
}

// Transition asks the supervisor for ready, boot, halt, reboot or shutdown, and prints what
// it says. Success is silent.
func (a *Admin) Transition(ctx context.Context, cmd Command, o TransitionOptions) error {
	state, err := a.Sane(cmd, o.Force)
	if err != nil {
		return err
	}
	req := api.Request{Verb: api.Verb(cmd), Force: bool(o.Force), Reboot: o.Reboot, Verbose: o.Verbose}
	if o.Args != nil {
		req.BootArgsGiven = true
		req.BootArgs = strings.Join(o.Args, " ")
	}
	// The original's buffer of BootArgsMax bytes holds a terminating zero as well.
	if len(req.BootArgs) >= api.BootArgsMax {
		return ErrBootArgs
	}
	if cmd == Boot && state <= configs.Installed || cmd == Ready && state == configs.Installed {
		// What can be said about the configuration is said here, where it costs nobody
		// anything; from ready on the frozen one serves, which was checked.
		if err := a.Verify(cmd); err != nil {
			return err
		}
	}
	release, err := a.lock(together)
	if err != nil {
		return err
	}
	defer release()
	_, err = a.call(ctx, StartIfDead, req)
	return err
}

// call asks the supervisor and prints what it says, line by line as it comes.
func (a *Admin) call(ctx context.Context, start Starting, req api.Request) (api.Reply, error) {
	began := time.Now()
	show := a.transient()
	explained := false
	r, err := a.Door(a.Zone, start).Call(ctx, req, api.Events{
		Message: func(m api.Reply) {
			if m.Level == api.LevelProgress {
				if time.Since(began) > shownAfter {
					show.set(m.Text)
				}
				return
			}
			explained = explained || m.Level == api.LevelError
			show.clear()
			a.Say(m.Text)
		},
		Waiting: func(d time.Duration) {
			show.set(fmt.Sprintf("waiting for the supervisor, %d seconds since its last word", int(d.Seconds())))
		},
	})
	show.clear()
	switch {
	case errors.Is(err, api.ErrNoServer):
		return r, err
	case ctx.Err() != nil && err != nil:
		return r, fmt.Errorf("%w; the %s goes on in the supervisor if it had begun", err, req.Verb)
	case err != nil:
		return r, fmt.Errorf("%w: %w", ErrCall, err)
	case r.Rval == 0:
		return r, nil
	case explained:
		return r, ErrSaid
	}
	return r, ErrCall
}
