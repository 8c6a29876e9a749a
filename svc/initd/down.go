package initd

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/request"
)

const (
	// graceLimit is what processes have between SIGTERM and SIGKILL, at most. The host's own limit
	// for a shutdown (60 s) is far above it.
	graceLimit = 5 * time.Second
	// killLimit is for SIGKILL to do its work: a fork bomb may outrun one round. Who is left
	// then cannot be killed now, and pid 1's end is waited for by the kernel anyway.
	killLimit = 2 * time.Second
	// lookEvery is how often it is looked whether anybody is left: not every process of the
	// zone is a child of pid 1, those that came in from outside have their parents there.
	lookEvery = 20 * time.Millisecond
)

// exitReboot is the exit status that asks for a reboot where reboot(2) is refused.
const exitReboot = 6

// goDown ends the zone. It returns an exit status only where reboot(2) is refused.
func (d *daemon) goDown(p proof, r request.Request) int {
	for _, k := range d.all() {
		k.again.Stop()
	}
	d.scribe.say("init: the zone is going down: " + r.String())
	atOnce := r.AtOnce() || d.stopServices()
	if !atOnce {
		p.KillAll(unix.SIGTERM)
		p.KillAll(unix.SIGCONT)       // who is stopped does not see a SIGTERM
		d.group.Go(p.HangUpTerminals) // it reads /proc: nobody waits for it
		d.awaitNobody(p, d.grace, 0)
	}
	d.awaitNobody(p, killLimit, unix.SIGKILL)
	d.scribe.flush()
	err := p.Reboot(r.Action())
	d.scribe.say("init: reboot(2) is refused (" + err.Error() + "), process 1 exits instead")
	d.scribe.flush()
	if r.Action() == inside.Reboot {
		return exitReboot
	}
	return 0
}

// awaitNobody reaps until no other process is left in the zone, for limit at most. With a
// signal it sends that to everybody each time it looks.
func (d *daemon) awaitNobody(p proof, limit time.Duration, sig unix.Signal) {
	end := time.NewTimer(limit)
	defer end.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		d.drain()
		if p.KillAll(sig) == unix.ESRCH {
			return
		}
		select {
		case <-d.child:
		case <-d.reapCut:
		case <-look.C:
		case <-end.C:
			return
		case s := <-d.shell.result: // who was being started is one of everybody
			d.k.close(s.pidfd)
		case s := <-d.startd.result:
			d.k.close(s.pidfd)
		case s := <-d.ending:
			d.scribe.say("init: the zone is already going down")
			if request.Of(s.(unix.Signal)).AtOnce() && sig == 0 {
				return
			}
		case <-d.other:
			d.scribe.say("init: the zone is already going down")
		}
	}
}

// drain reaps a round without starting anything again.
func (d *daemon) drain() {
	for range reapMax {
		if pid, _ := d.k.wait(); pid <= 0 {
			return
		}
	}
}
