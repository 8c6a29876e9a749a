package keeper

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// ProtoVersion is the protocol's. A supervisor of another one is refused and must be
// replaced together with its keeper, which takes a halt.
const ProtoVersion = 1

// SocketFD is the number of the supervisor's descriptor for the keeper.
const SocketFD = 3

// Limits. A supervisor that goes beyond them gets its message dropped and counted: it is
// replaceable, the keeper is not.
const (
	// MessageMax bounds one message; a notice for the console is the longest.
	MessageMax = 8 << 10
	// SlotsMax bounds the descriptors held: a handful of the zone's and two per login.
	SlotsMax = 1024
	// NameMax bounds a slot's name.
	NameMax = 64
	// DeathsMax bounds deaths that no supervisor has forgotten yet. More than these while
	// none is there to listen are counted, the oldest first.
	DeathsMax = 4096
)

// Names of slots that the keeper itself understands or makes.
const (
	SlotDoor    = "door"      // listening socket of the door
	SlotConsole = "console"   // listening socket of the console
	SlotRing    = "ring"      // the console ring's memory
	SlotData    = "kick.data" // eventfd: the ring has data
	SlotRoom    = "kick.room" // eventfd: the ring has room
	SlotPty     = "pty"       // the console's master: read by the keeper while it is held
)

// op is the first byte of a message.
type op byte

const (
	opHello    op = 'h' // to the keeper: version
	opSlot     op = 's' // from: name, one descriptor
	opDeath    op = 'd' // from: pid, start, status
	opWelcome  op = 'w' // from: version, generation, crashes; ends the answer to hello
	opPut      op = 'p' // to: name, one descriptor
	opDrop     op = 'x' // to: name
	opForget   op = 'f' // to: pid, start
	opAppend   op = 'a' // to: bytes for the ring
	opHold     op = 'k' // to: 1 or 0
	opStarted  op = 'u' // to: start-up is complete
	opQuit     op = 'q' // to: the supervisor leaves in order
	opAppended op = 'A' // from: the bytes of one append are in the ring
)

// ErrProto: a message that is none of this protocol's.
var ErrProto = errors.New("keeper: bad message")

// Death is how a child of the keeper ended.
type Death struct {
	Pid    int
	Start  uint64 // start time in ticks since boot: with the pid it names one process
	Status unix.WaitStatus
}

func deathMessage(d Death) []byte {
	b := []byte{byte(opDeath)}
	b = binary.LittleEndian.AppendUint32(b, uint32(d.Pid))
	b = binary.LittleEndian.AppendUint64(b, d.Start)
	return binary.LittleEndian.AppendUint32(b, uint32(d.Status))
}

func parseDeath(b []byte) (Death, error) {
	if len(b) != 16 {
		return Death{}, ErrProto
	}
	return Death{
		Pid:    int(binary.LittleEndian.Uint32(b)),
		Start:  binary.LittleEndian.Uint64(b[4:]),
		Status: unix.WaitStatus(binary.LittleEndian.Uint32(b[12:])),
	}, nil
}

func forgetMessage(pid int, start uint64) []byte {
	b := []byte{byte(opForget)}
	b = binary.LittleEndian.AppendUint32(b, uint32(pid))
	return binary.LittleEndian.AppendUint64(b, start)
}

func parseForget(b []byte) (pid int, start uint64, err error) {
	if len(b) != 12 {
		return 0, 0, ErrProto
	}
	return int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint64(b[4:]), nil
}

func welcomeMessage(generation, crashes uint32) []byte {
	b := []byte{byte(opWelcome), ProtoVersion}
	b = binary.LittleEndian.AppendUint32(b, generation)
	return binary.LittleEndian.AppendUint32(b, crashes)
}

func validName(b []byte) bool { return len(b) > 0 && len(b) <= NameMax }
