package keeper

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// said collects the words of a keeper in this process.
var said []string

// local is a keeper without processes, connected to a supervisor's end of the socket. This
// process is its supervisor.
func local(t testing.TB) (*Keeper, *sys.FD) {
	t.Helper()
	said = nil
	w, err := ring.Create()
	check(t, err)
	door, console, err := sys.Pair(unix.SOCK_STREAM)
	check(t, err)
	k, err := newKeeper(Config{Door: door, Console: console, Ring: w, Ready: func() {}, Say: func(s string) { said = append(said, s) }})
	check(t, err)
	k.pid = os.Getpid()
	t.Cleanup(func() {
		k.hangUp()
		k.term.slave.Close()
		k.term.left.Close()
		for i, name := range k.slots.names {
			if name != SlotRing {
				k.slots.fds[i].Close()
			}
		}
		w.Close()
		unix.Close(k.epoll)
	})
	return k, relink(t, k)
}

// relink makes a new connection, as for a new supervisor.
func relink(t testing.TB, k *Keeper) *sys.FD {
	t.Helper()
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	check(t, err)
	t.Cleanup(func() { theirs.Close() })
	check(t, unix.SetNonblock(ours.Int(), true))
	check(t, unix.SetsockoptInt(ours.Int(), unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	check(t, k.watch(ours.Int(), unix.EPOLLIN))
	k.link = link{fd: ours, events: unix.EPOLLIN}
	return theirs
}

// serve lets the keeper take what there is, until there is nothing.
func serve(k *Keeper) {
	for k.link.fd.Valid() {
		k.flush()
		if !k.readable() {
			return
		}
		k.message()
	}
}

// greet says hello and has the keeper answer.
func greet(t testing.TB, k *Keeper, theirs *sys.FD) (*Client, *Held) {
	t.Helper()
	type dialed struct {
		c   *Client
		h   *Held
		err error
	}
	done := make(chan dialed)
	go func() {
		c, h, err := Dial(theirs)
		done <- dialed{c, h, err}
	}()
	for {
		select {
		case d := <-done:
			check(t, d.err)
			return d.c, d.h
		default:
			serve(k)
		}
	}
}

func saidAll() string { return strings.Join(said, "\n") }
