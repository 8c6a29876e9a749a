package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestRoundTripOfManyFrames(t *testing.T) {
	var b bytes.Buffer
	want := [][]byte{{1}, bytes.Repeat([]byte{0xff}, 70000), []byte("x")}
	for _, p := range want {
		if err := Write(&b, p); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range want {
		got, err := Read(&b, 70000)
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("frame %d: %d bytes, %v", i, len(got), err)
		}
	}
	if _, err := Read(&b, 1); err != io.EOF {
		t.Fatalf("at the end: %v, want io.EOF", err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"half a header": {[]byte{0, 0}, ErrShort},
		"no payload":    {[]byte{0, 0, 0, 4}, ErrShort},
		"half payload":  {[]byte{0, 0, 0, 4, 'a'}, ErrShort},
		"empty frame":   {[]byte{0, 0, 0, 0}, ErrEmpty},
		"one too long":  {[]byte{0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, ErrTooLong},
		"4 GiB":         {[]byte{255, 255, 255, 255}, ErrTooLong},
	} {
		if _, err := Read(bytes.NewReader(c.in), 8); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestTooLongReadsNothing: the refusal comes before memory is spent on the frame.
func TestTooLongReadsNothing(t *testing.T) {
	r := bytes.NewReader(append([]byte{0, 0, 1, 0}, make([]byte, 256)...))
	_, err := Read(r, 255)
	if !errors.Is(err, ErrTooLong) || r.Len() != 256 {
		t.Fatalf("%v with %d bytes left, want the payload untouched", err, r.Len())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'x', 0, 0, 0, 2, 'y'})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var back []byte
		for {
			p, err := Read(r, 1<<16)
			if err != nil {
				break
			}
			back = Append(back, p)
		}
		if !bytes.HasPrefix(in, back) {
			t.Fatal("what was read is not what was sent")
		}
	})
}
