package memlog

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzOpen: whatever the file holds, Open refuses it or gives a log that works. The input is
// laid over the beginning of a good log's parts: header, first half, second half.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, uint16(0), byte(0))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, uint16(64), byte(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint16(8), byte(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint16(72), byte(1))
	f.Add([]byte{9, 0, 0, 0}, uint16(96), byte(2))
	f.Fuzz(func(t *testing.T, over []byte, at uint16, part byte) {
		l := create(t, BytesMin)
		must(t, l.Checkpoint([]byte("the state")))
		must(t, l.Append([]byte("one")))
		must(t, l.Append([]byte("another")))
		var where int
		switch part % 3 {
		case 1:
			where = l.halfAt
		case 2:
			where = headerBytes
		}
		copy(l.file[where+int(at):], over)
		again, state, records, err := Open(l.FD())
		if err != nil {
			return
		}
		defer again.Close()
		_ = state
		n := 0
		for r := range records {
			n += len(r)
		}
		if n > len(l.half) {
			t.Errorf("%d bytes of records in %d", n, len(l.half))
		}
		if err := again.Append([]byte("more")); err != nil && err != ErrFull {
			t.Error(err)
		}
		must(t, again.Checkpoint([]byte("next")))
		if state, records := reopen(t, again); string(state) != "next" || len(records) != 0 {
			t.Errorf("after a checkpoint: %q %q", state, records)
		}
	})
}

// TestDamageIsRefused flips each bit of what a checkpoint and two records wrote.
func TestDamageIsRefused(t *testing.T) {
	l := create(t, BytesMin)
	must(t, l.Checkpoint([]byte("the state")))
	must(t, l.Append([]byte("one")))
	must(t, l.Append([]byte("another")))
	end := l.halfAt + l.next
	for at := l.halfAt; at < end; at++ {
		for bit := range 8 {
			l.file[at] ^= 1 << bit
			again, state, records, err := Open(l.FD())
			l.file[at] ^= 1 << bit
			if err != nil {
				continue
			}
			n := 0
			for range records {
				n++
			}
			again.Close()
			// Padding counts for nothing; a length of nothing ends the records.
			if string(state) != "the state" || n > 2 {
				t.Fatalf("bit %d of byte %d: state %q, %d records", bit, at-l.halfAt, state, n)
			}
		}
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	open := func(make func(fd int)) error {
		fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		must(t, err)
		defer unix.Close(fd)
		make(fd)
		l, _, _, err := Open(fd)
		if err == nil {
			l.Close()
		}
		return err
	}
	sized := func(n int64) func(int) {
		return func(fd int) {
			must(t, unix.Ftruncate(fd, n))
			_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
			must(t, err)
		}
	}
	for _, c := range []struct {
		name string
		make func(int)
		want error
	}{
		{"no seals", func(fd int) { must(t, unix.Ftruncate(fd, headerBytes+2*BytesMin)) }, ErrNotSealed},
		{"empty", sized(0), ErrCorrupt},
		{"too small", sized(headerBytes + 2*BytesMin - 1), ErrCorrupt},
		{"zeros", sized(headerBytes + 2*BytesMin), ErrCorrupt},
		{"odd", sized(headerBytes + 2*BytesMin + 1), ErrCorrupt},
		{"huge", sized(1 << 40), ErrCorrupt},
	} {
		if err := open(c.make); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	l := create(t, BytesMin)
	l.head.version++
	if _, _, _, err := Open(l.FD()); err != ErrVersion {
		t.Errorf("another version: %v", err)
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(null)
	if _, _, _, err := Open(null); err != ErrNotSealed {
		t.Errorf("no memfd: %v", err)
	}
}
