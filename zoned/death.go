package zoned

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// orphansMax is how many deaths are kept that nobody was found for: of processes whose start
// this supervisor has not been told of yet. Older ones are helpers' leftovers.
const orphansMax = 256

// death takes the end of a child of the keeper: the zone's init, a login, or neither.
func (z *Zone) death(d keeper.Death) {
	if z.inc != nil && z.inc.is(d) {
		z.inc.dead(d)
		if z.busy == nil {
			z.initDied(z.inc)
		}
		return
	}
	if l := z.loginOf(d); l != nil {
		z.loginDied(l, d)
		return
	}
	z.deaths = append(z.deaths, d)
	for len(z.deaths) > orphansMax {
		z.forget(z.deaths[0])
		z.deaths = z.deaths[1:]
	}
}

func (z *Zone) forget(d keeper.Death) {
	if err := z.keeper.Forget(d); err != nil {
		z.log.WithError(err).Warn("tell the keeper")
	}
}

// matchDeaths looks whether the init of a new incarnation has died before its number was
// known.
func (z *Zone) matchDeaths(inc *incarnation) {
	for i, d := range z.deaths {
		if inc.is(d) {
			z.deaths = append(z.deaths[:i], z.deaths[i+1:]...)
			inc.dead(d)
			return
		}
	}
}

// ticksPerSecond is USER_HZ, in which /proc gives start times; it is the same on every
// architecture that Go runs on.
const ticksPerSecond = 100

// lived is how long ago init was started, by a clock that nobody sets.
func (i *incarnation) lived() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano()) - time.Duration(i.initStart)*time.Second/ticksPerSecond
}

func (i *incarnation) is(d keeper.Death) bool { return i.initPid == d.Pid && i.initStart == d.Start }

func (i *incarnation) dead(d keeper.Death) {
	if !i.isDead() {
		i.status = d.Status
		i.death = &d
		close(i.died)
	}
}

func (i *incarnation) isDead() bool {
	select {
	case <-i.died:
		return true
	default:
		return false
	}
}

// Booting a zone again that did not ask the host to: its init died, and the brand wants that, or it
// rebooted itself. At once the first time, then with a delay that doubles, so that a zone that can
// not live does not keep the host busy. An incarnation that lived for restartQuiet starts anew.
const (
	restartFirst = time.Second
	restartMax   = time.Minute
	restartQuiet = time.Minute
)

type restarts struct {
	delay   time.Duration // before the next one
	pending *revival      // a restart waits for its time
	n       int           // which; a transition in between makes it void
}

func (r *restarts) next(lived time.Duration) time.Duration {
	d := r.delay
	switch {
	case lived >= restartQuiet:
		d, r.delay = 0, 0
	case r.delay == 0:
		r.delay = restartFirst
	default:
		r.delay = min(2*r.delay, restartMax)
	}
	return d
}

// initDied decides what the end of the zone's init means: it called reboot(2), whose kind is
// in the signal that the kernel says it died of, or it died.
func (z *Zone) initDied(inc *incarnation) {
	ws := inc.status
	r := z.fromZone(api.VerbHalt)
	switch {
	case z.state == configs.Down:
		// It was to be halted, and what kept it has gone.
		z.log.Info("the last process of the zone is gone; the halt is finished")
	case z.state == configs.Ready:
		z.log.WithField("status", describe(ws)).Error("the zone's trampoline died")
	case ws.Signaled() && ws.Signal() == unix.SIGINT:
		z.log.Info("the zone halted itself")
	case ws.Signaled() && ws.Signal() == unix.SIGHUP:
		z.rebootItself(r, inc)
		return
	case z.shutdown != nil || !z.brand.RestartInit:
		z.log.WithField("status", describe(ws)).Warn("init died; the zone is halted")
	default:
		z.reviveInit(r, inc)
		return
	}
	z.begin(r, halt)
}

// rebootItself boots a zone again that called reboot(2). While it is asked to go down from outside it
// is not held up: whoever waits is told that it is there again.
func (z *Zone) rebootItself(r *request, inc *incarnation) {
	r.Verb = api.VerbReboot
	delay := time.Duration(0)
	if z.shutdown == nil {
		delay = z.restarts.next(inc.lived())
	}
	if delay == 0 {
		z.log.Info("the zone rebooted itself")
		z.begin(r, reboot)
		return
	}
	z.log.Warnf("the zone rebooted itself, soon after the last time; it is booted again after %s", delay)
	z.say(fmt.Sprintf("NOTICE: Zone reboots again and again; the next boot is in %s", delay))
	z.haltAndWait(r, delay)
}

// haltAndWait has the zone booted again when the delay is over.
func (z *Zone) haltAndWait(r *request, delay time.Duration) {
	z.run(r, &operation{Verb: r.Verb, Phases: halt, Revive: &revival{At: sys.Monotonic() + int64(delay), Delay: z.restarts.delay}})
}

func (z *Zone) reviveInit(r *request, inc *incarnation) {
	delay := z.restarts.next(inc.lived())
	z.log.WithField("status", describe(inc.status)).Warnf("init died; the zone is booted again after %s", delay)
	z.say(fmt.Sprintf("init(8) died: %s: restarting automatically", describe(inc.status)))
	if delay == 0 {
		r.Verb = api.VerbReboot
		z.begin(r, reboot)
		return
	}
	z.haltAndWait(r, delay)
}

// awaitRevival has the zone booted at its time, unless a transition comes first; nil: nothing
// waits any more.
func (z *Zone) awaitRevival(v *revival) {
	z.restarts.n++
	z.restarts.pending = v
	if v == nil {
		return
	}
	z.restarts.delay = v.Delay
	n := z.restarts.n
	time.AfterFunc(time.Duration(v.At-sys.Monotonic()), func() { z.post(evReboot{n}) })
}

// revive boots the zone again if it is time and nobody did anything else meanwhile.
func (z *Zone) revive() {
	v := z.restarts.pending
	if v == nil || z.busy != nil || sys.Monotonic() < v.At {
		return
	}
	if z.state == configs.Installed {
		z.begin(z.fromZone(api.VerbBoot), toBoot)
		return
	}
	z.cancelRevival()
}

// cancelRevival: the zone stays as it is.
func (z *Zone) cancelRevival() {
	if z.restarts.pending == nil {
		return
	}
	z.awaitRevival(nil)
	if err := z.journal.forgetRevival(); err != nil {
		z.log.WithError(err).Error("cancel the zone's restart")
	}
	z.hold()
}

// fromZone is a request that nobody at the door made.
func (z *Zone) fromZone(v api.Verb) *request {
	r := newRequest(api.Request{Version: api.Version, Verb: v}, zonePeer)
	r.origin = fromKernel
	z.audit.began(r)
	return r
}

// say puts a line between the console's output.
func (z *Zone) say(text string) {
	if err := z.appendConsole([]byte("\r\n[" + text + "]\r\n")); err != nil {
		z.log.WithError(err).Warn("console notice")
	}
}

func describe(ws unix.WaitStatus) string {
	switch {
	case ws.Exited():
		return fmt.Sprintf("exit status %d", ws.ExitStatus())
	case ws.Signaled() && ws.CoreDump():
		return fmt.Sprintf("%s, core dumped", unix.SignalName(ws.Signal()))
	case ws.Signaled():
		return unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("status %#x", uint32(ws))
}
