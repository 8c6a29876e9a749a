package ctfs

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/table"
)

// ask puts who asks into an Op.
func (c Caller) ask(op *table.Op) *table.Op {
	op.Proc, op.Cred, op.ProcCT = c.Proc, c.Cred, c.CT
	return op
}

// do lets an Op happen and says what its request is answered.
func (f *FS) do(r *fuse.Request, op *table.Op) Answer {
	return f.Outcome(r, op, f.host.Do(op))
}

// Outcome is the answer to a request whose Op had this result, now or in a predecessor's life.
// Nothing is looked at that may have changed since.
func (f *FS) Outcome(r *fuse.Request, op *table.Op, res table.Result) Answer {
	if op.Kind == table.Read && res.Errno == unix.EAGAIN && r.Op() == fuse.OpRead {
		return nothing(r.Read())
	}
	if res.Errno != 0 {
		return fail(missing(op.Kind, res.Errno))
	}
	switch r.Op() {
	case fuse.OpOpen:
		flags := uint32(fuse.OpenDirectIO)
		if op.Kind != table.OpenTemplate { // events have no positions
			flags |= fuse.OpenNonSeekable | fuse.OpenStream
		}
		return Answer{What: Open, FH: op.FH, Flags: flags}
	case fuse.OpRead:
		return Answer{What: Data, Data: res.Data}
	case fuse.OpWrite:
		return f.Confirmed(r)
	case fuse.OpIoctl:
		return Answer{What: Ioctl}
	}
	return done
}

// missing: an open of what is not there any more finds no file, not no process.
func missing(kind table.Kind, errno unix.Errno) unix.Errno {
	if kind == table.OpenContract && errno == unix.ESRCH {
		return unix.ENOENT
	}
	return errno
}

// Confirmed is the answer to a write of which all was taken.
func (f *FS) Confirmed(r *fuse.Request) Answer {
	_, text := r.Write()
	return written(0, uint32(len(text)))
}

// IsTemplate says whether a request is one for a template.
func (f *FS) IsTemplate(r *fuse.Request) bool {
	k, _ := node(r.Node()).split()
	return k == templateFile
}

// IsActivate says whether a request is one that activates a template.
func (f *FS) IsActivate(r *fuse.Request) bool {
	if !f.IsTemplate(r) || r.Op() != fuse.OpWrite {
		return false
	}
	_, text := r.Write()
	c, ok := parseTemplate(text)
	return ok && c.verb == vActivate
}

// IsBorn says whether a text written to a template names a first member.
func IsBorn(text []byte) bool {
	c, ok := parseTemplate(text)
	return ok && c.verb == vBorn
}
