package orphans

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FuzzOpen: a list that anything has written is no list, or one in which looking ends, and finds
// the process that it was asked for alone.
func FuzzOpen(f *testing.F) {
	good := make([]byte, unsafe.Sizeof(header{})+2*unsafe.Sizeof(record{}))
	m := (*memory)(unsafe.Pointer(&good[0]))
	m.header.magic = magic
	m.header.next.Store(2)
	m.records[1].seq.Store(1)
	m.records[1].pid.Store(7)
	f.Add(good[:16], good[len(good)-64:], uint32(1), 7)
	f.Add(good[:16], []byte{1}, uint32(Records), 7)
	f.Add([]byte("\x31\x30\x6e\x61\x68\x70\x72\x6f\xff\xff\xff\xff\xff\xff\xff\xff"), []byte{}, uint32(0), 1)
	f.Add([]byte("\x31\x30\x6e\x61\x68\x70\x72\x6f\x00\x00\x00\x00\x00\x00\x00\x00"), []byte{}, uint32(0), -1)
	f.Add([]byte{}, []byte{}, uint32(0), 0)
	f.Fuzz(func(t *testing.T, head, body []byte, at uint32, pid int) {
		fd, err := unix.MemfdCreate("orphans", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		place := int64(unsafe.Sizeof(header{})) + int64(at%Records)*int64(unsafe.Sizeof(record{}))
		if len(head) > 16 || int(place)+len(body) > bytes {
			return
		}
		if err := unix.Ftruncate(fd, int64(bytes)); err != nil {
			t.Fatal(err)
		}
		for off, b := range map[int64][]byte{0: head, place: body} {
			if _, err := unix.Pwrite(fd, b, off); err != nil {
				t.Fatal(err)
			}
		}
		if at&1 == 0 { // without seals it could shrink under the reader
			if _, err := Open(fd); err != ErrNone {
				t.Fatalf("a list without seals: %v", err)
			}
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
			t.Fatal(err)
		}
		v, err := Open(fd)
		if err != nil {
			return
		}
		defer v.Close()
		v.Find(pid, 0)
		if _, ok := v.Find(pid, 1<<63); ok && pid == 0 {
			t.Fatal("nobody's end was found")
		}
	})
}
