package attack

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// roleVariable makes this program an attacker rather than a test.
const roleVariable = "ZONES_ATTACK_ROLE"

const (
	there   = "there"   // an attack has begun
	reached = "reached" // an attack got at what it must not
)

func play(role string, args []string) int {
	var err error
	switch role {
	case "racer":
		err = race(args[0], args[1])
	case "mounter":
		err = mounter(args[0], args[1])
	case "falseproc":
		err = falseProc()
	case "sockets":
		err = sockets(args)
	case "calls":
		calls()
	case "ia32":
		ia32()
	case "falsedoor":
		err = falseDoor(args[0])
	case "forks":
		err = forks()
	case "watches":
		err = watches()
	case "flood":
		err = flood(args[0])
	case "swap":
		err = swapNames(args)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Println("attacker:", err)
		return 1
	}
	return 0
}

// reach says what was got at.
func reach(format string, args ...any) { fmt.Printf(reached+" "+format+"\n", args...) }

// ended says whether the attack is to stop: its input has ended.
func ended() bool {
	p := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return n > 0 && p[0].Revents != 0 && err == nil
}

// name is how an outcome is printed: "ok" or the error's name.
func name(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := err.(unix.Errno); ok {
		if e == 0 {
			return "ok"
		}
		return unix.ErrnoName(e)
	}
	if p, ok := err.(*os.PathError); ok {
		return name(p.Err)
	}
	if p, ok := err.(*os.SyscallError); ok {
		return name(p.Err)
	}
	return err.Error()
}
