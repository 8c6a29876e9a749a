package restarter

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/ends"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/orphans"
)

// earlyMax bounds events of contracts whose methods are just being started: of each contract the first
// of each kind, and more contracts than startsMax only while others' are told, which are nothing to us.
const earlyMax = 1024

// Cookies of contracts: of start methods, which are services' own, and of others.
const (
	cookieStart = 1
	cookieOther = 2
	// cookieBeside is of what runs beside a service: see beside.go.
	cookieBeside = 3
)

// act does a unit's actions up to the next that is to be written, or the next that is for others to
// see while anything is not written yet.
func (r *Restarter) act(u *unit) {
	for len(u.actions) > 0 && !writes(u.actions[0].Kind) {
		a := u.actions[0]
		if seen(a.Kind) && len(r.dirty) > 0 && !r.failing {
			r.pressing = true
			return
		}
		u.actions = u.actions[1:]
		r.actOne(u, &a)
	}
	if len(u.actions) == 0 {
		u.actions = nil
	}
}

// seen says whether an action does something to others, which is done when it is written why.
func seen(k instance.ActionKind) bool {
	return k == instance.Run || k == instance.Signal || k == instance.SendKill
}

func (r *Restarter) actOne(u *unit, a *instance.Action) {
	switch a.Kind {
	case instance.Lookup:
		r.lookUp(u, a.Method)
	case instance.Run:
		u.parked = a
		if r.starts < startsMax {
			r.run(u)
		} else {
			r.waiting = append(r.waiting, u)
		}
	case instance.Signal:
		if u.hollow == a.Contract { // there is nobody to send it to
			u.do(r, instance.Input{Kind: instance.Signalled})
		} else if err := r.cfg.Contracts.Kill(a.Contract, int(a.Signal)); err != nil {
			u.do(r, instance.Input{Kind: instance.NotRun, Failure: instance.NotSent, Detail: err.Error()})
		} else {
			u.do(r, instance.Input{Kind: instance.Signalled})
		}
	case instance.SendKill:
		_ = r.cfg.Contracts.Kill(a.Contract, int(a.Signal))
	case instance.Abandon:
		r.lets = append(r.lets, let{a.Contract, u.fmri})
	case instance.WatchEmpty:
		if u.hollow == a.Contract {
			u.do(r, instance.Input{Kind: instance.Emptied, Contract: a.Contract})
			return
		}
		r.emptied[a.Contract] = &emptying{u: u}
		r.lookEmpty()
	case instance.IgnoreEmpty:
		delete(r.emptied, a.Contract)
	case instance.SetTimer:
		r.setTimer(u, a.Number, a.Time)
	case instance.ClearTimer:
		if u.timer == a.Number {
			r.clearTimer(u)
		}
	case instance.Log:
		r.log(u, a.Text)
	case instance.Warn:
		r.cfg.Say(a.Text)
	case instance.Say:
		r.cfg.Console(a.Notice, a.Notice.Text(u.fmri, r.commonName(u)))
	case instance.Dropped:
		r.drop(u)
	}
}

func (r *Restarter) log(u *unit, text string) {
	if err := r.cfg.Logs.Line(u.on, time.Now(), text); err != nil {
		r.cfg.Say(u.fmri + ": " + text + " (not in its log: " + err.Error() + ")")
	}
}

func (r *Restarter) setTimer(u *unit, number uint64, at time.Time) {
	r.clearTimer(u)
	u.timer = number
	u.clock = time.AfterFunc(time.Until(at), func() {
		select {
		case r.fired <- fired{u, number}:
		case <-r.ctx.Done():
		}
	})
}

func (r *Restarter) clearTimer(u *unit) {
	if u.clock != nil {
		u.clock.Stop()
	}
	u.timer, u.clock = 0, nil
}

// drop forgets an instance that is gone.
func (r *Restarter) drop(u *unit) {
	r.clearTimer(u)
	r.leaveAll(u)
	for id, other := range r.byCT {
		if other == u {
			delete(r.byCT, id)
			delete(r.emptied, id)
		}
	}
	if r.units[u.fmri] == u {
		delete(r.units, u.fmri)
	}
}

// run starts the method that a unit has parked.
func (r *Restarter) run(u *unit) {
	a := u.parked
	u.parked = nil
	if u.gone { // while it waited
		u.do(r, instance.Input{Kind: instance.NotRun, Failure: instance.NeverStarted, Detail: "the instance is gone"})
		return
	}
	params := contract.Inherit | contract.Regent
	if a.Terms.PgrpOnly {
		params |= contract.PgrpOnly
	}
	cookie := uint64(cookieOther)
	if a.Method == instance.Start {
		cookie = cookieStart
	}
	s := &Start{
		On: u.on, Name: a.Method.String(), Command: a.Spec.Text, Context: u.found.context, Startd: u.found.startd,
		Terms: contract.Terms{
			Cookie: cookie, Critical: a.Terms.Critical, Fatal: a.Terms.Fatal, Params: params, Transfer: a.Terms.Transfer,
			FMRI: u.fmri, Aux: a.Method.String(),
		},
		Run: method.Run{Init: r.cfg.Init, FMRI: u.fmri, Method: a.Method.String(), Restarter: FMRI, Zone: r.cfg.Zone, More: r.environment(u)},
	}
	u.voice.starting = true
	if a.Method == instance.Start && s.Startd.UtmpxPrefix != "" {
		u.prefix = s.Startd.UtmpxPrefix
	}
	r.starts++
	r.others.Go(func() {
		b, failure, err := r.cfg.Launcher.Start(s)
		select {
		case r.begun <- begun{u: u, b: b, failure: failure, err: err}:
		case <-r.ctx.Done():
			if err == nil {
				unix.Close(b.Pidfd)
			}
		}
	})
}

// started takes what became of a start.
func (r *Restarter) started(b begun) {
	r.place(&b)
	r.tellMethod(&b)
	r.startMade()
	defer r.hearEarly()
	if b.err != nil {
		r.log(b.u, b.err.Error())
		b.u.do(r, instance.Input{Kind: instance.NotRun, Failure: b.failure, Detail: b.err.Error()})
		return
	}
	r.byCT[b.b.Contract] = b.u
	b.u.do(r, instance.Input{Kind: instance.Started, Pid: b.b.Pid, Contract: b.b.Contract, Refused: b.b.Refused})
	r.byPid[b.b.Pid] = b.u
	if err := r.ends.Add(b.b.Pid, b.b.Pidfd, orphans.Now()); err != nil {
		r.cfg.Say(b.u.fmri + ": wait for process " + strconv.Itoa(b.b.Pid) + ": " + err.Error())
	}
}

// startMade has room for another start.
func (r *Restarter) startMade() {
	r.starts--
	for len(r.waiting) > 0 && r.starts < startsMax {
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.run(next)
	}
}

// hearEarly takes what was told of contracts that nobody knew, now that one more is known.
func (r *Restarter) hearEarly() {
	held := r.early
	r.early = nil
	for _, e := range held {
		r.happened(e)
	}
}

// ended takes the end of a process.
func (r *Restarter) ended(e ends.End) {
	if b := r.company.byPid[e.Pid]; b != nil {
		delete(r.company.byPid, e.Pid)
		r.besideEnded(b, syscall.WaitStatus(e.Status), e.Known)
		return
	}
	u := r.byPid[e.Pid]
	if u == nil {
		return
	}
	delete(r.byPid, e.Pid)
	r.recordEnd(u, &e)
	u.do(r, instance.Input{Kind: instance.Ended, Pid: e.Pid, Status: syscall.WaitStatus(e.Status), Lost: !e.Known})
}

// isEarly says whether an event of the kind is held of the contract already: a second one says no more.
func (r *Restarter) isEarly(e *contract.Event) bool {
	return slices.ContainsFunc(r.early, func(held contract.Event) bool { return held.CT == e.CT && held.Kind == e.Kind })
}

// happened takes an event of a contract.
func (r *Restarter) happened(e contract.Event) {
	u := r.byCT[e.CT]
	if u == nil && r.starts > 0 && len(r.early) < earlyMax && !r.isEarly(&e) {
		r.early = append(r.early, e)
		return
	}
	r.acks = append(r.acks, ack{e.CT, e.ID, u != nil})
	if u == nil {
		return
	}
	if e.Kind == contract.Empty {
		u.hollow = e.CT
		if r.emptied[e.CT] != nil {
			delete(r.emptied, e.CT)
			u.do(r, instance.Input{Kind: instance.Emptied, Contract: e.CT})
		}
	}
	if slices.Contains(u.rec.Primary, e.CT) || len(u.actions) > 0 {
		u.do(r, instance.Input{Kind: instance.Event, Contract: e.CT, Events: e.Kind, Detail: r.blame(&e)})
	}
}

// blame says who caused an event, as far as it is known.
func (r *Restarter) blame(e *contract.Event) string {
	if e.Kind != contract.Signal && e.Kind != contract.Core {
		return ""
	}
	text := "killed by " + unix.SignalName(unix.Signal(e.Sig))
	switch e.Sender.Kind {
	case contract.FromProcess:
		text += " from pid " + strconv.Itoa(int(e.Sender.Pid)) + " (" + e.Sender.Comm + ")"
		if e.Sender.CT != 0 {
			text += ", contract " + strconv.FormatUint(uint64(e.Sender.CT), 10)
			if by := r.byCT[e.Sender.CT]; by != nil {
				text += ", " + by.fmri
			}
		}
	case contract.FromOutside:
		text += " from outside of the zone"
	case contract.FromKernel:
		text += " from the kernel"
	case contract.FromOOM:
		text += " by the kernel, which was out of memory"
	case contract.FromContract:
		text += " with its contract"
	}
	return text
}

// lookEmpty looks at the contracts that stops wait for.
func (r *Restarter) lookEmpty() {
	for id, w := range r.emptied {
		empty, err := r.cfg.Contracts.Empty(id)
		if err != nil || empty {
			delete(r.emptied, id)
			w.u.do(r, instance.Input{Kind: instance.Emptied, Contract: id})
			continue
		}
		w.looks++
		if w.looks < emptyFirsts {
			r.schedule(emptyFirst)
		} else {
			r.schedule(emptyLater)
		}
	}
}

// missing is the absolute path that a command begins with, if there is no such file.
func missing(command string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(command, " \t"), " ")
	if !strings.HasPrefix(word, "/") || strings.ContainsAny(word, `\"'$`+"`") {
		return ""
	}
	if _, err := os.Stat(word); errors.Is(err, os.ErrNotExist) {
		return word
	}
	return ""
}
