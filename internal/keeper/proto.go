package keeper

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/build"
)

// ProtoVersion is the protocol's. A supervisor of another one is refused and must be
// replaced together with its keeper, which takes a halt.
const ProtoVersion = 2

// SocketFD is the number of the supervisor's descriptor for the keeper.
const SocketFD = 3

// Limits. A supervisor that goes beyond them gets its message dropped, and that is told once:
// it is replaceable, the keeper is not.
const (
	// MessageMax bounds one message; a notice for the console is the longest.
	MessageMax = 8 << 10
	// SlotsMax bounds the descriptors held: a handful of the zone's and two per login. With
	// the keeper's own they stay below 1,024, the usual limit of a process.
	SlotsMax = 900
	// NameMax bounds a slot's name.
	NameMax = 64
	// DeathsMax bounds deaths that no supervisor has forgotten yet. Beyond it the oldest are
	// let go, which is told.
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
	opWelcome  op = 'w' // from: version, generation, crashes, build; ends the answer to hello
	opPut      op = 'p' // to: name, one descriptor
	opDrop     op = 'x' // to: name
	opForget   op = 'f' // to: pid, start
	opAppend   op = 'a' // to: bytes for the ring
	opHold     op = 'k' // to: 1 or 0
	opStarted  op = 'u' // to: start-up is complete
	opQuit     op = 'q' // to: the supervisor leaves in order
	opAppended op = 'A' // from: the bytes of one append are in the ring
	opRenew    op = 'n' // to: execute the keeper's program anew when this supervisor has ended
	opRenewed  op = 'N' // from: Answer, exit code; what became of that
)

// ErrProto: a message that is none of this protocol's.
var ErrProto = errors.New("keeper: bad message")

// Death is how a child of the keeper ended.
type Death struct {
	Pid    int
	Start  uint64 // start time in ticks since boot: with the pid it names one process
	Status unix.WaitStatus
}

// Messages are appended to b: the keeper has one buffer and makes no garbage.

func appendDeath(b []byte, d Death) []byte {
	b = append32(append(b, byte(opDeath)), uint32(d.Pid))
	return append32(append64(b, d.Start), uint32(d.Status))
}

func parseDeath(b []byte) (Death, error) {
	if len(b) != 16 {
		return Death{}, ErrProto
	}
	return Death{Pid: int(int32(le32(b))), Start: le64(b[4:]), Status: unix.WaitStatus(le32(b[12:]))}, nil
}

func appendForget(b []byte, pid int, start uint64) []byte {
	return append64(append32(append(b, byte(opForget)), uint32(pid)), start)
}

func parseForget(b []byte) (pid int, start uint64, err error) {
	if len(b) != 12 {
		return 0, 0, ErrProto
	}
	return int(int32(le32(b))), le64(b[4:]), nil
}

func appendWelcome(b []byte, generation, crashes uint32) []byte {
	return append(append32(append32(append(b, byte(opWelcome), ProtoVersion), generation), crashes), build.Version...)
}

// buildMax bounds a build's name.
const buildMax = 32

// parseWelcome refuses another version's, whatever else that one holds.
func parseWelcome(b []byte) (h Held, err error) {
	switch {
	case len(b) > 0 && b[0] != ProtoVersion:
		return h, ErrVersion
	case len(b) < 9 || len(b) > 9+buildMax:
		return h, ErrProto
	}
	return Held{Generation: le32(b[1:]), Crashes: le32(b[5:]), Build: string(b[9:])}, nil
}

func validName(b []byte) bool { return len(b) > 0 && len(b) <= NameMax }

// Numbers are little-endian, by hand: encoding/binary would link reflect into the keeper.

func append32(b []byte, n uint32) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

func append64(b []byte, n uint64) []byte { return append32(append32(b, uint32(n)), uint32(n>>32)) }

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func le64(b []byte) uint64 { return uint64(le32(b)) | uint64(le32(b[4:]))<<32 }
