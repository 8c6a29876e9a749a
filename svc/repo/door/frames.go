package door

import (
	"encoding/binary"
	"io"

	"github.com/linuxzones/zones/internal/wire"
)

const (
	// frameBytes is what is read at once; most frames have less.
	frameBytes = 4 << 10
	// frameStepBytes is by how much at most a frame's memory grows beyond what has come: a length
	// alone costs nothing.
	frameStepBytes = 64 << 10
)

// Frames takes frames off a stream. It keeps what has come when a read ends with an error, such as
// that of a deadline, so that Next can be called again.
type Frames struct {
	R io.Reader
	// Begun is called when a part of a frame has come, and more must be waited for.
	Begun func()

	buf  []byte // what has come
	used int    // of it was given
}

// Next gives the next frame, of at most limit bytes; it is good until the next call. io.EOF: the
// stream ended between frames; else wire's errors, and those of reading.
func (f *Frames) Next(limit int) ([]byte, error) {
	f.drop()
	told := false
	for {
		need := wire.HeaderBytes
		if len(f.buf) >= need {
			n := binary.BigEndian.Uint32(f.buf)
			switch {
			case n == 0:
				return nil, wire.ErrEmpty
			case uint64(n) > uint64(limit):
				return nil, wire.ErrTooLong
			}
			if need += int(n); len(f.buf) >= need {
				f.used = need
				return f.buf[wire.HeaderBytes:need:need], nil
			}
		}
		if len(f.buf) > 0 && !told && f.Begun != nil {
			f.Begun()
			told = true
		}
		if err := f.more(need); err != nil {
			return nil, err
		}
	}
}

// drop forgets the frame that was given, and its memory when it was a large one.
func (f *Frames) drop() {
	if f.used == 0 {
		return
	}
	rest := f.buf[f.used:]
	if cap(f.buf) > frameStepBytes {
		f.buf = append([]byte(nil), rest...)
	} else {
		f.buf = append(f.buf[:0], rest...)
	}
	f.used = 0
}

// more reads once.
func (f *Frames) more(need int) error {
	if free := cap(f.buf) - len(f.buf); free == 0 || need > cap(f.buf) && free < frameStepBytes/2 {
		room := max(min(need, len(f.buf)+frameStepBytes), frameBytes)
		if len(f.buf) >= frameStepBytes {
			room = max(room, min(need, 2*len(f.buf))) // so that a large one is copied a few times
		}
		grown := make([]byte, len(f.buf), max(room, len(f.buf)+1))
		copy(grown, f.buf)
		f.buf = grown
	}
	n, err := f.R.Read(f.buf[len(f.buf):cap(f.buf)])
	f.buf = f.buf[:len(f.buf)+n]
	switch {
	case n > 0:
		return nil
	case err == io.EOF && len(f.buf) > 0:
		return wire.ErrShort
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}
