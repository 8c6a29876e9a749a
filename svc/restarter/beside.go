package restarter

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/orphans"
	"github.com/linuxzones/zones/svc/repo"
)

// What runs beside a service that is up: its monitor, which looks whether it works, and for one with
// startd/period its start method, again. Each has a contract of its own, which the service's events
// do not come from.

const (
	// besideFailures is how often in a row a monitor may fail to say anything before its service
	// counts as one that does not work.
	besideFailures = 3
	// besideAgain is when one is tried again for which there was no room.
	besideAgain = time.Second
	// exitDegrade and exitOffline are what a monitor says.
	exitDegrade, exitOffline = 97, 98
)

// besideKind is what runs.
type besideKind uint8

const (
	monitors besideKind = iota
	periodic
	besideKinds
)

// aux is what is written into its contract; the method is the one that is run.
func (k besideKind) aux() string    { return [...]string{method.Monitor, "period"}[k] }
func (k besideKind) method() string { return [...]string{method.Monitor, method.Start}[k] }

// beside is one of them, of a unit.
type beside struct {
	u       *unit
	kind    besideKind
	period  time.Duration
	jitter  time.Duration
	timeout time.Duration
	last    time.Time // when it was begun last

	number   uint64 // of the timer that counts
	clock    *time.Timer
	starting bool
	pid      int // 0: it does not run
	contract contract.ID
	late     bool // it was killed for its timeout
	failures int  // in a row
	off      bool // the service is not up, or has no such thing any more
}

// besides are those of a unit.
type besides struct {
	list  [besideKinds]*beside
	known bool // what there is to run was read since the service came up, or was refreshed
}

// company is what the loop needs of all of them.
type company struct {
	byPid map[int]*beside
	begun chan besideBegun
	fired chan besideFired
}

func newCompany() company {
	return company{map[int]*beside{}, make(chan besideBegun), make(chan besideFired)}
}

// besideBegun is what became of a start.
type besideBegun struct {
	b   *beside
	got Begun
	err error
}

// besideFired is a timer.
type besideFired struct {
	b      *beside
	number uint64
}

// accompany has what is to run beside a unit run, while it is up and at rest, and not otherwise.
func (r *Restarter) accompany(u *unit) {
	up := (u.rec.State == graph.Online || u.rec.State == graph.Degraded) && !u.gone
	if !up {
		r.leaveAll(u)
		return
	}
	if u.besides.known || u.rec.Next != graph.None {
		return
	}
	u.besides.known = true
	want := r.besidesOf(u)
	for kind := range besideKinds {
		switch b, w := u.besides.list[kind], want[kind]; {
		case w == nil && b != nil:
			r.leaveOff(b)
			u.besides.list[kind] = nil
		case w != nil && b == nil:
			u.besides.list[kind] = w
			r.arm(w)
		case w != nil:
			b.period, b.jitter, b.timeout = w.period, w.jitter, w.timeout
			if b.last.IsZero() {
				b.last = w.last
			}
			switch {
			case b.pid == 0 && !b.starting:
				r.arm(b)
			case b.pid != 0 && b.timeout > 0:
				r.wake(b, time.Until(b.last.Add(b.timeout)))
			}
		}
	}
}

func (r *Restarter) leaveAll(u *unit) {
	for _, b := range u.besides.list {
		if b != nil {
			r.leaveOff(b)
		}
	}
	u.besides = besides{}
}

// besidesOf reads what is to run beside an instance.
func (r *Restarter) besidesOf(u *unit) (want [besideKinds]*beside) {
	err := r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err != nil {
			return err
		}
		s, err := i.Startd()
		var bad *method.Error
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		if s.Period > 0 && s.Duration == method.Transient {
			m, err := i.Method(method.Start)
			if err == nil && m.Kind == method.Exec {
				want[periodic] = &beside{u: u, kind: periodic, period: s.Period, jitter: s.Jitter, timeout: m.Timeout, last: u.rec.StartAt}
			}
		}
		m, err := i.Method(method.Monitor)
		if err == nil && m.Kind == method.Exec {
			period, notice, err := i.MonitorPeriod()
			if err != nil {
				return err
			}
			if notice != "" {
				r.log(u, notice)
			}
			want[monitors] = &beside{u: u, kind: monitors, period: period, timeout: m.Timeout, last: time.Now()}
		}
		return err
	})
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		r.log(u, err.Error())
	}
	return want
}

// arm has a run begin when it is due: a period after the last one began, or at once if that is past.
func (r *Restarter) arm(b *beside) {
	wait := b.period
	if b.jitter > 0 {
		wait += rand.N(b.jitter)
	}
	r.wake(b, time.Until(b.last.Add(wait)))
}

func (r *Restarter) wake(b *beside, after time.Duration) {
	if b.clock != nil {
		b.clock.Stop()
	}
	b.number++
	number := b.number
	b.clock = time.AfterFunc(max(after, 0), func() {
		select {
		case r.company.fired <- besideFired{b, number}:
		case <-r.ctx.Done():
		}
	})
}

// leaveOff ends what runs beside a service that is not up any more.
func (r *Restarter) leaveOff(b *beside) {
	b.off = true
	b.number++
	if b.clock != nil {
		b.clock.Stop()
	}
	if b.contract != 0 {
		_ = r.cfg.Contracts.Kill(b.contract, int(unix.SIGKILL))
	}
}

// due: a timer has fired. What runs has had its time; what does not is to begin.
func (r *Restarter) besideDue(f besideFired) {
	b := f.b
	if b.number != f.number || b.off {
		return
	}
	if b.pid != 0 {
		b.late = true
		r.log(b.u, "Method or service exit timed out.  Killing contract "+strconv.FormatUint(uint64(b.contract), 10)+".")
		_ = r.cfg.Contracts.Kill(b.contract, int(unix.SIGKILL))
		return
	}
	if b.u.rec.Next != graph.None || r.starts >= startsMax || r.failing {
		r.wake(b, besideAgain)
		return
	}
	r.beginBeside(b)
}

// beginBeside starts the method. When a periodic run began is written before, so that the next
// svc.startd does not begin it anew.
func (r *Restarter) beginBeside(b *beside) {
	s, err := r.besideStart(b)
	b.last = time.Now()
	if err != nil {
		r.log(b.u, err.Error())
		r.besideFailed(b, syscall.WaitStatus(method.ExitConfig<<8))
		return
	}
	if b.kind == periodic {
		r.log(b.u, "Executing start method (\""+s.Command+"\").")
		b.u.rec.StartAt = b.last
		r.soil(b.u)
		if !r.flush() {
			r.wake(b, besideAgain)
			return
		}
	}
	b.starting = true
	r.starts++
	r.others.Go(func() {
		got, _, err := r.cfg.Launcher.Start(s)
		select {
		case r.company.begun <- besideBegun{b, got, err}:
		case <-r.ctx.Done():
			if err == nil {
				unix.Close(got.Pidfd)
			}
		}
	})
}

// besideStart reads the method as it is to be run now.
func (r *Restarter) besideStart(b *beside) (*Start, error) {
	u, name := b.u, b.kind.method()
	s := &Start{
		On: u.on, Name: name,
		Terms: contract.Terms{Cookie: cookieBeside, Params: contract.Inherit | contract.Regent, FMRI: u.fmri, Aux: b.kind.aux()},
		Run:   method.Run{Init: r.cfg.Init, FMRI: u.fmri, Method: name, Restarter: FMRI, Zone: r.cfg.Zone},
	}
	err := r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err != nil {
			return err
		}
		m, err := i.Method(name)
		if err != nil {
			return err
		}
		s.Command, b.timeout = m.Command, m.Timeout
		if s.Startd, err = i.Startd(); err != nil {
			return err
		}
		s.Startd.UtmpxPrefix = "" // nobody logs in at one of many runs
		s.Context, err = i.Context(m, r.cfg.Host)
		return err
	})
	return s, err
}

func (r *Restarter) besideStarted(e besideBegun) {
	b := e.b
	r.startMade()
	defer r.hearEarly()
	b.starting = false
	if e.err != nil {
		r.log(b.u, e.err.Error())
		if !b.off {
			r.wake(b, besideAgain)
		}
		return
	}
	b.pid, b.contract, b.late = e.got.Pid, e.got.Contract, false
	r.company.byPid[b.pid] = b
	if err := r.ends.Add(b.pid, e.got.Pidfd, orphans.Now()); err != nil {
		r.cfg.Say(b.u.fmri + ": wait for process " + strconv.Itoa(b.pid) + ": " + err.Error())
	}
	switch {
	case b.off:
		_ = r.cfg.Contracts.Kill(b.contract, int(unix.SIGKILL))
	case b.timeout > 0:
		r.wake(b, b.timeout)
	}
}

// besideEnded takes the end of one. What it has left behind is nobody's; of a monitor it is killed.
func (r *Restarter) besideEnded(b *beside, status syscall.WaitStatus, known bool) {
	if b.kind == monitors || b.off {
		_ = r.cfg.Contracts.Kill(b.contract, int(unix.SIGKILL))
	}
	if err := r.cfg.Contracts.Abandon(b.contract); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
		r.cfg.Say(b.u.fmri + ": abandon contract " + strconv.FormatUint(uint64(b.contract), 10) + ": " + err.Error())
	}
	b.pid, b.contract = 0, 0
	if b.off {
		return
	}
	if !known {
		status = 0 // nobody knows; the next one says more
	}
	if b.kind == periodic {
		b.u.rec.StartStatus, b.u.rec.Started = int(status), true
		r.soil(b.u)
	}
	r.arm(b)
	if status == 0 {
		b.failures = 0
		if b.kind == monitors {
			b.u.do(r, instance.Input{Kind: instance.Monitored, Status: status})
		}
		return
	}
	r.besideFailed(b, status)
}

// besideFailed: a monitor that says so has its service degraded or stopped, and one that says nothing
// several times. A periodic run that fails is a failure of the service, whose next start is a restart.
func (r *Restarter) besideFailed(b *beside, status syscall.WaitStatus) {
	code := status.ExitStatus()
	if b.kind == monitors && (code == exitDegrade || code == exitOffline) {
		b.failures = 0
		b.u.do(r, instance.Input{Kind: instance.Monitored, Status: status})
		return
	}
	b.failures++
	r.log(b.u, besideText(b, status))
	switch {
	case b.kind == periodic:
		b.u.do(r, instance.Input{Kind: instance.Lapsed})
	case b.failures >= besideFailures:
		b.failures = 0
		b.u.do(r, instance.Input{Kind: instance.Monitored, Status: syscall.WaitStatus(exitOffline << 8)})
	}
}

func besideText(b *beside, status syscall.WaitStatus) string {
	text := "Method \"" + b.kind.method() + "\" "
	if status.Signaled() {
		return text + "failed due to signal " + strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG") + "."
	}
	return text + "failed with exit status " + strconv.Itoa(status.ExitStatus()) + "."
}

// adoptBeside takes up what the svc.startd before this one was running beside a service. A monitor is
// begun anew; a periodic run is waited for.
func (r *Restarter) adoptBeside(u *unit, st *contract.Status) {
	kind := besideKind(besideKinds)
	for k := range besideKinds {
		if st.Terms.Aux == k.aux() {
			kind = k
		}
	}
	pid := int(st.Initial.Pid)
	if kind != periodic || u.besides.list[kind] != nil || pid == 0 {
		_ = r.cfg.Contracts.Kill(st.ID, int(unix.SIGKILL))
		_ = r.cfg.Contracts.Abandon(st.ID)
		return
	}
	b := &beside{u: u, kind: kind, pid: pid, contract: st.ID, last: st.Born}
	u.besides.list[kind] = b
	r.company.byPid[pid] = b
	since := st.Initial.Start * tick
	if fd, err := sys.PidfdOpenStarted(pid, st.Initial.Start); err == nil && r.ends.Add(pid, fd.Disown(), since) == nil {
		return
	}
	r.ends.Gone(pid, since)
}
