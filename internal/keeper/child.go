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

// watchSignals turns SIGCHLD into an event of the loop. SIGHUP, SIGINT, SIGTERM and SIGPIPE
// are ignored: the keeper ends with its zone.
func watchSignals() (*sys.FD, error) {
	ev, err := ring.NewEvent()
	if err != nil {
		return nil, err
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGCHLD)
	fd := ev.Int()
	// Lives as long as the process: the keeper has one object.
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
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		k.startFailed(now, err)
		return
	}
	defer theirs.Close()
	_ = unix.SetNonblock(ours.Int(), true)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		ours.Close()
		k.startFailed(now, err)
		return
	}
	defer unix.Close(null)
	pid, err := syscall.ForkExec(k.cfg.Program, k.cfg.Args, &syscall.ProcAttr{
		Dir: "/", Env: k.cfg.Env,
		Files: []uintptr{uintptr(null), 1, 2, uintptr(theirs.Int())},
	})
	if err != nil {
		ours.Close()
		k.startFailed(now, err)
		return
	}
	k.pid, k.conn = pid, ours
	k.generation++
	k.started, k.quit, k.greeted = false, false, false
	k.deaths.sent = 0
	k.restart.started(now)
	_ = k.watch(ours.Int(), unix.EPOLLIN)
	setTitle("zsched: monitoring pid " + strconv.Itoa(pid) + " (" + k.lastStatus + ")")
}

func (k *Keeper) startFailed(now int64, err error) {
	k.cfg.Say("start " + k.cfg.Program + ": " + err.Error())
	if !k.everReady {
		k.exit, k.done = 1, true
		return
	}
	k.restart.started(now)
	k.startAt = k.restart.next(now, true)
}

// complete: the supervisor serves.
func (k *Keeper) complete() {
	k.started = true
	if !k.everReady {
		k.everReady = true
		k.cfg.Ready()
	}
}

// signals reaps all children that ended.
func (k *Keeper) signals() {
	for {
		pid, status, start, ok := reap()
		if !ok {
			break
		}
		if pid == k.pid {
			k.supervisorDied(status)
			continue
		}
		k.deaths.add(Death{Pid: pid, Start: start, Status: status})
	}
	k.flush()
}

// reap takes one ended child. Its start time is read while it is still a zombie, so that
// number and time name that process and no other.
func reap() (pid int, status unix.WaitStatus, start uint64, ok bool) {
	var info unix.Siginfo
	err := sys.Retry(func() error {
		return unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	})
	if err != nil {
		return 0, 0, 0, false
	}
	if pid = siginfoPid(&info); pid == 0 {
		return 0, 0, 0, false
	}
	start, _ = sys.StartTime(pid)
	got := 0
	err = sys.Retry(func() (e error) { got, e = unix.Wait4(pid, &status, unix.WNOHANG, nil); return })
	return pid, status, start, err == nil && got == pid
}

// supervisorDied decides what becomes of the zone's supervisor and of the keeper.
func (k *Keeper) supervisorDied(ws unix.WaitStatus) {
	now := sys.Monotonic()
	pid := k.pid
	k.drainConn()
	k.pid = 0
	k.hangUp()
	how := describe(ws)
	switch {
	case k.quit && !k.hold:
		k.done = true
		return
	case !k.everReady:
		if !ws.Exited() {
			k.cfg.Say("fork child died before signaling startup (" + how + ")")
		}
		k.exit, k.done = exitCode(ws), true
		return
	case !k.hold && k.started:
		k.cfg.Say("pid " + strconv.Itoa(pid) + " died, " + how + ", exiting")
		k.done = true
		return
	}
	if ws.CoreDump() {
		// One core is enough to find out why: the next ones only fill the disk.
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	}
	k.startAt = k.restart.next(now, !k.started)
	if !k.started {
		k.lastStatus = strconv.Itoa(int(k.restart.crashes)) + " crashes: pid " + strconv.Itoa(pid) + " died, " + how
		if k.startAt > now {
			k.cfg.Say(k.lastStatus + ", waiting until 10 seconds since last restart")
			return
		}
	}
	k.cfg.Say("pid " + strconv.Itoa(pid) + " died, " + how + ", restarting")
}

// drainConn takes what a dead supervisor had still sent: a descriptor it handed over last
// must not be lost with it.
func (k *Keeper) drainConn() {
	for k.conn.Valid() {
		k.message()
		p := []unix.PollFd{{Fd: int32(k.conn.Int()), Events: unix.POLLIN}}
		if !k.conn.Valid() {
			return
		}
		if n, err := unix.Poll(p, 0); err == nil && n == 0 {
			return
		}
	}
}

func exitCode(ws unix.WaitStatus) int {
	if ws.Exited() && ws.ExitStatus() != 0 {
		return ws.ExitStatus()
	}
	return 1
}

func describe(ws unix.WaitStatus) string {
	if ws.Exited() {
		return "exit status " + strconv.Itoa(ws.ExitStatus())
	}
	s := "killed (" + unix.SignalName(ws.Signal()) + ")"
	if ws.CoreDump() {
		s += ", core dumped"
	}
	return s
}
