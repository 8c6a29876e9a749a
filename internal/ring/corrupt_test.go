package ring

import (
	"errors"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestOpenRefuses(t *testing.T) {
	w, _ := pair(t)
	for _, c := range []struct {
		name string
		bad  func(h *header)
		good func(h *header)
		want error
	}{
		{"magic", func(h *header) { h.magic.Store(1) }, func(h *header) { h.magic.Store(magic) }, ErrCorrupt},
		{"version", func(h *header) { h.version.Store(99) }, func(h *header) { h.version.Store(version) }, ErrVersion},
		{"size", func(h *header) { h.size.Store(Size * 2) }, func(h *header) { h.size.Store(Size) }, ErrCorrupt},
		{"head beyond reserve", func(h *header) { h.head.Store(5) }, func(h *header) { h.head.Store(0) }, ErrCorrupt},
		{"piece too long", func(h *header) { h.reserve.Store(SliceMax + 1) }, func(h *header) { h.reserve.Store(0) }, ErrCorrupt},
		{"head too far", func(h *header) { h.head.Store(NoHold - 5); h.reserve.Store(NoHold - 5) },
			func(h *header) { h.head.Store(0); h.reserve.Store(0) }, ErrCorrupt},
		{"base beyond head", func(h *header) { h.base.Store(7) }, func(h *header) { h.base.Store(0) }, ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.bad(w.h)
			if _, err := OpenReader(w.FD()); !errors.Is(err, c.want) {
				t.Errorf("reader: %v", err)
			}
			if _, err := OpenWriter(w.FD()); !errors.Is(err, c.want) {
				t.Errorf("writer: %v", err)
			}
			c.good(w.h)
			r, err := OpenReader(w.FD())
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
		})
	}
}

func TestOpenRefusesFiles(t *testing.T) {
	plain, err := unix.MemfdCreate("plain", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(plain)
	_ = unix.Ftruncate(plain, headerBytes+Size)
	if _, err := OpenReader(plain); !errors.Is(err, ErrNotSealed) {
		t.Errorf("a file without seals: %v", err)
	}
	short, err := newFile(headerBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	if _, err := OpenReader(short.Int()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a short file: %v", err)
	}
	if _, err := OpenReader(-1); err == nil {
		t.Error("no file: no error")
	}
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, err := OpenReader(p[0]); !errors.Is(err, ErrNotSealed) {
		t.Errorf("a pipe: %v", err)
	}
}

func TestFileKeepsItsSize(t *testing.T) {
	w, _ := pair(t)
	for _, size := range []int64{0, headerBytes, 2 * Size} {
		if err := unix.Ftruncate(w.FD(), size); err != unix.EPERM {
			t.Errorf("truncate to %d: %v", size, err)
		}
	}
}

// A head that goes back is noticed by a reader that has seen it further.
func TestHeadGoesBack(t *testing.T) {
	w, r := pair(t)
	write(t, w, 0, 100)
	if _, _, err := r.Range(); err != nil {
		t.Fatal(err)
	}
	w.h.head.Store(50)
	w.h.reserve.Store(50)
	if _, _, err := r.ReadAt(10, make([]byte, 10)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("err %v", err)
	}
}

func TestHostileCursor(t *testing.T) {
	w, r := pair(t)
	write(t, w, 0, 3*Size)
	for _, c := range []uint64{0, 1, w.Head() - Size - 1, w.Head(), w.Head() + 1, 1 << 63, NoHold - 1} {
		r.SetCursor(c)
		if n, until := w.Space(1); n == 0 && until == 0 {
			t.Errorf("cursor %d: neither room nor a time", c)
		}
		if p := w.Slice(); len(p) > SliceMax {
			t.Errorf("cursor %d: slice of %d", c, len(p))
		}
		w.Advance(SliceMax * 2)
	}
}

// FuzzHeader scribbles over the header while both sides use it: nothing panics, and nothing is
// handed out of range.
func FuzzHeader(f *testing.F) {
	f.Add(uint16(0), uint64(0), uint64(1))
	f.Add(uint16(64), uint64(1<<63), uint64(2))
	f.Add(uint16(128), NoHold, uint64(3))
	f.Add(uint16(72), uint64(Size), uint64(4))
	f.Fuzz(func(t *testing.T, offset uint16, value, seed uint64) {
		w, err := Create()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		r, err := OpenReader(w.FD())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rnd := rand.New(rand.NewPCG(seed, value))
		buf := make([]byte, 5000)
		words := int(unsafe.Sizeof(header{}) / 8)
		at := int(offset/8) % words
		for i := range 40 {
			if i == 10 || i > 20 && i%5 == 0 {
				*(*uint64)(unsafe.Pointer(&w.mem[at*8])) = value
				at, value = rnd.IntN(words), rnd.Uint64()>>rnd.IntN(64)
			}
			if n, _ := w.Space(int64(i)); n > SliceMax {
				t.Fatalf("space %d", n)
			}
			p := w.Slice()
			if len(p) > SliceMax {
				t.Fatalf("slice %d", len(p))
			}
			copy(p, buf)
			w.Advance(len(p))
			_, _ = w.Append(buf[:100])
			if n, _, err := r.ReadAt(rnd.Uint64()>>rnd.IntN(64), buf); err == nil && n > len(buf) {
				t.Fatalf("read %d", n)
			}
			r.SetCursor(rnd.Uint64() >> rnd.IntN(64))
			r.Sleep(rnd.Uint64())
			_ = r.Stats()
			_ = r.Attached()
			if i == 30 && len(w.Snapshot()) > SnapshotMax {
				t.Fatal("long snapshot")
			}
			if x, err := OpenReader(w.FD()); err == nil {
				x.Close()
			}
		}
	})
}
