package zoned

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/console"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

func itoa(n int) string { return strconv.Itoa(n) }

// StartError is an error of start-up: what a person is told, and the exit code.
type StartError struct {
	Text string
	Code int
}

func (e *StartError) Error() string { return e.Text }

// exitTaken tells whoever started us that another supervisor is in charge, which is no error.
const exitTaken = 17

func fatal(format string, args ...any) error {
	return &StartError{Text: fmt.Sprintf(format, args...), Code: 1}
}

// Run is the supervisor of one zone, from the first word with the keeper to the end.
// libexec is the directory with zrun and the zone's programs.
func Run(lay layout.Layout, name, libexec string, log *logrus.Entry) error {
	z := &Zone{
		name: name, lay: lay, log: log, libexec: libexec, store: configs.Open(lay),
		slots: &slots{m: map[string]*sys.FD{}}, inbox: make(chan event, inboxMax), strays: make(chan struct{}), dead: make(chan keeper.Death, keeper.DeathsMax),
		requests: map[string]*request{}, logins: map[string]*login{}, state: configs.Installed,
	}
	z.audit = newAudit(lay, name, func(err error) { log.WithError(err).Error("audit") })
	if err := z.check(); err != nil {
		return err
	}
	dir, err := sys.OpenDir(z.stateDir())
	if err != nil {
		return fatal("%v", err)
	}
	defer dir.Close()
	lock, holder, err := sys.LockFile(dir, api.ZonedPid)
	if errors.Is(err, unix.EAGAIN) {
		return &StartError{Text: fmt.Sprintf("already running as pid %d, aborting", holder), Code: exitTaken}
	}
	if err != nil {
		return fatal("%v", err)
	}
	defer lock.Remove()
	if err := lock.WritePid(os.Getpid()); err != nil {
		return fatal("%v", err)
	}
	if err := z.refuseOlder(); err != nil {
		return err
	}
	if err := z.place(); err != nil {
		return fatal("%v", err)
	}
	return z.live()
}

// check refuses what no supervisor is for, in the words of the original.
func (z *Zone) check() error {
	if z.name == configs.GlobalName {
		return fatal("cannot manage the %s zone", configs.GlobalName)
	}
	e, err := z.store.Lookup(z.name)
	if errors.Is(err, configs.ErrNoZone) {
		return fatal("could not manage %s: No such zone configured", z.name)
	}
	if err != nil {
		return fatal("failed to get zone state: %v", err)
	}
	if e.State < configs.Incomplete {
		return fatal("cannot manage a zone which is in state '%s'", e.State)
	}
	if os.Geteuid() != 0 {
		return fatal("You lack sufficient privilege to run this command (all privs required)")
	}
	zone, _, err := z.store.Load(z.name)
	if err != nil {
		return fatal("%v", err)
	}
	z.brand, err = configs.LookupBrand(zone.Brand)
	if err != nil {
		return fatal("%v", err)
	}
	return nil
}

// place finds where this zone's cgroups go and moves keeper and supervisor into a leaf beside
// them. With systemd the keeper's own scope is delegated to us; elsewhere we have a tree of
// our own.
func (z *Zone) place() error {
	var err error
	if z.mount, err = cgroup2.Mount(); err != nil {
		return err
	}
	// A keeper that is dead is not mistaken for whoever inherited this process.
	if z.keeperPid, err = keeper.Parent(keeper.SocketFD); err != nil {
		return err
	}
	own, err := cgroup2.Of(z.keeperPid)
	if err != nil {
		return err
	}
	z.base = filepath.Join("/zones"+z.lay.Tag(), z.name)
	// A keeper that was started from another zone's is in that one's leaf, which is not ours.
	if above := filepath.Dir(own); filepath.Base(own) == api.SupLeaf && (above == z.base || cgroup2.IsScope(above)) {
		z.base = above
		z.mark(z.cgroupDir(z.base), 0) // who starts us makes the directory, and we were born in it
		return cgroup2.EnableAll(z.cgroupDir(z.base))
	}
	if cgroup2.IsScope(own) {
		z.base = own
	}
	dir := z.cgroupDir(filepath.Join(z.base, api.SupLeaf))
	if err := makeCgroup(dir); err != nil {
		return err
	}
	z.mark(z.cgroupDir(z.base), 0)
	for _, pid := range []int{z.keeperPid, os.Getpid()} {
		if err := cgroup2.Enter(dir, pid); err != nil {
			return err
		}
	}
	return cgroup2.EnableAll(z.cgroupDir(z.base))
}

// makeAttemptsMax: how often the last zone of the instance may leave, and take the parent
// directory with it, just while this one's directory is made.
const makeAttemptsMax = 100

func makeCgroup(dir string) error {
	for i := 1; ; i++ {
		err := cgroup2.Make(dir)
		if !errors.Is(err, os.ErrNotExist) || i == makeAttemptsMax {
			return err
		}
	}
}

// live serves until the supervisor is not needed.
func (z *Zone) live() error {
	ctx, stop := context.WithCancel(context.Background())
	z.ctx, z.stop = ctx, stop
	client, held, err := keeper.Dial(sys.Own(keeper.SocketFD))
	if err != nil {
		stop()
		return fatal("talk to zsched: %v", err)
	}
	z.keeper, z.keeperBuild = client, held.Build
	for name, fd := range held.Slots {
		z.slots.put(name, fd)
	}
	if z.journal, err = openJournal(z.stateDir()); err != nil {
		stop()
		return fatal("%v", err)
	}
	z.resumeContracts()
	z.resumeMnttab()
	z.abandonStrays()
	// The keeper is listened to from here on: the console waits for its answers.
	z.start(z.listen)
	defer z.group.Wait()
	defer stop()
	defer unix.Shutdown(keeper.SocketFD, unix.SHUT_RDWR)
	if err := z.serveConsole(); err != nil {
		return fatal("%v", err)
	}
	defer z.ring.close()
	defer z.console.Shutdown()
	z.signals()
	z.adopt(held)
	listener := z.slots.take(keeper.SlotDoor)
	if !listener.Valid() {
		return fatal("zsched holds no door")
	}
	z.start(func() { z.door(listener) })
	if err := z.keeper.Started(); err != nil {
		return fatal("talk to zsched: %v", err)
	}
	z.stamp()
	z.detach()
	z.log.WithField("generation", held.Generation).Info("serving")
	z.loop()
	z.closeContracts()
	z.closeMnttab()
	if z.orphaned {
		z.leaveCgroup()
	}
	return nil
}

// leaveCgroup removes this supervisor's cgroup when the keeper, who would, is dead.
func (z *Zone) leaveCgroup() {
	if filepath.Ext(z.base) == ".scope" {
		return // systemd's
	}
	err := cgroup2.Enter(z.mount, os.Getpid())
	if err == nil {
		err = cgroup2.Remove(z.cgroupDir(z.base))
	}
	if err != nil {
		z.log.WithError(err).Warn("remove the supervisor's cgroup")
		return
	}
	_ = unix.Rmdir(z.cgroupDir(filepath.Dir(z.base))) // unless other zones live there
}

// detach moves standard output and error from whoever started us to the log, where a panic's
// last words are found.
func (z *Zone) detach() {
	f, ok := z.log.Logger.Out.(*logFile)
	if !ok {
		return
	}
	if err := f.takeStandard(); err != nil {
		z.log.WithError(err).Warn("detach")
	}
}

// listen turns the keeper's messages into events.
func (z *Zone) listen() {
	for {
		d, err := z.keeper.Next()
		if err != nil {
			if z.ctx.Err() == nil {
				z.post(evGone{})
			}
			return
		}
		select {
		case z.dead <- d:
		case <-z.ctx.Done():
			return
		}
	}
}

// serveConsole begins with the console, before the door: who finds the door open finds a
// console that answers.
func (z *Zone) serveConsole() error {
	fd := z.slots.take(keeper.SlotRing)
	if !fd.Valid() {
		return errors.New("zsched holds no console ring")
	}
	defer fd.Close()
	data := z.slots.take(keeper.SlotData)
	var err error
	if z.ring, err = newConsoleRing(fd, data); err != nil {
		return err
	}
	r, err := ring.OpenReader(fd.Int())
	if err != nil {
		return err
	}
	z.console, err = console.New(console.Config{
		Zone: z.name, Listener: z.slots.take(keeper.SlotConsole), Ring: r,
		DataEvent: data, RoomEvent: z.slots.take(keeper.SlotRoom),
		Append: z.appendConsole, Authorize: authorizeConn, OnIdle: func() {}, Log: z.log, LogFile: z.consoleLog(),
	})
	return err
}

func authorizeConn(fd int) error {
	p, err := sys.PeerOf(fd)
	if err != nil {
		return err
	}
	defer p.Pidfd.Close()
	return authorize(p)
}

// signals: SIGTERM ends this supervisor in order, without harm to the zone.
func (z *Zone) signals() {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT)
	term, account := make(chan os.Signal, 1), make(chan os.Signal, 1) // no flood of the one hides the other
	signal.Notify(term, syscall.SIGTERM)
	signal.Notify(account, syscall.SIGUSR1)
	z.start(func() {
		defer signal.Stop(account)
		defer signal.Stop(term)
		for {
			select {
			case <-account:
				z.account()
			case <-term:
				z.post(evTerm{})
				return
			case <-z.ctx.Done():
				return
			}
		}
	})
}

// account writes to the log what this supervisor has of the runtime, for who looks for a leak.
func (z *Zone) account() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	z.log.WithFields(logrus.Fields{"goroutines": runtime.NumGoroutine(), "heap": m.HeapAlloc, "stacks": m.StackInuse}).Info("SIGUSR1: own account")
}

// keeperGone: the parent of the zone's init and of its console is dead. Nothing can be kept,
// so the zone is brought down in order while there is somebody to do it.
func (z *Zone) keeperGone() {
	if z.leaving {
		return
	}
	z.orphaned = true
	z.log.Error("zsched is dead: the zone is halted")
	if z.busy == nil && z.state >= configs.Ready {
		z.say("zsched died: the zone is halted")
		z.begin(z.fromZone(api.VerbHalt), halt)
		return
	}
	z.leaving = z.state < configs.Ready
}
