package events

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

var full = flag.Bool("full", false, "do the whole, which takes many minutes")

// amount is how much is done: with -full the whole, with -short little.
func amount(whole, usual, short int) int {
	switch {
	case *full:
		return whole
	case testing.Short():
		return short
	}
	return usual
}

// reader is one way in which events are read.
type reader struct {
	name  string
	log   string
	parse func(string) ([]told, error)
	view  view
}

// readers starts everyone who reads events of the whole zone.
func (w *world) readers() []*reader {
	w.t.Helper()
	bundle, mine := w.ctfs+"/process/bundle", zoneView
	if w.isHost() {
		mine = hostView
	}
	rs := []*reader{
		{"bundle, blocking", "bundle.lines", parseLines, mine},
		{"bundle, poll", "poll.lines", parseLines, mine},
		{"library", "library.json", parseJSON, mine},
		{"ctwatch on the host", "host.json", parseJSON, hostView},
		{"ctwatch -v on the host", "host.table", parseTable, hostView},
	}
	for i, options := range [][]string{{"reliable"}, {"reliable", "nonblock"}} {
		w.inside(rs[i].name, "listen", append([]string{bundle, w.logsAt + "/" + rs[i].log}, options...)...).answer("listening")
	}
	w.inside(rs[2].name, "library", w.zone, w.logsAt+"/"+rs[2].log).answer("listening")
	w.program(rs[3].name, rs[3].log, "ctwatch", "-r", "-z", w.zone, "-o", "json")
	w.program(rs[4].name, rs[4].log, "ctwatch", "-rv", "-z", w.zone)
	if !w.isHost() {
		inside := &reader{"ctwatch -v", "watch.table", parseTable, zoneView}
		w.program(inside.name, inside.log, "zlogin", w.zone, "ctwatch -rv")
		rs = append(rs, inside)
	}
	w.mark(rs, true)
	return rs
}

// mark makes a contract whose first event every reader gets, behind all that was before:
// again and again while they are only starting.
func (w *world) mark(rs []*reader, starting bool) {
	w.t.Helper()
	deadline := time.Now().Add(testenv.Deadline(answerDeadline))
	for i := 0; ; i++ {
		m := w.hand("marker"+strconv.Itoa(i), "informative=fork", "critical=none")
		m.end()
		until := deadline
		if starting {
			until = time.Now().Add(time.Second)
		}
		missing := ""
		for missing = w.unmarked(rs, m.ct); missing != "" && time.Now().Before(until); missing = w.unmarked(rs, m.ct) {
			time.Sleep(20 * time.Millisecond)
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("these did not come to the event of contract %d: %s", m.ct, missing)
		}
	}
}

func (w *world) unmarked(rs []*reader, ct uint64) (names string) {
	for _, r := range rs {
		found := false
		for _, e := range w.read(r) {
			found = found || e.ct == ct && e.kind == "fork"
		}
		if !found {
			names += r.name + ", "
		}
	}
	return names
}

func (w *world) read(r *reader) []told {
	w.t.Helper()
	events, err := r.parse(w.log(r.log))
	if err != nil {
		w.t.Fatalf("%s: %v", r.name, err)
	}
	return events
}

// contractOf finds the contract of a process of the zone in the files of statuses.
func (w *world) contractOf(pid int) uint64 {
	w.t.Helper()
	var ct uint64
	for line := range strings.Lines(w.sh("cat " + w.ctfs + "/process/[0-9]*/status 2>/dev/null; true")) { // some come and go
		f := strings.Fields(line)
		switch f[0] {
		case "id":
			ct = number(w.t, f[1])
		case "members":
			for _, m := range f[1:] {
				if m == strconv.Itoa(pid) {
					return ct
				}
			}
		}
	}
	w.t.Fatalf("process %d is a member of no contract", pid)
	return 0
}

// massacre is a run of TestRandomKills.
type massacre struct {
	*world
	*planner
	rs      []*reader
	nests   []*actor // V: all but emptiness is informative; V2: deaths are critical
	victims []*victim
	broods  []*actor
}

const allEvents = "informative=fork,exit,core,signal"

// TestRandomKills kills thousands with random signals from random senders, and holds what
// every reader was told against what the killers wrote down.
func TestRandomKills(t *testing.T) { worlds(t, randomKills) }

func randomKills(t *testing.T, w *world) {
	m := &massacre{world: w, planner: &planner{Rand: rand.New(rand.NewPCG(8, 9)), issued: map[*actor][]*blow{}}}
	m.rs = w.readers()
	m.nests = []*actor{
		w.hand("nest", allEvents, "critical=empty"),
		w.hand("nest2", "informative=fork,exit", "critical=empty,core,signal"),
	}
	login := w.hand("login")
	if !w.isHost() {
		login.ct = w.contractOf(login.pid)
	}
	m.killers = []*actor{w.hand("killer", "informative=none", "critical=none"), login, w.outsider("outsider")}
	hosts := w.hostNumbers()
	for _, a := range append(append([]*actor{}, m.nests...), m.killers...) {
		w.locate(hosts, a)
	}
	began := time.Now()
	want := amount(50_000, 10_000, 500)
	for i := 0; len(m.victims) < want*4/5; i++ {
		m.round(m.nests[i%len(m.nests)], min(200, want/5))
	}
	for i := 0; len(m.victims) < want; i++ {
		m.brood(i, 24)
	}
	took := time.Since(began)
	w.mark(m.rs, false)
	m.settleLogs(t, w)
	m.judge(m.rs)
	t.Logf("%d killed in %v by %d senders, %d of them by the supervisor in %d contracts", len(m.victims), took.Round(time.Millisecond),
		len(m.killers)+len(m.nests), len(m.victims)-len(m.issuedVictims()), len(m.broods))
}

func (m *massacre) issuedVictims() (list []*victim) {
	for _, v := range m.victims {
		if v.deadly != nil {
			list = append(list, v)
		}
	}
	return list
}

// spawn has a nest bear victims.
func (m *massacre) spawn(nest *actor, n int, manner string) (list []*victim) {
	if n == 0 {
		return nil
	}
	for _, pid := range numbers(m.t, nest.ask("born", "spawn %d %s", n, manner)) {
		list = append(list, &victim{nest: nest, pid: pid, manner: manner})
	}
	return list
}

// round bears some victims, and kills them all.
func (m *massacre) round(nest *actor, n int) {
	t := m.t
	t.Helper()
	victims := m.spawn(nest, n-n/4, "waits")
	victims = append(victims, m.spawn(nest, n/8, "deaf")...)
	victims = append(victims, m.spawn(nest, n/8, "masked")...)
	m.locateVictims(m.hostNumbers(), victims)
	var decoys, blows []*blow
	late := 0
	for _, v := range victims {
		m.plan(v)
		decoys = append(decoys, v.decoys...)
		if v.late {
			late++
			continue
		}
		blows = append(blows, v.deadly)
	}
	m.Shuffle(len(blows), func(i, j int) { blows[i], blows[j] = blows[j], blows[i] })
	m.planner.strike(decoys)
	m.planner.strike(blows)
	m.reap(nest, victims, len(victims)-late)
	nest.ask("released", "release")
	m.reap(nest, victims, late)
	m.victims = append(m.victims, victims...)
	m.follow(victims[len(victims)-1])
}

// follow waits until every reader was told of the end of one of the last victims: queues are
// bounded, and what a slow reader loses is not looked at here.
func (m *massacre) follow(v *victim) {
	m.t.Helper()
	for _, r := range m.rs {
		pid := v.pid
		if r.view == hostView {
			pid = v.host
		}
		testenv.EventuallyWithin(m.t, answerDeadline, func() bool { return m.tells(r, pid) }, fmt.Sprintf("%s to be told of the end of %d", r.name, pid))
	}
}

// tells says whether the last that a reader was told has the end of a process in it.
func (w *world) tells(r *reader, pid int) bool {
	const tailBytes = 512 << 10
	text := w.log(r.log)
	text = text[max(0, len(text)-tailBytes):]
	for _, form := range []string{" exit pid=%d ", `"exit","pid":%d,`, "process %d exited\n"} {
		if strings.Contains(text, fmt.Sprintf(form, pid)) {
			return true
		}
	}
	return false
}

// reap notes how the nest found its children.
func (m *massacre) reap(nest *actor, victims []*victim, n int) {
	byPid := map[int]*victim{}
	for _, v := range victims {
		byPid[v.pid] = v
	}
	for _, word := range nest.ask("reaped", "reap %d", n) {
		pid, status, _ := strings.Cut(word, ":")
		v := byPid[int(number(m.t, pid))]
		if v == nil {
			m.t.Fatalf("%s reaped a stranger: %s", nest.name, word)
		}
		v.status = unix.WaitStatus(number(m.t, status))
		if int(v.status.Signal()) != v.deadly.sig || !v.status.Signaled() {
			m.t.Fatalf("victim %d (%s) of %s ended with %#x", v.pid, v.manner, v.deadly.order(), v.status)
		}
	}
}

// brood is a contract in which the death of one is the death of all: its terms kill the
// others, the one that bore them too.
func (m *massacre) brood(i, n int) {
	nest := m.hand("brood"+strconv.Itoa(i), allEvents, "critical=empty", "fatal=signal,core")
	m.broods = append(m.broods, nest)
	victims := m.spawn(nest, n, "waits")
	hosts := m.hostNumbers()
	m.locate(hosts, nest)
	m.locateVictims(hosts, victims)
	for _, v := range victims {
		v.status = unix.WaitStatus(unix.SIGKILL)
	}
	first := victims[m.IntN(n)]
	b := m.blow(first, int(unix.SIGKILL))
	b.by = m.killers[m.IntN(len(m.killers))]
	first.deadly, first.status = b, unix.WaitStatus(b.sig)
	m.planner.strike([]*blow{b})
	nest.answer("gone")
	m.victims = append(m.victims, victims...)
	m.follow(victims[len(victims)-1])
	if n := len(m.broods) - broodsOpen; n > 0 {
		m.broods[n-1].end()
	}
}

// broodsOpen is how many owners of broods wait on: each has a login, of which a zone has a
// limited number. Who ends was read of long ago.
const broodsOpen = 100

// judge compares what each reader has with what happened.
func (m *massacre) judge(rs []*reader) {
	t := m.t
	all := append(append([]*actor{}, m.nests...), m.broods...)
	for _, nest := range all {
		settleNotes(t, m.world, nest, m.victims)
	}
	accounts := map[view]map[uint64]*account{}
	for _, s := range []view{zoneView, hostView} {
		accounts[s] = map[uint64]*account{}
		for _, nest := range m.nests {
			accounts[s][nest.ct] = &account{lives: []life{nest.ownLife(s, -1)}, critical: kinds("empty")}
		}
		accounts[s][m.nests[1].ct].critical = kinds("empty", "core", "signal")
		for _, b := range m.broods {
			accounts[s][b.ct] = &account{lives: []life{b.ownLife(s, int(unix.SIGKILL))}, empties: 1, critical: kinds("empty")}
		}
		for _, v := range m.victims {
			a := accounts[s][v.nest.ct]
			a.lives = append(a.lives, v.life(s))
		}
	}
	var first []told
	for _, r := range rs {
		events := m.read(r)
		v := judge(accounts[r.view], events, nothing)
		v.complaints = append(v.complaints, m.senders(r, events)...)
		if r.view == rs[0].view {
			if first == nil {
				first = events
			}
			of := func(ct uint64) bool { return accounts[r.view][ct] != nil }
			v.complaints = append(v.complaints, sameOrder(rs[0].name+" and "+r.name, first, events, of, true)...)
		}
		report(t, r.name, v)
	}
}

// complaintsMax is how many complaints of one reader are shown.
const complaintsMax = 12

func report(t *testing.T, name string, v *verdict) {
	t.Helper()
	if len(v.complaints) > 0 {
		shown := v.complaints[:min(len(v.complaints), complaintsMax)]
		t.Errorf("%s: %d complaints:\n  %s", name, len(v.complaints), strings.Join(shown, "\n  "))
	}
	t.Logf("%s: %d events compared, %d missing, %d said to be lost", name, v.events, v.missing, v.lost)
}

func kinds(list ...string) map[string]bool {
	m := map[string]bool{}
	for _, k := range list {
		m[k] = true
	}
	return m
}

// ownLife is that of the hand itself: its birth, and its end if it has one.
func (a *actor) ownLife(s view, status int) life {
	l := life{pid: a.number(s), must: []fact{{kind: "fork", pid: a.number(s), ppid: a.parent(s)}}}
	if status >= 0 {
		l.must = append(l.must, fact{kind: "exit", pid: a.number(s), status: status})
	}
	return l
}

// senders checks what else is told of who sent a signal.
func (m *massacre) senders(r *reader, events []told) (complaints []string) {
	known := map[string]*actor{}
	for _, h := range append(append([]*actor{}, m.nests...), m.killers...) {
		known[strconv.Itoa(h.number(r.view))] = h
	}
	for _, e := range events {
		h := known[e.sender]
		if h == nil || e.kind != "signal" {
			continue
		}
		zone := ""
		if r.view == hostView {
			zone = m.zone
			if h.outside {
				zone = global
			}
		}
		if e.comm != h.comm || e.zone != zone || r.view == zoneView && e.uid != 0 {
			complaints = append(complaints, fmt.Sprintf("sender %s is told as %q of user %d in zone %q", e.sender, e.comm, e.uid, e.zone))
		}
	}
	return complaints
}
