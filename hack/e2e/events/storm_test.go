package events

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// killSupervisor kills the world's supervisor and gives its pid.
func (w *world) killSupervisor() int {
	w.t.Helper()
	if w.isHost() {
		return w.KillContractd()
	}
	return w.KillZoned(w.zone)
}

// supervisor is the pid of the world's, 0 while there is none.
func (w *world) supervisor() int {
	if w.isHost() {
		return w.PID(w.zone, "contractd")
	}
	return w.PID(w.zone, "zoned")
}

// awaitSuccessor waits for the next supervisor, and until it serves, and says how long that
// took since began.
func (w *world) awaitSuccessor(old int, began time.Time) (pid, serving time.Duration) {
	w.t.Helper()
	now := 0
	testenv.EventuallyWithin(w.t, answerDeadline, func() bool { now = w.supervisor(); return now != 0 && now != old }, "a successor of supervisor "+strconv.Itoa(old))
	pid = time.Since(began)
	if w.isHost() {
		w.sh("cat " + w.ctfs + "/process/template >/dev/null")
	} else {
		testenv.EventuallyWithin(w.t, answerDeadline, func() bool { return w.Status(w.zone).Zoned.Pid == now }, "supervisor "+strconv.Itoa(now)+" to serve")
		w.sh("cat " + w.ctfs + "/process/template >/dev/null")
	}
	return pid, time.Since(began)
}

// killPause is between two kills: a keeper whose supervisor dies more than ten times in ten
// seconds waits before it starts the next, which is not what is looked at here.
const killPause = 1050 * time.Millisecond

// gale is a run of TestStorm.
type gale struct {
	*world
	*rand.Rand
	rs       []*reader
	hands    []*actor // who fork
	owner    *actor   // the second's
	mother   *actor
	others   []*actor
	kills    int
	early    int              // of them, how many had begun just then
	stall    [2]time.Duration // from a kill to the next one's pid, and until it serves
	accounts map[uint64]*account
	started  time.Time
	last     time.Time // when a supervisor was killed last
	outages  []outage
}

// TestStorm kills the supervisor again and again while thousands of processes are born and
// end, contracts are made and abandoned, and readers wait on every file; then holds what each
// reader was told against what the processes wrote down.
func TestStorm(t *testing.T) { worlds(t, theStorm) }

func theStorm(t *testing.T, w *world) {
	g := &gale{world: w, Rand: rand.New(rand.NewPCG(10, 11)), accounts: map[uint64]*account{}}
	g.prepare()
	kills, lives := amount(500, 20, 5), amount(50_000, 6_000, 1_000)
	for range kills {
		g.blast(max(4, lives/kills/3))
	}
	took := time.Since(g.started)
	for _, a := range g.others {
		a.end()
	}
	mother := g.endMother()
	w.mark(g.rs, false)
	total := g.settle()
	t.Logf("%d kills in %v, %d processes, %d more kills of supervisors that had just begun; from a kill to the next supervisor %v at most, until it serves %v; %s",
		g.kills, took.Round(time.Second), total, g.early, g.stall[0].Round(time.Millisecond), g.stall[1].Round(time.Millisecond), mother)
	g.judge()
}

func (g *gale) prepare() {
	w := g.world
	g.rs = w.readers()
	g.hands = []*actor{w.hand("storm", "informative=fork,exit", "critical=empty")}
	logs := []string{w.logsAt + "/storm2.notes", w.logsAt + "/storm2.kills"}
	g.owner = w.inside("storm2", "owner", append([]string{w.logsAt + "/pbundle.json", "informative=none", "critical=fork,exit,empty", "--", "hand"}, logs...)...)
	in := numbers(w.t, g.owner.answer("in"))
	g.owner.ct, g.owner.maker = uint64(in[0]), in[2]
	g.owner.meet()
	g.hands = append(g.hands, g.owner)
	for _, a := range g.hands {
		file := fmt.Sprintf("%s/process/%d/events", w.ctfs, a.ct)
		for _, how := range []string{"nonblock", "block"} {
			log := a.name + "." + how
			w.inside(log, "listen", file, w.logsAt+"/"+log, how, "reliable").answer("listening")
		}
	}
	g.mother = w.inside("mother", "mother", w.logsAt+"/mother", "20ms")
	g.mother.answer("bearing")
	for _, role := range []string{"templates", "look"} {
		a := w.inside(role, role, "20")
		a.answer(map[string]string{"templates": "holding", "look": "looking"}[role])
		g.others = append(g.others, a)
	}
	w.awaitLogins()
	g.started = time.Now()
}

// awaitLogins waits until no login is only being started, though its command may run already: a
// supervisor that dies then has it undone, and its caller told.
func (w *world) awaitLogins() {
	w.t.Helper()
	if w.isHost() {
		return
	}
	testenv.Eventually(w.t, func() bool {
		out, errs, exit := w.RunInput("", "ctstat", "-z", w.zone, "-o", "json")
		if exit != 0 {
			w.t.Fatalf("ctstat: %d %s", exit, errs)
		}
		var list []struct{ State, Creator string }
		must(w.t, json.Unmarshal([]byte(out), &list))
		for _, c := range list {
			if c.Creator == "zlogin" && c.State == "owned" {
				return false
			}
		}
		return len(list) > 0
	}, "all logins to be started")
}

// blast has both hands fork, and kills the supervisor amid that.
func (g *gale) blast(n int) {
	w := g.world
	time.Sleep(time.Until(g.last.Add(killPause)))
	g.hands[0].tell("fork %d %d", n, g.Uint64()>>1)
	g.hands[1].tell("fork %d %d", max(1, n/8), g.Uint64()>>1)
	time.Sleep(time.Duration(g.IntN(20_000)) * time.Microsecond)
	down := outage{from: monotonic()}
	old := w.killSupervisor()
	g.last = time.Now()
	if *full && g.IntN(20) == 0 {
		// The next one too, as it begins: the keeper may wait ten seconds then.
		testenv.Eventually(w.t, func() bool { now := w.supervisor(); return now != 0 && now != old }, "a successor of supervisor "+strconv.Itoa(old))
		time.Sleep(time.Duration(g.IntN(8_000)) * time.Microsecond)
		down.again = monotonic()
		old = w.killSupervisor()
		g.early++
	}
	pid, serving := w.awaitSuccessor(old, g.last)
	down.to = monotonic()
	g.outages = append(g.outages, down)
	g.stall[0], g.stall[1] = max(g.stall[0], pid), max(g.stall[1], serving)
	g.kills++
	for _, a := range g.hands {
		a.answer("forked")
	}
	for _, a := range append([]*actor{g.mother}, g.others...) {
		a.lives()
	}
}

// endMother ends the mother and says what it did.
func (g *gale) endMother() string {
	g.mother.in.Close()
	bore := g.mother.answer("bore")
	g.mother.end()
	us := number(g.t, bore[1])
	return fmt.Sprintf("%s contracts made meanwhile, the slowest in %v, %s times tried again, %s behind a gate at last",
		bore[0], (time.Duration(us) * time.Microsecond).Round(time.Millisecond), bore[2], bore[3])
}

// settle makes accounts of what was written down, and says how many processes there were.
func (g *gale) settle() (total int) {
	t, w := g.t, g.world
	for i, a := range g.hands {
		acc := &account{lives: []life{{pid: a.pid, must: []fact{{kind: "fork", pid: a.pid, ppid: a.maker}}}}, critical: kinds("empty")}
		if i == 1 {
			acc.critical = kinds("fork", "exit", "empty")
		}
		notes, err := parseNotes([]byte(w.log(a.name + ".notes")))
		must(t, err)
		for _, n := range notes {
			pid := int(n.pid)
			acc.lives = append(acc.lives, life{pid: pid, born: n.time, must: []fact{
				{kind: "fork", pid: pid, ppid: int(n.ppid)}, {kind: "exit", pid: pid, status: int(n.status)}}})
		}
		total += len(notes)
		g.accounts[a.ct] = acc
	}
	for line := range strings.Lines(w.log("mother")) {
		n := numbers(t, strings.Fields(line))
		g.accounts[uint64(n[0])] = &account{empties: 1, critical: kinds("empty"), lives: []life{{pid: n[1], must: []fact{
			{kind: "fork", pid: n[1], ppid: n[2]}, {kind: "exit", pid: n[1], status: n[3]}}}}}
		total++
	}
	return total
}

// judge compares what each reader has with what happened. Readers through the door may have
// missed something while there was none, if they were told so.
func (g *gale) judge() {
	t, w := g.t, g.world
	var first []told
	for i, r := range g.rs {
		events := w.read(r)
		if i == 0 {
			first = events
		}
		v := &verdict{}
		if r.view == g.rs[0].view {
			v = judge(g.accounts, events, counted)
			v.name(events, g.outages)
			of := func(ct uint64) bool { return g.accounts[ct] != nil }
			v.complaints = append(v.complaints, sameOrder(g.rs[0].name+" and "+r.name, first, events, of, false)...)
		} else {
			v.sameButNumbers(g.accounts, first, events)
		}
		report(t, r.name, v)
	}
	for _, a := range g.hands {
		for _, how := range []string{"nonblock", "block"} {
			g.judgeOne(a, a.name+"."+how, parseLines)
		}
	}
	g.judgeOne(g.owner, "pbundle.json", parseJSON)
}

// behindMax is how long a reader of one contract may go on reading when all has happened: one that
// acknowledges each event asks the supervisor as often.
const behindMax = time.Minute

// judgeOne judges a reader of one contract, who came when its first process was there. It is waited
// for until it has read as much as has happened.
func (g *gale) judgeOne(a *actor, log string, parse func(string) ([]told, error)) {
	acc := *g.accounts[a.ct]
	if filepath.Ext(log) != ".json" {
		acc.lives = acc.lives[1:]
	}
	facts := acc.empties
	for _, l := range acc.lives {
		facts += len(l.must)
	}
	var events []told
	for end := time.Now().Add(testenv.Deadline(behindMax)); ; time.Sleep(50 * time.Millisecond) {
		var err error
		events, err = parse(g.log(log))
		if len(events) >= facts || time.Now().After(end) {
			must(g.t, err) // before, its last line may be half written
			break
		}
	}
	v := judge(map[uint64]*account{a.ct: &acc}, events, counted)
	v.name(events, g.outages)
	report(g.t, log, v)
}

// sameButNumbers compares a reader through the door, who counts processes as the host does,
// with the truth as the zone counts. While there is no supervisor nobody counts what such a
// reader misses: it must be told that there was a gap. What is critical and was acknowledged in
// the gap is not kept either.
func (v *verdict) sameButNumbers(accounts map[uint64]*account, truth, events []told) {
	known := map[uint64]told{}
	for _, e := range truth {
		if accounts[e.ct] != nil {
			known[e.ev] = e
		}
	}
	gaps := 0
	for _, e := range events {
		is, ours := known[e.ev]
		switch {
		case e.kind == "lost":
			gaps++
			v.lost += e.count
		case accounts[e.ct] == nil:
		case !ours:
			v.complain("event %d (%v) of contract %d is not known in the zone, or told twice", e.ev, e.fact, e.ct)
		case is.kind != e.kind || is.status != e.status || is.sig != e.sig || is.ct != e.ct || is.crit != e.crit:
			v.complain("event %d is %v to one and %v to the other", e.ev, is.fact, e.fact)
		default:
			v.events++
			delete(known, e.ev)
		}
	}
	v.missing = len(known)
	if v.missing > 0 && gaps == 0 {
		v.complain("%d events are missing, and nothing is said to be lost", v.missing)
	}
}
