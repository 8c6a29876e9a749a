package wire

import (
	"encoding/binary"
	"errors"
	"io"
)

// Errors of a stream that does not keep to the framing.
var (
	// ErrTooLong: the length in the header is beyond the reader's limit.
	ErrTooLong = errors.New("frame too long")
	// ErrShort: the stream ended inside a frame.
	ErrShort = errors.New("frame cut short")
	// ErrEmpty: a frame of no bytes, which nothing here sends.
	ErrEmpty = errors.New("empty frame")
)

// HeaderBytes is the size of a frame's header.
const HeaderBytes = 4

// Append puts the frame of payload behind dst.
func Append(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...)
}

// Write sends payload as one frame in one write.
func Write(w io.Writer, payload []byte) error {
	_, err := w.Write(Append(make([]byte, 0, HeaderBytes+len(payload)), payload))
	return err
}

// Read takes one frame of at most maxBytes. io.EOF: the stream ended between frames.
func Read(r io.Reader, maxBytes int) ([]byte, error) {
	var h [HeaderBytes]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, short(err)
	}
	n := binary.BigEndian.Uint32(h[:])
	switch {
	case n == 0:
		return nil, ErrEmpty
	case uint64(n) > uint64(maxBytes):
		return nil, ErrTooLong
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, short(err)
	}
	return p, nil
}

func short(err error) error {
	if err == io.ErrUnexpectedEOF {
		return ErrShort
	}
	return err
}
