package wire

import (
	"encoding/binary"
	"fmt"
)

// FrameKind is a frame's first byte.
type FrameKind byte

// What frames say. Both ways: Data, the console's bytes or what is typed, and Size, of the
// writer's window. From the supervisor: Lost, so many bytes of output are missing here, and
// Taken, another process has the console and this client watches from here on.
const (
	Data  FrameKind = 'D'
	Size  FrameKind = 'W'
	Lost  FrameKind = 'L'
	Taken FrameKind = 'T'
)

const (
	// FrameHead is the kind and three bytes of length, the highest first.
	FrameHead = 4
	// FrameMax is the longest payload: what a supervisor sends at once.
	FrameMax = 64 << 10
	// wordMax is the longest payload of another kind than Data.
	wordMax = 64
)

// Head is a frame's head.
func Head(k FrameKind, length int) [FrameHead]byte {
	return [FrameHead]byte{byte(k), byte(length >> 16), byte(length >> 8), byte(length)}
}

// Window is a terminal's size in characters.
type Window struct{ Cols, Rows uint16 }

// Known says whether it is a size at all.
func (w Window) Known() bool { return w.Cols != 0 && w.Rows != 0 }

// SizeFrame tells a window's size.
func SizeFrame(w Window) []byte {
	h := Head(Size, 4)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(h[:], w.Cols), w.Rows)
}

// LostFrame tells that n bytes are missing.
func LostFrame(n uint64) []byte {
	h := Head(Lost, 8)
	return binary.BigEndian.AppendUint64(h[:], n)
}

// TakenFrame tells who has the console now.
func TakenFrame(pid int) []byte {
	h := Head(Taken, 4)
	return binary.BigEndian.AppendUint32(h[:], uint32(pid))
}

// Frame is a frame that has come, or a piece of one with Data.
type Frame struct {
	Kind   FrameKind // 0: nothing is complete
	Data   []byte    // of Data: what has come of it
	Window Window    // of Size
	Lost   uint64    // of Lost
	Pid    int       // of Taken
}

// Frames takes a stream of frames apart. The zero value is ready.
type Frames struct {
	head [FrameHead]byte
	have int // of the head
	left int // of the payload
	word []byte
}

// Next takes the next frame from p and gives what is left of p. Data is handed out as it comes:
// its bytes are p's. A frame of an unknown kind is skipped, as long as it is short: a newer
// peer may have more to say. The error wraps ErrFrame; nothing that follows can be understood.
func (f *Frames) Next(p []byte) (Frame, []byte, error) {
	for len(p) > 0 {
		if f.have < FrameHead {
			n := copy(f.head[f.have:], p)
			f.have, p = f.have+n, p[n:]
			if f.have < FrameHead {
				break
			}
			f.left = int(f.head[1])<<16 | int(f.head[2])<<8 | int(f.head[3])
			if err := f.allowed(); err != nil {
				return Frame{}, nil, err
			}
			if f.left > 0 {
				continue
			}
		}
		n := min(f.left, len(p))
		part := p[:n]
		p = p[n:]
		f.left -= n
		kind := FrameKind(f.head[0])
		if kind != Data {
			f.word = append(f.word, part...)
		}
		if f.left == 0 {
			f.have = 0
		}
		switch {
		case kind == Data && n > 0:
			return Frame{Kind: Data, Data: part}, p, nil
		case f.left > 0 || kind == Data:
			continue
		}
		word := f.word
		f.word = f.word[:0]
		if fr, known := parseWord(kind, word); known {
			return fr, p, nil
		}
	}
	return Frame{}, p, nil
}

// allowed judges a head.
func (f *Frames) allowed() error {
	kind, limit := FrameKind(f.head[0]), wordMax
	exact := map[FrameKind]int{Size: 4, Lost: 8, Taken: 4}[kind]
	switch {
	case kind == Data:
		limit = FrameMax
	case kind < 'A' || kind > 'Z':
		return fmt.Errorf("%w: kind %d", ErrFrame, kind)
	case exact != 0 && f.left != exact:
		return fmt.Errorf("%w: %d bytes in one of kind %c", ErrFrame, f.left, kind)
	}
	if f.left > limit {
		return fmt.Errorf("%w: %d bytes", ErrFrame, f.left)
	}
	return nil
}

func parseWord(kind FrameKind, w []byte) (Frame, bool) {
	fr := Frame{Kind: kind}
	switch kind {
	case Size:
		fr.Window = Window{binary.BigEndian.Uint16(w), binary.BigEndian.Uint16(w[2:])}
	case Lost:
		fr.Lost = binary.BigEndian.Uint64(w)
	case Taken:
		fr.Pid = int(binary.BigEndian.Uint32(w))
	default:
		return Frame{}, false
	}
	return fr, true
}
