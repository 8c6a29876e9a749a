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
// halt may overtake it.
func (z *Zone) beginShutdown(r *request) {
	if z.shutdown != nil {
		r.tell(message(api.LevelError, keyShutdownProgress))
		z.finish(r, -1)
		return
	}
	z.shutdown = r
	slot := fmt.Sprintf("s%d", z.inc.id)
	dir := filepath.Join(z.cgroupDir(z.inc.cgroup), adminDir, slot)
	q := &helper.Request{
		Op: helper.OpExec, Zone: z.name, StateDir: z.stateDir(), Cgroup: z.inc.cgroup, CgroupMount: z.mount,
		Slot: slot, Login: &helper.Login{Args: []string{z.shutdownCommand(), "0"}, TTY: true},
	}
	died, limit := z.inc.died, z.shutdownTime(r)
	z.start(func() { z.post(evShut{r, z.awaitShutdown(dir, q, died, limit)}) })
}

// shutdownCommand is the brand's init as a command.
func (z *Zone) shutdownCommand() string {
	if z.brand.SMF {
		return "/lib/svc/bin/init"
	}
	return "/sbin/init"
}

// awaitShutdown gives what went wrong, empty when the zone's init has ended.
func (z *Zone) awaitShutdown(dir string, q *helper.Request, died <-chan struct{}, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(z.ctx, limit)
	defer cancel()
	// Not its parents: a halt may have removed them just now.
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Sprintf("make cgroup: %v", err)
	}
	<-z.strays
	ct := z.newContract(dir)
	reply, fds, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), dir, q, nil)
	z.abandon(ct)
	// The terminal's master is held until the command is over: its end would be a hang-up.
	defer func() {
		for _, f := range fds {
			f.Close()
		}
	}()
	if err != nil {
		return err.Error()
	}
	if reply.Error != "" {
		return reply.Error
	}
	select {
	case <-died:
		return ""
	case <-ctx.Done():
		return fmt.Sprintf("the zone's processes did not end within %s: use halt", limit)
	}
}

// shutdownEnded concludes a graceful shutdown; the halt that follows the death of init is
// under way or over.
func (z *Zone) shutdownEnded(r *request, failed string) {
	if z.shutdown != r {
		return
	}
	// A halt that overtakes it kills what was to ask the zone, which is no failure.
	if failed != "" && z.busy == nil && z.state >= configs.Ready {
		z.shutdown = nil
		r.tell(message(api.LevelError, keyStepFailed, "shutdown", failed))
		r.tell(message(api.LevelError, keyShutdownUnable))
		z.finish(r, -1)
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
		z.shutdown = nil
		r.tell(message(api.LevelError, keyShutdownUnable))
		z.finish(r, -1)
		return
	}
	z.shutdown = nil
	if r.Reboot {
		z.begin(r, toBoot)
		return
	}
	z.finish(r, 0)
}
