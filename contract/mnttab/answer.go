package mnttab

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
)

// answer deals with one request. Errors of what a reader asked for are the reader's; an error
// that comes back is one of the connection.
func (s *Server) answer(r *fuse.Request) error {
	switch r.Op() {
	case fuse.OpOpen:
		return s.answerOpen(r)
	case fuse.OpRead:
		return s.answerRead(r)
	case fuse.OpGetattr:
		return s.answerGetattr(r)
	case fuse.OpPoll:
		return s.answerPoll(r)
	case fuse.OpRelease:
		if h := s.handles.byFH[r.Release().FH]; h != nil {
			s.handles.remove(h)
		}
		return s.session.ReplyOK(r)
	case fuse.OpSetattr, fuse.OpWrite:
		return s.session.ReplyError(r, unix.EROFS)
	case fuse.OpStatfs:
		return s.session.ReplyStatfs(r, &fuse.StatfsOut{Bsize: 4096, Files: 1})
	case fuse.OpAccess:
		return s.session.ReplyOK(r)
	case fuse.OpIoctl:
		return s.session.ReplyError(r, unix.ENOTTY)
	}
	return s.session.ReplyError(r, unix.ENOSYS)
}

// errno is what a reader is told of an error.
func errno(err error) unix.Errno {
	var e unix.Errno
	switch {
	case errors.Is(err, ErrHandles):
		return unix.ENFILE
	case errors.Is(err, ErrUserHandles):
		return unix.EMFILE
	case errors.Is(err, ErrTableBytes):
		return unix.EFBIG
	case errors.As(err, &e):
		return e
	}
	return unix.EIO
}

func (s *Server) answerOpen(r *fuse.Request) error {
	flags := r.OpenIn().Flags
	if flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0 {
		return s.session.ReplyError(r, unix.EROFS)
	}
	of, err := identify(r.Pid())
	if err != nil { // nobody whose mounts could be shown
		return s.session.ReplyError(r, unix.EACCES)
	}
	t, err := s.current(of)
	if err != nil {
		return s.session.ReplyError(r, errno(err))
	}
	h, err := s.handles.add(r.Unique(), r.UID(), of, t)
	if err != nil {
		return s.session.ReplyError(r, errno(err))
	}
	crash("opened")
	return s.session.ReplyOpen(r, h.fh.Load(), fuse.OpenDirectIO)
}

func (s *Server) answerRead(r *fuse.Request) error {
	in := r.Read()
	h := s.handles.byFH[in.FH]
	if h == nil {
		return s.session.ReplyError(r, unix.ESTALE)
	}
	var err error
	switch {
	case in.Offset != 0 && in.Offset >= h.size: // the end, for which no text is needed
		return s.session.ReplyData(r, nil)
	case in.Offset == 0 && h.begun:
		err = s.renew(h, r.Pid())
	case h.table == nil || h.table.text == nil:
		err = s.restore(h, r.Pid())
	}
	if err != nil {
		return s.session.ReplyError(r, errno(err))
	}
	h.begun = true
	crash("read")
	text := h.table.text
	s.texts.touch(h.table)
	text = text[min(in.Offset, uint64(len(text))):]
	return s.session.ReplyData(r, text[:min(len(text), int(in.Size), fuse.ReadMax)])
}

// answerGetattr tells the attributes of the reader's own table.
func (s *Server) answerGetattr(r *fuse.Request) error {
	out := fuse.AttrOut{Attr: fuse.Attr{
		Ino: fuse.RootNode, Mode: unix.S_IFREG | 0o444, Nlink: 1, UID: s.uid, GID: s.gid, Blksize: 4096,
	}}
	changed := s.store.began * 1e9
	if of, err := identify(r.Pid()); err == nil {
		if t, err := s.current(of); err == nil {
			out.Attr.Size = uint64(len(t.text))
			changed = s.noteChange(of.table(), t.hash)
		}
	}
	a := &out.Attr
	a.Mtime, a.MtimeNs = uint64(changed/1e9), uint32(changed%1e9)
	a.Ctime, a.CtimeNs, a.Atime, a.AtimeNs = a.Mtime, a.MtimeNs, a.Mtime, a.MtimeNs
	a.Blocks = (a.Size + 511) / 512
	return s.session.ReplyAttr(r, &out)
}

// tableDiffers is what poll(2) tells when the table is another one than the snapshot.
const tableDiffers = unix.EPOLLIN | unix.EPOLLRDNORM | unix.EPOLLPRI | unix.EPOLLRDBAND

func (s *Server) answerPoll(r *fuse.Request) error {
	h := s.handles.byFH[r.Poll().FH]
	if h == nil {
		return s.session.ReplyError(r, unix.ESTALE)
	}
	if err := s.compare(h, r.Pid(), r.Poll().Flags&fuse.PollSchedule != 0); err != nil {
		return s.session.ReplyError(r, errno(err))
	}
	var revents uint32
	if h.differs {
		revents = tableDiffers
	}
	err := s.session.ReplyPoll(r, revents)
	if err == fuse.ErrPollsFull {
		return s.session.ReplyError(r, unix.ENOSPC)
	}
	return err
}

// compare finds out whether the table is another one than the handle's snapshot. If somebody
// waits for that, its changes are followed from then on.
func (s *Server) compare(h *handle, pid int, waits bool) error {
	if !h.watch.Valid() {
		of, err := h.source(pid)
		if err != nil {
			return err
		}
		if !waits {
			t, err := s.current(of)
			h.differs = err == nil && t.hash != h.text
			return err
		}
		if err := s.follow(h, of); err != nil {
			return err
		}
	}
	if changed(h.watch) {
		h.dirty = true
	}
	if !h.dirty {
		return nil
	}
	t, err := s.take(h.watch, h.reader)
	if err != nil {
		return err
	}
	h.dirty, h.differs = false, t.hash != h.text
	return nil
}

// follow begins to wait for changes of the handle's table.
func (s *Server) follow(h *handle, of reader) error {
	if s.handles.watches >= WatchesMax {
		return unix.ENOSPC
	}
	fd, err := openMountinfo(of.pid)
	if err != nil {
		return err
	}
	if err := s.poller.addTable(fd, h.fh.Load()); err != nil {
		fd.Close()
		return err
	}
	h.watch, h.dirty = fd, true
	s.handles.watches++
	return nil
}

// crash is where a test has its process killed, by the name of what was just done.
var crash = func(string) {}
