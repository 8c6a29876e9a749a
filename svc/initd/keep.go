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

// program is what init keeps running. It is started as this program by another name.
type program struct {
	name  string // for messages
	argv  []string
	shell bool // on the console
}

const startdPath = "/lib/svc/bin/svc.startd"

// choose is the decision which program that is. startd says whether there is one.
func choose(o options, startd bool) program {
	if startd && !o.single {
		return program{name: "svc.startd", argv: append([]string{StartdName}, o.forStartd...)}
	}
	return program{name: "the console's shell", argv: []string{ConsoleName}, shell: true}
}
