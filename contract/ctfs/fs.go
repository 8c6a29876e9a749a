package ctfs

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/table"
)

// Caller is who a request comes from.
type Caller struct {
	Proc table.Proc
	Cred table.Cred
	CT   contract.ID // it is a member of, 0: none
	Host bool        // it does not live in the zone
}

// Way is how a contract's first member is to come into it.
type Way uint8

// The ways: by a clone where the caller may, within a moment; or by being moved, which has
// all the time that its maker lives.
const (
	ByClone Way = iota
	ByMove
)

// Host is who decides and acts: the server.
type Host interface {
	// Table is the contracts, to look at.
	Table() *table.Table
	// Do writes an Op down and lets it happen, for the request that is being served.
	Do(op *table.Op) table.Result
	// Caller finds out who asks.
	Caller(r *fuse.Request) (Caller, unix.Errno)
	// NewHandle is a number for a handle of a user's, or the errno of a limit.
	NewHandle(uid uint32) (fh uint64, errno unix.Errno)
	// Close ends a handle of the table's.
	Close(fh uint64)
	// Status is the text of a contract's status file.
	Status(id contract.ID, host bool) (text []byte, ok bool)
	// Template is the text of a template.
	Template(fh uint64) (text []byte, errno unix.Errno)
	// Activate, Born and Clear are a template's commands. The first two may have to wait, and
	// are then asked for again with the same request. Activates says whether this request has made
	// the contract already.
	Activates(r *fuse.Request, fh uint64) bool
	Activate(r *fuse.Request, fh uint64, way Way, within contract.Within) (errno unix.Errno, mustWait bool)
	Born(r *fuse.Request, fh uint64, pid int32) (errno unix.Errno, mustWait bool)
	Clear(r *fuse.Request, fh uint64) unix.Errno
}

// Config is what a FS is made with.
type Config struct {
	// UIDBase is the zone's root as the host counts, and UIDCount how many users the zone
	// has; UIDCount 0: there is no zone, and all are on the host.
	UIDBase, UIDCount uint32
	// Epoch tells the handles of this server's status files from those of others'.
	Epoch uint32
	// Since is the time of files that are always there.
	Since time.Time
	// Arena is ArenaBytes of memory, zeros at first, that a successor is given too: the texts of
	// open status files. Less than that: they end with this process. Trim gives the memory of what lies
	// behind a place in it back, so that it reads as zeros; nil: it stays.
	Arena []byte
	Trim  func(from int)
}

// FS is the file system.
type FS struct {
	cfg   Config
	host  Host
	texts texts
	// listed are the contracts as they were at a moment: a list that is read in many pieces is
	// made once.
	listed   []contract.ID
	listedAt time.Time
}

// New makes the file system.
func New(cfg Config, host Host) *FS {
	return &FS{cfg: cfg, host: host, texts: newTexts(&cfg)}
}

// Serve says what to answer to a request. One that must Wait is served again when something
// it may wait for has happened.
func (f *FS) Serve(r *fuse.Request) Answer {
	k, id := node(r.Node()).split()
	switch r.Op() {
	case fuse.OpForget, fuse.OpBatchForget:
		return silence
	case fuse.OpDestroy, fuse.OpReleasedir:
		return done
	case fuse.OpRelease:
		return f.release(r, k)
	case fuse.OpStatfs:
		return f.statfs()
	case fuse.OpRead:
		return f.read(r, k, id) // of a contract that is gone too
	case fuse.OpPoll:
		return f.poll(r, k)
	case fuse.OpIoctl:
		return f.ioctl(r, k)
	}
	if !f.exists(k, id) {
		return fail(unix.ENOENT)
	}
	switch r.Op() {
	case fuse.OpLookup:
		return f.lookup(r, k, id)
	case fuse.OpGetattr:
		return Answer{What: Attr, Attr: fuse.AttrOut{Attr: f.attr(k, id)}}
	case fuse.OpSetattr:
		return f.setattr(r, k, id)
	case fuse.OpReadlink:
		return f.readlink(k, id)
	case fuse.OpOpen:
		return f.open(r, k, id)
	case fuse.OpOpendir:
		return Answer{What: Open}
	case fuse.OpReaddir:
		return f.readdir(r, k, id)
	case fuse.OpWrite:
		return f.write(r, k, id)
	}
	return fail(unix.ENOSYS)
}

// exists says whether there is such a file now.
func (f *FS) exists(k kind, id contract.ID) bool {
	if k == noKind {
		return false
	}
	if id == 0 {
		return true
	}
	_, _, _, ok := f.host.Table().Look(id)
	return ok
}

// onHost says whether a user is told what the zone's are not. It goes by the user, whom the
// kernel names with each request: who has an id of the zone's range is in the zone.
func (f *FS) onHost(uid uint32) bool {
	return f.cfg.UIDCount == 0 || uid-f.cfg.UIDBase >= f.cfg.UIDCount
}

func (f *FS) statfs() Answer {
	return Answer{What: Statfs, Statfs: fuse.StatfsOut{
		Files: uint64(f.host.Table().Len()), Bsize: blockBytes, Frsize: blockBytes, Namelen: nameMax,
	}}
}

const (
	blockBytes = 4096
	nameMax    = 255
)
