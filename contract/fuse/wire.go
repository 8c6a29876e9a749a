package fuse

import "unsafe"

// Opcode says what a request asks for (linux/fuse.h).
type Opcode uint32

// The requests that this package knows by name. Others are answered ENOSYS.
const (
	OpLookup      Opcode = 1
	OpForget      Opcode = 2
	OpGetattr     Opcode = 3
	OpSetattr     Opcode = 4
	OpReadlink    Opcode = 5
	OpOpen        Opcode = 14
	OpRead        Opcode = 15
	OpWrite       Opcode = 16
	OpStatfs      Opcode = 17
	OpRelease     Opcode = 18
	OpInit        Opcode = 26
	OpOpendir     Opcode = 27
	OpReaddir     Opcode = 28
	OpReleasedir  Opcode = 29
	OpAccess      Opcode = 34
	OpInterrupt   Opcode = 36
	OpDestroy     Opcode = 38
	OpIoctl       Opcode = 39
	OpPoll        Opcode = 40
	OpBatchForget Opcode = 42
)

// RootNode is the node of the root.
const RootNode = 1

// Flags of an answer to Open. ReplyOpen adds openNoFlush.
const (
	OpenDirectIO    = 1 << 0 // every read and write is a request
	OpenNonSeekable = 1 << 2 // lseek and pread fail
	OpenStream      = 1 << 4 // no position at all
	openNoFlush     = 1 << 5
)

// Flags of SetattrIn.Valid.
const (
	SetMode = 1 << 0
	SetUID  = 1 << 1
	SetGID  = 1 << 2
	SetSize = 1 << 3
)

// PollSchedule in PollIn.Flags: somebody waits, and is to be woken by WakePoll.
const PollSchedule = 1 << 0

// The protocol that is spoken. Linux 6.1 has 37; nothing that came after 36 is used.
const (
	protocolMajor    = 7
	protocolMinor    = 36
	protocolMinorMin = 31
)

// Capabilities that are taken when the kernel offers them (FUSE_* of linux/fuse.h). Not among
// them: the write-back cache, splicing, locks, read-ahead.
const (
	capAtomicTrunc     = 1 << 3 // O_TRUNC comes with OPEN: no SETATTR follows
	capParallelDirops  = 1 << 18
	capMaxPages        = 1 << 22
	capabilitiesWanted = capAtomicTrunc | capParallelDirops | capMaxPages
)

// interruptBit marks the unique of an INTERRUPT, which otherwise is that of its request.
const interruptBit = 1

// Codes of messages to the kernel that answer nothing.
const (
	notifyPoll      = 1
	notifyInvalNode = 2
)

// inHeader begins each request.
type inHeader struct {
	length  uint32
	opcode  Opcode
	unique  uint64
	node    uint64
	uid     uint32
	gid     uint32
	pid     uint32
	extLen  uint16
	padding uint16
}

// outHeader begins each reply.
type outHeader struct {
	length uint32
	errno  int32 // 0 or negative; the code of a notification
	unique uint64
}

const (
	inHeaderBytes  = int(unsafe.Sizeof(inHeader{}))
	outHeaderBytes = int(unsafe.Sizeof(outHeader{}))
)

type initIn struct {
	major, minor, maxReadahead, flags, flags2 uint32
	_                                         [11]uint32
}

type initOut struct {
	major, minor, maxReadahead, flags  uint32
	maxBackground, congestionThreshold uint16
	maxWrite, timeGranularity          uint32
	maxPages, mapAlignment             uint16
	flags2, maxStackDepth              uint32
	requestTimeout, padding            uint16
	_                                  [5]uint32
}

// GetattrIn asks for attributes; FH is valid when Flags is 1.
type GetattrIn struct {
	Flags uint32
	_     uint32
	FH    uint64
}

// SetattrIn is a change of attributes; Valid says which.
type SetattrIn struct {
	Valid                 uint32
	_                     uint32
	FH, Size, LockOwner   uint64
	Atime, Mtime, Ctime   uint64
	AtimeNs, MtimeNs      uint32
	CtimeNs, Mode         uint32
	_, UID, GID, _unused5 uint32
}

// OpenIn is an open of a file or directory, with the flags of open(2).
type OpenIn struct{ Flags, OpenFlags uint32 }

// ReadIn is a read of a file or directory. Flags are those of the open file now, O_NONBLOCK
// among them.
type ReadIn struct {
	FH, Offset      uint64
	Size, ReadFlags uint32
	LockOwner       uint64
	Flags           uint32
	_               uint32
}

// WriteIn is a write; its bytes follow.
type WriteIn struct {
	FH, Offset       uint64
	Size, WriteFlags uint32
	LockOwner        uint64
	Flags            uint32
	_                uint32
}

// ReleaseIn is the end of an open file.
type ReleaseIn struct {
	FH                  uint64
	Flags, ReleaseFlags uint32
	LockOwner           uint64
}

// AccessIn is an access(2).
type AccessIn struct{ Mask, _ uint32 }

// IoctlIn is a restricted ioctl: the kernel copies InSize bytes in and up to OutSize out, as
// the command's number says.
type IoctlIn struct {
	FH              uint64
	Flags, Cmd      uint32
	Arg             uint64
	InSize, OutSize uint32
}

// PollIn asks which of Events hold.
type PollIn struct {
	FH, KH        uint64
	Flags, Events uint32
}

// Forgotten is a node and how many of its lookups are taken back.
type Forgotten struct{ Node, Lookups uint64 }

type interruptIn struct{ unique uint64 }

type batchForgetIn struct{ count, _ uint32 }

// Attr are the attributes of a node, ids as the host counts.
type Attr struct {
	Ino, Size, Blocks         uint64
	Atime, Mtime, Ctime       uint64
	AtimeNs, MtimeNs, CtimeNs uint32
	Mode, Nlink, UID, GID     uint32
	Rdev, Blksize, Flags      uint32
}

// EntryOut answers a lookup. Node 0 with EntryValid is a negative entry. Times are seconds
// for which the kernel may believe the name and the attributes without asking again.
type EntryOut struct {
	Node, Generation          uint64
	EntryValid, AttrValid     uint64
	EntryValidNs, AttrValidNs uint32
	Attr                      Attr
}

// AttrOut answers for attributes.
type AttrOut struct {
	Valid   uint64
	ValidNs uint32
	_       uint32
	Attr    Attr
}

// StatfsOut answers statfs(2).
type StatfsOut struct {
	Blocks, Bfree, Bavail, Files, Ffree uint64
	Bsize, Namelen, Frsize, _           uint32
	_                                   [6]uint32
}

type openOut struct {
	fh                 uint64
	flags, passthrough uint32
}

type writeOut struct{ size, _ uint32 }

type pollOut struct{ revents, _ uint32 }

type ioctlOut struct {
	result          int32
	flags           uint32
	inIovs, outIovs uint32
}

type direntHeader struct {
	ino, off      uint64
	nameLen, kind uint32
}

type invalNodeOut struct {
	node     uint64
	off, len int64
}
