package initd

import (
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/orphans"
	"github.com/linuxzones/zones/svc/request"
	"github.com/linuxzones/zones/svc/session"
)

// daemon is pid 1. Everything in it belongs to the loop.
type daemon struct {
	k       *kernel
	opts    options
	scribe  *scribe
	group   sync.WaitGroup
	shell   *kept
	startd  *kept
	limit   time.Duration // for services to stop when the zone goes down
	grace   time.Duration // for others, after SIGTERM
	leaving *leaving      // nil: the zone is up, or beyond that
	list    *orphans.List // of the processes that were reaped
	listFD  *os.File
	socket  *os.File // of services that say that they are ready
	child   chan os.Signal
	ending  chan os.Signal
	other   chan os.Signal
	reapCut chan struct{} // a round of reaping was cut short
}

// Main is pid 1. It returns an exit status only where reboot(2) is refused.
func Main(args []string) int {
	shield(args)
	d := &daemon{
		k:       &realKernel,
		opts:    parseBootArgs(args[1:]),
		scribe:  newScribe(writeConsole),
		child:   make(chan os.Signal, 1),
		ending:  make(chan os.Signal, 1),
		other:   make(chan os.Signal, 4),
		reapCut: make(chan struct{}, 1),
	}
	tell(d.child, unix.SIGCHLD)
	tell(d.ending, request.Ending()...)
	tell(d.other, request.Other()...)
	reserveThreads(d.group.Go)
	d.group.Go(d.scribe.run)
	d.limit, d.grace = takeLimit()
	giveUpTerminal()
	setUp(d.scribe.say)
	d.makeList()
	d.makeSocket()
	d.greet()
	return d.run()
}

// makeList makes the list of ended processes. Without it a svc.startd that is started again does
// not know how its methods ended meanwhile.
func (d *daemon) makeList() {
	list, fd, err := orphans.New()
	if err != nil {
		d.scribe.say("WARNING: init: " + err.Error())
		return
	}
	d.list, d.listFD = list, listFile(fd)
}

// makeSocket makes the socket at which services say that they are ready, which outlives each
// svc.startd. Without it those that are to say so do not start.
func (d *daemon) makeSocket() {
	fd, err := notify.Make(notify.Path, notify.QueueFile)
	if err != nil {
		d.scribe.say("WARNING: init: " + err.Error())
		return
	}
	d.socket = os.NewFile(uintptr(fd), notify.Path)
}

func tell(c chan os.Signal, sigs ...unix.Signal) {
	for _, s := range sigs {
		signal.Notify(c, s)
	}
}

// giveUpTerminal lets the console's shell have the console: a terminal can control one
// session only, and libcontainer has given it to ours.
func giveUpTerminal() {
	unix.IoctlSetInt(0, unix.TIOCNOTTY, 0) // ENOTTY: it was not ours
}

func (d *daemon) greet() {
	if !d.opts.quiet {
		for _, l := range banner(d.opts, os.Args[1:]) {
			d.scribe.say(l)
		}
	}
	for _, arg := range d.opts.unknown {
		d.scribe.say("WARNING: init: unknown boot argument '" + account.Printable(arg) + "' ignored")
	}
	if _, err := d.k.prove(); err != nil {
		d.scribe.say("WARNING: init: " + err.Error())
	}
	d.scribe.flush()
}

// run is the loop.
func (d *daemon) run() int {
	d.begin()
	for {
		select {
		case <-d.child:
			d.reap()
		case <-d.reapCut:
			d.reap()
		case <-d.shell.again.C:
			d.start(d.shell)
		case <-d.startd.again.C:
			d.start(d.startd)
		case s := <-d.shell.result:
			d.startedAs(d.shell, s)
		case s := <-d.startd.result:
			d.startedAs(d.startd, s)
		case sig := <-d.other:
			d.obey(request.Of(sig.(unix.Signal)))
		case sig := <-d.ending:
			if proof, err := d.k.prove(); err != nil {
				d.scribe.say("init: refused: " + err.Error())
			} else {
				return d.goDown(proof, request.Of(sig.(unix.Signal)))
			}
		}
	}
}

// begin has the programs started that are kept running. svc.startd goes first: what it serves
// takes longer to be there than a shell.
func (d *daemon) begin() {
	d.startd, d.shell = newKept(startdProgram(d.opts, d.listFD, d.socket)), newKept(consoleShell)
	if d.startd.wanted = d.k.executable(startdPath); d.startd.wanted {
		d.startd.again.Reset(0)
	}
	d.shell.wanted = true
	d.shell.again.Reset(0)
}

// obey does what leaves the zone up.
func (d *daemon) obey(r request.Request) {
	if r == request.Reexamine {
		for _, k := range d.all() {
			k.throttle.reset()
			if k.wanted && k.pid == 0 && !k.starting {
				k.again.Reset(0)
			}
		}
		return
	}
	if !d.startd.wanted {
		d.scribe.say("init: " + r.String() + ": there is no svc.startd that would bring services to it")
		return
	}
	d.scribe.say("init: " + r.String())
	if d.startd.pid != 0 {
		d.tellStartd(r.Signal())
	}
}

func (d *daemon) all() []*kept { return []*kept{d.startd, d.shell} }

// start begins a start of a kept program, unless one is under way.
func (d *daemon) start(k *kept) {
	if k.starting || k.pid != 0 {
		return
	}
	k.starting = true
	k.worded = d.leaving != nil
	k.asked = k.worded
	k.since = time.Now()
	if d.opts.verbose {
		d.scribe.say("init: starting " + k.program.name)
	}
	d.group.Go(func() { k.result <- d.k.start(k.program) })
}

func (d *daemon) startedAs(k *kept, s started) {
	k.starting = false
	if s.err != nil {
		d.scribe.say("init: cannot start " + k.program.name + ": " + s.err.Error())
		if d.leaving == nil {
			k.again.Reset(k.throttle.after(0))
		} else if k == d.startd {
			d.leaving.again(d, k)
		}
		return
	}
	k.pid = s.pid
	if s.contract != 0 {
		k.program.before = s.contract
	}
	if s.lost {
		d.scribe.say("init: " + k.program.name + " does not find the services that the last one has started: its contract did not become empty")
	}
	if d.k.gone(s.pidfd) {
		d.keptEnded(k, unknownStatus)
	}
	d.k.close(s.pidfd)
	if d.leaving != nil && k == d.startd && k.pid != 0 && !k.asked {
		d.tellStartd(request.StartdSignal)
	}
}

// reapMax bounds a round, so that a stream of orphans does not keep the loop from requests.
const reapMax = 1024

// reap takes the statuses of those who have ended.
func (d *daemon) reap() {
	for range reapMax {
		pid, status := d.k.wait()
		if pid <= 0 {
			return
		}
		d.list.Put(pid, status, orphans.Now())
		for _, k := range d.all() {
			if pid == k.pid {
				d.keptEnded(k, status)
			}
		}
	}
	select {
	case d.reapCut <- struct{}{}:
	default:
	}
}

// unknownStatus stands for a child that was reaped before its pid was known.
const unknownStatus = unix.WaitStatus(0)

// keptEnded plans the next start of a kept program.
func (d *daemon) keptEnded(k *kept, status unix.WaitStatus) {
	k.pid = 0
	if d.leaving != nil {
		d.leaving.ended(d, k, status)
		return
	}
	delay := k.throttle.after(time.Since(k.since))
	noShell := k.program.shell && status.Exited() && status.ExitStatus() == session.ExitNotFound
	switch {
	case noShell:
		if !k.toldGone {
			d.scribe.say("init: this zone has no shell that could be started on its console")
		}
		delay = delayMax
	case !k.program.shell:
		d.tellFailure(k, describe(status))
	}
	k.toldGone = noShell
	k.again.Reset(delay)
}

// tellFailure says that svc.startd has ended: each time at first, then that it fails again and again,
// and then seldom, for the console is where somebody mends it.
func (d *daemon) tellFailure(k *kept, how string) {
	if k.throttle.delay == 0 {
		k.failures = 0
	}
	k.failures++
	if k.failures <= tellFailures || k.failures%tellEvery == 0 {
		d.scribe.say("init: " + k.program.name + " ended (" + how + "), it is started again")
	}
	if k.failures == tellFailures {
		d.scribe.say("init: " + k.program.name + " has failed " + strconv.Itoa(tellFailures) +
			" times in a row, and services are not looked after: what it says is in /var/svc/log/svc.startd.log, or in /etc/svc/volatile")
	}
}

func describe(status unix.WaitStatus) string {
	switch {
	case status.Signaled():
		return "signal " + strconv.Itoa(int(status.Signal()))
	case status.Exited():
		return "status " + strconv.Itoa(status.ExitStatus())
	}
	return "status unknown"
}

// kernel is the seam.
type kernel struct {
	prove      func() (proof, error)
	wait       func() (pid int, status unix.WaitStatus)
	start      func(program) started
	gone       func(pidfd int) bool
	close      func(fd int)
	executable func(path string) bool
	signal     func(pid int, sig unix.Signal) error
}

// proof is what is dangerous: inside.Proof.
type proof interface {
	KillAll(unix.Signal) error
	HangUpTerminals()
	Reboot(inside.Action) error
}

var realKernel = kernel{
	prove: func() (proof, error) { return inside.Prove() },
	wait: func() (int, unix.WaitStatus) {
		var status unix.WaitStatus
		for {
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			if err != unix.EINTR {
				return pid, status
			}
		}
	},
	start:      start,
	gone:       gone,
	close:      func(fd int) { unix.Close(fd) },
	executable: func(path string) bool { return unix.Access(path, unix.X_OK) == nil },
	signal:     signalChild,
}
