package collector

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bytesOf is a record as the programs write it.
func bytesOf(kind Kind, sender SenderKind) []byte {
	b := make([]byte, shortBytes)
	if kind == Signal || kind == Core || kind == Hwerr || kind == Left {
		b = make([]byte, longBytes)
		b[shortBytes+36] = byte(sender)
		copy(b[longBytes-commBytes:], "a name of fifteen and more")
	}
	le := binary.LittleEndian
	b[0], b[1] = byte(kind), byte(Moved)
	le.PutUint16(b[2:], 9)
	le.PutUint32(b[4:], 77)
	le.PutUint64(b[8:], 123456789)
	le.PutUint64(b[16:], 5_019_999_999)
	for i := range uint32(6) {
		le.PutUint32(b[24+4*i:], 100+i)
	}
	le.PutUint64(b[48:], 42)
	return b
}

func TestDecode(t *testing.T) {
	for kind := Fork; kind <= Left; kind++ {
		got, err := decode(bytesOf(kind, FromOOM))
		want := Record{Kind: kind, Flags: Moved, CT: 77, Time: 123456789, Start: 501, Pid: 100, ZPid: 101,
			ZPPid: 103, Pgrp: 104, Status: 105, Sig: 9, Dest: 42}
		if kind == Fork {
			want.PPid = 102
		} else {
			want.EUID = 102
		}
		if kind == Signal || kind == Core || kind == Hwerr || kind == Left {
			want.Sender = Sender{Kind: FromOOM, Comm: "a name of fifte"}
		}
		if err != nil || got != want {
			t.Errorf("kind %d\n got %+v, %v\nwant %+v", kind, got, err, want)
		}
	}
	long := bytesOf(Signal, FromProcess)
	for what, b := range map[string][]byte{
		"nothing": nil, "short": bytesOf(Fork, 0)[:55], "kind 0": bytesOf(0, 0), "kind 8": bytesOf(8, 0),
		"a sender too many": append(bytesOf(Exit, 0), long[shortBytes:]...), "no sender": long[:shortBytes],
		"an unknown sender": bytesOf(Core, 5), "too long": append(long, 0),
	} {
		if r, err := decode(b); err != ErrCorrupt {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for kind := Kind(0); kind < 9; kind++ {
		f.Add(bytesOf(kind, SenderKind(kind)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		if r.Kind < Fork || r.Kind > Left || r.Sender.Kind > FromContract || len(r.Sender.Comm) >= commBytes {
			t.Errorf("%+v", r)
		}
	})
}

// FuzzNext reads from a ring that holds anything.
func FuzzNext(f *testing.F) {
	record := append([]byte{shortBytes, 0, 0, 0, 0, 0, 0, 0}, bytesOf(Fork, 0)...)
	f.Add(uint64(0), uint64(len(record)), record)
	f.Add(uint64(8), uint64(8+len(record)), append([]byte{0, 0, 0, 64, 0, 0, 0, 0}, record...))
	f.Add(uint64(1<<64-8), uint64(64), record)
	f.Add(uint64(0), uint64(1<<40), []byte{255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, at, written uint64, content []byte) {
		const size = 4096
		page := unix.Getpagesize()
		r := &Ring{size: size, consumer: make([]byte, page), producer: make([]byte, page+2*size), at: at &^ 7}
		*position(r.producer) = written
		// The kernel maps the same pages twice.
		copy(r.producer[page:page+size], content)
		copy(r.producer[page+size:], r.producer[page:page+size])
		for range size {
			before := r.at
			b, ok, err := r.next()
			if err != nil || !ok {
				return
			}
			if len(b) > size || r.at == before || written-r.at > size {
				t.Fatalf("%d bytes at %d, then %d of %d", len(b), before, r.at, written)
			}
			_, _ = decode(b)
		}
	})
}

// The sizes are the programs', as collector.h asserts them.
func TestLayout(t *testing.T) {
	if n := unsafe.Sizeof(contractValue{}); n != 160 {
		t.Errorf("a contract has %d bytes", n)
	}
	if n := unsafe.Sizeof(userValue{}); n != 40 {
		t.Errorf("a user has %d bytes", n)
	}
	if longBytes != 120 {
		t.Errorf("a record has %d bytes", longBytes)
	}
	for range 1000 {
		b := make([]byte, longBytes)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		_, _ = decode(b)
	}
}
