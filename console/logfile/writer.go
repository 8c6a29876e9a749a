package logfile

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// Writer appends to a zone's log.
type Writer struct {
	zone, name string
	limits     Limits
	epoch      uint64

	cur  *piece // nil: none yet, or it was put aside
	pos  uint64 // of the next byte
	have bool   // pos is known: bytes of this epoch were written
	rest string // of a text that was announced and is not written whole
	gap  gap    // the last of cur
}

// OpenWriter finds out where the log of a console of this epoch goes on. dir is there.
func OpenWriter(dir, zone string, epoch uint64, l Limits) (*Writer, error) {
	w := &Writer{zone: zone, name: Name(dir, zone), epoch: epoch, limits: l}
	cur, err := open(w.name, os.O_RDWR|os.O_APPEND)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrNotExist):
		return w, w.resumeAside()
	case errors.Is(err, ErrHeader), errors.Is(err, unix.ELOOP):
		return w, w.putAside() // not ours, or damaged: nothing is known
	default:
		return nil, err
	}
	if cur.at.Epoch != epoch {
		cur.file.Close()
		return w, w.putAside()
	}
	w.cur = cur
	w.resume(cur)
	return w, nil
}

// resume takes the position from a piece.
func (w *Writer) resume(p *piece) {
	w.have = true
	w.pos = p.at.Pos + uint64(p.size-p.offset)
	g, ok := loadGap(w.gapName())
	if !ok || g.file != p.at || p.size < g.offset {
		return
	}
	w.gap = g
	text := g.text()
	if written := p.size - g.offset; written < int64(len(text)) {
		w.rest = text[written:]
	}
	w.pos = g.next.Pos + uint64(max(0, p.size-g.offset-int64(len(text))))
}

// resumeAside is resume for a predecessor that was killed when it had put the file aside and
// made no new one.
func (w *Writer) resumeAside() error {
	p, err := open(older(w.name, 1), os.O_RDONLY)
	if err != nil {
		return nil // nothing is known, or there is nothing
	}
	defer p.file.Close()
	if p.at.Epoch == w.epoch {
		w.resume(p)
		w.rest = "" // a file is put aside when it is whole
	}
	return nil
}

func (w *Writer) gapName() string { return w.name + ".gap" }

// Pos is the position of the next byte to write. False: any will do, nothing of this epoch was
// written.
func (w *Writer) Pos() (uint64, bool) { return w.pos, w.have }

// SetLimits changes them, from the next byte on.
func (w *Writer) SetLimits(l Limits) { w.limits = l }

// Close closes the file.
func (w *Writer) Close() {
	if w.cur != nil {
		w.cur.file.Close()
		w.cur = nil
	}
}

// Write appends bytes that begin at pos. n of them were written, also with an error; the caller
// goes on behind them. A part of them may go into another file than the rest.
func (w *Writer) Write(pos uint64, p []byte) (n int, err error) {
	if w.have && pos != w.pos {
		return 0, fmt.Errorf("%w: %d, not %d", ErrPosition, pos, w.pos)
	}
	w.pos, w.have = pos, true
	for n < len(p) && err == nil {
		if err = w.ready(); err != nil {
			break
		}
		part := p[n:]
		part = part[:min(int64(len(part)), w.limits.Bytes-w.cur.size)]
		var k int
		k, err = w.append(part)
		n += k
		w.pos += uint64(k)
	}
	return n, err
}

// Lose says that lost bytes before pos are missing, and writes so.
func (w *Writer) Lose(pos, lost uint64) error {
	if w.rest != "" { // the one before comes first; the caller tries again
		if err := w.ready(); err != nil {
			return err
		}
	}
	w.pos = pos - lost
	w.have = true
	if err := w.ready(); err != nil {
		return err
	}
	g := gap{file: w.cur.at, offset: w.cur.size, lost: lost, next: wire.Point{Epoch: w.epoch, Pos: pos}}
	if err := replace(w.gapName(), g.line()); err != nil {
		return err
	}
	w.gap, w.rest, w.pos = g, g.text(), pos
	return w.ready()
}

// ready makes sure that there is a file with room, and that nothing announced is owed to it.
func (w *Writer) ready() error {
	if w.cur != nil && w.removed() {
		w.Close()
		w.rest = ""
	}
	for w.cur != nil && w.rest != "" {
		n, err := w.append([]byte(w.rest))
		w.rest = w.rest[n:]
		if err != nil {
			return err
		}
	}
	if w.cur != nil && w.cur.size >= w.limits.Bytes {
		w.Close()
		if err := w.putAside(); err != nil {
			return err
		}
	}
	if w.cur == nil {
		return w.create()
	}
	return nil
}

// removed: somebody took the file away.
func (w *Writer) removed() bool {
	var st unix.Stat_t
	return unix.Fstat(int(w.cur.file.Fd()), &st) == nil && st.Nlink == 0
}

func (w *Writer) append(p []byte) (int, error) {
	n, err := w.cur.file.Write(p)
	w.cur.size += int64(n)
	return n, err
}

// create makes the file in which the byte at pos is the first.
func (w *Writer) create() error {
	there, err := exists(w.name)
	if err == nil && there { // it could not be put aside before
		err = w.putAside()
	}
	if err == nil {
		err = replace(w.name, header(w.zone, wire.Point{Epoch: w.epoch, Pos: w.pos}, time.Now()))
	}
	if err == nil {
		w.cur, err = open(w.name, os.O_RDWR|os.O_APPEND)
	}
	return err
}

// putAside gives the current file the name of the first older piece, and so on: the names from
// the first one that is free downwards. If none is, the oldest goes.
func (w *Writer) putAside() error {
	free := 1
	for ; free <= w.limits.Count; free++ {
		there, err := exists(older(w.name, free))
		if err != nil {
			return err
		}
		if !there {
			break
		}
	}
	if free > w.limits.Count {
		free = w.limits.Count
		if err := os.Remove(older(w.name, free)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for i := free; i > 0; i-- {
		if err := os.Rename(older(w.name, i-1), older(w.name, i)); err != nil {
			return err
		}
	}
	return w.trim()
}

// trim removes pieces beyond the count, which may have been lowered.
func (w *Writer) trim() error {
	for i := w.limits.Count + 1; i <= CountMax; i++ {
		if err := os.Remove(older(w.name, i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Anew puts the current file aside and forgets the position: the next byte may be any.
func (w *Writer) Anew() error {
	w.Close()
	w.have, w.rest = false, ""
	there, err := exists(w.name)
	if err != nil || !there {
		return err
	}
	return w.putAside()
}
