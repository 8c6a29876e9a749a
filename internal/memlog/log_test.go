package memlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

func create(t testing.TB, bytesMax int) *Log {
	t.Helper()
	l, err := Create("memlog-test", bytesMax)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// reopen gives what the next process would find.
func reopen(t testing.TB, l *Log) (state []byte, records [][]byte) {
	t.Helper()
	again, state, seq, err := Open(l.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for r := range seq {
		records = append(records, bytes.Clone(r))
	}
	if len(records) != again.Records() || again.Bytes() != l.Bytes() || l.Records() != again.Records() {
		t.Fatalf("%d records, counted %d of %d; %d bytes of %d", len(records), again.Records(), l.Records(), again.Bytes(), l.Bytes())
	}
	return state, records
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memory is how many bytes the file has of the kernel.
func memory(t testing.TB, l *Log) int {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Fstat(l.FD(), &st))
	return int(st.Blocks) * 512
}

func TestEmpty(t *testing.T) {
	l := create(t, BytesMin)
	if state, records := reopen(t, l); state != nil || records != nil {
		t.Errorf("an empty log has %q %q", state, records)
	}
	if m := memory(t, l); m > 3*pageBytes {
		t.Errorf("an empty log costs %d bytes", m)
	}
}

func TestCreateSizes(t *testing.T) {
	for _, size := range []int{-1, 0, BytesMin - 1, BytesLimit + 1} {
		if _, err := Create("x", size); err != ErrSize {
			t.Errorf("%d: %v", size, err)
		}
	}
	for _, size := range []int{BytesMin, BytesMin + 1, BytesLimit} {
		l, err := Create("x", size)
		must(t, err)
		must(t, l.Append([]byte("x")))
		reopen(t, l)
		must(t, l.Close())
	}
}

// TestModel compares a log with a slice over thousands of operations, reopening in between.
func TestModel(t *testing.T) {
	l := create(t, 2<<20)
	random := rand.New(rand.NewPCG(1, 2))
	var state []byte
	var records [][]byte
	check := func() {
		gotState, got := reopen(t, l)
		if !bytes.Equal(gotState, state) || len(got) != len(records) {
			t.Fatalf("%d bytes of state, want %d; %d records, want %d", len(gotState), len(state), len(got), len(records))
		}
		for i := range got {
			if !bytes.Equal(got[i], records[i]) {
				t.Fatalf("record %d differs", i)
			}
		}
	}
	checkpoint := func(size int) {
		state = randomBytes(random, size)
		must(t, l.Checkpoint(state))
		records = nil
	}
	full, operations := 0, 20_000
	if testing.Short() {
		operations = 4000
	}
	for i := range operations {
		p := randomBytes(random, sizes[random.IntN(len(sizes))])
		switch err := l.Append(p); {
		case err == ErrFull:
			full++
			checkpoint(random.IntN(1 << 20))
		case err != nil:
			t.Fatal(err)
		default:
			records = append(records, p)
		}
		if i%500 == 0 {
			check()
		}
		if i%3000 == 0 { // as a new process does
			again, _, _, err := Open(l.FD())
			must(t, err)
			l.Close()
			l = again
			t.Cleanup(func() { again.Close() })
		}
	}
	check()
	if full == 0 {
		t.Error("the log was never full: this tested little")
	}
}

var sizes = []int{0, 1, 7, 8, 9, 63, 64, 200, 4095, 4096, RecordMax - 1, RecordMax}

func randomBytes(random *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

func TestLimits(t *testing.T) {
	l := create(t, BytesMin)
	if err := l.Append(make([]byte, RecordMax+1)); err != ErrTooLarge {
		t.Errorf("too long a record: %v", err)
	}
	must(t, l.Append([]byte("one")))
	most := stateMax(len(l.half))
	if err := l.Checkpoint(make([]byte, most+1)); err != ErrTooLarge {
		t.Errorf("too large a state: %v", err)
	}
	if _, records := reopen(t, l); len(records) != 1 {
		t.Errorf("the refused state cost %d records", 1-len(records))
	}
	must(t, l.Checkpoint(make([]byte, most)))
	for i := range roomMin / (RecordMax + recordHeaderBytes) {
		if err := l.Append(make([]byte, RecordMax)); err != nil {
			t.Fatalf("record %d beside the largest state: %v", i, err)
		}
	}
	if state, _ := reopen(t, l); len(state) != most {
		t.Errorf("%d bytes of state", len(state))
	}
}

// TestRoomGrowsWithState: checkpoints stay a constant part of the cost.
func TestRoomGrowsWithState(t *testing.T) {
	l := create(t, 64<<20)
	for _, size := range []int{0, roomMin, 10 << 20} {
		must(t, l.Checkpoint(make([]byte, size)))
		written := 0
		for l.Append(make([]byte, 1000)) == nil {
			written += 1000
		}
		if room := max(size, roomMin); written < room*9/10 || written > room {
			t.Errorf("%d bytes of records beside a state of %d", written, size)
		}
	}
}

// TestMemoryReturned: an idle log costs what its state is large.
func TestMemoryReturned(t *testing.T) {
	l := create(t, 64<<20)
	must(t, l.Checkpoint(make([]byte, 20<<20)))
	for l.Append(make([]byte, 4000)) == nil {
	}
	if m := memory(t, l); m < 40<<20 {
		t.Fatalf("only %d bytes of memory: what is measured here?", m)
	}
	must(t, l.Checkpoint([]byte("small")))
	if m := memory(t, l); m > 3*pageBytes {
		t.Errorf("an idle log costs %d bytes", m)
	}
	must(t, l.Append([]byte("x")))
	if m := memory(t, l); m > 3*pageBytes+reserveBytes {
		t.Errorf("a log with a record costs %d bytes", m)
	}
}

// TestReserveFails: without memory an Append is an error, not a fault, and the log goes on.
func TestReserveFails(t *testing.T) {
	l := create(t, 2<<20)
	must(t, l.Append([]byte("before")))
	good := l.fd.Int()
	bad, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	keep, err := unix.FcntlInt(uintptr(good), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	must(t, unix.Dup3(bad, good, unix.O_CLOEXEC)) // no memory is to be had of this file
	unix.Close(bad)
	if err := l.Append(make([]byte, RecordMax)); !errors.Is(err, unix.ENODEV) {
		t.Errorf("append without memory: %v", err)
	}
	if err := l.Checkpoint([]byte("state")); !errors.Is(err, unix.ENODEV) {
		t.Errorf("checkpoint without memory: %v", err)
	}
	must(t, l.Append([]byte("small"))) // its memory was there
	must(t, unix.Dup3(keep, good, unix.O_CLOEXEC))
	unix.Close(keep)
	if _, records := reopen(t, l); fmt.Sprintf("%q", records) != `["before" "small"]` {
		t.Errorf("records %q", records)
	}
	must(t, l.Checkpoint([]byte("state")))
	if state, _ := reopen(t, l); string(state) != "state" {
		t.Errorf("state %q", state)
	}
}

func TestClosed(t *testing.T) {
	l := create(t, BytesMin)
	must(t, l.Close())
	must(t, l.Close())
	if l.Append(nil) != ErrClosed || l.Checkpoint(nil) != ErrClosed {
		t.Error("a closed log takes records")
	}
}

func BenchmarkAppend(b *testing.B) {
	l := create(b, 64<<20)
	p := make([]byte, 100)
	state := make([]byte, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if l.Append(p) == ErrFull {
			must(b, l.Checkpoint(state))
		}
	}
}

func BenchmarkCheckpoint(b *testing.B) {
	l := create(b, 64<<20)
	state := make([]byte, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		must(b, l.Checkpoint(state))
	}
}
