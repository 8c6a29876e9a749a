package ctfs

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
)

// attr are a file's attributes. Of a contract's files the times of access and change of
// content are those of its last event, that of change is its birth, and the owner is its
// author (ctfs(7FS)).
func (f *FS) attr(k kind, id contract.ID) fuse.Attr {
	l := looks[k]
	a := fuse.Attr{
		Mode: l.mode, Nlink: l.links,
		UID: f.cfg.UIDBase, GID: f.cfg.UIDBase, Blksize: blockBytes,
	}
	born, last := f.cfg.Since.UnixNano(), f.cfg.Since.UnixNano()
	if id == 0 {
		a.Ino = uint64(fixed(k))
	} else {
		a.Ino = uint64(ofCT(k, id))
		if author, b, e, ok := f.host.Table().Look(id); ok {
			born, last = b, max(b, e)
			if !k.isDir() {
				a.UID = author.UID
			}
		}
	}
	switch k {
	case processDir:
		a.Nlink += uint32(f.host.Table().Len())
	case allLink:
		a.Size = uint64(len(linkTarget(id)))
	}
	a.Atime, a.AtimeNs = stamp(last)
	a.Mtime, a.MtimeNs = stamp(last)
	a.Ctime, a.CtimeNs = stamp(born)
	return a
}

func stamp(ns int64) (sec uint64, nsec uint32) {
	const second = int64(time.Second)
	return uint64(ns / second), uint32(ns % second)
}

// lookup finds a name. Neither the name nor the attributes are valid for longer than this
// answer: contracts come and go, and the kernel must not be told of it (see package fuse).
func (f *FS) lookup(r *fuse.Request, k kind, id contract.ID) Answer {
	if !k.isDir() {
		return fail(unix.ENOTDIR)
	}
	n := find(k, id, string(r.Name()))
	if n == 0 {
		return fail(unix.ENOENT)
	}
	k, id = n.split()
	if !f.exists(k, id) {
		return fail(unix.ENOENT)
	}
	return Answer{What: Entry, Entry: fuse.EntryOut{Node: uint64(n), Attr: f.attr(k, id)}}
}

// setattr lets a file that can be written be emptied, since that is how a shell opens it, and
// refuses all else.
func (f *FS) setattr(r *fuse.Request, k kind, id contract.ID) Answer {
	const times = 1<<4 | 1<<5 | 1<<7 | 1<<8 // FATTR_ATIME, _MTIME, _ATIME_NOW, _MTIME_NOW
	in := r.Setattr()
	if in.Valid&(fuse.SetMode|fuse.SetUID|fuse.SetGID) != 0 || in.Valid&fuse.SetSize == 0 && in.Valid&times != 0 {
		return fail(unix.EPERM)
	}
	if in.Valid&fuse.SetSize != 0 && (in.Size != 0 || k != templateFile && k != ctlFile && k != ctlsFile) {
		return fail(unix.EACCES)
	}
	return Answer{What: Attr, Attr: fuse.AttrOut{Attr: f.attr(k, id)}}
}
