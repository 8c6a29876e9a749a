package keeper

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// terminal is the console's while a zone is ready or above.
type terminal struct {
	slave     *sys.FD // held open: else the master reports EIO for good when the zone has none open
	left      *sys.FD // a master that was dropped before all was read from it
	open      bool    // there is a terminal, and it is not hung up
	reading   bool    // the master is watched for input
	waitUntil int64   // the ring is full: when to stop waiting for its reader, 0 when it is not
	openAt    int64   // when to open the slave again, 0 for not at all
	told      bool    // that it can not be opened
}

// master is the descriptor that is read, -1 for none.
func (k *Keeper) master() int {
	if k.term.left.Valid() {
		return k.term.left.Int()
	}
	return k.slots.fd(SlotPty)
}

// takePty begins to read a new master. What is no terminal is held and not read: a read of it
// might wait.
func (k *Keeper) takePty() {
	m := k.slots.fd(SlotPty)
	if !isMaster(m) {
		k.cfg.Say("what was handed over as console is no terminal's master: it is not read")
		return
	}
	if err := unix.SetNonblock(m, true); err != nil {
		k.cfg.Say("console: " + err.Error())
		return
	}
	k.openSlave()
}

// openSlavePause is the time between attempts to open the console's other side.
const openSlavePause = second / 10

// openSlave holds the other side open, and reads on. Without it the master is read all the
// same, as long as the zone has it open.
func (k *Keeper) openSlave() {
	k.term.slave.Close()
	k.term.openAt = 0
	n, err := ptyPeer(k.slots.fd(SlotPty))
	if err != nil && !k.term.told {
		k.term.told = true
		k.cfg.Say("open the console's other side: " + err.Error())
	}
	k.term.slave = sys.Own(n)
	k.term.open = true
}

// readsConsole says whether there is a terminal to read.
func (k *Keeper) readsConsole() bool { return k.term.open || k.term.left.Valid() }

// dropPty lets go of the terminal. What the zone had still written is taken first; when the
// ring has no room for it, the master is kept until it has.
func (k *Keeper) dropPty() {
	if k.term.left.Valid() {
		k.cfg.Say("the last output on an earlier terminal is cut: nobody has made room for it")
		k.leave()
	}
	fd := k.slots.take(SlotPty)
	if fd == nil {
		return
	}
	read := k.readsConsole()
	k.term.slave.Close()
	k.term.open, k.term.openAt = false, 0
	k.term.left = fd
	if !read {
		k.leave()
		return
	}
	k.pumpRead()
}

// leave closes a terminal that was dropped.
func (k *Keeper) leave() {
	k.unwatch(k.term.left.Int())
	k.term.left.Close()
	k.term = terminal{}
}

// pumpSpace decides whether the console is read now.
func (k *Keeper) pumpSpace(now int64) {
	if !k.readsConsole() {
		return
	}
	n, until := k.cfg.Ring.Space(now)
	k.term.waitUntil = 0
	if n == 0 {
		k.term.waitUntil = until
	}
	k.setReading(n > 0)
}

func (k *Keeper) setReading(on bool) {
	if on == k.term.reading {
		return
	}
	if on {
		_ = k.watch(k.master(), unix.EPOLLIN)
	} else {
		k.unwatch(k.master())
	}
	k.term.reading = on
}

// pumpReadsMax bounds how many reads of the console are made in one turn of the loop, so
// that a zone that writes without end does not keep the keeper from its other duties.
const pumpReadsMax = 16

// pumpRead moves console output into the ring.
func (k *Keeper) pumpRead() {
	if !k.readsConsole() {
		return
	}
	kick, dry := false, false
	for i := 0; i < pumpReadsMax && !dry; i++ {
		n, until := k.cfg.Ring.Space(sys.Monotonic())
		p := k.cfg.Ring.Slice()
		if n == 0 || len(p) == 0 {
			k.cfg.Ring.Advance(0)
			k.term.waitUntil = until
			break
		}
		n, err := unix.Read(k.master(), p)
		kick = k.cfg.Ring.Advance(max(0, n)) || kick
		switch {
		case err == unix.EINTR, n > 0:
		case err == unix.EIO && !k.term.left.Valid():
			// Hung up: somebody with the right to has revoked our slave too.
			k.setReading(false)
			k.term.open = false
			k.term.openAt = sys.Monotonic() + openSlavePause
			dry = true
		default:
			dry = true
		}
	}
	if kick {
		ring.Kick(k.data.Int())
	}
	if dry && k.term.left.Valid() {
		k.leave()
	}
}
