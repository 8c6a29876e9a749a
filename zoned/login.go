package zoned

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat/helper"
	"github.com/linuxzones/zones/zoned/api"
)

const (
	// loginsMax is how many logins a zone has at once. Each has a pty or pipes and a slot of
	// the keeper.
	loginsMax = 256
	// loginLimit is how long a login may take to be started.
	loginLimit = 60 * time.Second
	// slotLogin begins the names of the keeper's slots for logins: "login.ID" while one is
	// being started, "login.ID.PID.START" from then on.
	slotLogin = "login."
)

// login is a process that was started in the zone for somebody outside.
type login struct {
	id    string
	r     *request // who started it; what it is told is what happened
	pid   int
	start uint64
	pidfd *sys.FD
	dir   string // its cgroup, absolute
	ended *keeper.Death
	waits []*request
	// unsure: its supervisor died before it took the mark away, perhaps before it let it go.
	unsure bool
}

func (l *login) slot() string { return loginSlot(l.id, l.pid, l.start) }

func loginSlot(id string, pid int, start uint64) string {
	return slotLogin + id + "." + strconv.Itoa(pid) + "." + strconv.FormatUint(start, 36)
}

// parseLoginSlot is the inverse; pid is 0 for a login that was being started.
func parseLoginSlot(name string) (id string, pid int, start uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, slotLogin)
	if !ok {
		return "", 0, 0, false
	}
	f := strings.Split(rest, ".")
	if len(f) == 1 {
		return f[0], 0, 0, true
	}
	if len(f) != 3 {
		return "", 0, 0, false
	}
	pid, err1 := strconv.Atoi(f[1])
	start, err2 := strconv.ParseUint(f[2], 36, 64)
	return f[0], pid, start, err1 == nil && err2 == nil && pid > 0
}

// login starts a process in the zone. zrun does it, beside the owner.
func (z *Zone) login(r *request) {
	old := z.logins[r.ID]
	switch {
	case old != nil && !old.undone(r):
		z.followAgain(r, old)
		return
	case r.Login == nil:
		z.refuseLogin(r, keyBadRequest, "no login")
		return
	case z.state != configs.Running:
		z.refuseLogin(r, keyLoginState, z.name, z.stateName())
		return
	case len(z.logins) >= loginsMax:
		z.refuseLogin(r, keyLoginMax, strconv.Itoa(loginsMax))
		return
	}
	l := &login{id: r.ID, r: r, dir: filepath.Join(z.cgroupDir(z.inc.cgroup), adminDir, "l"+r.ID)}
	if old != nil && old.ended != nil {
		z.dropLogin(old)
	}
	z.logins[r.ID] = l
	q := &helper.Request{
		Op: helper.OpExec, Zone: z.name, StateDir: z.stateDir(), Cgroup: z.inc.cgroup, CgroupMount: z.mount,
		Login: (*helper.Login)(r.Login), Slot: "l" + r.ID,
	}
	z.start(func() {
		s, err := z.startLogin(l, q)
		e := evLogin{l: l, started: s}
		if err != nil {
			e.failed = err.Error()
		}
		z.post(e)
	})
}

// started is a login's process, on its way to the owner.
type started struct {
	pid   int
	start uint64
	pidfd *sys.FD
	tty   *sys.FD // its terminal's master, if it has one
}

func (z *Zone) refuseLogin(r *request, key string, args ...string) {
	r.tell(message(api.LevelError, key, args...))
	z.finish(r, -1)
	r.release()
}

// startLogin runs zrun. Until the process's own slot is there, one that says that a login is
// being started is: a successor undoes it then, rather than run a command twice.
func (z *Zone) startLogin(l *login, q *helper.Request) (s started, err error) {
	ctx, cancel := context.WithTimeoutCause(z.ctx, loginLimit, fmt.Errorf("not started after %s", loginLimit))
	defer cancel()
	defer func() {
		sys.CloseAll(l.r.stdio)
		_ = z.keeper.Drop(slotLogin + l.id)
	}()
	if err := z.makeLogin(l.dir, q.Login.Failsafe); err != nil {
		return s, err
	}
	mark, err := sys.OpenDir(z.stateDir())
	if err != nil {
		return s, err
	}
	err = z.keeper.Put(slotLogin+l.id, mark.Int())
	mark.Close()
	if err != nil {
		return s, err
	}
	z.journal.crashpoint("login marked")
	<-z.strays // or it could be taken for a predecessor's
	ct := z.newContract(l.dir)
	// It is nobody's once it has begun, and goes with its last process.
	defer func() { z.abandon(ct) }()
	z.journal.crashpoint("login has a contract")
	attached := l.r.stdio
	held, letGo, err := sys.Pipe()
	if err != nil {
		return s, err
	}
	defer letGo.Close()
	if q.Held = !q.Login.Failsafe; q.Held { // of that one the shell itself is the first process
		attached = append(slices.Clone(attached), held)
	}
	var numbers []int
	for _, f := range attached {
		numbers = append(numbers, f.Int())
	}
	reply, fds, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), l.dir, q, numbers)
	held.Close()
	if err != nil {
		undoLogin(l.dir)
		return s, err
	}
	z.journal.crashpoint("login made")
	if reply.Error != "" {
		return s, errors.New(reply.Error)
	}
	if len(fds) == 0 {
		return s, errors.New("zrun sent no process")
	}
	s = started{pid: reply.Pid, start: reply.Start, pidfd: fds[0]}
	if err := z.keeper.Put(loginSlot(l.id, s.pid, s.start), s.pidfd.Int()); err != nil {
		sys.CloseAll(fds)
		undoLogin(l.dir)
		return s, err
	}
	z.journal.crashpoint("login kept")
	// From here on its end is nobody's to lose. One that has ended already needs no word.
	if err := sys.WriteAll(letGo.Int(), []byte{1}); err != nil && !errors.Is(err, unix.EPIPE) {
		z.log.WithError(err).Warn("let a login go")
	}
	z.journal.crashpoint("login let go")
	if len(fds) > 1 {
		s.tty = fds[1]
	}
	return s, nil
}

// makeLogin makes a login's cgroup. Not its parents: a halt may have removed them just now. One that is
// there a supervisor before this one has made, and nothing of its login ran, unless its shell was let
// go at once.
func (z *Zone) makeLogin(dir string, failsafe bool) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrExist) && !failsafe {
		<-z.strays
		undoLogin(dir)
		err = os.Mkdir(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return nil
}

// undoLimit is how long the killed beginnings of a login are waited for.
const undoLimit = 5 * time.Second

// undoLogin ends what was started of a login. The directory goes too: it can not be used
// again, and the same request may come again.
func undoLogin(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), undoLimit)
	defer cancel()
	_ = killAll(ctx, dir, nil)
	_ = cgroup2.Remove(dir)
}

// loginStarted takes what became of it. The terminal and the word that it runs are told
// here, before its end can be.
func (z *Zone) loginStarted(e evLogin) {
	l := e.l
	if e.failed != "" {
		delete(z.logins, l.id)
		_ = cgroup2.Remove(l.dir)
		m := message(api.LevelError, keyLoginFailed, e.failed)
		if z.state != configs.Running { // a halt killed what was to start it
			m = message(api.LevelError, keyLoginState, z.name, z.stateName())
		}
		l.r.tell(m)
		z.finish(l.r, -1)
		return
	}
	l.pid, l.start, l.pidfd = e.pid, e.start, e.pidfd
	if e.tty != nil {
		l.r.add(reply{Reply: api.Reply{Type: api.ReplyTTY}, fd: e.tty})
	}
	l.r.tell(api.Reply{Type: api.ReplyStarted, Pid: l.pid})
	for i, d := range z.deaths {
		if d.Pid == l.pid && d.Start == l.start {
			z.deaths = append(z.deaths[:i], z.deaths[i+1:]...)
			z.loginDied(l, d)
			return
		}
	}
}

func (z *Zone) loginOf(d keeper.Death) *login {
	for _, l := range z.logins {
		if l.pid == d.Pid && l.start == d.Start && l.ended == nil {
			return l
		}
	}
	return nil
}

// loginDied gives the status to who waits for it. The keeper keeps it too, until somebody
// has taken it.
func (z *Zone) loginDied(l *login, d keeper.Death) {
	l.ended = &d
	l.pidfd.Close()
	z.sweepLogins()
	if l.r != nil {
		z.loginResult(l.r, l)
	}
	for _, r := range l.waits {
		z.loginResult(r, l)
	}
	l.waits = nil
	z.expireLogins()
}

// sweepLogins removes the directories of logins that have ended. What one left running stays,
// and so does its directory until a later sweep or halt.
func (z *Zone) sweepLogins() {
	if z.inc == nil {
		return
	}
	admin := filepath.Join(z.cgroupDir(z.inc.cgroup), adminDir)
	entries, _ := os.ReadDir(admin) // gone: halt was faster
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), "l")
		if l := z.logins[id]; !ok || !e.IsDir() || l != nil && l.ended == nil {
			continue
		}
		_ = unix.Rmdir(filepath.Join(admin, e.Name()))
	}
}

// neverRan is the exit status of a login that was not let go (svc/enter).
const neverRan = 213

// undone says whether a predecessor began a login, died, and its command never ran: then a request that
// asks for it again has it started, and whoever logs in notices nothing. Of a shell that is let go at
// once, Failsafe, it is not known what it has done.
func (l *login) undone(r *request) bool {
	begun := l.pid == 0 && l.ended == nil && l.r == nil
	return (begun || l.never()) && r.Verb == api.VerbLogin && r.Login != nil && !r.Login.Failsafe
}

// never: it may not have been let go, and was not.
func (l *login) never() bool {
	return l.unsure && l.ended != nil && l.ended.Status.Exited() && l.ended.Status.ExitStatus() == neverRan
}

// loginResult tells how a login ended. One that never ran is started, or undone.
func (z *Zone) loginResult(r *request, l *login) {
	d := *l.ended
	if l.undone(r) {
		z.login(r)
		return
	}
	if l.never() {
		r.tell(message(api.LevelError, keyLoginLost))
		z.finish(r, -1)
		return
	}
	z.audit.ended(r, 0, describe(d.Status))
	r.tell(api.Reply{Type: api.ReplyResult, State: z.stateName(), Exited: true, Status: int(uint32(d.Status))})
}

// loginTaken: a caller has got the status, nobody needs it any more.
func (z *Zone) loginTaken(r *request) {
	id := r.ID
	if r.Verb == api.VerbWait {
		id = r.Target
	}
	if l := z.logins[id]; l != nil && l.ended != nil {
		z.dropLogin(l)
	}
}

func (z *Zone) dropLogin(l *login) {
	delete(z.logins, l.id)
	z.forget(*l.ended)
	if err := z.keeper.Drop(l.slot()); err != nil {
		z.log.WithError(err).Warn("tell the keeper")
	}
}

// endedLoginsMax is how many statuses wait for callers that vanished.
const endedLoginsMax = 64

func (z *Zone) expireLogins() {
	var oldest *login
	n := 0
	for _, l := range z.logins {
		if l.ended == nil {
			continue
		}
		if n++; oldest == nil || l.start < oldest.start {
			oldest = l
		}
	}
	if n > endedLoginsMax {
		z.dropLogin(oldest)
	}
}

// followAgain serves a caller who asks for a login anew because the supervisor that started it
// died. One that should have a terminal has not got it, and its master went with that
// supervisor: the login is hung up, and the caller told.
func (z *Zone) followAgain(r *request, l *login) {
	if l.pid != 0 && r.Login != nil && r.Login.TTY {
		if l.dir != "" {
			_ = cgroup2.Kill(l.dir)
		}
		z.refuseLogin(r, keyLoginLost)
		return
	}
	z.follow(r, l)
}

// follow has a request wait for a login's end.
func (z *Zone) follow(r *request, l *login) {
	if l.pid == 0 && l.ended == nil && l.r == nil {
		r.tell(message(api.LevelError, keyLoginLost))
		z.finish(r, -1)
		delete(z.logins, l.id)
		return
	}
	if l.ended != nil {
		z.loginResult(r, l)
		return
	}
	l.waits = append(l.waits, r)
}

func (z *Zone) waitLogin(r *request) {
	l := z.logins[r.Target]
	if l == nil {
		r.tell(message(api.LevelError, keyLoginUnknown))
		z.finish(r, -1)
		return
	}
	z.follow(r, l)
}

// pidfdSignalGroup is PIDFD_SIGNAL_PROCESS_GROUP, kernel 6.9.
const pidfdSignalGroup = 1 << 2

// signalLogin sends a signal to a login's process group, as a terminal would, or where the
// kernel can not to the process alone.
func (z *Zone) signalLogin(r *request) {
	l := z.logins[r.Target]
	if l == nil || l.ended != nil || !l.pidfd.Valid() {
		r.tell(message(api.LevelError, keyLoginUnknown))
		z.finish(r, -1)
		return
	}
	sig := unix.Signal(r.Signal)
	err := unix.PidfdSendSignal(l.pidfd.Int(), sig, nil, pidfdSignalGroup)
	if err == unix.EINVAL {
		err = unix.PidfdSendSignal(l.pidfd.Int(), sig, nil, 0)
	}
	if err != nil {
		r.tell(message(api.LevelError, keyLoginFailed, "send signal: "+err.Error()))
		z.finish(r, -1)
		return
	}
	z.finish(r, 0)
}
