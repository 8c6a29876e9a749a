package collector

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// A record that is still being written holds up those behind it, which is something else than
// that there is none. The ring is the test's own memory: the kernel's writers are too quick.
func TestHeld(t *testing.T) {
	const size = 4096
	page := unix.Getpagesize()
	r := &Ring{size: size, consumer: make([]byte, page), producer: make([]byte, page+2*size)}
	data := r.producer[page:]
	next := func(want, held bool) {
		t.Helper()
		rec, ok, err := r.next()
		if err != nil || ok != want || r.Held() != held || ok && len(rec) != shortBytes {
			t.Fatalf("gives %v %v with %d bytes, held: %v; want %v, held: %v", ok, err, len(rec), r.Held(), want, held)
		}
	}
	next(false, false)
	const whole = shortBytes + headerBytes
	for i := range uint32(3) {
		binary.NativeEndian.PutUint32(data[i*whole:], shortBytes)
	}
	binary.NativeEndian.PutUint32(data[whole:], shortBytes|busyBit)
	*position(r.producer) = 3 * whole
	next(true, false)
	next(false, true) // the third is there
	next(false, true)
	binary.NativeEndian.PutUint32(data[whole:], shortBytes)
	next(true, false)
	next(true, false)
	next(false, false)
}
