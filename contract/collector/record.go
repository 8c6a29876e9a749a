package collector

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind says what a record tells.
type Kind uint8

// The kinds of records, as collector.h numbers them. What follows of one death is told in this
// order: why (Signal, Core or Hwerr, at most one of them), Exit, and Empty after the last.
const (
	Fork   Kind = 1 + iota // a member was born, or moved in (Moved)
	Exit                   // a member has ended
	Empty                  // the last member has gone: it is the one named
	Signal                 // a member was killed by a process of another contract, or by the OOM killer
	Core                   // a member died of a signal that dumps core, of its own contract's doing
	Hwerr                  // a member was killed by an uncorrectable hardware error
	Left                   // a member was moved out: Sender is who did it, Dest where to
)

// Flags are properties of a record.
type Flags uint8

// The flags of a record.
const (
	Moved   Flags = 1 << iota // Fork: it was moved in from elsewhere
	First                     // Fork: there was no other member
	Adopted                   // Fork: it had been there when its contract became known (Adopt)
)

// Record is one thing that happened to a member of a contract.
type Record struct {
	Kind  Kind
	Flags Flags
	CT    uint32
	// Time is nanoseconds of CLOCK_BOOTTIME.
	Time uint64
	// Pid is the member's number where the supervisor lives, ZPid that in the zone; 0 where
	// it has none. Start is field 22 of /proc/PID/stat.
	Pid, ZPid int32
	Start     uint64
	// PPid and ZPPid are the parent's numbers; of Fork.
	PPid, ZPPid int32
	// Pgrp is the process group's number where the supervisor lives; not of Fork.
	Pgrp int32
	// EUID is the member's effective user as the host counts; not of Fork.
	EUID uint32
	// Status is as wait(2) gives it; of Exit, Signal, Core, Hwerr.
	Status uint32
	// Sig is the signal that killed it; of Signal, Core, Hwerr.
	Sig int32
	// Dest is the cgroup that it was moved to; of Left.
	Dest uint64
	// Sender is who sent the signal, or who moved it; of Signal, Core, Hwerr, Left.
	Sender Sender
}

// SenderKind says who sent a signal.
type SenderKind uint8

// Kinds of senders.
const (
	NoSender     SenderKind = iota // not known
	FromProcess                    // a process, as named
	FromKernel                     // the kernel: a terminal, a timer, a limit, a fault
	FromOOM                        // the kernel's out-of-memory killer
	FromContract                   // the zone's supervisor: the contract's own terms
)

// Sender is who sent a signal, as recorded at that moment.
type Sender struct {
	Kind SenderKind
	// Pid is where the supervisor lives, ZPid in the victim's zone; 0 where it has none.
	Pid, ZPid int32
	Start     uint64
	// CT and Zone are its contract and the cgroup of its zone, 0 when it was in none.
	CT   uint32
	Zone uint64
	// UID is the real user as the host counts.
	UID uint32
	// Code is the signal's si_code.
	Code int32
	// Comm is the command's name, of any bytes, 15 at most.
	Comm string
}

// Sizes of records in the ring, as in collector.h.
const (
	shortBytes  = 56
	longBytes   = shortBytes + senderBytes
	senderBytes = 64
	commBytes   = 16
)

// decode reads one record. What does not fit the layout is ErrCorrupt: a ring that another
// version's collector writes, or that somebody scribbled on.
func decode(b []byte) (Record, error) {
	if len(b) != shortBytes && len(b) != longBytes {
		return Record{}, ErrCorrupt
	}
	le := binary.LittleEndian
	r := Record{
		Kind: Kind(b[0]), Flags: Flags(b[1]), Sig: int32(le.Uint16(b[2:])), CT: le.Uint32(b[4:]),
		Time: le.Uint64(b[8:]), Start: ticks(le.Uint64(b[16:])),
		Pid: number(b[24:]), ZPid: number(b[28:]), ZPPid: number(b[36:]),
		Pgrp: number(b[40:]), Status: le.Uint32(b[44:]), Dest: le.Uint64(b[48:]),
	}
	if r.Kind == Fork {
		r.PPid = number(b[32:])
	} else {
		r.EUID = le.Uint32(b[32:])
	}
	long := r.Kind == Signal || r.Kind == Core || r.Kind == Hwerr || r.Kind == Left
	if r.Kind < Fork || r.Kind > Left || long != (len(b) == longBytes) {
		return Record{}, ErrCorrupt
	}
	if long {
		s, err := decodeSender(b[shortBytes:])
		if err != nil {
			return Record{}, err
		}
		r.Sender = s
	}
	return r, nil
}

func decodeSender(b []byte) (Sender, error) {
	le := binary.LittleEndian
	s := Sender{
		Zone: le.Uint64(b), Start: ticks(le.Uint64(b[8:])), CT: le.Uint32(b[16:]), Pid: number(b[20:]),
		ZPid: number(b[24:]), UID: le.Uint32(b[28:]), Code: int32(le.Uint32(b[32:])), Kind: SenderKind(b[36]),
	}
	if s.Kind > FromContract {
		return Sender{}, ErrCorrupt
	}
	s.Comm = strings.Clone(unix.ByteSliceToString(b[senderBytes-commBytes : senderBytes-1]))
	return s, nil
}

func number(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }

// ticksPerSecond is what the kernel tells times of processes in (USER_HZ).
const ticksPerSecond = 100

// ticks is field 22 of /proc/PID/stat for a start in nanoseconds since boot.
func ticks(ns uint64) uint64 { return ns / (1e9 / ticksPerSecond) }
