package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// try says by its exit code whether this program could go on with the keeper whose state is in
// descriptor 3: it is run beside a keeper that is to be replaced, and changes nothing.
func try() int {
	state, err := keeper.Load(keeper.TryFD)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, keeper.ErrOlder):
		text := "zsched: this is build " + build.Version
		if state != nil {
			text += ", the keeper is of build " + state.Build
		}
		say(text + ": it does not go back")
		return build.ExitOlder
	}
	say("zsched: read the keeper's state: " + err.Error())
	return 1
}

// tookState is the descriptor with the state of the keeper in whose place this program was
// executed.
// back: it has been given back by one that could not go on, to whom there is no way.
func tookState() (n int, back, ok bool) {
	text, back := strings.CutSuffix(os.Getenv(keeper.TookVariable), wayBack)
	n, err := strconv.Atoi(text)
	return n, back, err == nil && n > 2
}

// wayBack stands behind the number of a descriptor with a state that was given back.
const wayBack = "-"

// goOn keeps where another program of this process has kept until now. What it can not do is a
// reason to execute that one again: it was passed on open.
func goOn(zone string, env []string, fd int, back bool) (int, error) {
	state, err := keeper.Load(fd)
	if err != nil {
		return 0, err // then nobody knows what the other one was either
	}
	k, w, dir, lock, err := tryResume(zone, env, state)
	if err != nil && back {
		return 0, err
	}
	if err != nil {
		own := append(env[:len(env):len(env)], "GOMAXPROCS=1", "GOGC=20", keeper.TookVariable+"="+strconv.Itoa(fd)+wayBack)
		say("zsched: zone '" + zone + "': build " + build.Version + " can not go on (" + err.Error() + "): going back to build " + state.Build)
		return 0, state.GoBack(fd, []string{os.Args[0], "-z", zone}, own)
	}
	unix.Close(fd)
	state.Settled()
	code := k.Run()
	saveRing(dir, w)
	leave(zone, dir, lock)
	return code, nil
}

// errPanic: the program is wrong.
var errPanic = errors.New("it has failed within")

func tryResume(zone string, env []string, s *keeper.State) (k *keeper.Keeper, w *ring.Writer, dir *sys.FD, lock *sys.Lock, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	crashpoint("took")
	if len(s.Kept) != 3 {
		return nil, nil, nil, nil, keeper.ErrState
	}
	dir, lock = sys.Own(s.Kept[0]), sys.AdoptLock(s.Kept[1], s.Kept[2], pidName)
	if w, err = ring.OpenWriter(s.Slot(keeper.SlotRing)); err != nil {
		return nil, nil, nil, nil, err
	}
	log := &journal{dir: dir, zone: zone, detached: true}
	cfg, err := config(zone, env, w, dir, lock, log)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if k, err = keeper.Resume(s, cfg); err != nil {
		return nil, nil, nil, nil, err
	}
	log.say("build " + build.Version + " goes on where build " + s.Build + " was")
	return k, w, dir, lock, nil
}
