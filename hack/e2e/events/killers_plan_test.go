package events

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// blow is a signal that a hand is told to send.
type blow struct {
	by     *actor
	victim *victim
	sig    int
	how    byte
}

// order is the blow as the hand takes it: one on the host counts as the host does.
func (b *blow) order() string {
	pid := b.victim.pid
	if b.by.outside {
		pid = b.victim.host
	}
	return fmt.Sprintf("%d:%d:%c", pid, b.sig, b.how)
}

// victim is one process that is killed.
type victim struct {
	nest      *actor // who bore it
	pid, host int
	manner    string
	// decoys do not kill: they are ignored, or blocked. deadly does; late says that it was
	// blocked, and kills when the victim is let go.
	decoys []*blow
	deadly *blow
	late   bool
	status unix.WaitStatus
	note   note
	logged *kill // as the killer wrote it down
}

// kill is a line of a killer's log.
type kill struct {
	by, victim, sig int
	comm            string
	time            int64
}

func parseKills(text string) (all []kill, err error) {
	for line := range strings.Lines(text) {
		var k kill
		if _, err := fmt.Sscanf(line, "%d %s %d %d %d\n", &k.by, &k.comm, &k.victim, &k.sig, &k.time); err != nil {
			return nil, fmt.Errorf("%w: %q", err, line)
		}
		all = append(all, k)
	}
	return all, nil
}

// planner draws who is killed by whom, with what.
type planner struct {
	*rand.Rand
	killers []*actor // others than the victim's own nest
	issued  map[*actor][]*blow
}

const ways = "ktqf"

func (p *planner) blow(v *victim, not ...int) *blow {
	// The nest is one of the contract's own.
	by := v.nest
	if i := p.IntN(len(p.killers) + 1); i < len(p.killers) {
		by = p.killers[i]
	}
	return &blow{by: by, victim: v, sig: p.signal(not...), how: ways[p.IntN(len(ways))]}
}

// signal draws a deadly one; half are the common ones.
func (p *planner) signal(not ...int) int {
	all := deadlySignals()
	for {
		sig := all[p.IntN(len(all))]
		if p.IntN(2) == 0 {
			sig = []int{9, 15, 9, 1, 2, 11, 6}[p.IntN(7)]
		}
		ok := true
		for _, n := range not {
			ok = ok && sig != n
		}
		if ok {
			return sig
		}
	}
}

// plan draws one victim's end.
func (p *planner) plan(v *victim) {
	switch v.manner {
	case "waits":
		v.deadly = p.blow(v)
	case "deaf":
		for _, sig := range []int{1, 2, 15} {
			d := p.blow(v)
			d.sig = sig
			v.decoys = append(v.decoys, d)
		}
		v.deadly = p.blow(v, 1, 2, 15)
	case "masked":
		// The lower number is delivered first, whoever sent it, if both are the process's: what
		// was sent to a thread comes before that.
		high, low := p.blow(v), p.blow(v)
		high.how, low.how = 'k', 'q'
		high.sig, low.sig = int(unix.SIGUSR2), int(unix.SIGUSR1)
		v.decoys = []*blow{high}
		if p.IntN(2) == 0 {
			v.decoys = append(v.decoys, low)
			v.deadly, v.late = low, true
			return
		}
		v.deadly = p.blow(v, 10, 12, 15, 40, 41, 42, 43, 44, 45)
	}
}

// strike has all the killers strike at once.
func (p *planner) strike(blows []*blow) {
	byHand := map[*actor][]string{}
	var hands []*actor
	for _, b := range blows {
		if byHand[b.by] == nil {
			hands = append(hands, b.by)
		}
		byHand[b.by] = append(byHand[b.by], b.order())
		p.issued[b.by] = append(p.issued[b.by], b)
	}
	for _, h := range hands {
		h.tell("kill %s", strings.Join(byHand[h], " "))
	}
	for _, h := range hands {
		h.answer("killed")
	}
}

// settleLogs holds the killers' logs against what they were told, and gives each victim the
// line of the blow that killed it.
func (p *planner) settleLogs(t *testing.T, w *world) {
	t.Helper()
	for h, blows := range p.issued {
		lines, err := parseKills(w.log(h.name + ".kills"))
		must(t, err)
		if len(lines) != len(blows) {
			t.Fatalf("%s wrote down %d kills of %d", h.name, len(lines), len(blows))
		}
		for i, b := range blows {
			want := b.victim.pid
			if h.outside {
				want = b.victim.host
			}
			if k := lines[i]; k.victim != want || k.sig != b.sig || k.by != h.pid || k.comm != h.comm {
				t.Fatalf("%s wrote down %+v for %s", h.name, k, b.order())
			}
			if b == b.victim.deadly {
				b.victim.logged = &lines[i]
			}
		}
	}
}

// settleNotes gives each victim its own record; those of one number come in their order.
func settleNotes(t *testing.T, w *world, nest *actor, victims []*victim) {
	t.Helper()
	notes, err := parseNotes([]byte(w.log(nest.name + ".notes")))
	must(t, err)
	byPid := map[int][]note{}
	for _, n := range notes {
		byPid[int(n.pid)] = append(byPid[int(n.pid)], n)
	}
	for _, v := range victims {
		if v.nest != nest {
			continue
		}
		if len(byPid[v.pid]) == 0 || int(byPid[v.pid][0].ppid) != nest.pid {
			t.Fatalf("victim %d of %s wrote nothing down, or another parent: %+v", v.pid, nest.name, byPid[v.pid])
		}
		v.note = byPid[v.pid][0]
		byPid[v.pid] = byPid[v.pid][1:]
	}
}

// view says how a reader counts.
type view int

const (
	zoneView view = iota
	hostView
)

func (a *actor) number(s view) int {
	if s == hostView && a.host != 0 {
		return a.host
	}
	return a.pid
}

// life is what must be told of a victim to a reader of a view, from what the killers and the
// victim wrote down and how its parent found it.
func (v *victim) life(s view) life {
	pid := v.pid
	if s == hostView {
		pid = v.host
	}
	l := life{pid: pid, born: v.note.time, must: []fact{{kind: "fork", pid: pid, ppid: v.nest.number(s)}}}
	if k := v.logged; k != nil {
		by := v.deadly.by
		cause := fact{kind: "signal", pid: pid, sig: k.sig, sender: strconv.Itoa(by.number(s)), senderCT: by.ct}
		switch {
		case by.outside && s == zoneView:
			cause.sender = "outside"
		case by.ct == v.nest.ct && dumping[unix.Signal(k.sig)]:
			cause.kind = "core"
		case by.ct == v.nest.ct:
			cause.kind = "" // its own contract's affair
		}
		if cause.kind != "" {
			l.must = append(l.must, cause)
		}
	}
	l.must = append(l.must, fact{kind: "exit", pid: pid, status: int(v.status)})
	return l
}

// hostNumbers gives the host's numbers of the zone's processes, by the zone's.
func (w *world) hostNumbers() map[int]int {
	w.t.Helper()
	if w.isHost() {
		return nil
	}
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", w.Status(w.zone).Init.Pid))
	must(w.t, err)
	entries, err := os.ReadDir("/proc")
	must(w.t, err)
	numbers := map[int]int{}
	for _, e := range entries {
		host, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if at, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns/pid")); err != nil || at != ns {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[0] == "NSpid:" && len(f) >= 3 {
				if pid, err := strconv.Atoi(f[len(f)-1]); err == nil {
					numbers[pid] = host
				}
			}
		}
	}
	return numbers
}

// parent is the number of who made the hand's contract.
func (a *actor) parent(s view) int {
	if s == hostView {
		return a.makerHost
	}
	return a.maker
}

// locate finds the host's numbers of a hand and its maker.
func (w *world) locate(hosts map[int]int, a *actor) {
	a.host, a.makerHost = a.pid, a.maker
	if !a.outside && !w.isHost() {
		a.host, a.makerHost = hosts[a.pid], hosts[a.maker]
	}
}

// locateVictims does so for victims.
func (w *world) locateVictims(hosts map[int]int, victims []*victim) {
	w.t.Helper()
	for _, v := range victims {
		if v.host = hosts[v.pid]; w.isHost() {
			v.host = v.pid
		}
		if v.host == 0 {
			w.t.Fatalf("victim %d is not found on the host", v.pid)
		}
	}
}
