package smtpnotify

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errGone is an outbox that was taken away.
var errGone = errors.New("the outbox is gone")

// watcher hears of what is put into the outbox. Where no inotify instance is to be had (those of all
// zones count as the host's) it hears of nothing, and looks.
type watcher struct {
	ctx  context.Context
	dir  string
	f    *os.File
	stop func() bool
}

// watch begins to hear. The end of the context ends a wait.
func watch(ctx context.Context, dir string) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == unix.EMFILE || err == unix.ENFILE {
		return &watcher{ctx: ctx, dir: dir}, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_ONLYDIR); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "watch", Path: dir, Err: err}
	}
	return &watcher{ctx, dir, f, context.AfterFunc(ctx, func() { f.Close() })}, nil
}

func (w *watcher) close() {
	if w.f == nil {
		return
	}
	w.stop()
	w.f.Close()
}

// wait waits for something to be there, or until it is time to look all the same. errGone.
func (w *watcher) wait() error {
	if w.f == nil {
		return w.pause()
	}
	var buf [4096]byte
	_ = w.f.SetReadDeadline(time.Now().Add(lookEvery))
	n, err := w.f.Read(buf[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed): // the context has ended
		return nil
	case err != nil:
		return err
	}
	for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
		if binary.NativeEndian.Uint32(b[4:])&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 {
			return errGone
		}
		b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
	}
	return nil
}

// pause is wait where nothing is heard of.
func (w *watcher) pause() error {
	t := time.NewTimer(lookEvery)
	defer t.Stop()
	select {
	case <-w.ctx.Done():
	case <-t.C:
		if _, err := os.Stat(w.dir); errors.Is(err, os.ErrNotExist) {
			return errGone
		}
	}
	return nil
}
