package restarter

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/launch"
	"github.com/linuxzones/zones/svc/svclog"
)

// killRounds is how often a contract's members are listed to be killed: while they are, others may
// be born.
const killRounds = 64

// zoneContracts are those of the zone that this process lives in.
type zoneContracts struct {
	fs    *contract.FS
	queue *contract.Reader
}

// ZoneContracts opens the zone's contracts. Events are kept from here on.
func ZoneContracts(fs *contract.FS) (Contracts, error) {
	q, err := fs.PBundle()
	if err != nil {
		return nil, err
	}
	if err := q.Critical(); err != nil {
		q.Close()
		return nil, err
	}
	return &zoneContracts{fs: fs, queue: q}, nil
}

// Adopt looks at all contracts once: this process's own one is the one that it is a member of.
func (z *zoneContracts) Adopt() ([]contract.Status, error) {
	all, err := z.fs.Statuses()
	if err != nil {
		return nil, err
	}
	self := int32(os.Getpid())
	own := contract.ID(0)
	for i := range all {
		if slices.Contains(all[i].Members, self) {
			own = all[i].ID
		}
	}
	var mine []contract.Status
	for i := range all {
		st := &all[i]
		inherited := own != 0 && st.State == contract.Inherited && contract.ID(st.Holder) == own
		if inherited {
			if err := z.fs.Contract(st.ID).Adopt(); others(err) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if inherited || st.State == contract.Owned && st.Holder == int64(self) {
			now, err := z.fs.Contract(st.ID).Status()
			if err == nil {
				mine = append(mine, now)
			} else if !others(err) {
				return nil, err // it must not be taken for gone
			}
		}
	}
	return mine, nil
}

// others says that a contract is somebody else's by now, or gone.
func others(err error) bool {
	for _, e := range []error{unix.ENOENT, unix.ESRCH, unix.EBUSY, unix.EINVAL, unix.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Events reads from the oldest event that was not acknowledged.
func (z *zoneContracts) Events(ctx context.Context, to func([]contract.Event)) error {
	defer z.queue.Close()
	if err := z.queue.Reset(); err != nil {
		return err
	}
	for {
		list, err := z.queue.NextAll(ctx)
		if len(list) > 0 {
			to(list)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, unix.EIDRM):
			return err
		case err != nil:
			return err
		}
	}
}

func (z *zoneContracts) Ack(id contract.ID, ev contract.EventID) error {
	return z.fs.Contract(id).Ack(ev)
}

func (z *zoneContracts) Abandon(id contract.ID) error { return z.fs.Contract(id).Abandon() }

func (z *zoneContracts) Empty(id contract.ID) (bool, error) {
	st, err := z.fs.Contract(id).Status()
	return err == nil && len(st.Members) == 0, err
}

// Kill sends a signal to all members: SIGKILL until there is none, others once to each.
func (z *zoneContracts) Kill(id contract.ID, sig int) error {
	for range killRounds {
		members, err := z.members(id)
		if err != nil {
			return err
		}
		for _, fd := range members {
			_ = sys.PidfdSignal(fd.Int(), unix.Signal(sig)) // one that has just ended
		}
		sys.CloseAll(members)
		if len(members) == 0 || sig != int(unix.SIGKILL) {
			return nil
		}
	}
	return nil
}

// members gives a descriptor of each member. Who has the number of one only since it was listed is
// not in the second list.
func (z *zoneContracts) members(id contract.ID) (list []*sys.FD, err error) {
	st, err := z.fs.Contract(id).Status()
	if err != nil || len(st.Members) == 0 {
		return nil, err
	}
	opened := map[int32]*sys.FD{}
	for _, pid := range st.Members {
		if fd, err := sys.PidfdOpen(int(pid)); err == nil {
			opened[pid] = fd
		}
	}
	if st, err = z.fs.Contract(id).Status(); err != nil {
		st.Members = nil
	}
	for pid, fd := range opened {
		if slices.Contains(st.Members, pid) {
			list = append(list, fd)
		} else {
			fd.Close()
		}
	}
	return list, err
}

// methods starts methods with a launcher.
type methods struct {
	l    *launch.Launcher
	logs svclog.Logs
}

// Methods is the Launcher of a zone.
func Methods(l *launch.Launcher, logs svclog.Logs) Launcher { return &methods{l, logs} }

func (m *methods) Start(s *Start) (Begun, instance.Failure, error) {
	log, _, err := m.logs.Open(s.On)
	if err != nil {
		return Begun{}, instance.NotPossible, err
	}
	defer log.Close()
	env, err := s.Context.Env(s.Run)
	if err != nil {
		return Begun{}, instance.Invalid, err
	}
	what := launch.Method{
		Command: s.Command, Context: s.Context, Env: env, Session: s.Startd.NeedSession, Log: log, Terms: s.Terms,
		// What stops a service must run when the service has all that its project may have.
		Free: s.Name == instance.Stop.String(),
	}
	if s.Name == instance.Start.String() {
		what.RuntimeDirectories, what.UtmpxPrefix = s.Startd.RuntimeDirectories, s.Startd.UtmpxPrefix
	}
	b := Begun{}
	started, err := m.l.Start(what)
	if what.Terms.Transfer != 0 && (errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EACCES)) {
		b.Refused, what.Terms.Transfer = true, 0
		started, err = m.l.Start(what)
	}
	switch {
	case errors.Is(err, launch.ErrAgain):
		return Begun{}, instance.NotNow, err
	case errors.Is(err, launch.ErrTooLarge), errors.Is(err, contract.ErrWithin):
		return Begun{}, instance.Invalid, err
	case err != nil:
		return Begun{}, instance.NotPossible, err
	}
	b.Pid, b.Pidfd, b.Contract = started.PID, started.Pidfd, started.Contract
	return b, 0, nil
}
