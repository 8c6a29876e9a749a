package ring

import (
	"bytes"
	"errors"
	"testing"
)

func TestSnapshotRestore(t *testing.T) {
	for _, n := range []int{0, 1, 5000, Size - 1, Size, Size + 1, 3*Size + 12345} {
		w, r := pair(t)
		write(t, w, 0, n)
		again, err := Restore(w.Snapshot())
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		defer again.Close()
		r2, err := OpenReader(again.FD())
		if err != nil {
			t.Fatal(err)
		}
		defer r2.Close()
		if again.Epoch() != w.Epoch() || again.Head() != w.Head() || again.Stats() != r.Stats() {
			t.Fatalf("%d bytes: %+v, want %+v", n, again.Stats(), r.Stats())
		}
		if r2.Cursor() != NoHold || r2.Attached() != 0 {
			t.Errorf("%d bytes: a restored ring is held", n)
		}
		oldest, _, _ := r.Range()
		if got, _, _ := r2.Range(); got != oldest {
			t.Errorf("%d bytes: oldest %d, want %d", n, got, oldest)
		}
		end, lost := read(t, r2, 0)
		if end != w.Head() || lost != oldest {
			t.Errorf("%d bytes: read to %d, %d lost", n, end, lost)
		}
		write(t, again, 0, 2*Size) // goes on where it was
		if end, _ := read(t, r2, w.Head()); end != w.Head()+2*Size {
			t.Errorf("%d bytes: read to %d", n, end)
		}
	}
}

func TestSnapshotDamaged(t *testing.T) {
	w, _ := pair(t)
	write(t, w, 0, 3000)
	good := w.Snapshot()
	bad := func(name string, p []byte) {
		t.Helper()
		if _, err := Restore(p); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad("nothing", nil)
	bad("too long", make([]byte, SnapshotMax+1))
	for _, cut := range []int{1, 7, 8, 9, 2000, len(good) - 1} {
		bad("cut", good[:len(good)-cut])
	}
	for i := 0; i < len(good); i += 13 {
		p := bytes.Clone(good)
		p[i] ^= 0x10
		bad("flipped", p)
	}
}

func FuzzRestore(f *testing.F) {
	w, err := Create()
	if err != nil {
		f.Fatal(err)
	}
	defer w.Close()
	_, _ = w.Append([]byte("hello"))
	s := w.Snapshot()
	f.Add(s[:len(s)-8])
	f.Add(s[:10])
	f.Fuzz(func(t *testing.T, body []byte) {
		// With the right sum, so that the checks behind it are reached.
		w, err := Restore(put64(bytes.Clone(body), checksum(body)))
		if err != nil {
			return
		}
		defer w.Close()
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
		if again, err := Restore(w.Snapshot()); err != nil {
			t.Fatal(err)
		} else {
			again.Close()
		}
	})
}
