package zoned

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

// shutdownLimit is how long a zone may take to go down by itself: stop/timeout_seconds of
// svc:/system/zones:default, which is 60 s where it is not set.
const shutdownLimit = 60 * time.Second

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
		Slot: slot, Login: &api.Login{Args: []string{z.shutdownCommand(), "0"}, TTY: true},
	}
	died := z.inc.died
	z.start(func() { z.post(evShut{r, z.awaitShutdown(dir, q, died)}) })
}

// shutdownCommand is the brand's init as a command.
func (z *Zone) shutdownCommand() string {
	if z.brand.SMF {
		return "/lib/svc/bin/init"
	}
	return "/sbin/init"
}

// awaitShutdown gives what went wrong, empty when the zone's init has ended.
func (z *Zone) awaitShutdown(dir string, q *helper.Request, died <-chan struct{}) string {
	ctx, cancel := context.WithTimeout(z.ctx, shutdownLimit)
	defer cancel()
	if err := cgroup2.Make(dir); err != nil {
		return err.Error()
	}
	reply, fds, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), dir, q, nil)
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
		return fmt.Sprintf("the zone's processes did not end within %s: use halt", shutdownLimit)
	}
}

// shutdownEnded concludes a graceful shutdown; the halt that follows the death of init is
// under way or over.
func (z *Zone) shutdownEnded(r *request, failed string) {
	if z.shutdown != r {
		return
	}
	if failed != "" {
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
