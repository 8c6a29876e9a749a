package initd

import "time"

// The throttle of the program that init keeps running.
const (
	// livedLong: what ran this long is started again at once.
	livedLong = 10 * time.Second
	// delayMin is short: somebody who types exit wants the next prompt.
	delayMin = time.Second
	// delayMax bounds what a shell that cannot run costs, and how long root waits once it
	// can.
	delayMax = 30 * time.Second
)

// throttle says how long to wait before the next start.
type throttle struct{ delay time.Duration }

// after is told how long the program lived.
func (t *throttle) after(lived time.Duration) time.Duration {
	if lived >= livedLong {
		t.delay = 0
		return 0
	}
	t.delay = min(max(2*t.delay, delayMin), delayMax)
	return t.delay
}

// reset forgets the past.
func (t *throttle) reset() { t.delay = 0 }

// program is what init keeps running.
type program struct {
	name string // for messages
	path string
	argv []string
	tty  bool // its own session, so that it can have the console
}

const startdPath = "/lib/svc/bin/svc.startd"

// choose is the decision which program that is. startd says whether there is one.
func choose(o options, startd bool) program {
	if startd && !o.single {
		return program{name: "svc.startd", path: startdPath, argv: append([]string{startdPath}, o.forStartd...)}
	}
	return program{name: "the console's shell", path: selfPath, argv: []string{ConsoleName}, tty: true}
}
