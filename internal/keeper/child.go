package keeper

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// watchSignals turns signals into an event of the loop. Those that would end or stop the
// keeper are caught and mean nothing: it ends with its zone. They are caught rather than
// ignored, because what is ignored stays ignored in the supervisor, in its helpers, and in
// every process of the zone.
func watchSignals() (*sys.FD, error) {
	ev, err := ring.NewEvent()
	if err != nil {
		return nil, err
	}
	// One place is enough: who finds it taken is heard of by the one that took it.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGCHLD,
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGALRM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGXCPU, syscall.SIGXFSZ)
	fd := ev.Int()
	// Lives as long as the process: the keeper has one object, and nobody waits for its end.
	go func() {
		for range c {
			ring.Kick(fd)
		}
	}()
	return ev, nil
}

// start starts a supervisor.
func (k *Keeper) start(now int64) {
	k.startAt = 0
	if k.announce != "" {
		k.cfg.Say(k.announce)
		k.announce = ""
	}
	k.restart.started(now)
	if err := k.spawn(); err != nil {
		k.cfg.Say("start " + k.cfg.Program + ": " + err.Error())
		if !k.everReady {
			k.exit, k.done = 1, true
			return
		}
		if k.goBack() {
			k.startAt = now
			return
		}
		k.startAt = k.restart.next(now, true)
		return
	}
	k.generation++
	k.started, k.quit = false, false
	k.setTitle("monitoring pid " + strconv.Itoa(k.pid) + " (" + k.lastStatus + ")")
}

// spawn makes the socket and the process at its other end.
func (k *Keeper) spawn() error {
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	defer theirs.Close()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(null)
		err = unix.SetNonblock(ours.Int(), true)
	}
	if err == nil {
		err = unix.SetsockoptInt(ours.Int(), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err == nil {
		err = k.watch(ours.Int(), unix.EPOLLIN)
	}
	pid, pidfd := 0, -1
	if err == nil {
		pid, pidfd, err = k.fork([]uintptr{uintptr(null), 1, 2, uintptr(theirs.Int())})
	}
	if err != nil {
		ours.Close()
		return err
	}
	k.pid, k.pidfd = pid, sys.Own(pidfd)
	k.link = link{fd: ours, events: unix.EPOLLIN}
	k.deaths.sent = 0
	return nil
}

// reapsMax bounds how many children are reaped in one turn of the loop.
const reapsMax = 256

// signals reaps children that ended.
func (k *Keeper) signals() {
	for i := 0; ; i++ {
		if i == reapsMax {
			ring.Kick(k.events.Int()) // there may be more
			break
		}
		d, ok := reap()
		if !ok {
			break
		}
		if d.Pid == k.pid {
			k.supervisorDied(d.Status)
			continue
		}
		if d.Pid == k.renewal.pid {
			k.looked(d.Status)
			continue
		}
		if !k.deaths.add(d) && k.deaths.lost == 1 {
			k.cfg.Say("more than " + strconv.Itoa(DeathsMax) + " ends of processes wait for a supervisor: the oldest are forgotten")
		}
	}
	k.flush()
}

// reap takes one ended child. Its start time is read while it is still a zombie, so that
// number and time name that process and no other.
func reap() (d Death, ok bool) {
	var info unix.Siginfo
	err := sys.Retry(func() error {
		return unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
	})
	if err != nil {
		return d, false
	}
	if d.Pid = siginfoPid(&info); d.Pid == 0 {
		return d, false
	}
	d.Start, _ = sys.StartTime(d.Pid)
	got := 0
	err = sys.Retry(func() (e error) { got, e = unix.Wait4(d.Pid, &d.Status, unix.WNOHANG|unix.WALL, nil); return })
	return d, err == nil && got == d.Pid
}
