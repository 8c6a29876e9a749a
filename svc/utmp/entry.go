package utmp

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is ut_type.
type Kind int16

// The kinds that there is something to do with.
const (
	Empty        Kind = 0
	RunLevel     Kind = 1
	BootTime     Kind = 2
	InitProcess  Kind = 5
	LoginProcess Kind = 6
	UserProcess  Kind = 7
	DeadProcess  Kind = 8
)

// lives: a record of this kind is of a process that has not ended, as far as anybody has said.
func (k Kind) lives() bool { return k == InitProcess || k == LoginProcess || k == UserProcess }

// process: it is, or was, one of a process.
func (k Kind) process() bool { return k.lives() || k == DeadProcess }

// Where the fields are, up to ut_host the same everywhere.
const (
	atKind, atPid, atLine, atID, atUser, atHost = 0, 4, 8, 40, 44, 76
	atExit                                      = 332
	idBytes, nameBytes, hostBytes               = 4, 32, 256
	reservedBytes                               = 20
)

// Layout is what of struct utmp depends on the machine. glibc has the time of a record in 32 bits where
// programs of 32 bits share the file, which is everywhere but on arm64.
type Layout struct {
	Size         int
	time         int // of ut_tv: seconds and microseconds
	wide         bool
	reservedFrom int
}

var (
	narrow = Layout{Size: 384, time: 340, reservedFrom: 364}
	wide   = Layout{Size: 400, time: 344, reservedFrom: 376, wide: true}
)

// Here is this machine's.
func Here() Layout {
	if runtime.GOARCH == "arm64" {
		return wide
	}
	return narrow
}

// entry is one record, as it stands in a file.
type entry []byte

func (e entry) kind() Kind         { return Kind(binary.NativeEndian.Uint16(e[atKind:])) }
func (e entry) pid() int           { return int(int32(binary.NativeEndian.Uint32(e[atPid:]))) }
func (e entry) id() (id [4]byte)   { copy(id[:], e[atID:]); return id }
func (e entry) user() string       { return text(e[atUser : atUser+nameBytes]) }
func (e entry) setKind(k Kind)     { binary.NativeEndian.PutUint16(e[atKind:], uint16(k)) }
func (e entry) setPid(pid int)     { binary.NativeEndian.PutUint32(e[atPid:], uint32(pid)) }
func (e entry) setID(id [4]byte)   { copy(e[atID:], id[:]) }
func (e entry) setLine(s string)   { put(e[atLine:atLine+nameBytes], s) }
func (e entry) setUser(s string)   { put(e[atUser:atUser+nameBytes], s) }
func (e entry) setHost(s string)   { put(e[atHost:atHost+hostBytes], s) }
func (e entry) clone() entry       { return bytes.Clone(e) }
func (e entry) equal(o entry) bool { return bytes.Equal(e, o) }

// setExit says how a process has ended.
func (e entry) setExit(status unix.WaitStatus) {
	var signal, code uint16
	if status.Signaled() {
		signal = uint16(status.Signal())
	} else if status.Exited() {
		code = uint16(status.ExitStatus())
	}
	binary.NativeEndian.PutUint16(e[atExit:], signal)
	binary.NativeEndian.PutUint16(e[atExit+2:], code)
}

func (l Layout) setTime(e entry, t time.Time) {
	micro := t.Nanosecond() / 1000
	if l.wide {
		binary.NativeEndian.PutUint64(e[l.time:], uint64(t.Unix()))
		binary.NativeEndian.PutUint64(e[l.time+8:], uint64(micro))
		return
	}
	binary.NativeEndian.PutUint32(e[l.time:], uint32(t.Unix()))
	binary.NativeEndian.PutUint32(e[l.time+4:], uint32(micro))
}

// reserved is what no program reads.
func (l Layout) reserved(e entry) []byte { return e[l.reservedFrom : l.reservedFrom+reservedBytes] }

func text(b []byte) string {
	if n := bytes.IndexByte(b, 0); n >= 0 {
		b = b[:n]
	}
	return string(b)
}

// put writes a string with zeros behind it; what does not fit is cut.
func put(b []byte, s string) { clear(b[copy(b, s):]) }
