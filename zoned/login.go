package zoned

import (
	"context"
	"fmt"
	"path/filepath"
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
}

func (l *login) slot() string {
	return slotLogin + l.id + "." + strconv.Itoa(l.pid) + "." + strconv.FormatUint(l.start, 36)
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
	return f[0], pid, start, err1 == nil && err2 == nil
}

// login starts a process in the zone. zrun does it, beside the owner.
func (z *Zone) login(r *request) {
	switch {
	case z.logins[r.ID] != nil:
		z.followAgain(r, z.logins[r.ID])
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
	z.logins[r.ID] = l
	q := &helper.Request{
		Op: helper.OpExec, Zone: z.name, StateDir: z.stateDir(), Cgroup: z.inc.cgroup, CgroupMount: z.mount,
		Login: r.Login, Slot: "l" + r.ID,
	}
	z.start(func() {
		failed := ""
		if err := z.startLogin(l, q); err != nil {
			failed = err.Error()
		}
		z.post(evLogin{l, failed})
	})
}

func (z *Zone) refuseLogin(r *request, key string, args ...string) {
	r.tell(message(api.LevelError, key, args...))
	z.finish(r, -1)
	r.release()
}

// startLogin runs zrun. Until the process's own slot is there, one that says that a login is
// being started is: a successor undoes it then, rather than run a command twice.
func (z *Zone) startLogin(l *login, q *helper.Request) error {
	ctx, cancel := context.WithTimeoutCause(z.ctx, loginLimit, fmt.Errorf("not started after %s", loginLimit))
	defer cancel()
	defer func() {
		sys.CloseAll(l.r.stdio)
		_ = z.keeper.Drop(slotLogin + l.id)
	}()
	if err := cgroup2.Make(l.dir); err != nil {
		return err
	}
	mark, err := sys.OpenDir(z.stateDir())
	if err != nil {
		return err
	}
	err = z.keeper.Put(slotLogin+l.id, mark.Int())
	mark.Close()
	if err != nil {
		return err
	}
	var stdio []int
	for _, f := range l.r.stdio {
		stdio = append(stdio, f.Int())
	}
	reply, fds, err := helper.Run(ctx, filepath.Join(z.libexec, "zrun"), l.dir, q, stdio)
	if err != nil {
		_ = cgroup2.Kill(l.dir)
		return err
	}
	if reply.Error != "" {
		return fmt.Errorf("%s", reply.Error)
	}
	if len(fds) == 0 {
		return fmt.Errorf("zrun sent no process")
	}
	l.pid, l.start, l.pidfd = reply.Pid, reply.Start, fds[0]
	if err := z.keeper.Put(l.slot(), l.pidfd.Int()); err != nil {
		sys.CloseAll(fds)
		return err
	}
	if len(fds) > 1 {
		l.r.add(reply2tty(fds[1]))
	}
	l.r.tell(api.Reply{Type: api.ReplyStarted, Pid: l.pid})
	return nil
}

func reply2tty(fd *sys.FD) reply { return reply{Reply: api.Reply{Type: api.ReplyTTY}, fd: fd} }

// loginStarted takes what became of it.
func (z *Zone) loginStarted(l *login, failed string) {
	if failed != "" {
		delete(z.logins, l.id)
		_ = cgroup2.Remove(l.dir)
		l.r.tell(message(api.LevelError, keyLoginFailed, failed))
		z.finish(l.r, -1)
		return
	}
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
	// What the login left running stays, and so does the directory then; halt takes both.
	_ = cgroup2.Remove(l.dir)
	if l.r != nil {
		z.loginResult(l.r, d)
	}
	for _, r := range l.waits {
		z.loginResult(r, d)
	}
	l.waits = nil
	z.expireLogins()
}

func (z *Zone) loginResult(r *request, d keeper.Death) {
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
		z.loginResult(r, *l.ended)
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
