package initd

import (
	"os"
	"time"

	"github.com/linuxzones/zones/contract"
)

// The throttle of the program that init keeps running.
const (
	// livedLong: what ran this long is started again at once.
	livedLong = 10 * time.Second
	// delayMin is short: somebody who types exit wants the next prompt.
	delayMin = time.Second
	// startdMin is how long svc.startd is missed when it dies for the first time in a while:
	// everybody who asks about services waits for it.
	startdMin = 10 * time.Millisecond
	// startdMax is how long all services of a zone go without anybody who looks after them, however
	// often svc.startd dies.
	startdMax = time.Second
	// delayMax bounds what a shell that cannot run costs, and how long root waits once it
	// can.
	delayMax = 30 * time.Second
)

const (
	// tellFailures is after how many failures in a row it is said what to do.
	tellFailures = 3
	// tellEvery is how seldom it is said from then on: about each minute.
	tellEvery = 60
)

// throttle says how long to wait before the next start: least, and twice as long each time, up to
// most.
type throttle struct{ least, most, delay time.Duration }

// after is told how long the program lived.
func (t *throttle) after(lived time.Duration) time.Duration {
	if lived >= livedLong {
		t.delay = 0
		return 0
	}
	t.delay = min(max(2*t.delay, t.least), t.most)
	return t.delay
}

// reset forgets the past.
func (t *throttle) reset() { t.delay = 0 }

// program is what init keeps running. It is started as this program by another name.
type program struct {
	name  string        // for messages
	least time.Duration // before it is started again
	most  time.Duration
	argv  []string
	shell bool // on the console
	// fmri is the service whose process it is: it is born in a contract of its own.
	fmri string
	// before is the contract that the last one of it had, whose inherited contracts go to the next.
	before contract.ID
	// files are what svc.startd has as descriptors: orphans.FD, the list of ended processes, and
	// notify.FD, the socket of services that say that they are ready. nil: there is none.
	files []*os.File
}

// kept is a program that is kept running.
type kept struct {
	program  program
	wanted   bool
	throttle throttle
	again    *time.Timer // runs while the next start waits
	result   chan started
	starting bool
	since    time.Time
	pid      int // 0: not running
	toldGone bool
	failures int  // in a row, of svc.startd
	asked    bool // svc.startd, to stop the services and end
	worded   bool // it was, when it was started
}

// newKept is for a program that nobody has asked to start yet.
func newKept(p program) *kept {
	k := &kept{program: p, throttle: throttle{least: p.least, most: p.most}, again: time.NewTimer(time.Hour), result: make(chan started, 1)}
	k.again.Stop()
	return k
}

const (
	startdPath = "/lib/svc/bin/svc.startd"
	startdFMRI = "svc:/system/svc/restarter:default"
)

// consoleShell is a login shell of root on the console.
var consoleShell = program{name: "the console's shell", least: delayMin, most: delayMax, argv: []string{ConsoleName}, shell: true}

// startdProgram is svc.startd, with what the boot arguments have for it.
func startdProgram(o options, files ...*os.File) program {
	return program{
		name: "svc.startd", least: startdMin, most: startdMax, argv: append([]string{StartdName}, o.forStartd...),
		fmri: startdFMRI, files: files,
	}
}
