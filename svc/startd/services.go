package startd

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/launch"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/orphans"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/request"
	"github.com/linuxzones/zones/svc/restarter"
	"github.com/linuxzones/zones/svc/svclog"
	"github.com/linuxzones/zones/svc/utmp"
	"github.com/linuxzones/zones/svc/zonename"
)

// bootOptions are what init was given for svc.startd.
type bootOptions struct {
	milestone string
	verbose   bool
	debug     bool
	quiet     bool
	down      bool // the zone is going down
}

// parseOptions reads what init passes on: -s, and -m with a value. init has refused the rest.
func parseOptions(args []string) (o bootOptions) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-s":
			o.milestone = "single-user"
		case args[i] == request.StartdDown:
			o.down = true
		case args[i] == "-m" && i+1 < len(args):
			i++
			if name, ok := strings.CutPrefix(args[i], "milestone="); ok {
				o.milestone = name
			} else if args[i] == "verbose" || args[i] == "debug" {
				o.verbose = true
				o.debug = o.debug || args[i] == "debug"
			} else if args[i] == "quiet" {
				o.quiet = true
			}
		}
	}
	return o
}

// tellsStarts says whether the console is told of each start: what the boot arguments say, or else
// options/boot_messages of svc.startd's own instance.
func (o *bootOptions) tellsStarts(r *repo.Repo) (tells bool) {
	if o.verbose || o.quiet {
		return o.verbose
	}
	_ = r.View(func(v *repo.Reader) error {
		f, err := fmri.Parse(restarter.FMRI)
		if err != nil {
			return err
		}
		c, err := v.Composed(repo.Entity{Service: f.Service, Instance: f.Instance})
		if err != nil {
			return err
		}
		p, err := c.Property("options", "boot_messages")
		tells = err == nil && len(p.Values) == 1 && p.Values[0] == "verbose"
		return err
	})
	return tells
}

// services runs those of the zone that this process lives in.
func services(args []string) func(context.Context, *Served) error {
	o := parseOptions(args)
	list, err := orphans.Open(orphans.FD)
	if err == nil {
		unix.CloseOnExec(orphans.FD)
	}
	unix.CloseOnExec(notify.FD)
	return func(ctx context.Context, s *Served) error {
		fs, err := contract.OpenAt(contract.ZonePath)
		if errors.Is(err, contract.ErrNoFS) {
			s.Say("there are no contracts here: no service is run")
			select {
			case <-ctx.Done():
			case <-s.Down:
			}
			return nil
		}
		if err != nil {
			return err
		}
		defer fs.Close()
		contracts, err := restarter.ZoneContracts(fs)
		if err != nil {
			return err
		}
		l, err := launch.New(fs)
		if err != nil {
			return err
		}
		defer l.Close()
		name, err := zonename.AtBoot()
		if err != nil {
			s.Say(err.Error())
		}
		ready, err := notify.Listen(notify.FD, s.Say)
		if err != nil {
			s.Say(err.Error())
		} else {
			defer ready.Close()
		}
		logs := svclog.Zone()
		return restarter.Run(ctx, restarter.Config{
			Repo: s.Repo, Contracts: contracts, Launcher: restarter.Methods(l, logs), Orphans: list, Logs: logs,
			Host: method.Zone, Zone: name, Init: os.Environ(), Milestone: o.milestone, Debug: o.debug, Milestones: s.Milestones, Down: s.Down,
			Say: s.Say, Alert: s.Alert, Notify: readiness(ready), Records: records(s.Records), Outbox: changes(s.Say),
			Console: func(n instance.Notice, text string) {
				if n == instance.StartRequested && !o.tellsStarts(s.Repo) {
					return
				}
				s.Say(text)
				s.Tell(text)
			},
		})
	}
}

// records is where processes are recorded; nil: nowhere.
func records(r *utmp.Recorder) restarter.Records {
	if r == nil {
		return nil
	}
	return r
}

// changes is where changes of states are left for who tells people; nil: there is no such place.
func changes(say func(string)) restarter.Outbox {
	box, err := outbox.Open(outbox.Dir)
	if err != nil {
		say("nobody is told of changes of states: " + err.Error())
		return nil
	}
	return box
}

// readiness is what services say at init's socket; nil: there is none.
func readiness(r *notify.Receiver) restarter.Notify {
	if r == nil {
		return restarter.Notify{}
	}
	return restarter.Notify{From: r, Socket: notify.Path, Place: notify.CgroupOf}
}
