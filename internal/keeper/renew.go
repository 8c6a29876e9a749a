package keeper

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Answer is what became of the wish that the keeper's program be executed anew.
type Answer byte

// The answers.
const (
	RenewSame    Answer = 1 // it is the program that runs already
	RenewWill    Answer = 2 // it will be executed when the supervisor has ended
	RenewRefused Answer = 3 // it will not take over, or does not run
)

// Renewed is the answer with the exit code of who looked, 128 and the signal's number for one
// that was killed. An answer of 0 is a keeper's that knows no such thing.
type Renewed struct {
	Answer Answer
	Exit   int
}

// How a keeper replaces itself. The program on disk is run beside us first, with a copy of our
// state, and says whether it can take over (TryFlag): what crashes there does no harm. Then,
// between two supervisors, this process executes it: pid, children, descriptors and the flag
// of a subreaper stay. A new program that finds that it can not go on after all executes the
// one before, which is passed on open; one that is killed between its first instruction and
// its loop, which takes milliseconds, is as dead as any keeper that is killed.
type renewal struct {
	pid    int // of who looks whether the new program can take over, 0 for nobody
	pidfd  *sys.FD
	killAt int64  // when it has looked for too long
	wanted bool   // execute it when the supervisor has ended
	answer Answer // to be told
	status byte
}

// TryFlag is the only argument of a program that is to say whether it could take over the
// state in descriptor TryFD.
const (
	TryFlag = "-t"
	TryFD   = 3
)

// lookLimit is how long the new program may look; it needs milliseconds.
const lookLimit = 10 * second

// look begins to find out whether the program on disk can take over. Whoever asks wants the supervisor's
// to have another chance too, if it failed before: it may have been killed from outside.
func (k *Keeper) look() {
	k.programs.bad = fileID{}
	switch {
	case k.renewal.pid != 0:
		return // it is being looked at
	case k.cfg.Self == "":
		k.answer(RenewRefused, 127)
		return
	case idOf(k.cfg.Self) == idOf("/proc/self/exe"):
		k.answer(RenewSame, 0)
		return
	}
	state, err := k.save()
	if err == nil {
		defer state.Close()
		k.renewal.pid, k.renewal.pidfd, err = tryProgram(k.cfg.Self, k.cfg.Env, state)
	}
	if err != nil {
		k.cfg.Say("look at " + k.cfg.Self + ": " + err.Error())
		k.answer(RenewRefused, 126)
		return
	}
	k.renewal.killAt = sys.Monotonic() + k.lookLimit
}

func tryProgram(program string, env []string, state *sys.FD) (int, *sys.FD, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	defer unix.Close(null)
	pidfd := -1
	pid, err := syscall.ForkExec(program, []string{program, TryFlag}, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{uintptr(null), 1, 2, uintptr(state.Int())},
		Sys: &syscall.SysProcAttr{PidFD: &pidfd},
	})
	if err != nil {
		return 0, nil, err
	}
	return pid, sys.Own(pidfd), nil
}

// tired ends one that looks for too long.
func (k *Keeper) tired() {
	k.renewal.killAt = 0
	if err := sys.PidfdSignal(k.renewal.pidfd.Int(), unix.SIGKILL); err != nil {
		k.cfg.Say(err.Error())
	}
}

// looked takes the word of who looked.
func (k *Keeper) looked(ws unix.WaitStatus) {
	k.renewal.pid, k.renewal.killAt = 0, 0
	k.renewal.pidfd.Close()
	if ws.Exited() && ws.ExitStatus() == 0 {
		k.renewal.wanted = true
		k.answer(RenewWill, 0)
		return
	}
	k.cfg.Say("the new " + k.cfg.Self + " does not take over (" + describe(ws) + "): this one goes on")
	code := byte(ws.ExitStatus())
	if !ws.Exited() {
		code = byte(128 + int(ws.Signal()))
	}
	k.answer(RenewRefused, code)
}

// answer tells the supervisor.
func (k *Keeper) answer(a Answer, status byte) {
	k.renewal.answer, k.renewal.status = a, status
	k.flush()
}

// TookVariable says in which descriptor the state of a keeper is that this program was
// executed by.
const TookVariable = "ZSCHED_TOOK"

// renew executes the new program in our place. It returns when that can not be done: then
// nothing has changed.
func (k *Keeper) renew() {
	k.renewal.wanted = false
	before, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == nil {
		k.renewal.pidfd = sys.Own(before)
		err = k.execute(k.cfg.Self)
		k.renewal.pidfd.Close()
	}
	k.cfg.Say("execute " + k.cfg.Self + ": " + err.Error())
}

// execute hands our state over and replaces the program. It returns with an error only.
func (k *Keeper) execute(program string) error {
	state, err := k.save()
	if err != nil {
		return err
	}
	defer state.Close()
	fds := append(k.descriptors(), state.Int())
	// What is open at execve is lost to a supervisor's child too, if one were born now; there
	// is none, and nobody else here starts processes.
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	defer func() {
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
	}()
	env := append(k.cfg.Env[:len(k.cfg.Env):len(k.cfg.Env)], "GOMAXPROCS=1", "GOGC=20", TookVariable+"="+strconv.Itoa(state.Int()))
	return syscall.Exec(program, k.cfg.Own, env)
}

// descriptors are all that must outlive an execve.
func (k *Keeper) descriptors() []int {
	var fds []int
	for _, f := range k.slots.fds {
		fds = append(fds, f.Int())
	}
	for _, f := range []*sys.FD{k.term.slave, k.term.left, k.programs.good, k.renewal.pidfd} {
		if f.Valid() {
			fds = append(fds, f.Int())
		}
	}
	return append(fds, k.cfg.Kept...)
}
