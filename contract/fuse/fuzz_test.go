package fuse

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// look uses every view that a request of its kind has.
func look(r *Request) (sum int) {
	sum = int(r.Node()) + r.Pid() + int(r.UID()) + int(r.GID()) + int(r.Unique())
	switch r.Op() {
	case OpLookup:
		sum += len(r.Name())
	case OpGetattr:
		sum += int(r.Getattr().FH)
	case OpSetattr:
		sum += int(r.Setattr().UID)
	case OpOpen, OpOpendir:
		sum += int(r.OpenIn().OpenFlags)
	case OpRead, OpReaddir:
		sum += int(r.Read().Flags)
	case OpWrite:
		w, data := r.Write()
		sum += int(w.Flags) + bytes.Count(data, []byte{1})
	case OpRelease, OpReleasedir:
		sum += int(r.Release().LockOwner)
	case OpAccess:
		sum += int(r.Access().Mask)
	case OpPoll:
		sum += int(r.Poll().Events)
	case OpIoctl:
		i, data := r.Ioctl()
		sum += int(i.OutSize) + bytes.Count(data, []byte{1})
	case OpForget, OpBatchForget:
		r.Forgets(func(f Forgotten) { sum += int(f.Lookups) })
	case OpInterrupt:
		sum += look(r.Target())
	}
	return sum
}

// FuzzRequest: whatever a kernel might ask, the views stay within the request, and it is
// answered.
func FuzzRequest(f *testing.F) {
	for op := range bodyBytes {
		f.Add(request(op, 2, make([]byte, bodyBytes[op])), false)
		f.Add(request(op, 2, bytes.Repeat([]byte{0xff}, 100)), true)
	}
	write := WriteIn{Size: 3}
	f.Add(request(OpWrite, 2, append(bytesOf(&write), "abc"...)), true)
	f.Fuzz(func(t *testing.T, raw []byte, park bool) {
		if len(raw) < inHeaderBytes || len(raw) > slotBytes {
			return
		}
		raw = bytes.Clone(raw)
		h := (*inHeader)(unsafe.Pointer(&raw[0])) // what the kernel promises
		h.length, h.unique = uint32(len(raw)), 2*(h.unique%1000)+2
		k := newFake(t, newMem(t))
		k.s.TakeForgets = park
		k.ask(raw)
		r, err := k.s.Next()
		if err != nil {
			if err != unix.EAGAIN && err != ErrProtocol {
				t.Errorf("%v", err)
			}
			return
		}
		look(r)
		if park && r.Op() != OpForget && r.Op() != OpBatchForget {
			if _, err := k.s.Park(r); err != nil {
				t.Fatal(err)
			}
			k.start()
			list := k.s.Parked()
			if len(list) != 1 {
				t.Fatalf("%d requests after a restart", len(list))
			}
			r = list[0]
			look(r)
		}
		k.answers()
		fs := newTokenFS(k.s, k.mem)
		// The file system parks a read of nothing, which a parked one cannot be again.
		if err := fs.handle(r); err != nil && err != ErrTooLarge && (err != ErrAnswered || !park) {
			t.Errorf("%v", err)
		}
		if !r.Open() && len(k.answers()) != 1 && r.Op() != OpForget && r.Op() != OpBatchForget && len(k.s.Parked()) == 0 {
			t.Error("no answer")
		}
	})
}

// FuzzMemory: whatever an inherited memory holds, a session begins or refuses, and what it
// gives can be looked at. The input is laid over the parts of a memory with two parked requests
// and a polled file.
func FuzzMemory(f *testing.F) {
	for part := range byte(5) {
		f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(0), part)
		f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(64), part)
		f.Add([]byte{16, 0, 0, 0}, uint16(8), part)
	}
	f.Fuzz(func(t *testing.T, over []byte, at uint16, part byte) {
		mem := newMem(t)
		populate(t, mem)
		where := []int{0, readingAt, parkedAt, pollsAt, bodiesAt}[part%5]
		copy(mem.file[where+int(at):], over)
		resumeGarbage(t, mem)
	})
}

func populate(t testing.TB, mem *Memory) {
	k := newFake(t, mem)
	read, write := ReadIn{Size: 9}, WriteIn{Size: 2}
	for i, p := range [][]byte{
		request(OpRead, 2, bytesOf(&read)), request(OpWrite, 4, append(bytesOf(&write), "hi"...)),
	} {
		k.ask(p)
		r, err := k.s.Next()
		must(t, err)
		if _, err := k.s.Park(r); err != nil {
			t.Fatal(i, err)
		}
	}
	poll := PollIn{FH: 1, KH: 2, Flags: PollSchedule}
	k.ask(request(OpPoll, 6, bytesOf(&poll)))
	r, err := k.s.Next()
	must(t, err)
	must(t, k.s.ReplyPoll(r, 0))
	k.ask(request(OpLookup, 8, []byte("name\x00")))
	_, err = k.s.Next()
	must(t, err)
}

func resumeGarbage(t testing.TB, garbage *Memory) {
	mem, err := OpenMemory(garbage.FD())
	if err != nil {
		return
	}
	defer mem.Close()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) // a kernel to which everything is right
	must(t, err)
	dev := sys.Own(null)
	defer dev.Close()
	s, err := New(dev, mem)
	if err != nil {
		return
	}
	defer s.Close()
	for _, r := range s.Parked() {
		look(r)
	}
	if r, err := s.Next(); err == nil {
		look(r)
		_ = s.ReplyError(r, unix.EIO)
	}
	for _, r := range s.Parked() {
		must(t, s.ReplyError(r, unix.EIO))
	}
	_ = s.WakeAllPolls()
	mem.Extra()
	mem.Connection()
}

// TestGarbage throws random bytes at every part, many more than a fuzzer's seeds.
func TestGarbage(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	rounds := 2000
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		mem, err := NewMemory(tokenExtra)
		must(t, err)
		populate(t, mem)
		for range 1 + random.IntN(20) {
			where := []int{16, readingAt, parkedAt, pollsAt, bodiesAt, bodiesAt + slotBytes}[random.IntN(6)]
			mem.file[where+random.IntN(120)] = byte(random.Uint32())
		}
		resumeGarbage(t, mem)
		mem.Close()
	}
}

func TestOpenMemoryRefusals(t *testing.T) {
	if _, err := NewMemory(-1); err != ErrExtra {
		t.Errorf("%v", err)
	}
	if _, err := NewMemory(ExtraMax + 1); err != ErrExtra {
		t.Errorf("%v", err)
	}
	for _, extra := range []int{0, 1, 4096, 4097, ExtraMax} {
		m, err := NewMemory(extra)
		must(t, err)
		again, err := OpenMemory(m.FD())
		must(t, err)
		if len(again.Extra()) != extra {
			t.Errorf("%d bytes of %d", len(again.Extra()), extra)
		}
		again.Close()
		m.Close()
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(null)
	if _, err := OpenMemory(null); err != ErrNotSealed {
		t.Errorf("no memfd: %v", err)
	}
	for _, size := range []int{0, extraAt - 1, extraAt, extraAt + 1, fileBytes(ExtraMax) + 1} {
		fd, err := newFile("x", size)
		must(t, err)
		if _, err := OpenMemory(fd.Int()); err != ErrCorrupt {
			t.Errorf("%d bytes: %v", size, err)
		}
		fd.Close()
	}
	m := newMem(t)
	m.head.version++
	if _, err := OpenMemory(m.FD()); err != ErrVersion {
		t.Errorf("another version: %v", err)
	}
}
