package ctfs

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/table"
)

// read reads an open file. Its name may be gone.
func (f *FS) read(r *fuse.Request, k kind, id contract.ID) Answer {
	in := r.Read()
	switch {
	case k.isEvents():
		return f.readEvents(r, in)
	case k == templateFile:
		text, errno := f.host.Template(in.FH)
		if errno != 0 {
			return fail(errno)
		}
		return piece(text, in)
	case k == statusFile || k == latestFile:
		return f.readStatus(r, in)
	case k.isDir():
		return fail(unix.EISDIR)
	}
	return fail(unix.EBADF)
}

// piece is what a read at its offset gets of a text.
func piece(text []byte, in *fuse.ReadIn) Answer {
	from := min(in.Offset, uint64(len(text)))
	return Answer{What: Data, Data: text[from:min(from+uint64(in.Size), uint64(len(text)))]}
}

func (f *FS) readStatus(r *fuse.Request, in *fuse.ReadIn) Answer {
	id, ok := isText(in.FH)
	if !ok {
		return fail(unix.EBADF)
	}
	text, kept := f.texts.find(in.FH)
	if !kept && in.Offset > 0 {
		return fail(unix.ESTALE)
	}
	if !kept {
		if text, ok = f.host.Status(id, f.onHost(r.UID())); !ok {
			return fail(unix.ENOENT)
		}
		f.texts.put(in.FH, text)
	}
	return piece(text, in)
}

// readEvents takes events off a queue. Nothing is written down of a read that finds nothing,
// so that one that waits costs nothing until it is answered.
func (f *FS) readEvents(r *fuse.Request, in *fuse.ReadIn) Answer {
	if !f.host.Table().Readable(in.FH) {
		return nothing(in)
	}
	return f.do(r, &table.Op{Kind: table.Read, FH: in.FH, Max: min(in.Size, fuse.ReadMax)})
}

// nothing is there to be read now.
func nothing(in *fuse.ReadIn) Answer {
	if in.Flags&unix.O_NONBLOCK != 0 {
		return fail(unix.EAGAIN)
	}
	return wait
}

// write takes a text for a template, or a command for a contract. Where it is written to in
// the file makes no difference.
func (f *FS) write(r *fuse.Request, k kind, id contract.ID) Answer {
	in, text := r.Write()
	if len(text) > textMax {
		return fail(unix.EMSGSIZE)
	}
	switch k {
	case templateFile:
		return f.writeTemplate(r, in.FH, text)
	case ctlFile:
		c, ok := parseCtl(text)
		return f.writeCtl(r, id, c, ok)
	case ctlsFile:
		id, c, ok := parseCtls(text)
		return f.writeCtls(r, id, c, ok)
	}
	return fail(unix.EBADF)
}

func (f *FS) writeTemplate(r *fuse.Request, fh uint64, text []byte) Answer {
	size := uint32(len(text))
	c, ok := parseTemplate(text)
	if !ok {
		return fail(unix.EINVAL)
	}
	var errno unix.Errno
	var mustWait bool
	switch c.verb {
	case vActivate:
		way := ByClone
		if c.number == 1 {
			way = ByMove
		}
		if len(c.text) > 0 && !f.host.Activates(r, fh) {
			if a := f.setTerms(r, fh, c.text); a.What == Fail {
				return a
			}
		}
		errno, mustWait = f.host.Activate(r, fh, way, c.within)
	case vBorn:
		pid, ok := c.pid()
		if !ok {
			return fail(unix.EINVAL)
		}
		errno, mustWait = f.host.Born(r, fh, pid)
	case vClear:
		errno = f.host.Clear(r, fh)
	case vTerms:
		return f.setTerms(r, fh, text)
	default: // vCreate: process contracts are made by a fork
		errno = unix.EINVAL
	}
	if mustWait {
		return wait
	}
	return written(errno, size)
}

func (f *FS) setTerms(r *fuse.Request, fh uint64, text []byte) Answer {
	who, errno := f.host.Caller(r)
	if errno != 0 {
		return fail(errno)
	}
	// The Op outlives the request's bytes.
	op := &table.Op{Kind: table.Set, FH: fh, Text: append([]byte(nil), text...)}
	return f.do(r, who.ask(op))
}

// ctlOps are the Ops of what is written to a ctl file.
var ctlOps = map[verb]table.Kind{
	vAbandon: table.Abandon, vAck: table.Ack, vQAck: table.QAck, vNAck: table.NAck, vAdopt: table.Adopt,
}

func (f *FS) writeCtl(r *fuse.Request, id contract.ID, c command, ok bool) Answer {
	kind, known := ctlOps[c.verb]
	if !ok || !known { // newct among them: process contracts negotiate nothing
		return fail(unix.EINVAL)
	}
	who, errno := f.host.Caller(r)
	if errno != 0 {
		return fail(errno)
	}
	return f.do(r, who.ask(&table.Op{Kind: kind, CT: id, EV: c.event()}))
}

// writeCtls is writeCtl for a contract whose own ctl file the caller would have to open first.
func (f *FS) writeCtls(r *fuse.Request, id contract.ID, c command, ok bool) Answer {
	if !ok {
		return fail(unix.EINVAL)
	}
	who, errno := f.host.Caller(r)
	if errno != 0 {
		return fail(errno)
	}
	if !f.exists(ctlFile, id) {
		return fail(unix.ENOENT)
	}
	if !f.host.Table().MayControl(id, who.Proc, who.CT) {
		return fail(unix.EACCES)
	}
	return f.writeCtl(r, id, c, ok)
}

// Requests of event files: _IO('c', n), without arguments (contract(4): ct_event_reset and
// so on). The compatible forms for 32-bit programs are the same.
var eventOps = map[uint32]table.Kind{
	'c'<<8 | 0x40: table.Reset,
	'c'<<8 | 0x41: table.Next,
	'c'<<8 | 0x42: table.Reliable,
	'c'<<8 | 0x43: table.CriticalOnly,
}

func (f *FS) ioctl(r *fuse.Request, k kind) Answer {
	in, _ := r.Ioctl()
	op, known := eventOps[in.Cmd]
	if !known || !k.isEvents() {
		return fail(unix.ENOTTY)
	}
	return f.do(r, &table.Op{Kind: op, FH: in.FH, Cred: f.Cred(r.UID())})
}

// Cred says what a user may: the zone's root and the host's have the privileges of
// contract(4).
func (f *FS) Cred(uid uint32) table.Cred {
	return table.Cred{UID: uid, Privileged: uid == 0 || uid == f.cfg.UIDBase}
}

const (
	readable  = unix.POLLIN | 0x40   // POLLRDNORM
	writeable = unix.POLLOUT | 0x100 // POLLWRNORM
)

// poll says what can be done at once. The end of a queue can be read.
func (f *FS) poll(r *fuse.Request, k kind) Answer {
	if !k.isEvents() {
		return Answer{What: PolledAlways, Events: readable | writeable}
	}
	a := Answer{What: Polled}
	if f.host.Table().Readable(r.Poll().FH) {
		a.Events = readable
	}
	return a
}
