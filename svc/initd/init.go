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
	"github.com/linuxzones/zones/svc/request"
	"github.com/linuxzones/zones/svc/session"
)

// daemon is pid 1. Everything in it belongs to the loop.
type daemon struct {
	k       *kernel
	opts    options
	scribe  *scribe
	group   sync.WaitGroup
	kept    kept
	child   chan os.Signal
	ending  chan os.Signal
	other   chan os.Signal
	reapCut chan struct{} // a round of reaping was cut short
}

// kept is the program that is kept running.
type kept struct {
	program  program
	throttle throttle
	again    *time.Timer // runs while the next start waits
	result   chan started
	starting bool
	since    time.Time
	pid      int // 0: not running
	toldGone bool
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
	notify(d.child, unix.SIGCHLD)
	notify(d.ending, request.Ending()...)
	notify(d.other, request.Other()...)
	reserveThreads(d.group.Go)
	d.group.Go(d.scribe.run)
	giveUpTerminal()
	setUp(d.scribe.say)
	d.greet()
	return d.run()
}

func notify(c chan os.Signal, sigs ...unix.Signal) {
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
	d.kept.again = time.NewTimer(0)
	d.kept.result = make(chan started, 1)
	for {
		select {
		case <-d.child:
			d.reap()
		case <-d.reapCut:
			d.reap()
		case <-d.kept.again.C:
			d.start()
		case s := <-d.kept.result:
			d.startedAs(s)
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

// obey does what leaves the zone up.
func (d *daemon) obey(r request.Request) {
	if r == request.Reexamine {
		d.kept.throttle.reset()
		if d.kept.pid == 0 && !d.kept.starting {
			d.kept.again.Reset(0)
		}
		return
	}
	d.scribe.say("init: " + r.String() + ": this zone has no other services than its console's shell")
}

// start begins a start of the kept program, unless one is under way.
func (d *daemon) start() {
	if d.kept.starting || d.kept.pid != 0 {
		return
	}
	d.kept.program = choose(d.opts, d.k.executable(startdPath))
	d.kept.starting = true
	d.kept.since = time.Now()
	p := d.kept.program
	if d.opts.verbose {
		d.scribe.say("init: starting " + p.name)
	}
	d.group.Go(func() { d.kept.result <- d.k.start(p) })
}

func (d *daemon) startedAs(s started) {
	d.kept.starting = false
	if s.err != nil {
		d.scribe.say("init: cannot start " + d.kept.program.name + ": " + s.err.Error())
		d.kept.again.Reset(d.kept.throttle.after(0))
		return
	}
	d.kept.pid = s.pid
	if d.k.gone(s.pidfd) {
		d.keptEnded(unknownStatus)
	}
	d.k.close(s.pidfd)
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
		if pid == d.kept.pid {
			d.keptEnded(status)
		}
	}
	select {
	case d.reapCut <- struct{}{}:
	default:
	}
}

// unknownStatus stands for a child that was reaped before its pid was known.
const unknownStatus = unix.WaitStatus(0)

// keptEnded plans the next start of the kept program.
func (d *daemon) keptEnded(status unix.WaitStatus) {
	d.kept.pid = 0
	delay := d.kept.throttle.after(time.Since(d.kept.since))
	noShell := d.kept.program.shell && status.Exited() && status.ExitStatus() == session.ExitNotFound
	switch {
	case noShell:
		if !d.kept.toldGone {
			d.scribe.say("init: this zone has no shell that could be started on its console")
		}
		delay = delayMax
	case !d.kept.program.shell:
		d.scribe.say("init: " + d.kept.program.name + " ended (" + describe(status) + "), it is started again")
	}
	d.kept.toldGone = noShell
	d.kept.again.Reset(delay)
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
}
