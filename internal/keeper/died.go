package keeper

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// hangUpLimit is how long a supervisor may live after it closed its socket. It does so as the
// last thing before it ends, which takes milliseconds.
const hangUpLimit = 10 * second

// killStray ends a supervisor that can not be talked to.
func (k *Keeper) killStray() {
	k.killAt = 0
	k.cfg.Say("pid " + strconv.Itoa(k.pid) + " has hung up and does not end: it is killed")
	if err := sys.PidfdSignal(k.pidfd.Int(), unix.SIGKILL); err != nil {
		k.cfg.Say(err.Error())
	}
}

// supervisorDied decides what becomes of the zone's supervisor and of the keeper.
func (k *Keeper) supervisorDied(ws unix.WaitStatus) {
	k.drain()
	k.hangUp()
	pid := strconv.Itoa(k.pid)
	k.pid, k.killAt = 0, 0
	k.pidfd.Close()
	how := describe(ws)
	switch {
	case !k.everReady:
		if !ws.Exited() {
			k.cfg.Say("fork child died before signaling startup (" + how + ")")
		}
		k.exit, k.done = exitCode(ws), true
		return
	case !k.hold:
		if !k.quit {
			k.cfg.Say("pid " + pid + " died, " + how + ", exiting")
		}
		k.done = true
		return
	}
	if ws.CoreDump() {
		noMoreCores()
	}
	now := sys.Monotonic()
	if k.renewal.wanted {
		k.renew()
	}
	if !k.started && k.goBack() {
		k.restart.crashes++
		k.startAt = now
		k.lastStatus = "pid " + pid + " of a new " + k.cfg.Program + " died before it served, " + how
		k.cfg.Say(k.lastStatus + ": going back to the one before")
		return
	}
	k.startAt = k.restart.next(now, !k.started)
	if k.started {
		text := "pid " + pid + " died, " + how + ", restarting"
		if wait := k.startAt - now; wait > 0 {
			text += " in " + strconv.FormatInt(wait/1e6, 10) + " ms"
		}
		k.cfg.Say(text)
		return
	}
	k.lastStatus = strconv.FormatUint(uint64(k.restart.crashes), 10) + " crashes: pid " + pid + " died, " + how
	k.announce = k.lastStatus + ", restarting"
	if k.startAt > now {
		k.cfg.Say(k.lastStatus + ", waiting until 10 seconds since last restart")
		k.setTitle("waiting to restart (" + k.lastStatus + ")")
	}
}

// noMoreCores: one core is enough to find out why, the next ones only fill the disk. The hard
// limit stays: the zone's own processes may ask for theirs.
func noMoreCores() {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &lim) == nil {
		lim.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &lim)
	}
}

// exitCode is what the keeper ends with when the first supervisor did not come to serve:
// never 0.
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
	name := unix.SignalName(ws.Signal())
	if name == "" {
		name = "signal " + strconv.Itoa(int(ws.Signal()))
	}
	s := "killed (" + name + ")"
	if ws.CoreDump() {
		s += ", core dumped"
	}
	return s
}
