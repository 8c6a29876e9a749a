package ring

import (
	"bytes"
	"errors"
	"testing"
)

// pair is a ring with both of its sides in this process.
func pair(t testing.TB) (*Writer, *Reader) {
	t.Helper()
	w, err := Create()
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(w.FD())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w, r
}

// pattern is the byte at each position: any shift, gap or repetition shows.
func pattern(pos uint64) byte {
	x := pos * 0x9e3779b97f4a7c15
	return byte(x>>56) ^ byte(pos)
}

func fill(p []byte, pos uint64) {
	for i := range p {
		p[i] = pattern(pos + uint64(i))
	}
}

// write puts up to n pattern bytes into the ring as the keeper does, at time now, and says how many it could.
func write(t testing.TB, w *Writer, now int64, n int) (done int) {
	t.Helper()
	for done < n {
		room, _ := w.Space(now)
		if room == 0 {
			return done
		}
		p := w.Slice()
		if len(p) == 0 || len(p) > room || len(p) > SliceMax {
			t.Fatalf("slice of %d with room for %d", len(p), room)
		}
		p = p[:min(len(p), n-done)]
		fill(p, w.Head())
		w.Advance(len(p))
		done += len(p)
	}
	return done
}

// read reads everything from pos to the head and checks each byte.
func read(t testing.TB, r *Reader, pos uint64) (end, lost uint64) {
	t.Helper()
	buf := make([]byte, 10_000)
	want := make([]byte, len(buf))
	for {
		n, before, err := r.ReadAt(pos, buf)
		if err != nil {
			t.Fatal(err)
		}
		pos += before
		lost += before
		if n == 0 {
			return pos, lost
		}
		fill(want[:n], pos)
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos += uint64(n)
	}
}

func TestWriteRead(t *testing.T) {
	w, r := pair(t)
	r.SetCursor(0)
	var pos uint64
	for i := range 500 {
		write(t, w, 1, 1+i*37%20_000)
		end, lost := read(t, r, pos)
		if lost != 0 || end != w.Head() {
			t.Fatalf("read to %d of %d, %d lost", end, w.Head(), lost)
		}
		pos = end
		r.SetCursor(pos)
	}
	if pos < 2*Size {
		t.Fatal("the ring did not wrap")
	}
	if s := w.Stats(); s.Lost != 0 || s.Stalls != 0 || s.Written != pos {
		t.Fatalf("%+v", s)
	}
}

func TestPositionBeyondHead(t *testing.T) {
	w, r := pair(t)
	write(t, w, 0, 10)
	if _, _, err := r.ReadAt(11, make([]byte, 1)); !errors.Is(err, ErrPosition) {
		t.Fatalf("err %v", err)
	}
}

// The sequence of a supervisor that is away: fill, wait, drain, and hold again when it is back.
func TestStallThenDrain(t *testing.T) {
	w, r := pair(t)
	r.SetCursor(0)
	const t0 = int64(1e9)
	if n := write(t, w, t0, 2*Size); n != Size-AppendMax {
		t.Fatalf("%d bytes before the writer waits", n)
	}
	n, until := w.Space(t0 + 5)
	if n != 0 || until != t0+StallLimit {
		t.Fatalf("space %d until %d", n, until)
	}
	if !r.WriterWaits() {
		t.Fatal("the writer sleeps and does not say so")
	}
	if n, _ := w.Space(t0 + StallLimit - 1); n != 0 {
		t.Fatalf("space %d before the limit", n)
	}
	if n := write(t, w, t0+StallLimit, 100_000); n != 100_000 {
		t.Fatalf("only %d drained after the limit", n)
	}
	want := uint64(100_000 - AppendMax)
	if s := w.Stats(); s.Lost != want || s.Stalls != 1 || s.LongestStall != StallLimit {
		t.Fatalf("%+v, want %d lost", s, want)
	}
	end, lost := read(t, r, 0)
	if lost != want || end != w.Head() {
		t.Fatalf("reader: %d lost, want %d; end %d, head %d", lost, want, end, w.Head())
	}
	if r.SetCursor(end) {
		t.Fatal("a draining writer does not sleep")
	}
	if n := write(t, w, t0+StallLimit, 2*Size); n != Size-AppendMax {
		t.Fatalf("%d bytes written after the cursor moved: no hold", n)
	}
	if s := w.Stats(); s.Lost != want || s.Stalls != 2 {
		t.Fatalf("%+v", s)
	}
}

func TestCursorWakesWriter(t *testing.T) {
	w, r := pair(t)
	r.SetCursor(0)
	write(t, w, 0, 2*Size)
	if !r.SetCursor(1000) {
		t.Fatal("a sleeping writer needs a kick")
	}
	if r.SetCursor(1001) {
		t.Fatal("one kick is enough")
	}
	if n, _ := w.Space(7); n != 1001 {
		t.Fatalf("space %d", n)
	}
	if s := w.Stats(); s.LongestStall != 7 {
		t.Fatalf("%+v", s)
	}
}

func TestReaderWakes(t *testing.T) {
	w, r := pair(t)
	if !r.Sleep(0) {
		t.Fatal("nothing to read, sleep is refused")
	}
	w.Space(0)
	copy(w.Slice(), "abc")
	if !w.Advance(3) {
		t.Fatal("no kick for a sleeping reader")
	}
	if r.Sleep(0) {
		t.Fatal("sleep with three bytes unread")
	}
	w.Space(0)
	w.Slice()
	if w.Advance(1) {
		t.Fatal("kick for a reader that is awake")
	}
	if !r.Sleep(4) {
		t.Fatal("sleep refused")
	}
	w.Space(0)
	w.Slice()
	if w.Advance(0) {
		t.Fatal("kick for nothing")
	}
	r.Awake()
	if kick, _ := w.Append([]byte("x")); kick {
		t.Fatal("kick after Awake")
	}
}

func TestNoHoldNeverWaits(t *testing.T) {
	w, r := pair(t)
	if n := write(t, w, 0, 5*Size); n != 5*Size {
		t.Fatalf("%d", n)
	}
	if s := w.Stats(); s.Lost != 0 || s.Stalls != 0 {
		t.Fatalf("%+v", s)
	}
	if end, lost := read(t, r, 0); lost != 4*Size || end != 5*Size {
		t.Fatalf("end %d lost %d", end, lost)
	}
}

// A text finds room in a ring that is full for the zone, and only texts beyond that room overwrite.
func TestAppendWhenFull(t *testing.T) {
	w, r := pair(t)
	r.SetCursor(0)
	write(t, w, 0, 2*Size)
	text := bytes.Repeat([]byte("n"), AppendMax)
	if _, err := w.Append(text); err != nil {
		t.Fatal(err)
	}
	if s := w.Stats(); s.Lost != 0 || s.Written != Size {
		t.Fatalf("%+v", s)
	}
	if _, err := w.Append(text[:10]); err != nil {
		t.Fatal(err)
	}
	if s := w.Stats(); s.Lost != 10 {
		t.Fatalf("%+v", s)
	}
	if _, err := w.Append(append(text, 'x')); !errors.Is(err, ErrTooLong) {
		t.Fatalf("err %v", err)
	}
}

// A reader that takes hold between Space and Slice is respected by Slice.
func TestHoldBetweenSpaceAndSlice(t *testing.T) {
	w, r := pair(t)
	write(t, w, 0, Size)
	if n, _ := w.Space(0); n != SliceMax {
		t.Fatalf("space %d", n)
	}
	r.SetCursor(0)
	if p := w.Slice(); len(p) != 0 {
		t.Fatalf("slice of %d over held bytes", len(p))
	}
	w.Advance(0)
	if oldest, _, err := r.Range(); oldest != 0 || err != nil {
		t.Fatalf("oldest %d, %v", oldest, err)
	}
}

// What a piece under way covers is not readable any more, and readable again when nothing came.
func TestPieceUnderWay(t *testing.T) {
	w, r := pair(t)
	write(t, w, 0, Size)
	w.Space(0)
	p := w.Slice()
	if oldest, _, _ := r.Range(); oldest != uint64(len(p)) {
		t.Fatalf("oldest %d with a piece of %d under way", oldest, len(p))
	}
	if _, lost, _ := r.ReadAt(0, make([]byte, 10)); lost != uint64(len(p)) {
		t.Fatalf("lost %d", lost)
	}
	w.Advance(0)
	if oldest, _, _ := r.Range(); oldest != 0 {
		t.Fatalf("oldest %d", oldest)
	}
}

// A keeper that replaced itself by exec goes on.
func TestOpenWriter(t *testing.T) {
	w, r := pair(t)
	r.SetCursor(0)
	write(t, w, 0, 1000)
	w.Space(0)
	w.Slice() // never advanced
	again, err := OpenWriter(w.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	write(t, again, 0, 1000)
	if end, lost := read(t, r, 0); end != 2000 || lost != 0 {
		t.Fatalf("end %d lost %d", end, lost)
	}
}

func TestSuccessorSeesAttached(t *testing.T) {
	w, r := pair(t)
	r.SetAttached(3)
	r.SetHoldUntil(42)
	r.SetCursor(0)
	next, err := OpenReader(w.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if next.Attached() != 3 || next.HoldUntil() != 42 || next.Cursor() != 0 || next.Epoch() != w.Epoch() {
		t.Fatalf("%d %d %d", next.Attached(), next.HoldUntil(), next.Cursor())
	}
}
