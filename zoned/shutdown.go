package zoned

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

// shutdownLimit is how long a zone may take to go down by itself: stop/timeout_seconds of
// svc:/system/zones:default, which is 60 s where it is not set.
const shutdownLimit = 60 * time.Second

// attrShutdown is the configuration's word on it: an attr resource of type uint, in seconds,
// from 1 to shutdownMaxSeconds. It counts for the incarnation that was made ready with it.
const (
	attrShutdown       = "shutdown-timeout"
	shutdownMaxSeconds = 24 * 60 * 60
)

// shutdownTime is how long this zone may take. A value that makes no sense is told, and the
// zone gets what it would have without.
func (z *Zone) shutdownTime(r *request) time.Duration {
	limit, bad := z.shutdownAttr()
	if bad != "" {
		r.tell(message(api.LevelWarning, keyWarning, fmt.Sprintf("attr %s: %q is not a number of seconds from 1 to %d; %s it is",
			attrShutdown, bad, shutdownMaxSeconds, shutdownLimit)))
	}
	return limit
}

func (z *Zone) shutdownAttr() (limit time.Duration, bad string) {
	zone, err := z.store.LoadSnapshot(z.name)
	if err != nil {
		z.log.WithError(err).Warn("shutdown limit")
		return shutdownLimit, ""
	}
	for _, a := range zone.Attrs {
		if a.Name != attrShutdown {
			continue
		}
		n, err := strconv.ParseUint(a.Value, 10, 32)
		if err == nil && 1 <= n && n <= shutdownMaxSeconds {
			return time.Duration(n) * time.Second, ""
		}
		bad = a.Value
	}
	return shutdownLimit, bad
}

// initEnv is what init is told besides what the brand says: the zone's name, and how long services
// may take to stop.
func (z *Zone) initEnv() []string {
	env := []string{"ZONENAME=" + z.name}
	if z.brand.SMF {
		limit, _ := z.shutdownAttr()
		env = append(env, fmt.Sprintf("ZONE_SHUTDOWN_SECONDS=%d", int(limit/time.Second)))
	}
	return env
}

// beginShutdown asks the zone's init to go down, and waits beside the other transitions: a
// halt may overtake it. It is in the journal before init hears of it: what follows from init's
// end, and who is told, must not depend on which supervisor sees it.
func (z *Zone) beginShutdown(r *request) {
	if z.shutdown != nil {
		r.tell(message(api.LevelError, keyShutdownProgress))
		z.finish(r, -1)
		return
	}
	limit := z.shutdownTime(r)
	err := z.journal.log(&record{Type: recShutdown, Shutdown: &shutdown{
		ID: r.ID, Until: sys.Monotonic() + int64(limit), Reboot: r.Reboot, BootArgs: r.BootArgs, BootArgsGiven: r.BootArgsGiven,
	}})
	if err != nil {
		r.tell(message(api.LevelError, keyStepFailed, "shutdown", err.Error()))
		r.tell(message(api.LevelError, keyShutdownUnable))
		z.finish(r, -1)
		return
	}
	z.shutdown = r
	z.askShutdown(r, limit, limit)
}

// adoptShutdown takes over the waiting of a predecessor, whose caller will ask again.
func (z *Zone) adoptShutdown(s *shutdown) {
	r := newRequest(api.Request{
		Version: api.Version, ID: s.ID, Verb: api.VerbShutdown, Reboot: s.Reboot, BootArgs: s.BootArgs, BootArgsGiven: s.BootArgsGiven,
	}, sys.Peer{})
	z.remember(r)
	z.shutdown = r
}

// resumeShutdown goes on with one that was adopted. Init is asked again, since the word of the
// one before may not have reached it; a zone that is down by now is what was asked for.
func (z *Zone) resumeShutdown() {
	r := z.shutdown
	if r == nil || z.busy != nil {
		return // it is settled when the transition is over
	}
	if z.state != configs.Running || z.inc.isDead() {
		z.settleShutdown()
		return
	}
	z.log.Warn("the supervisor before this one was waiting for the zone to shut down; going on")
	whole, _ := z.shutdownAttr()
	z.askShutdown(r, max(0, time.Duration(z.journal.hist.asked.Until-sys.Monotonic())), whole)
}

// askShutdown has the zone's init go down, within what is left of the whole limit.
func (z *Zone) askShutdown(r *request, left, whole time.Duration) {
	slot := fmt.Sprintf("s%d", z.inc.id)
	dir := filepath.Join(z.cgroupDir(z.inc.cgroup), adminDir, slot)
	q := &helper.Request{
		Op: helper.OpExec, Zone: z.name, StateDir: z.stateDir(), Cgroup: z.inc.cgroup, CgroupMount: z.mount,
		Slot: slot, Login: &helper.Login{Args: []string{z.shutdownCommand(), "0"}, TTY: true},
	}
	inc := z.inc
	z.start(func() { z.post(evShut{r, z.awaitShutdown(dir, q, inc, left, whole)}) })
}

// shutdownCommand is the brand's init as a command.
func (z *Zone) shutdownCommand() string {
	if z.brand.SMF {
		return "/lib/svc/bin/init"
	}
	return "/sbin/init"
}

// awaitShutdown gives what went wrong, empty when the zone's init has ended.
func (z *Zone) awaitShutdown(dir string, q *helper.Request, inc *incarnation, left, whole time.Duration) string {
	ctx, cancel := context.WithTimeoutCause(z.ctx, left, fmt.Errorf("the zone's processes did not end within %s: use halt", whole))
	defer cancel()
	held, failed := z.tellInit(ctx, dir, q)
	// The terminal's master is held until the command is over: its end would be a hang-up.
	defer func() {
		for _, f := range held {
			f.Close()
		}
	}()
	// What an init that ends takes with it is no failure: its death is about to be told.
	if failed != "" && !sys.Ending(inc.initPid, inc.initStart) {
		return failed
	}
	select {
	case <-inc.died:
		return ""
	case <-ctx.Done():
		return context.Cause(ctx).Error()
	}
}

// tellInit runs the command that has the zone's init go down.
func (z *Zone) tellInit(ctx context.Context, dir string, q *helper.Request) (held []*sys.FD, failed string) {
	// Not its parents: a halt may have removed them just now.
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Sprintf("make cgroup: %v", err)
	}
	<-z.strays
	ct := z.newContract(dir)
	reply, held, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), dir, q, nil)
	z.abandon(ct)
	switch {
	case err != nil:
		failed = err.Error()
	case reply.Error != "":
		failed = reply.Error
	}
	return held, failed
}

// shutdownEnded concludes a graceful shutdown; the halt that follows the death of init is
// under way or over.
func (z *Zone) shutdownEnded(r *request, failed string) {
	if z.shutdown != r {
		return
	}
	// A halt that overtakes it kills what was to ask the zone, which is no failure.
	if failed != "" && z.busy == nil && z.state >= configs.Ready {
		r.tell(message(api.LevelError, keyStepFailed, "shutdown", failed))
		z.endShutdown(r, -1)
		return
	}
	z.settleShutdown()
}

// settleShutdown answers the shutdown once the zone is down and nothing is under way.
func (z *Zone) settleShutdown() {
	r := z.shutdown
	if r == nil || z.busy != nil {
		return
	}
	if z.state != configs.Installed {
		if z.inc != nil && z.inc.isDead() {
			return // the death's own transition comes
		}
		z.endShutdown(r, -1)
		return
	}
	if r.Reboot {
		z.shutdown = nil
		z.begin(r, toBoot)
		return
	}
	z.endShutdown(r, 0)
}

// endShutdown gives a shutdown its result, which is in the journal before it is told.
func (z *Zone) endShutdown(r *request, rval int) {
	z.shutdown = nil
	if rval != 0 {
		r.tell(message(api.LevelError, keyShutdownUnable))
	}
	said := append(r.said(), api.Reply{Type: api.ReplyResult, Rval: rval, State: z.stateName()})
	if err := z.journal.end(result{ID: r.ID, Replies: said}); err != nil {
		z.log.WithError(err).Error("journal")
	}
	z.finish(r, rval)
}
