package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// triesMax is how often pieces may move on while the next one is looked for.
const triesMax = 100

// Reader reads a zone's log from its oldest piece on, and across pieces that are put aside
// meanwhile. What it gives is the zone's output, raw.
type Reader struct {
	name string
	cur  *piece
	off  int64
	text string // of ours, to be given before the next byte
}

// OpenReader begins at the oldest piece. ErrNone: there is no piece.
func OpenReader(dir, zone string) (*Reader, error) {
	r := &Reader{name: Name(dir, zone)}
	if err := r.oldest(); err != nil {
		return nil, err
	}
	return r, nil
}

// Close closes it.
func (r *Reader) Close() {
	if r.cur != nil {
		r.cur.file.Close()
		r.cur = nil
	}
}

// Read gives what comes next. io.EOF: that was all, for now; later there may be more.
func (r *Reader) Read(p []byte) (int, error) {
	for {
		if r.text != "" {
			n := copy(p, r.text)
			r.text = r.text[n:]
			return n, nil
		}
		n, err := r.cur.file.ReadAt(p, r.off)
		r.off += int64(n)
		if n > 0 {
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if moved, err := r.next(); err != nil || !moved {
			return 0, err
		}
	}
}

// oldest goes to the oldest piece there is.
func (r *Reader) oldest() error {
	for i := CountMax; i >= 0; i-- {
		p, err := openPiece(older(r.name, i))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err == nil {
			r.enter(p)
			return nil
		}
	}
	return ErrNone
}

// openPiece opens a piece to read it. One without a first line is shown from its first byte.
func openPiece(name string) (*piece, error) {
	p, err := open(name, os.O_RDONLY)
	if !errors.Is(err, ErrHeader) {
		return p, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(fmt.Errorf("%s: %w", name, ErrNoFile), err)
	}
	return &piece{file: f}, nil
}

func (r *Reader) enter(p *piece) {
	if r.cur != nil && r.cur.at.Epoch != p.at.Epoch {
		r.text = wire.RestartedText()
	}
	r.Close()
	r.cur, r.off = p, p.offset
}

// next goes on with the piece after the current one. False with io.EOF: there is none yet.
// Pieces may move up by one name at any moment, the oldest first; so a piece is the next one
// if the current one has not moved after it was opened.
func (r *Reader) next() (moved bool, err error) {
	for range triesMax {
		i, err := r.index()
		if err != nil {
			return false, err
		}
		if st, err := r.cur.file.Stat(); err == nil && st.Size() > r.off {
			return true, nil // it grew before it was put aside
		}
		if i == 0 {
			return false, io.EOF
		}
		if i < 0 { // it is gone, and perhaps others after it
			if err := r.oldest(); err != nil {
				return false, err
			}
			r.text = goneText
			return true, nil
		}
		p, err := r.after(i)
		if p == nil {
			return false, err
		}
		if again, err := r.index(); err == nil && again == i {
			r.enter(p)
			return true, nil
		}
		p.file.Close()
	}
	return false, io.EOF // they move faster than we look; later, perhaps
}

// goneText stands where pieces went before they were read.
const goneText = "\r\n[NOTICE: older console log is gone]\r\n"

// after opens the piece after the i-th, passing over names that are missing for the moment.
func (r *Reader) after(i int) (*piece, error) {
	for j := i - 1; j >= 0; j-- {
		p, err := openPiece(older(r.name, j))
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return p, err
		}
	}
	return nil, io.EOF
}

// index is which piece the current one is by now, -1 for none.
func (r *Reader) index() (int, error) {
	own, err := r.cur.file.Stat()
	if err != nil {
		return 0, err
	}
	for i := range CountMax + 1 {
		if st, err := os.Lstat(older(r.name, i)); err == nil && os.SameFile(st, own) {
			return i, nil
		}
	}
	return -1, nil
}
