package initd

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/request"
)

const (
	// limitName is the variable that says how long the zone may take to go down, in seconds. Who
	// asks for it from outside waits so long.
	limitName = "ZONE_SHUTDOWN_SECONDS"
	// limitUsual is what counts without it.
	limitUsual = 60 * time.Second
	// downRest is what of it is kept for those who are no service: grace, SIGKILL, and some more.
	downRest = graceLimit + killLimit + 3*time.Second
	// askEvery is how often svc.startd is told: one that is just being executed does not hear it.
	askEvery = 250 * time.Millisecond
	// downFailures is how often svc.startd may fail while it stops services: then all are ended as
	// others are.
	downFailures = 10
)

// leaving is a zone that goes down, as long as its services are stopped.
type leaving struct {
	done     bool // svc.startd has stopped them all, or never will
	failures int
}

// takeLimit reads how long services have to stop, and others after SIGTERM then. It takes it from the
// environment, which is handed on to services.
func takeLimit() (services, grace time.Duration) {
	limit := limitUsual
	if n, err := strconv.ParseUint(os.Getenv(limitName), 10, 31); err == nil && n > 0 {
		limit = time.Duration(n) * time.Second
	}
	os.Unsetenv(limitName)
	return max(limit-downRest, limit/2), min(graceLimit, limit/4)
}

// stopServices has svc.startd stop the services, those first that others do not need. It ends when
// they are down, when svc.startd fails again and again, at the limit, or when somebody does not want
// to wait: true then. Of the last two svc.startd does not see what becomes of its services: it would
// take it for a failure of theirs.
func (d *daemon) stopServices() (atOnce bool) {
	if !d.startd.wanted {
		return false
	}
	d.leaving = &leaving{}
	atOnce = d.awaitServices(d.leaving)
	if !d.leaving.done && d.startd.pid != 0 {
		d.tellStartd(unix.SIGKILL)
		end := time.NewTimer(killLimit)
		defer end.Stop()
		d.leaving.done = true // it is not started again
		for late := false; d.startd.pid != 0 && !late; {
			select {
			case <-d.child:
				d.reap()
			case <-d.reapCut:
				d.reap()
			case <-end.C:
				late = true
			}
		}
	}
	d.leaving = nil
	return atOnce
}

func (d *daemon) awaitServices(l *leaving) (atOnce bool) {
	k := d.startd
	k.program.argv = append(k.program.argv[:len(k.program.argv):len(k.program.argv)], request.StartdDown)
	k.throttle.reset()
	switch {
	case k.pid != 0:
		d.tellStartd(request.StartdSignal)
	case !k.starting:
		k.again.Reset(0)
	}
	limit := time.NewTimer(d.limit)
	defer limit.Stop()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for !l.done {
		select {
		case <-d.child:
			d.reap()
		case <-d.reapCut:
			d.reap()
		case <-k.again.C:
			d.start(k)
		case s := <-k.result:
			d.startedAs(k, s)
		case s := <-d.shell.result:
			d.startedAs(d.shell, s)
		case <-ask.C:
			if k.pid != 0 && !k.worded {
				d.tellStartd(request.StartdSignal)
			}
		case <-limit.C:
			d.scribe.say("init: services have not stopped within " + d.limit.String() + ": their processes are ended")
			return false
		case s := <-d.ending:
			d.scribe.say("init: the zone is already going down")
			if request.Of(s.(unix.Signal)).AtOnce() {
				return true
			}
		case <-d.other:
			d.scribe.say("init: the zone is already going down")
		}
	}
	return false
}

// ended takes the end of a kept program. svc.startd is started again as long as it has not said,
// with its exit status, that all services are down.
func (l *leaving) ended(d *daemon, k *kept, status unix.WaitStatus) {
	if k != d.startd || l.done {
		return
	}
	if status.Exited() && status.ExitStatus() == 0 && k.asked {
		l.done = true
		return
	}
	d.scribe.say("init: svc.startd ended (" + describe(status) + ") while it stopped services")
	l.again(d, k)
}

// again starts svc.startd once more, if that is of any use.
func (l *leaving) again(d *daemon, k *kept) {
	if l.failures++; l.failures >= downFailures {
		d.scribe.say("init: svc.startd does not stop the services: their processes are ended")
		l.done = true
		return
	}
	k.again.Reset(k.throttle.after(0))
}

// tellStartd sends a signal to svc.startd, which is a child that was not waited for.
func (d *daemon) tellStartd(sig unix.Signal) {
	d.startd.asked = d.startd.asked || sig == request.StartdSignal
	if err := d.k.signal(d.startd.pid, sig); err != nil {
		d.scribe.say("init: svc.startd: " + err.Error())
	}
}

func signalChild(pid int, sig unix.Signal) error {
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return err
	}
	defer fd.Close()
	return sys.PidfdSignal(fd.Int(), sig)
}
