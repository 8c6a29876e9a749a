package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// read takes a stream of frames apart that comes in pieces of n bytes.
func readFrames(b []byte, n int) (said []string, data []byte, err error) {
	var f Frames
	for len(b) > 0 {
		k := min(n, len(b))
		for p := b[:k]; len(p) > 0; {
			var fr Frame
			if fr, p, err = f.Next(p); err != nil {
				return said, data, err
			}
			switch fr.Kind {
			case Data:
				data = append(data, fr.Data...)
			case Size:
				said = append(said, fmt.Sprintf("%d: %dx%d", len(data), fr.Window.Cols, fr.Window.Rows))
			case Lost:
				said = append(said, fmt.Sprintf("%d: lost %d", len(data), fr.Lost))
			case Taken:
				said = append(said, fmt.Sprintf("%d: taken by %d", len(data), fr.Pid))
			}
		}
		b = b[k:]
	}
	return said, data, nil
}

func dataFrame(s string) []byte {
	h := Head(Data, len(s))
	return append(h[:], s...)
}

func TestFrames(t *testing.T) {
	future := Head('Z', 5)
	empty := Head('Y', 0)
	stream := bytes.Join([][]byte{
		dataFrame("abc"), SizeFrame(Window{80, 24}), dataFrame(""), append(future[:], "later"...), empty[:],
		LostFrame(1 << 40), dataFrame("L\x00\x00\x08 is data"), TakenFrame(4194304), dataFrame("end"),
	}, nil)
	for _, n := range []int{1, 2, 3, 5, 7, len(stream)} {
		said, data, err := readFrames(stream, n)
		want := "[3: 80x24 3: lost 1099511627776 15: taken by 4194304]"
		if fmt.Sprint(said) != want || string(data) != "abcL\x00\x00\x08 is dataend" || err != nil {
			t.Errorf("by %d: %v, %q, %v", n, said, data, err)
		}
	}
}

func TestFramesRefuses(t *testing.T) {
	head := func(k FrameKind, n int) []byte { h := Head(k, n); return h[:] }
	for name, b := range map[string][]byte{
		"no kind":            head(0, 0),
		"text":               []byte("ls -l\r"),
		"data beyond":        head(Data, FrameMax+1),
		"most of all":        {byte(Data), 0xff, 0xff, 0xff},
		"a size too short":   head(Size, 3),
		"a size too long":    head(Size, 5),
		"a size of nothing":  head(Size, 0),
		"a loss of 4 bytes":  head(Lost, 4),
		"an unknown novel":   head('Q', wordMax+1),
		"an escape as kind":  {0x1b, '[', '2', 'J'},
		"a taker of 8 bytes": head(Taken, 8),
	} {
		for _, n := range []int{1, 100} {
			if _, data, err := readFrames(b, n); !errors.Is(err, ErrFrame) || len(data) > 0 {
				t.Errorf("%s by %d: %q, %v", name, n, data, err)
			}
		}
	}
}

// Whatever comes, in whatever pieces: the same is read, and no more than came.
func FuzzFrames(f *testing.F) {
	f.Add(append(dataFrame("abc"), SizeFrame(Window{1, 2})...), 3)
	f.Add(append(LostFrame(7), TakenFrame(7)...), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = max(1, min(n, 1000))
		said, data, err := readFrames(b, n)
		said2, data2, err2 := readFrames(b, len(b)+1)
		if fmt.Sprint(said) != fmt.Sprint(said2) || !bytes.Equal(data, data2) || (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v %q %v, by %d %v %q %v", b, said2, data2, err2, n, said, data, err)
		}
		if len(data) > len(b) {
			t.Fatalf("%d bytes of %d", len(data), len(b))
		}
	})
}
