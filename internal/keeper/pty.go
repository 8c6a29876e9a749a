package keeper

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// termios is the console's terminal while a zone is ready or above.
type termios struct {
	slave     *sys.FD // held open: else the master reports EIO for good when the zone has none open
	reading   bool    // the master is watched for input
	waitUntil int64   // the ring is full: when to stop waiting for its reader, 0 when it is not
}

func (k *Keeper) takePty() {
	m := k.slots.fd(SlotPty)
	_ = unix.SetNonblock(m, true)
	n, err := ptyPeer(m)
	if err != nil {
		k.cfg.Say("open the console's other side: " + err.Error())
	} else {
		k.term.slave = sys.Own(n)
	}
}

// dropPty takes what the zone still wrote and lets go of the terminal.
func (k *Keeper) dropPty() {
	fd := k.slots.fd(SlotPty)
	if fd < 0 {
		return
	}
	k.pumpRead()
	k.unwatch(fd)
	k.term.slave.Close()
	k.term = termios{}
}

// pumpSpace decides whether the console is read now.
func (k *Keeper) pumpSpace(now int64) {
	fd := k.slots.fd(SlotPty)
	if fd < 0 {
		return
	}
	n, until := k.cfg.Ring.Space(now)
	want := n > 0
	k.term.waitUntil = 0
	if !want {
		k.term.waitUntil = until
	}
	if want == k.term.reading {
		return
	}
	if want {
		_ = k.watch(fd, unix.EPOLLIN)
	} else {
		k.unwatch(fd)
	}
	k.term.reading = want
}

// pumpReadsMax bounds how many reads of the console are made in one turn of the loop, so
// that a zone that writes without end does not keep the keeper from its other duties.
const pumpReadsMax = 16

// pumpRead moves console output into the ring.
func (k *Keeper) pumpRead() {
	fd := k.slots.fd(SlotPty)
	if fd < 0 {
		return
	}
	kick := false
	for i := 0; i < pumpReadsMax; i++ {
		if n, until := k.cfg.Ring.Space(sys.Monotonic()); n == 0 {
			k.term.waitUntil = until
			break
		}
		p := k.cfg.Ring.Slice()
		if len(p) == 0 {
			break
		}
		n, err := unix.Read(fd, p)
		if n < 0 {
			n = 0
		}
		kick = k.cfg.Ring.Advance(n) || kick
		if errors.Is(err, unix.EIO) {
			// Every slave is closed, ours included: nothing more can come.
			k.unwatch(fd)
			break
		}
		if n == 0 {
			break
		}
	}
	if kick {
		ring.Kick(k.data.Int())
	}
}
